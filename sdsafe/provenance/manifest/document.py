"""A manifest to be, as the C2PA library takes it, and what may stand in it.

Two choices run through every manifest of ours:

- **No floats.** Two readers may print one double differently, and what is signed must compare equal everywhere:
  guidance, scores and further parameters are strings, ``repr`` of the Python value (``"7.5"``).
- **No arrays of integers.** The C2PA library reads them back as base64 (c2pa-rs issue 2570): sizes are objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sdsafe.errors import ManifestError

__all__ = ["MAX_DOCUMENT_BYTES", "Ingredient", "ManifestDefinition", "not_unicode"]

MAX_DOCUMENT_BYTES = 1_000_000
"""The C2PA library refuses definitions of more than 2**20 bytes ("StringTooLong"); we say so first."""

_MAX_INTEGER = (1 << 53) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """A file that went in, with the manifest store that it may carry: that one is kept whole."""

    description: Mapping[str, object]
    """As the C2PA library takes it: label, title, relationship."""
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDefinition:
    """A manifest to be, as the C2PA library takes it. One that exists can be encoded.

    Raises:
        ManifestError: ``manifest.value``: a float, an array of integers, an integer beyond 2**53, or text that
            is not Unicode. ``manifest.too-large``: document or resource of more than a megabyte.
    """

    document: Mapping[str, object] = field(repr=False)
    resources: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Identifier, as the document names it, to content."""
    ingredients: tuple[Ingredient, ...] = ()
    """Files that went in, besides what the document describes."""

    def __post_init__(self) -> None:
        """Refuse what would not come back as it went in."""
        _check(self.document, "$")
        for each in self.ingredients:
            _check(each.description, "ingredient")
        size = max(len(self.to_json().encode()), *map(len, self.resources.values()), 0)
        if size > MAX_DOCUMENT_BYTES:
            raise ManifestError(
                f"the manifest would hold {size:,} bytes in one piece, the limit is {MAX_DOCUMENT_BYTES:,}",
                code="manifest.too-large",
                hint="Shorten the prompt, or keep it out of the manifest with --prompt-disclosure commit.",
            )

    def to_json(self) -> str:
        """Return the document as JSON without white space."""
        return json.dumps(self.document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def not_unicode(where: str) -> ManifestError:
    """Return the error for text that UTF-8 cannot hold."""
    return ManifestError(
        f"half a surrogate pair in the text at {where}: not Unicode, so it cannot be signed",
        code="manifest.value",
        hint="Give the prompt as valid UTF-8.",
    )


def _check(value: object, where: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_scalar(key, where)
            _check(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        if value and all(isinstance(item, int) and not isinstance(item, bool) for item in value):
            raise _unfit(where, "an array of integers, which the C2PA library reads back as base64")
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]")
    else:
        _check_scalar(value, where)


def _check_scalar(value: object, where: str) -> None:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise not_unicode(where) from error
    elif isinstance(value, int):
        if abs(value) > _MAX_INTEGER:
            raise _unfit(where, "an integer beyond 2**53, which JSON readers round")
    elif value is not None:
        raise _unfit(where, f"a {type(value).__name__}")


def _unfit(where: str, what: str) -> ManifestError:
    return ManifestError(f"the manifest cannot hold {what} (at {where})", code="manifest.value")
