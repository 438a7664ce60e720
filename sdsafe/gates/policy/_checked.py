"""Reads what the CEL library says of a checked expression: the names, functions and types that it comes down to.

The library hands its checked form out only as bytes, a ``cel.expr.CheckedExpr`` of protocol buffers
(https://github.com/google/cel-spec/blob/master/proto/cel/expr/checked.proto); the two maps that are needed of it are
read here, without a library for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Checked", "read_checked"]

_URL = b"type.googleapis.com/cel.expr.CheckedExpr"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_REFERENCES, _TYPES = 2, 3
_PRIMITIVES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What an expression comes down to."""

    names: frozenset[str]
    """Every declared name that is read, and those of operators, functions and loop variables."""
    overloads: frozenset[str]
    """Every function in the form that fits its operands, such as ``divide_double``."""
    types: frozenset[str]
    """The type of every part: ``bool``, ``int``, ``double``, ``string``, ``list(string)``, ...; ``other`` for the rest."""


def read_checked(data: bytes) -> Checked:
    """Return what is said in a serialised expression.

    Raises:
        ValueError: It is not what this module knows.
    """
    try:
        message = dict(_fields(data))
        if message.get(1) != _URL:
            raise ValueError("not a checked expression")
        names: set[str] = set()
        overloads: set[str] = set()
        types: set[str] = set()
        for number, entry in _fields(_bytes(message[2])):
            if number not in {_REFERENCES, _TYPES}:
                continue
            value = _bytes(dict(_fields(_bytes(entry)))[2])
            if number == _TYPES:
                types.add(_type(value))
                continue
            for part, text in _fields(value):
                if part in {1, 3}:
                    (names if part == 1 else overloads).add(_bytes(text).decode())
    except (KeyError, IndexError) as error:
        raise ValueError("not a checked expression") from error
    return Checked(frozenset(names), frozenset(overloads), frozenset(types))


def _type(value: bytes) -> str:
    ((number, inner),) = _fields(value)
    if number == 3 and inner in _PRIMITIVES:  # noqa: PLR2004 - Type.primitive
        return _PRIMITIVES[int(inner)]
    if number == 6:  # noqa: PLR2004 - Type.list_type, whose first field is the type of its elements
        return f"list({_type(_bytes(dict(_fields(_bytes(inner)))[1]))})"
    return "other"


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message should be")  # noqa: TRY004 - a malformed message, not a wrong call
    return value


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError("a field of no known kind")
        if at + size > len(data):
            raise ValueError("a field that ends after the message")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
            return value, at
