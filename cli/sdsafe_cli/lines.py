"""Lines for people: a label in its column, text beside it, wrapped where a terminal would wrap in mid-word.

Without a terminal nothing is wrapped, so that ``grep`` finds whole sentences.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["row", "rows", "visible"]

_WIDEST = 100
_NARROWEST = 40


def row(label: str, text: str, *, indent: int = 2, column: int = 10) -> str:
    """Return one entry: ``label`` at ``indent``, ``text`` at ``indent + column``, all its lines below each other."""
    head = " " * indent + label.ljust(column)
    if len(label) >= column:
        head += " "
    hanging = " " * (indent + column)
    if not sys.stdout.isatty():
        return (head + f"\n{hanging}".join(text.splitlines())).rstrip()
    width = max(min(shutil.get_terminal_size().columns, _WIDEST), _NARROWEST)
    lines: list[str] = []
    for each in text.splitlines() or [""]:
        lines += textwrap.wrap(
            each,
            width,
            initial_indent=hanging if lines else head,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines) or head.rstrip()


def rows(entries: Iterable[tuple[str, str]], *, indent: int = 2) -> None:
    """Print entries whose texts stand in one column, as far right as the longest label needs."""
    listed = list(entries)
    column = max((len(label) for label, _ in listed), default=0) + 2
    for label, text in listed:
        click.echo(row(label, text, indent=indent, column=column))


def visible(text: str) -> str:
    """Return ``text`` with everything that a terminal would act on or hide spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
