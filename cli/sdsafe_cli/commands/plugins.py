"""``sdsafe plugins``: what fills each slot."""

from __future__ import annotations

import click

from sdsafe_cli.options import json_option
from sdsafe_cli.render import emit_json, plain, table

__all__ = ["command"]


@click.command("plugins")
@json_option
def command(*, as_json: bool) -> None:
    """List installed plug-ins by slot. Installed is not enabled: settings name what runs."""
    from sdsafe.plugins import installed

    found = list(installed())
    if as_json:
        emit_json("sdsafe.plugins/1", {"plugins": plain(found)})
        return
    rows = [
        (info.group.removeprefix("sdsafe."), info.name, "built in" if info.builtin else info.distribution, info.version)
        for info in found
    ]
    table("Plug-ins", ("slot", "name", "from", "version"), rows)
