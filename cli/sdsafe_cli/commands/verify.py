"""``sdsafe verify``: is it shown where this file comes from?"""

from __future__ import annotations

from pathlib import Path

import click

from sdsafe_cli._errors import exit_code_for_verdict
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option, trust_option
from sdsafe_cli.render import message
from sdsafe_cli.report import show_report

__all__ = ["command"]


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@trust_option
@click.option("--require", type=click.Choice(["trusted", "valid"]), help="The least verdict that exits 0.")
@click.option("--watermark", is_flag=True, help="Look for the watermark even when the manifest is intact.")
@json_option
def command(
    *,
    file: Path,
    trust: tuple[Path, ...],
    require: str | None,
    watermark: bool,
    as_json: bool,
) -> None:
    """Verify FILE and exit 0 only if its origin is shown.

    Exit 0 for *trusted*; for *valid* only while no trust list is configured and --require trusted is not given.
    Exit 4: invalid. Exit 5: unknown, recovered, or less than required.
    """
    from sdsafe.api import open_validator, read_asset
    from sdsafe.core.trust import Require
    from sdsafe.verification import accepts

    validator = open_validator(
        settings_from(), trust=trust, require=Require(require) if require else None, check_watermark=watermark
    )
    report = validator.inspect(read_asset(file))
    show_report(report, str(file), as_json=as_json)
    accepted = accepts(report.verdict, validator.policy)
    if not accepted:
        message(f"sdsafe: verdict is {report.verdict.value}, required is {validator.policy.least.value}")
    raise click.exceptions.Exit(exit_code_for_verdict(report.verdict, accepted=accepted))
