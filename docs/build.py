"""Writes the pages that are printed from the code. ``--check`` fails when a page is not what it would write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe import errors
from sdsafe.core.report import verdict_table

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFERENCE = Path(__file__).parent / "reference"
_NOTE = "<!-- Printed from the code by `make docs`. -->"


def _verdicts() -> Iterator[str]:
    yield "# Verdicts"
    yield ""
    yield _NOTE
    yield ""
    yield "`decide()` is total: every combination of the three states has exactly one verdict."
    yield "What the states mean is in the [glossary](../glossary.md)."
    yield ""
    yield "| manifest | soft binding | ledger | verdict |"
    yield "|---|---|---|---|"
    for manifest, soft, ledger, verdict in verdict_table():
        yield f"| {manifest} | {soft} | {ledger} | **{verdict}** |"


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield _NOTE
    yield ""
    yield "Every error carries a stable `code` and a `hint`; more specific codes are documented where they are raised."
    yield ""
    yield "| error | default code | meaning |"
    yield "|---|---|---|"
    for name in errors.__all__:
        kind = getattr(errors, name)
        first = (kind.__doc__ or "").strip().splitlines()[0]
        yield f"| `{name}` | `{kind.default_code}` | {first} |"


PAGES = {"verdicts.md": _verdicts, "errors.md": _errors}


def main() -> int:
    """Write or check every page and return the exit code."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, lines in PAGES.items():
        path, text = _REFERENCE / name, "\n".join(lines()) + "\n"
        if check:
            stale += [name] if not path.is_file() or path.read_text(encoding="utf-8") != text else []
        else:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"docs/reference/{name} is not what the code prints: make docs")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
