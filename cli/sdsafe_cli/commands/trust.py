"""``sdsafe trust``: whose signatures and time-stamps count on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option, yes_option
from sdsafe_cli.render import emit_json, message, printable, table

if TYPE_CHECKING:
    from sdsafe.provenance.trust.store import Kept, TrustStore

__all__ = ["command"]

_KIND = click.Choice(["manifest", "tsa", "cawg"])


@click.group("trust")
def command() -> None:
    """Keep lists of trust anchors: fetched when you say so, pinned by digest, used without any network.

    The kind says what a list is for: manifest (who may sign), tsa (whose time-stamps count), cawg (identities).
    A root of one kind never counts for another.
    """


@command.command("update")
@click.argument("kind", type=_KIND)
@click.argument("source", metavar="FILE|URL")
@click.option(
    "--name", default="default", show_default=True, help="What to call it; the list of that name is replaced."
)
@click.option("--sha256", metavar="HEX", help="What its digest has to be; without it you are asked.")
@yes_option
@json_option
def update(  # noqa: PLR0913 - one argument per option
    *, kind: str, source: str, name: str, sha256: str | None, yes: bool, as_json: bool
) -> None:
    """Fetch a list, show what would change, and keep it.

    Compare the digest with one that you got another way: whoever can exchange the list decides whom you trust.
    Exit 4: the digest is another.
    """
    from sdsafe.core.digests import sha256_hex
    from sdsafe.core.trust import ListKind
    from sdsafe.provenance.trust.lists import parse_anchors, read_list
    from sdsafe.provenance.trust.store import fetch

    remote = source.startswith(("https://", "http://"))
    data = fetch(source) if remote else read_list(Path(source))
    found = sha256_hex(data)
    if sha256 is not None and sha256.lower() != found:
        message(f"sdsafe: the list has the digest {found}, not the one you gave; nothing was changed")
        raise click.exceptions.Exit(Exit.INVALID)
    store = _store()
    anchors = parse_anchors(data, source)
    before = next((each for each in store.kept(ListKind(kind)) if each.name == name), None)
    _announce(anchors, before.anchors if before else (), found)
    if sha256 is None and not yes:
        click.confirm("Keep it?", abort=True, err=True)
    kept = store.keep(ListKind(kind), name, data, source if remote else Path(source).name)
    if as_json:
        emit_json("sdsafe.trust.update/1", _row(kept))
    else:
        click.echo(f"{kept.kind.value} list {kept.name!r} kept: {len(kept.anchors)} anchors, sha256 {kept.sha256}")


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the trust lists that are kept."""
    kept = _store().kept()
    if as_json:
        emit_json("sdsafe.trust.list/1", {"lists": [_row(each) for each in kept]})
        return
    rows = [(k.kind.value, k.name, str(len(k.anchors)), k.fetched_at, k.sha256[:16], k.source) for k in kept]
    table("Trust lists", ("kind", "name", "anchors", "fetched", "sha256", "source"), rows)


@command.command("show")
@click.argument("kind", type=_KIND)
@click.argument("name", default="default")
@json_option
def show(*, kind: str, name: str, as_json: bool) -> None:
    """Show who is on a list that is kept."""
    from sdsafe.core.trust import ListKind

    kept = next((each for each in _store().kept(ListKind(kind)) if each.name == name), None)
    if kept is None:
        raise click.BadParameter(f"no {kind} list {name!r} is kept", param_hint="NAME")
    if as_json:
        emit_json("sdsafe.trust.show/1", {**_row(kept), "subjects": [_subject(pem) for pem in kept.anchors]})
        return
    table(f"{kind} list {name}", ("subject", "until"), [_subject(pem) for pem in kept.anchors])


@command.command("remove")
@click.argument("kind", type=_KIND)
@click.argument("name", default="default")
def remove(*, kind: str, name: str) -> None:
    """Forget a list."""
    from sdsafe.core.trust import ListKind

    _store().remove(ListKind(kind), name)
    message(f"{kind} list {name!r} removed")


def _store() -> TrustStore:
    from sdsafe.provenance.trust.store import TrustStore

    return TrustStore(settings_from().places)


def _announce(new: tuple[bytes, ...], old: tuple[bytes, ...], digest: str) -> None:
    message(f"{len(new)} anchors, sha256 {digest}")
    for sign, found in (
        ("+", [each for each in new if each not in old]),
        ("-", [each for each in old if each not in new]),
    ):
        for pem in found:
            message(f"  {sign} {_subject(pem)[0]}")


def _subject(pem: bytes) -> tuple[str, str]:
    """Return name and last day of an anchor; control characters stay off the terminal."""
    from cryptography import x509

    from sdsafe._internal.certificates import readable_name

    certificate = x509.load_pem_x509_certificate(pem)
    return printable(readable_name(certificate.subject)), f"{certificate.not_valid_after_utc:%Y-%m-%d}"


def _row(kept: Kept) -> dict[str, object]:
    return {
        "kind": kept.kind.value,
        "name": kept.name,
        "source": kept.source,
        "sha256": kept.sha256,
        "fetched_at": kept.fetched_at,
        "anchors": len(kept.anchors),
    }
