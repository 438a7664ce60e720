"""The one door to pydantic's errors: strict frozen models whose failures name file, key path, expected and found."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from sdsafe.errors import PolicyFormatError

__all__ = ["Day", "Line", "Name", "Strict", "build"]

_Model = TypeVar("_Model", bound=BaseModel)
_TAG = re.compile(r"<.*>")
_UNKNOWN_KEY = "unknown_key"
_SHOWN = 60

Line = Annotated[str, Field(min_length=1, max_length=600)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?$")]
"""A day, or a month where the source says no more."""


class Strict(BaseModel):
    """Base of everything that is read from a data file: no coercion, no unknown keys, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        """Refuse unknown keys before anything else is looked at: a typo explains the missing key beside it."""
        if isinstance(value, dict):
            known = [info.alias or name for name, info in cls.model_fields.items()]
            for key in value:
                if key not in known:
                    close = difflib.get_close_matches(str(key), known, n=1)
                    context = {"key": str(key), "known": ", ".join(known), "close": close[0] if close else ""}
                    raise PydanticCustomError(_UNKNOWN_KEY, "unknown key", context)
        return value


def build(model: type[_Model], value: object, file: str) -> _Model:
    """Return ``value`` as ``model``.

    Args:
        model: What it should be.
        value: What ``documents.read_yaml`` returned.
        file: What to call the file in errors.

    Raises:
        PolicyFormatError: The first thing that does not fit.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise _translated(details[0], file) from None  # the chained error would repeat the pack's content


def _translated(detail: ErrorDetails, file: str) -> PolicyFormatError:
    key, context = _key_path(detail["loc"]), detail.get("ctx", {})
    hint = ""
    if detail["type"] == _UNKNOWN_KEY:
        key = f"{key}.{_clean(context['key'])}".lstrip(".")
        expected, found = f"one of {context['known']}", "an unknown key"
        hint = f"Did you mean {context['close']}?" if context["close"] else ""
    elif detail["type"] == "missing":
        expected, found = "a value", "nothing"
    else:
        expected = str(context.get("expected") or _plain(detail))
        found = str(context.get("found") or _describe(detail["input"]))
    return PolicyFormatError(file=file, key=key, expected=expected, found=found, hint=hint)


def _key_path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not _TAG.fullmatch(part):  # which member of a union was tried: no key of the file
            path += f".{_clean(part)}"
    return path.lstrip(".")


def _plain(detail: ErrorDetails) -> str:
    """Say what was expected in words that do not need to know pydantic."""
    context = detail.get("ctx", {})
    wording = {
        "string_type": "text",
        "string_pattern_mismatch": f"text matching {context.get('pattern')}",
        "string_too_short": "text that is not empty",
        "string_too_long": f"at most {context.get('max_length')} characters",
        "too_short": "a list that is not empty",
        "tuple_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "bool_type": "true or false",
        "float_type": "a number",
    }.get(detail["type"])
    return wording or detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")


def _describe(value: object) -> str:
    described = type(value).__name__
    match value:
        case None:
            described = "nothing"
        case bool():
            described = "true" if value else "false"
        case str():
            described = repr(_clean(value))
        case int() | float():
            described = repr(value)
        case dict():
            described = f"a mapping with {', '.join(_clean(str(key)) for key in value) or 'no keys'}"
        case tuple():
            described = f"a list of {len(value)}"
    return described


def _clean(text: str) -> str:
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_SHOWN])
    return shown if len(text) <= _SHOWN else shown + "..."
