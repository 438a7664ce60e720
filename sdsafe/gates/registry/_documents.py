"""The door to YAML and pydantic of this room: strict frozen models out of plain YAML, errors that name the place.

Values are built from nodes by this module, so that no constructor of the library runs. Refused: anchors and aliases,
duplicate keys, tags, keys that are not text, more than one document, and files over ``MAX_BYTES``. Dates stay text.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sdsafe.errors import PolicyFormatError

__all__ = ["MAX_BYTES", "Day", "Line", "Name", "Strict", "build", "read_document"]

MAX_BYTES = 5_000_000
"""Largest file that is looked at."""

_MAX_DEPTH = 24
_MAX_DIGITS = 18
_SHOWN = 60
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Model = TypeVar("_Model", bound=BaseModel)

Line = Annotated[str, Field(min_length=1, max_length=600)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?$")]
"""A day, or a month where the source says no more."""


class Strict(BaseModel):
    """Base of everything that is read from a data file: no coercion, no unknown keys, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


def read_document(data: bytes, file: str) -> object:
    """Return the one document in ``data``: dicts, tuples, str, int, bool and None.

    Args:
        data: The whole file, UTF-8.
        file: What to call it in errors; never a path that the user did not give.

    Raises:
        PolicyFormatError: It is too large, not UTF-8, not YAML, or uses what this module refuses.
    """
    if len(data) > MAX_BYTES:
        raise _error(file, "", f"at most {MAX_BYTES:,} bytes", f"{len(data):,} bytes")
    try:
        text = data.decode("utf-8-sig")
        for event in yaml.parse(text, Loader=_LOADER):  # before composing, which would follow aliases
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise _error(file, _line(event), "plain values", "an anchor or alias")
        node = yaml.compose(text, Loader=_LOADER)
    except UnicodeDecodeError as error:
        raise _error(file, f"byte {error.start}", "UTF-8", "another encoding") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else ""
        raise _error(file, where, "YAML", str(getattr(error, "problem", None) or "something else")) from error
    return None if node is None else _value(node, file, "", 0)


def build(model: type[_Model], value: object, file: str) -> _Model:
    """Return ``value`` as ``model``; ``PolicyFormatError`` for the first thing that does not fit."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        # An unknown key is usually the reason for the missing key beside it: name it first.
        detail = next((each for each in details if each["type"] == "extra_forbidden"), details[0])
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:_SHOWN]}" for part in detail["loc"])
        expected = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        found = _described(detail["input"])
        if detail["type"] == "extra_forbidden":
            expected, found = "a known key", "an unknown one"
        elif detail["type"] == "missing":
            expected, found = "a value", "nothing"
    raise _error(file, key.lstrip("."), expected, found)


def _value(node: yaml.Node, file: str, key: str, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise _error(file, key, f"at most {_MAX_DEPTH} levels", "deeper nesting")
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return tuple(_value(each, file, f"{key}[{i}]", depth + 1) for i, each in enumerate(node.value))
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        built: dict[str, object] = {}
        for name_node, value_node in node.value:
            name = name_node.value
            if not isinstance(name, str) or name in built:
                raise _error(file, f"{key} ({_line(name_node)})".strip(), "text keys, each once", "another key")
            built[name] = _value(value_node, file, f"{key}.{name[:_SHOWN]}".lstrip("."), depth + 1)
        return built
    return _scalar(node, file, key)


def _scalar(node: yaml.Node, file: str, key: str) -> object:
    text: str = node.value
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "bool" if text.lower() in {"true", "false"}:  # YAML 1.1 also takes yes, no, on, off
            return text.lower() == "true"
        case "int" if text.removeprefix("-").isdecimal():
            if len(text) > _MAX_DIGITS:
                raise _error(file, key, f"at most {_MAX_DIGITS} digits", "a longer number")
            return int(text)
        case "str" | "timestamp" | "bool" | "int" | "float" | "value" | "merge":
            return text
    raise _error(file, f"{key} ({_line(node)})".strip(), "no tag", "a tag")


def _line(item: yaml.Event | yaml.Node) -> str:
    return f"line {item.start_mark.line + 1}" if item.start_mark else ""


def _described(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return repr(value[:_SHOWN])
        case bool() | int():
            return str(value).lower()
        case _:
            return "a mapping" if isinstance(value, dict) else "a list"


def _error(file: str, key: str, expected: str, found: str) -> PolicyFormatError:
    return PolicyFormatError(file=file, key=key, expected=expected, found=found)
