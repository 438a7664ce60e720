"""Core values as bytes and back, so that a picture can wait for a person longer than a process lives. Pure.

Every value is written with its type's name, and only types listed here are ever made: reading runs no code of the
data. Law: ``decode(encode(value))`` equals ``value``, arrays included.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np

from sdsafe._internal import images
from sdsafe.core import decisions, findings, ids, placement, plans, request, reviews, statement, states
from sdsafe.errors import RepositoryError

__all__ = ["decode", "encode"]

_FORMAT = 1

_CLASSES: Mapping[str, type] = MappingProxyType(
    {
        kind.__name__: kind
        for module in (decisions, findings, ids, placement, plans, request, reviews, statement, states)
        for kind in vars(module).values()
        if isinstance(kind, type)
        and kind.__module__ == module.__name__
        and (is_dataclass(kind) or issubclass(kind, Enum))
    }
)
"""Frozen dataclasses and enumerations of the core, by name."""


def encode(value: object) -> bytes:
    """Return ``value`` as bytes.

    Args:
        value: A core dataclass, or anything made of them, enumerations, plain values, bytes, tuples, mappings and
            pictures.

    Raises:
        RepositoryError: It holds something else.
    """
    return json.dumps({"v": _FORMAT, "value": _written(value)}, allow_nan=False).encode()


def decode(data: bytes) -> Any:
    """Return what ``encode`` was given.

    Raises:
        RepositoryError: ``repository.newer`` or ``repository.damaged``.
    """
    try:
        document = json.loads(data)
        if document["v"] == _FORMAT:
            return _read(document["value"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RepositoryError("what waits for review cannot be read", code="repository.damaged") from error
    raise RepositoryError(
        "what waits for review has a format that this version of sdsafe does not know",
        code="repository.newer",
        hint="Use the version of sdsafe that wrote it, or a newer one.",
    )


def _written(value: object) -> Any:
    match value:
        case Enum():
            written: Any = {"enum": type(value).__name__, "name": value.name}
        case None | bool() | int() | float() | str():
            written = value
        case bytes():
            written = {"bytes": base64.b64encode(value).decode("ascii")}
        case np.ndarray():
            written = {"picture": base64.b64encode(images.encode(value)).decode("ascii")}
        case tuple() | list():
            written = [_written(item) for item in value]
        case Mapping():
            written = {"map": [[key, _written(item)] for key, item in value.items()]}
        case _ if type(value).__name__ in _CLASSES and type(value) is _CLASSES[type(value).__name__]:
            written = {
                "class": type(value).__name__,
                "fields": {item.name: _written(getattr(value, item.name)) for item in fields(value)},  # type: ignore[arg-type]  # every class listed is a dataclass
            }
        case _:
            raise RepositoryError(
                f"a value of type {type(value).__name__} cannot wait for review",
                code="repository.unwritable-record",
                hint="Plug-ins may put plain values into findings only.",
            )
    return written


def _read(written: Any) -> Any:
    match written:
        case list():
            value: Any = tuple(_read(item) for item in written)
        case {"enum": kind, "name": name}:
            value = _CLASSES[kind][name]  # type: ignore[index]  # an Enum is subscribed by name
        case {"bytes": text}:
            value = base64.b64decode(text)
        case {"picture": text}:
            value = images.decode(base64.b64decode(text))
        case {"map": pairs}:
            value = MappingProxyType({key: _read(item) for key, item in pairs})
        case {"class": kind, "fields": values}:
            value = _CLASSES[kind](**{name: _read(item) for name, item in values.items()})
        case dict():
            raise KeyError
        case _:
            value = written
    return value
