"""What an ONNX network says that it takes and gives: pure, over the signature that onnxruntime reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdsafe.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["TYPES", "Signature", "read_signature"]

TYPES: Mapping[str, str] = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}
"""Types of pictures, as onnxruntime calls them, to those of numpy."""

_COLOURS = 3
_RANK = 4  # batch, and three


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The one picture that a network takes, and where its answer is."""

    input: str
    output: str
    channels_first: bool
    """(1, 3, height, width); else (1, height, width, 3)."""
    height: int | None
    """None: any."""
    width: int | None
    dtype: str
    """Of what it takes: ``float32``, ``float16`` or ``uint8``."""

    def __str__(self) -> str:
        """Return the words used in error messages."""
        height, width = (each or "any" for each in (self.height, self.width))
        shape = f"1x3x{height}x{width}" if self.channels_first else f"1x{height}x{width}x3"
        return f"{shape} {self.dtype}"


def read_signature(session: Any) -> Signature:
    """Return what a network takes and gives.

    Args:
        session: Of onnxruntime.

    Raises:
        RequestError: ``request.network``: it does not make one RGB picture out of one; the message says what it has.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    found = [each for each in outputs if _may_be_picture(each)]
    if len(inputs) != 1 or not _may_be_picture(inputs[0]) or len(found) != 1:
        raise _unsuitable(inputs, outputs)
    (given,) = inputs
    channels_first = _channels_first(given.shape)
    if channels_first is None:
        raise _unsuitable(inputs, outputs)
    sides = given.shape[2:] if channels_first else given.shape[1:3]
    height, width = (side if isinstance(side, int) else None for side in sides)
    return Signature(
        input=given.name,
        output=found[0].name,
        channels_first=channels_first,
        height=height,
        width=width,
        dtype=TYPES[given.type],
    )


def _may_be_picture(value: Any) -> bool:
    """Say whether it has the type and rank of pictures, as far as the signature says; outputs often leave it open."""
    if value.type not in TYPES:
        return False
    shape: Sequence[object] = value.shape or ()
    if not shape:  # nothing is said of the shape
        return True
    if len(shape) != _RANK or (isinstance(shape[0], int) and shape[0] != 1):
        return False
    return any(not isinstance(shape[at], int) or shape[at] == _COLOURS for at in (1, 3))


def _channels_first(shape: Sequence[object]) -> bool | None:
    """Return where the three channels stand; None where the signature does not tell."""
    if len(shape) != _RANK or any(isinstance(side, int) and side < 1 for side in shape):
        return None
    first, last = (shape[at] == _COLOURS for at in (1, 3))
    return first if first != last else None


def _unsuitable(inputs: Sequence[Any], outputs: Sequence[Any]) -> RequestError:
    has = "; ".join(
        f"{what} {', '.join(map(_described, values)) or 'nothing'}"
        for what, values in (("takes", inputs), ("gives", outputs))
    )
    return RequestError(
        f"the network does not make one RGB picture out of one: it {has}",
        code="request.network",
        hint="It has to take one picture, 1x3xHxW or 1xHxWx3, of float or uint8, and to give one.",
    )


def _described(value: Any) -> str:
    most = 40
    shape = "x".join(str(side)[:most] if side is not None else "any" for side in value.shape or ())
    return f"{value.name[:most]} ({shape or 'no shape'} {value.type.removeprefix('tensor(').rstrip(')')[:most]})"
