"""China's implicit label: the AIGC object of GB 45438-2025, annex E, as the practice guide TC260-PG-20259A writes it."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from typing import Self

from sdsafe.errors import MetadataError

__all__ = ["MAX_LABEL_BYTES", "AigcLabel"]

MAX_LABEL_BYTES = 1 << 16
"""Longest label that is read."""

_KEYS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
_WRAPPER = "AIGC"


@dataclass(frozen=True, slots=True, kw_only=True)
class AigcLabel:
    """The seven values, in the order of the standard; the first four are the producer's, the rest a platform's."""

    label: str = "1"
    """``1``: is AI-generated; ``2``: possibly; ``3``: suspected (meanings from secondary sources)."""
    content_producer: str = ""
    """Name or registered code of the provider of the generating service."""
    produce_id: str = ""
    """The producer's number for this content."""
    reserved_code1: str = ""
    """For the producer's own use."""
    content_propagator: str = ""
    """Name or code of the platform that spreads it."""
    propagate_id: str = ""
    """The platform's number for this content."""
    reserved_code2: str = ""
    """For the platform's own use."""

    def texts(self) -> tuple[str, ...]:
        """Return the values in the order of the standard."""
        return astuple(self)

    def render(self) -> str:
        """Return the JSON object that XMP holds: keys in the order of the standard, no white space."""
        return json.dumps(self._items(), ensure_ascii=False, separators=(",", ":"))

    def render_wrapped(self) -> str:
        """Return the form for EXIF and PNG text (annex B of the guide): one more object around it, ASCII only."""
        return json.dumps({_WRAPPER: self._items()}, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a label, wrapped or not. Keys that the standard does not know are passed over.

        Raises:
            MetadataError: ``metadata.aigc``: too long, not JSON, not an object of texts, or a key stated twice.
        """
        if len(text.encode("utf-8", "surrogatepass")) > MAX_LABEL_BYTES:
            raise _malformed(f"it has more than {MAX_LABEL_BYTES:,} bytes")
        try:
            value = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise _malformed("it is not JSON, or states a key twice") from error
        if isinstance(value, dict) and list(value) == [_WRAPPER]:
            value = value[_WRAPPER]
        if not isinstance(value, dict) or not value.keys() & set(_KEYS):
            raise _malformed("it is not an object with the keys of the standard")
        values = [value.get(key, "") for key in _KEYS]
        if not all(isinstance(each, str) for each in values):
            raise _malformed("a value is not a text")
        return cls(**dict(zip(cls.__dataclass_fields__, values, strict=True)))

    def _items(self) -> dict[str, str]:
        return dict(zip(_KEYS, self.texts(), strict=True))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key is stated twice"
        raise ValueError(msg)
    return found


def _malformed(why: str) -> MetadataError:
    return MetadataError(f"the AIGC label does not read: {why}", code="metadata.aigc")
