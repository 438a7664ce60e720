"""What a check looks at: the whole picture, and for a large one also its parts.

A network that reads 224 pixels sees nothing of a thing that covers a fiftieth of a large picture. Tiles that overlap
by a quarter show it large enough, and no thing smaller than the overlap is cut by every tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdsafe.core.findings import Box

if TYPE_CHECKING:
    from sdsafe.core.pixels import Pixels

__all__ = ["MAX_TILES", "View", "views"]

MAX_TILES = 64
"""Tiles of one picture; a larger picture gets larger tiles, so that the time of a check stays bounded."""

_OVERLAP = 0.25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A picture, or a part of one; ``box`` is None for the whole."""

    box: Box | None
    pixels: Pixels = field(repr=False)


def views(pixels: Pixels, *, tile: int) -> list[View]:
    """Return the whole picture, and tiles where its longer side exceeds ``tile`` by more than a quarter.

    Args:
        pixels: (H, W, 3) ``uint8``; tiles are views of the same memory, not copies.
        tile: Side of a tile in pixels; 0 means that the whole picture is the only view.
    """
    height, width = pixels.shape[:2]
    whole = [View(box=None, pixels=pixels)]
    if tile <= 0 or max(height, width) <= tile * (1 + _OVERLAP):
        return whole
    side = tile
    while _count(height, side) * _count(width, side) > MAX_TILES:
        side = math.ceil(side * 1.1)
    return whole + [
        View(
            box=Box(left=left, top=top, right=min(left + side, width), bottom=min(top + side, height)),
            pixels=pixels[top : top + side, left : left + side],
        )
        for top in _starts(height, side)
        for left in _starts(width, side)
    ]


def _count(length: int, side: int) -> int:
    if length <= side:
        return 1
    return 1 + math.ceil((length - side) / (side * (1 - _OVERLAP)))


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles begin, spread evenly so that the last one ends at the edge."""
    count = _count(length, side)
    return [round(index * max(0, length - side) / max(1, count - 1)) for index in range(count)]
