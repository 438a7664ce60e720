"""``sdsafe doctor``: does the whole way work here?"""

from __future__ import annotations

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option
from sdsafe_cli.render import emit_json, plain

__all__ = ["command"]


@click.command("doctor")
@json_option
def command(*, as_json: bool) -> None:
    """Try packs, credential, ledger, a prompt that must be refused and a picture that must round-trip.

    Exit 1 if anything failed. Leaves no entry in the ledger.
    """
    from sdsafe.diagnosis import diagnose

    results = []
    for examined in diagnose(settings_from()):
        results.append(examined)
        if not as_json:
            mark = click.style("ok  ", fg="green") if examined.ok else click.style("FAIL", fg="red")
            click.echo(f"{mark} {examined.name}: {examined.detail}")
            if examined.hint:
                click.echo(f"     {examined.hint}")
    if as_json:
        emit_json("sdsafe.doctor/1", {"examined": plain(results)})
    if not all(examined.ok for examined in results):
        raise click.exceptions.Exit(Exit.FAULT)
