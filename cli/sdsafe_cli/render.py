"""How results reach people and programs: text on a terminal, JSON with a versioned schema elsewhere.

Results go to standard output, progress and messages to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["emit_json", "message", "plain", "printable", "table"]


def plain(value: object) -> Any:
    """Turn frozen values into JSON types: enums by their label, bytes as hex, mappings and tuples inside out."""
    match value:
        case IntEnum():
            converted: Any = value.name.lower()
        case Enum():
            converted = value.value
        case bytes():
            converted = value.hex()
        case Path():
            converted = str(value)
        case Mapping():
            converted = {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            converted = [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            converted = {item.name: plain(getattr(value, item.name)) for item in fields(value) if item.repr}
        case _:
            converted = value
    return converted


def emit_json(schema: str, payload: Mapping[str, object]) -> None:
    """Print one JSON document whose first key names its schema, such as ``sdsafe.report/1``."""
    click.echo(json.dumps({"schema": schema, **plain(payload)}, indent=2, ensure_ascii=False))


def message(text: str) -> None:
    """Print a message for people on standard error."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """Keep control characters of a hostile manifest or prompt off the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output; without a terminal, tab-separated lines with a header."""
    if not sys.stdout.isatty():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, title=title, title_justify="left")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))  # Text: nothing in a cell is markup
    Console().print(drawn)
