"""How TrustMark gets from a picture of any size to its networks and back: what they see, and what is done to the rest.

The networks know pictures of one size. They are shown the picture reduced to it, and what they change is enlarged and
added to the original (Bui, Agarwal and Collomosse, "TrustMark: Universal Watermarking for Arbitrary Resolution Images",
arXiv 2311.18297, section 3.4; ``trustmark.py`` of the package 0.9.2). Numpy and Pillow; nothing is written into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels

__all__ = ["Region", "region", "thumbnail", "with_residual"]

_MOST_ASPECT: Final = 2.0  # above it the middle square alone carries the mark
_EDGE: Final = 0.01  # of the shorter side: how far the mark fades in
_MOST_EDGE: Final = 50
_STRIP: Final = 256  # rows at a time, so that a large picture is never held in floating point as a whole


@dataclass(frozen=True, slots=True)
class Region:
    """The part of a picture that carries the mark, in pixels."""

    top: int
    left: int
    height: int
    width: int


def region(height: int, width: int, *, square: bool) -> Region:
    """Return what of a picture is marked: all of it, or its middle square.

    Args:
        height: Of the picture.
        width: Of the picture.
        square: Always the middle square, as variant P has it; else only where one side is over twice the other.
    """
    side = min(height, width)
    if square or max(height, width) > _MOST_ASPECT * side:
        return Region((height - side) // 2, (width - side) // 2, side, side)
    return Region(0, 0, height, width)


def thumbnail(image: Pixels, part: Region, side: int) -> npt.NDArray[np.float32]:
    """Return what a network is shown of a picture: (1, 3, side, side), -1 to 1, every pixel averaged into it."""
    whole = Image.fromarray(image).crop((part.left, part.top, part.left + part.width, part.top + part.height))
    small = np.asarray(whole.resize((side, side), Image.Resampling.BILINEAR), np.float32)
    return np.ascontiguousarray(small.transpose(2, 0, 1)[None] / np.float32(127.5) - 1)


def with_residual(image: Pixels, part: Region, residual: npt.NDArray[np.float32]) -> Pixels:
    """Return a copy of a picture with a residual added to a part of it.

    Args:
        image: The picture.
        part: Where.
        residual: (3, side, side), what is added at the size of the network, in halves of the whole range (-1 to 1). It
            is enlarged bilinearly, and fades in along the edges of the part.
    """
    rows, columns = _Taps(part.height, residual.shape[1]), _Taps(part.width, residual.shape[2])
    wide = columns.between(residual.transpose(2, 1, 0)).transpose(1, 0, 2)  # (side, width, 3)
    reach = min(max(1, int(min(part.height, part.width) * _EDGE)), _MOST_EDGE)
    down, across = _fade(part.height, reach), _fade(part.width, reach)
    marked = image.copy()
    for top in range(0, part.height, _STRIP):
        strip = slice(top, min(top + _STRIP, part.height))
        share = np.minimum(down[strip, None], across[None])[..., None]
        place = marked[part.top + strip.start : part.top + strip.stop, part.left : part.left + part.width]
        place[...] = np.rint(np.clip(place + rows.between(wide, strip) * (share * 127.5), 0, 255)).astype(np.uint8)
    return marked


class _Taps:
    """Bilinear enlargement of one axis, with pixels as areas (``align_corners=False``) and edges repeated."""

    def __init__(self, wanted: int, given: int) -> None:
        at = np.clip((np.arange(wanted) + 0.5) * (given / wanted) - 0.5, 0, given - 1)
        self._low = np.floor(at).astype(np.intp)
        self._high = np.minimum(self._low + 1, given - 1)
        self._weight = (at - self._low).astype(np.float32)[:, None, None]

    def between(self, values: npt.NDArray[np.float32], part: slice = slice(None)) -> npt.NDArray[np.float32]:
        """Return the enlarged first axis of a (given, n, 3) array, or a part of it."""
        low, high, weight = values[self._low[part]], values[self._high[part]], self._weight[part]
        blended: npt.NDArray[np.float32] = low + (high - low) * weight
        return blended


def _fade(length: int, reach: int) -> npt.NDArray[np.float32]:
    inside = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
    return np.minimum(inside / reach, 1).astype(np.float32)
