"""Rectangles of a picture as a request states them: one text, because parameters are plain values."""

from __future__ import annotations

import re

from sdsafe.core.findings import Box
from sdsafe.errors import RequestError

__all__ = ["BOXES", "MAX_BOXES", "boxes_text", "read_boxes"]

MAX_BOXES = 64

_BOX = r"\d{1,5},\d{1,5},[1-9]\d{0,4},[1-9]\d{0,4}"
BOXES = re.compile(rf"{_BOX}(;{_BOX}){{0,{MAX_BOXES - 1}}}")
"""What such a text looks like: ``X,Y,WIDTH,HEIGHT``, in pixels from the top left, joined by ``;``."""


def read_boxes(text: str) -> tuple[Box, ...]:
    """Return the rectangles of a request, in its order; none of an empty text.

    Raises:
        RequestError: ``request.box``: it is not what ``BOXES`` describes.
    """
    if not text:
        return ()
    if not BOXES.fullmatch(text):
        raise RequestError(
            "boxes must be X,Y,WIDTH,HEIGHT in whole pixels, joined by ;",
            code="request.box",
            hint=f"For example 120,80,200,240. At most {MAX_BOXES} of them.",
        )
    found = (tuple(map(int, each.split(","))) for each in text.split(";"))
    return tuple(Box(left=x, top=y, right=x + width, bottom=y + height) for x, y, width, height in found)


def boxes_text(boxes: tuple[Box, ...]) -> str:
    """Return the text that ``read_boxes`` reads."""
    return ";".join(f"{b.left},{b.top},{b.right - b.left},{b.bottom - b.top}" for b in boxes)
