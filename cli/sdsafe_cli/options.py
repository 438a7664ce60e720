"""Options that mean the same in every command."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = [
    "FILE",
    "at_option",
    "crjson_option",
    "crl_option",
    "disclose_to_option",
    "disclosure_option",
    "force_option",
    "json_option",
    "manifest_option",
    "policy_option",
    "trust_option",
    "trust_tsa_option",
    "with_options",
    "yes_option",
]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file that exists."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document (versioned schema).")
crjson_option = click.option(
    "--crjson", is_flag=True, help="Print C2PA's own JSON (crJSON): every manifest, and these results."
)
force_option = click.option("--force", is_flag=True, help="Overwrite what exists.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
policy_option = click.option(
    "--policy", multiple=True, metavar="NAME", help="Add a policy pack (repeatable); never drops one."
)
trust_option = click.option(
    "--trust",
    "trust",
    multiple=True,
    metavar="LIST",
    type=click.Path(exists=True, path_type=Path),
    help="Trust anchors for signers: a PEM or JSON list, or a folder of them (repeatable).",
)
trust_tsa_option = click.option(
    "--trust-tsa",
    multiple=True,
    metavar="LIST",
    type=click.Path(exists=True, path_type=Path),
    help="Trust anchors for time-stamps (repeatable).",
)


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time such as 2026-11-23T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


crl_option = click.option(
    "--crl",
    multiple=True,
    metavar="FILE",
    type=FILE,
    help="Revocation list of an authority, PEM or DER (repeatable); nothing is fetched.",
)
at_option = click.option(
    "--at", callback=_moment, metavar="TIME", help="Judge as of this time (RFC 3339, or a date); default: now."
)
manifest_option = click.option(
    "--manifest",
    metavar="FILE",
    type=FILE,
    help="Manifest store beside FILE; default: the same name ending in .c2pa, where there is one.",
)
disclose_to_option = click.option(
    "--disclose-to",
    metavar="PEM",
    type=FILE,
    help="Auditor's public key (X25519 or RSA) for --prompt-disclosure encrypted.",
)
disclosure_option = click.option(
    "--prompt-disclosure",
    type=click.Choice(["full", "encrypted", "commit", "omit"]),
    default=None,
    help="How much of the prompt the public manifest shows.",
)


def with_options(command: Callable[..., Any], options: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    """Give a command options, in the order in which its help shall list them."""
    for option in reversed(options):
        command = option(command)
    return command
