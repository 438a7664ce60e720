"""``sdsafe inspect``: everything that can be seen, nothing judged."""

from __future__ import annotations

from pathlib import Path

import click

from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option, trust_option
from sdsafe_cli.report import show_report

__all__ = ["command"]


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@trust_option
@json_option
def command(*, file: Path, trust: tuple[Path, ...], as_json: bool) -> None:
    """Report what FILE carries: manifest, signer, watermark, fingerprint, ledger entry. Exit 0 if it could be read."""
    from sdsafe.api import open_validator, read_asset

    report = open_validator(settings_from(), trust=trust, check_watermark=True).inspect(read_asset(file))
    show_report(report, str(file), as_json=as_json)
