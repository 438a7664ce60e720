"""Many files verified in one go: a row for each, a summary at the end, and one exit code for all."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit, exit_code_for_verdict
from sdsafe_cli.render import message, printable, table
from sdsafe_cli.report import report_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sdsafe.core.report import Report
    from sdsafe.errors import SdsafeError
    from sdsafe.verification import Validator

__all__ = ["Row", "exit_code", "files_below", "show_rows", "verified"]

_COLUMNS = ("verdict", "signer", "asset id", "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one file: a report, or why there is none."""

    path: Path
    report: Report | None = None
    accepted: bool = False
    error: SdsafeError | None = None

    @property
    def word(self) -> str:
        """The verdict, or ``unreadable``."""
        return "unreadable" if self.report is None else self.report.verdict.value


def files_below(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are named, and all files in the folders that are named; folders in the order of names.

    Links to folders are not followed, so that no folder is walked twice.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, names, files in os.walk(path):
            names.sort()
            yield from (type(path)(folder) / name for name in sorted(files))


def verified(paths: Iterable[Path], validator: Validator, *, named: frozenset[Path]) -> Iterator[Row]:
    """Yield one row per file.

    Args:
        paths: Of files.
        validator: Looks at each.
        named: What the user asked for by name. Any other file that is no picture is left out.
    """
    from sdsafe.api import SIDECAR, read_asset
    from sdsafe.errors import SdsafeError
    from sdsafe.verification import accepts

    for path in paths:
        if path.suffix == SIDECAR:  # looked at with the file that it stands beside
            continue
        try:
            report = validator.inspect(read_asset(path))
        except SdsafeError as error:
            if error.code != "asset.not-an-image" or path in named:
                yield Row(path=path, error=error)
            continue
        yield Row(path=path, report=report, accepted=accepts(report.verdict, validator.policy))


def show_rows(rows: Iterable[Row], *, as_lines: bool) -> list[Row]:
    """Print the rows: one JSON document a line as they come, or a table at the end; then the summary. Return them."""
    seen = []
    for row in rows:
        seen.append(row)
        if as_lines:
            click.echo(json.dumps(_document(row), ensure_ascii=False))
    if not as_lines:
        table("", _COLUMNS, [_cells(row) for row in seen])
    counted = Counter(row.word for row in seen)
    message(f"{len(seen)} files: " + (", ".join(f"{n} {word}" for word, n in sorted(counted.items())) or "none"))
    return seen


def exit_code(rows: Sequence[Row]) -> Exit:
    """Return 0 if every file is accepted and there is one; else the worst: invalid, unreadable, not shown."""
    codes = {
        Exit.FAULT if row.report is None else exit_code_for_verdict(row.report.verdict, accepted=row.accepted)
        for row in rows
    }
    return next((code for code in (Exit.INVALID, Exit.FAULT, Exit.NOT_SHOWN, Exit.OK) if code in codes), Exit.NOT_SHOWN)


def _document(row: Row) -> dict[str, object]:
    if row.report is not None:
        return {"schema": "sdsafe.report/1", **report_document(row.report, str(row.path)), "accepted": row.accepted}
    error = row.error
    return {
        "schema": "sdsafe.report/1",
        "file": str(row.path),
        "verdict": None,
        "error": {"code": error.code if error else "", "message": str(error)},
        "accepted": False,
    }


def _cells(row: Row) -> tuple[str, str, str, str]:
    summary = None if row.report is None else row.report.evidence.summary
    if summary is None:
        return row.word, "" if row.error is None else str(row.error), "", str(row.path)
    return row.word, printable(summary.signer), summary.asset_id or "", str(row.path)
