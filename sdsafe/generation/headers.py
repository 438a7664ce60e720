"""What the headers of safetensors files say: how large a model is, before anything of it is loaded."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdsafe.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Weights", "read_weights"]

_LENGTH = 8  # bytes of the little-endian number that stands before the header
_MAX_HEADER = 100_000_000  # the limit of the safetensors format
_FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How large one component of a model is."""

    elements: int = 0
    """Floating-point numbers: their bytes follow from the type that they are loaded in."""
    fixed: int = 0
    """Bytes of everything else, such as quantised weights, which no type changes."""
    largest: int = 0
    """Elements of the largest single tensor."""

    def __add__(self, other: Weights) -> Weights:
        """Return both together, as the shards of one component are."""
        return Weights(
            elements=self.elements + other.elements,
            fixed=self.fixed + other.fixed,
            largest=max(self.largest, other.largest),
        )


def read_weights(folder: Path, files: Iterable[str]) -> Mapping[str, Weights]:
    """Return the size of each component from the headers of its weight files.

    Args:
        folder: Of the model.
        files: Paths inside it, each ``COMPONENT/NAME.safetensors``.

    Raises:
        RequestError: ``model.malformed``: a header cannot be read.
    """
    found: dict[str, Weights] = {}
    for name in files:
        component = name.partition("/")[0]
        found[component] = found.get(component, Weights()) + _sum(_header(folder / name, name), name)
    return found


def _header(path: Path, name: str) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(_LENGTH), "little")
            header = json.loads(stream.read(length)) if 0 < length <= _MAX_HEADER else None
    except (OSError, ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise _malformed(name)
    return {key: value for key, value in header.items() if key != "__metadata__"}


def _sum(header: dict[str, Any], name: str) -> Weights:
    total = Weights()
    for entry in header.values():
        try:
            elements = math.prod(entry["shape"])
            start, end = entry["data_offsets"]
            floating = entry["dtype"] in _FLOATS
            size = end - start
        except (KeyError, TypeError, ValueError) as error:
            raise _malformed(name) from error
        if not isinstance(elements, int) or elements < 0 or not isinstance(size, int) or size < 0:
            raise _malformed(name)
        total += Weights(
            elements=elements if floating else 0, fixed=0 if floating else size, largest=elements if floating else 0
        )
    return total


def _malformed(name: str) -> RequestError:
    return RequestError(
        f"{name} of the model is no readable safetensors file",
        code="model.malformed",
        hint="Fetch the file again: it may have been cut off.",
    )
