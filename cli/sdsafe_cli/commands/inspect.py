"""``sdsafe inspect``: everything that can be seen, nothing judged."""

from __future__ import annotations

from pathlib import Path

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option, trust_option
from sdsafe_cli.render import message
from sdsafe_cli.report import show_report

__all__ = ["command"]


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@trust_option
@click.option("--tree", "as_tree", is_flag=True, help="Draw the manifests: what it was made from, and that from what.")
@json_option
def command(*, file: Path, trust: tuple[Path, ...], as_tree: bool, as_json: bool) -> None:
    """Report what FILE carries: manifest, signer, watermark, fingerprint, ledger entry. Exit 0 if it could be read."""
    if as_tree:
        _tree(file, as_json=as_json)
        return
    from sdsafe.api import open_validator, read_asset

    report = open_validator(settings_from(), trust=trust, check_watermark=True).inspect(read_asset(file))
    show_report(report, str(file), as_json=as_json)


def _tree(file: Path, *, as_json: bool) -> None:
    from sdsafe.api import read_asset
    from sdsafe.provenance.manifest._c2pa import read
    from sdsafe.provenance.manifest.tree import grow
    from sdsafe_cli.family import show_tree

    reading = read(read_asset(file))
    if not reading.label:
        message(f"sdsafe: {file}: there is no manifest that could be read")
        raise click.exceptions.Exit(Exit.NOT_SHOWN)
    show_tree(grow(reading.store, reading.label), str(file), as_json=as_json)
