"""Hides parts of a picture, or all of it, so that nobody sees what a check saw. What is hidden is signed as an edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdsafe.core.findings import Box
    from sdsafe.core.pixels import Pixels

__all__ = ["blur", "is_blurred"]

_MARGIN = 0.15
"""Share of a box's longer side that is hidden around it: boxes of detectors are tight."""
_COARSE = 12
"""Cells that a hidden part's longer side keeps: no face and no letter is readable in so few."""
_MARK = 6.0
"""Mean difference, in values from 0 to 255, that watermark and rounding may make."""


def blur(pixels: Pixels, boxes: Sequence[Box] | None) -> Pixels:
    """Return a copy in which the boxes, or with None everything, are hidden.

    A hidden part is reduced to a dozen cells and smoothed: unlike a narrow Gaussian blur, that throws its detail away,
    so that no filter brings it back.

    Args:
        pixels: (H, W, 3) ``uint8``.
        boxes: Parts of the picture; each is widened by a margin.
    """
    hidden = np.array(pixels)
    height, width = pixels.shape[:2]
    for left, top, right, bottom in _places(boxes, width, height):
        hidden[top:bottom, left:right] = _coarse(pixels[top:bottom, left:right])
    return hidden


def is_blurred(found: Pixels, wanted: Pixels) -> bool:
    """Say whether a finished picture is the one that was hidden, but for its mark."""
    if found.shape != wanted.shape:
        return False
    return float(np.abs(found.astype(np.float32) - wanted.astype(np.float32)).mean()) <= _MARK


def _places(boxes: Sequence[Box] | None, width: int, height: int) -> list[tuple[int, int, int, int]]:
    if boxes is None:
        return [(0, 0, width, height)]
    places = []
    for box in boxes:
        margin = round(_MARGIN * max(box.right - box.left, box.bottom - box.top))
        left, top = max(0, box.left - margin), max(0, box.top - margin)
        right, bottom = min(width, box.right + margin), min(height, box.bottom + margin)
        if left < right and top < bottom:
            places.append((left, top, right, bottom))
    return places


def _coarse(part: Pixels) -> Pixels:
    height, width = part.shape[:2]
    cell = max(1.0, max(width, height) / _COARSE)
    small = Image.fromarray(part).resize(
        (max(1, round(width / cell)), max(1, round(height / cell))), Image.Resampling.BOX
    )
    large = small.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(large.filter(ImageFilter.GaussianBlur(cell / 4)))
