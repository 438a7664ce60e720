"""Writes the pages that are printed from the code. ``--check`` fails when a page is not what it would write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe import errors
from sdsafe.core.report import verdict_table
from sdsafe.provenance.manifest.conformance import CHECKS

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


def _conformance() -> Iterator[str]:
    yield "# Conformance"
    yield ""
    yield _NOTE
    yield ""
    yield "The C2PA conformance program asks more of a manifest than that it is valid."
    yield 'These are the checks of its asset rubric "Conformance 0.2 / Spec 2.4" (version 1.0, 2026-08-06,'
    yield "https://github.com/c2pa-org/conformance-public), asked by `sdsafe conformance FILE` of any file, and of every"
    yield "file of ours before it is released: one that fails is not released (`manifest.conformance`)."
    yield "They say what is said where, not whether it is true, nor who signed."
    yield "A product is certified, not a library: passing them makes nothing a conforming product."
    yield ""
    yield "| check | asks that | section of C2PA |"
    yield "|---|---|---|"
    for check in CHECKS:
        asks = f"{check.says} (a warning only)" if check.warns else check.says
        yield f"| `{check.id}` | {asks} | {check.section} |"


PAGES = {"verdicts.md": _verdicts, "errors.md": _errors, "conformance.md": _conformance}


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
