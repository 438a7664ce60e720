"""What stands at a place of a document that may come from anybody: a value of the kind, else an empty one."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["mapping", "mappings", "text"]


def text(value: object) -> str:
    """Return a text; empty where it is none."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, object]:
    """Return an object; empty where it is none."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Mapping[str, object]]:
    """Return the objects in a list; none where it is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []
