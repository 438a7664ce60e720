"""A precision-recall curve, drawn with Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.gates.safety.calibration import Point

__all__ = ["precision_recall"]

_SIDE, _LEFT, _TOP, _BELOW = 400, 60, 40, 50
_LINE, _GRID, _MARK = (35, 90, 160), (225, 225, 225), (200, 40, 40)


def precision_recall(points: Sequence[Point], chosen: Point, title: str) -> Pixels:
    """Return a picture of the curve with the chosen threshold marked: recall to the right, precision upwards."""
    sheet = Image.new("RGB", (_LEFT + _SIDE + 30, _TOP + _SIDE + _BELOW), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((_LEFT, 12), title, "black")
    for tick in range(0, 11, 2):
        share = tick / 10
        x, y = _place(share, share)
        pen.line((_LEFT, y, _LEFT + _SIDE, y), _GRID)
        pen.line((x, _TOP, x, _TOP + _SIDE), _GRID)
        pen.text((_LEFT - 30, y - 6), f"{share:.1f}", "black")
        pen.text((x - 8, _TOP + _SIDE + 8), f"{share:.1f}", "black")
    pen.rectangle((_LEFT, _TOP, _LEFT + _SIDE, _TOP + _SIDE), outline="black")
    pen.text((_LEFT + _SIDE // 2 - 20, _TOP + _SIDE + 28), "recall", "black")
    pen.text((8, _TOP - 22), "precision", "black")
    line = [_place(point.recall, point.precision) for point in points]
    if len(line) > 1:
        pen.line(line, _LINE, 2)
    x, y = _place(chosen.recall, chosen.precision)
    pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=_MARK)
    words = f"at least {chosen.threshold:.3f}"
    pen.text((max(_LEFT + 4, min(x + 10, _LEFT + _SIDE - 100)), min(y + 8, _TOP + _SIDE - 14)), words, _MARK)
    return np.array(sheet)


def _place(recall: float, precision: float) -> tuple[int, int]:
    return _LEFT + round(recall * _SIDE), _TOP + round((1 - precision) * _SIDE)
