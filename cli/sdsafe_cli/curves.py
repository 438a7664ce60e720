"""Attack curves of one marked picture: measured with Pillow, drawn with Pillow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.pixels import Pixels
    from sdsafe.protocols import Watermarker

__all__ = ["Curves", "drawn", "measured"]

Curves: TypeAlias = dict[str, list[tuple[float, bool]]]
"""Attack: its levels, mildest first, and whether the mark still read."""


def measured(marker: Watermarker, marked: Pixels, payload: bytes) -> Curves:
    """Attack ``marked`` at every level and read it back."""
    picture = Image.fromarray(marked)
    return {
        name: [(level, marker.detect([np.array(attack(picture, level))])[0].payload == payload) for level in levels]
        for name, (attack, levels) in _ATTACKS.items()
    }


def drawn(curves: Curves, title: str) -> Pixels:
    """Return a picture of the curves: a row per attack, green where the mark reads."""
    cell, left, top, high = 54, 150, 40, 30
    widest = max(len(points) for points in curves.values())
    sheet = Image.new("RGB", (left + cell * widest + 10, top + high * len(curves) + 10), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((10, 12), title, "black")
    for row, (name, points) in enumerate(curves.items()):
        y = top + high * row
        pen.text((10, y + 8), name, "black")
        for column, (level, read) in enumerate(points):
            x = left + cell * column
            pen.rectangle((x, y, x + cell - 3, y + high - 3), fill=(40, 130, 80) if read else (205, 205, 205))
            pen.text((x + 6, y + 8), f"{level:g}", "white" if read else "black")
    return np.array(sheet)


def _coded(form: str) -> Callable[[Image.Image, float], Image.Image]:
    def run(picture: Image.Image, quality: float) -> Image.Image:
        buffer = io.BytesIO()
        picture.save(buffer, form, quality=int(quality))
        return Image.open(buffer).convert("RGB")

    return run


def _resized(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _cropped(picture: Image.Image, part: float) -> Image.Image:
    width, height = round(picture.width * part), round(picture.height * part)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _turned(picture: Image.Image, degrees: float) -> Image.Image:
    return picture.rotate(degrees, Image.Resampling.BICUBIC)


def _noisy(picture: Image.Image, deviation: float) -> Image.Image:
    pixels = np.asarray(picture)
    noise = np.random.default_rng(0).normal(0, deviation, pixels.shape)
    return Image.fromarray(np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8))


def _blurred(picture: Image.Image, radius: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(radius))


_ATTACKS: dict[str, tuple[Callable[[Image.Image, float], Image.Image], tuple[float, ...]]] = {
    "JPEG quality": (_coded("JPEG"), (90, 70, 50, 40, 30, 20, 15, 10)),
    "WebP quality": (_coded("WEBP"), (90, 70, 50, 30, 10)),
    "resize to": (_resized, (0.75, 0.5, 0.4, 0.3, 0.25, 0.2)),
    "crop, part of a side": (_cropped, (0.9, 0.75, 0.6, 0.5, 0.4, 0.3)),
    "turn, degrees": (_turned, (1, 5, 15, 45, 120)),
    "noise, deviation": (_noisy, (5, 10, 15, 20, 30)),
    "blur, radius": (_blurred, (1, 2, 3, 4)),
}
