"""``sdsafe verify``: is it shown where this file comes from?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from sdsafe_cli._errors import exit_code_for_verdict
from sdsafe_cli.batch import exit_code, files_below, show_rows, verified
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import (
    at_option,
    crjson_option,
    crl_option,
    json_option,
    manifest_option,
    trust_option,
    trust_tsa_option,
)
from sdsafe_cli.render import message
from sdsafe_cli.report import show_crjson, show_report

if TYPE_CHECKING:
    from datetime import datetime

    from sdsafe.verification import Validator

__all__ = ["command"]


@click.command("verify")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@trust_option
@trust_tsa_option
@crl_option
@at_option
@manifest_option
@click.option("--require", type=click.Choice(["trusted", "valid"]), help="The least verdict that exits 0.")
@click.option("--watermark", is_flag=True, help="Look for the watermark even when the manifest is intact.")
@click.option("--jsonl", is_flag=True, help="Print one JSON document a line, one per file (sdsafe.report/1).")
@crjson_option
@json_option
def command(  # noqa: PLR0913 - one argument per option
    *,
    files: tuple[Path, ...],
    trust: tuple[Path, ...],
    trust_tsa: tuple[Path, ...],
    crl: tuple[Path, ...],
    at: datetime | None,
    manifest: Path | None,
    require: str | None,
    watermark: bool,
    jsonl: bool,
    crjson: bool,
    as_json: bool,
) -> None:
    """Verify FILE and exit 0 only if its origin is shown.

    Several files, or a folder with everything in it, give a table and a summary.

    Exit 0 for *trusted*; for *valid* only while no trust list is configured and --require trusted is not given.
    Exit 4: invalid. Exit 5: unknown, recovered, or less than required. Of several files the worst counts.
    """
    from sdsafe.api import open_validator
    from sdsafe.core.trust import Require

    several = jsonl or len(files) > 1 or files[0].is_dir()
    if several and (as_json or crjson):
        raise click.UsageError("--json and --crjson are for one file; --jsonl prints one document a line for many")
    validator = open_validator(
        settings_from(),
        trust=trust,
        require=Require(require) if require else None,
        check_watermark=watermark,
        trust_tsa=trust_tsa,
        at=at,
        crl=crl,
    )
    if not several:
        _one(files[0], manifest, validator, at=at, crjson=crjson, as_json=as_json)
    if manifest is not None:
        raise click.UsageError("--manifest is for one file; beside many, each is found by its name")
    rows = show_rows(verified(files_below(files), validator, named=frozenset(files)), as_lines=jsonl)
    raise click.exceptions.Exit(exit_code(rows))


def _one(  # noqa: PLR0913 - what to look at, and how to show it
    file: Path, manifest: Path | None, validator: Validator, *, at: datetime | None, crjson: bool, as_json: bool
) -> NoReturn:
    from sdsafe.api import read_asset
    from sdsafe.verification import accepts

    asset = read_asset(file, manifest)
    report = validator.inspect(asset)
    if crjson:
        show_crjson(asset, report, str(file), at=at)
    else:
        show_report(report, str(file), as_json=as_json)
    accepted = accepts(report.verdict, validator.policy)
    if not accepted:
        message(f"sdsafe: verdict is {report.verdict.value}, required is {validator.policy.least.value}")
    raise click.exceptions.Exit(exit_code_for_verdict(report.verdict, accepted=accepted))
