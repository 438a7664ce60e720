"""``sdsafe conformance``: does the manifest say what the C2PA conformance program asks for?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.options import json_option
from sdsafe_cli.render import emit_json, message, printable

if TYPE_CHECKING:
    from sdsafe.provenance.manifest.conformance import Result

__all__ = ["command"]


@click.command("conformance")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def command(*, file: Path, as_json: bool) -> None:
    """Hold the active manifest of FILE against the asset rubric "Conformance 0.2 / Spec 2.4".

    It says whether the right things are said in the right places, not whether they are true and not who signed:
    that is what `verify` is for.

    Exit 0: every check passes. Exit 4: one does not. Exit 5: there is no manifest.
    """
    from sdsafe.api import read_asset
    from sdsafe.provenance.manifest._c2pa import read
    from sdsafe.provenance.manifest.conformance import CHECKS, conformance

    reading = read(read_asset(file))
    if not reading.label:
        message(f"sdsafe: {file}: there is no manifest that could be read")
        raise click.exceptions.Exit(Exit.NOT_SHOWN)
    results = conformance(reading.manifest)
    if as_json:
        emit_json("sdsafe.conformance/1", {"file": str(file), "manifest": reading.label, "checks": _rows(results)})
    else:
        _show(results)
        message(f"{sum(each.passed for each in results)} of {len(CHECKS)} checks pass")
    if any(not each.passed and not each.check.warns for each in results):
        raise click.exceptions.Exit(Exit.INVALID)


def _rows(results: tuple[Result, ...]) -> list[dict[str, object]]:
    return [
        {
            "id": each.check.id,
            "passed": each.passed,
            "warns": each.check.warns,
            "section": each.check.section,
            "found": list(each.found),
        }
        for each in results
    ]


def _show(results: tuple[Result, ...]) -> None:
    for each in results:
        word = "pass" if each.passed else "warn" if each.check.warns else "FAIL"
        found = "" if each.passed else f": {', '.join(each.found)}"
        click.echo(printable(f"{word}  {each.check.says} ({each.check.id}){found}"))
