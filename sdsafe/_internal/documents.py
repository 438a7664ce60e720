"""The one door to PyYAML: reads the plain part of YAML 1.2 and refuses the rest, quickly.

Values are built here from parser events, so that no constructor of the library ever runs: mappings with string
keys, sequences, strings, and the null, booleans, integers and finite floats of the core schema (``on`` and ``no``
are strings). Refused: aliases and anchors (which bombs are made of), tags other than ``!!str``, ``!!map`` and
``!!seq``, duplicate keys, a second document, deep nesting, and anything over ``MAX_BYTES``.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NoReturn

import yaml

from sdsafe.errors import PolicyFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BYTES", "read_yaml"]

MAX_BYTES = 5_000_000
"""Largest YAML file that is looked at; long lists belong in text files beside it."""

_MAX_DEPTH = 32
_MAX_DIGITS = 18  # fits a signed 64-bit integer, in every reader
_PREFIX = "tag:yaml.org,2002:"
_TAGS = {"!", _PREFIX + "str", _PREFIX + "map", _PREFIX + "seq"}
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
# libyaml is ten times as fast; both give the same events.
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(data: bytes, file: str) -> object:
    """Return the one document in ``data``: dicts, tuples, str, int, float, bool and None.

    Args:
        data: The whole file, UTF-8.
        file: What to call it in errors; never a path that the user did not give.

    Raises:
        PolicyFormatError: It is too large, not UTF-8, not YAML, or uses what this module refuses.
    """
    if len(data) > MAX_BYTES:
        raise PolicyFormatError(
            file=file,
            key="",
            expected=f"at most {MAX_BYTES:,} bytes",
            found=f"{len(data):,} bytes",
            hint="Move long lists into files of their own.",
        )
    try:
        text = data.decode("utf-8-sig")
        return _Builder(yaml.parse(text, Loader=_LOADER), file).document()
    except UnicodeDecodeError as error:
        raise PolicyFormatError(
            file=file, key=f"byte {error.start}", expected="UTF-8", found="another encoding"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "something else"
        raise PolicyFormatError(file=file, key=where, expected="YAML", found=str(problem)) from error


class _Builder:
    """Builds plain values from the events of one document, keeping the key path for errors."""

    def __init__(self, events: Iterator[yaml.Event], file: str) -> None:
        self._events = events
        self._file = file
        self._path: list[str] = []

    def document(self) -> object:
        value: object = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse("one document", "a second one", event)
                value = self._value(next(self._events))
        return value

    def _value(self, event: yaml.Event) -> object:
        if len(self._path) > _MAX_DEPTH:
            self._refuse(f"at most {_MAX_DEPTH} levels", "deeper nesting", event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self._refuse("plain values", "an anchor or alias", event, hint="Write the value out where it is needed.")
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _TAGS:
            self._refuse("no tag", f"the tag {_short(tag.removeprefix(_PREFIX))}", event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping()
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence()
        assert isinstance(event, yaml.ScalarEvent)  # noqa: S101 - the parser's grammar leaves nothing else
        return self._scalar(event)

    def _mapping(self) -> dict[str, object]:
        built: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            # A key that has parts is refused unread: keys within keys within keys would be no path to count.
            key = self._value(event) if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent) else None
            if not isinstance(key, str):
                self._refuse("a string as key", "another type", event)
            self._path.append(key)
            if key in built:
                self._refuse("each key once", "the key twice", event)
            built[key] = self._value(next(self._events))
            self._path.pop()
        return built

    def _sequence(self) -> tuple[object, ...]:
        built: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._path.append(f"[{len(built)}]")
            built.append(self._value(event))
            self._path.pop()
        return tuple(built)

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        text: str = event.value
        if event.tag is not None or not event.implicit[0]:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > _MAX_DIGITS:
                self._refuse(f"at most {_MAX_DIGITS} digits", "a longer number", event, hint="Quote it to mean text.")
            return int(text)
        if _FLOAT.fullmatch(text):
            number = math.inf if text.lstrip("+-")[:2].lower() in {".i", ".n"} else float(text)
            if not math.isfinite(number):
                self._refuse("a finite number", _short(text), event, hint="Quote it to mean text.")
            return number
        return text

    def _refuse(self, expected: str, found: str, event: yaml.Event, *, hint: str = "") -> NoReturn:
        key = ".".join(self._path).replace(".[", "[")
        line = f" (line {event.start_mark.line + 1})" if event.start_mark else ""
        raise PolicyFormatError(file=self._file, key=_short(key, 120) + line, expected=expected, found=found, hint=hint)


def _short(text: str, limit: int = 60) -> str:
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:limit])
    return shown if len(text) <= limit else shown + "..."
