"""How a picture is cut for a network that is shown parts of it: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.core.findings import Box

if TYPE_CHECKING:
    from sdsafe.core.pixels import Pixels

__all__ = ["Tile", "around", "taken", "tiles"]

_SIDE = 512  # of a tile where the network takes any size: a few GiB of memory for common networks
_MULTIPLE = 8  # networks that halve the picture three times need sides like this, and do not say so
_MARGIN = 32  # pixels at each edge of a tile that are shown and not used
_SHARE = 8  # the margin is at most this part of a side


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture: what the network is shown, and what of its answer is used."""

    window: Box
    """May reach beyond the picture."""
    core: Box


def tiles(height: int, width: int, rows: int | None, columns: int | None) -> list[Tile]:
    """Return the tiles of a picture, row by row; their cores cover it once.

    Args:
        height: Of the picture.
        width: Of the picture.
        rows: Height that the network takes; None: any.
        columns: Width that it takes, likewise.
    """
    return [
        Tile(Box(left=x, top=y, right=x + w, bottom=y + h), Box(left=left, top=top, right=right, bottom=bottom))
        for y, h, top, bottom in _spans(height, rows)
        for x, w, left, right in _spans(width, columns)
    ]


def _spans(length: int, fixed: int | None) -> list[tuple[int, int, int, int]]:
    """Return (start and length of the window, start and end of the core) of each tile along one side."""
    size = fixed or min(_SIDE, -(-length // _MULTIPLE) * _MULTIPLE)
    if length <= size:
        return [(0, size, 0, length)]
    margin = min(_MARGIN, size // _SHARE)
    step = size - 2 * margin
    return [(start - margin, size, start, min(start + step, length)) for start in range(0, length, step)]


def around(box: Box, width: int, height: int) -> Box:
    """Return the smallest rectangle around ``box``, centred on it, of the proportions ``width`` to ``height``."""
    inner_width, inner_height = box.right - box.left, box.bottom - box.top
    outer_width = max(inner_width, -(-inner_height * width // height))
    outer_height = max(inner_height, -(-inner_width * height // width))
    left, top = box.left - (outer_width - inner_width) // 2, box.top - (outer_height - inner_height) // 2
    return Box(left=left, top=top, right=left + outer_width, bottom=top + outer_height)


def taken(pixels: Pixels, window: Box) -> Pixels:
    """Return what stands in ``window``; beyond the edge of the picture its edge is repeated."""
    height, width = pixels.shape[:2]
    rows = np.clip(np.arange(window.top, window.bottom), 0, height - 1)
    columns = np.clip(np.arange(window.left, window.right), 0, width - 1)
    return pixels[rows[:, None], columns]
