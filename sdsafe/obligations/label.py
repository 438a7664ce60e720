"""Labels that people see: white words on a black plate in a corner, drawn before the mark and read back from the file.

The letters are as high as a twentieth of the picture's shorter side, which is what GB 45438-2025 asks for and more
than others do. Plate and letters are opaque, so that what was drawn can be compared with what the file shows.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.plans import Label

__all__ = ["draw", "legible", "misfit", "unwritable"]

_SHARE = 0.05
_LEAST_HEIGHT = 12  # pixels of a capital letter; smaller ones cannot be read
_MOST_SHARE = 0.5  # of the picture's height that all plates of a corner may take
_PROBE = 100
_NO_GLYPH = "\U0010fffe"  # a noncharacter: every font shows its sign for "missing"
_MOST_DIFFERENCE = 16.0  # mean levels of 255; a watermark changes a plate by about 2, JPEG 50 by about 6


def unwritable(text: str, font: Path | None) -> str:
    """Return the characters of ``text`` that the font has no glyph for.

    Raises:
        ConfigurationError: The font cannot be read.
    """
    face = _face(font, 32)
    missing = bytes(face.getmask(_NO_GLYPH))
    return "".join(dict.fromkeys(c for c in text if not c.isspace() and bytes(face.getmask(c)) == missing))


def misfit(labels: Iterable[Label], width: int, height: int, font: Path | None) -> str:
    """Return why the labels do not fit a picture of this size, or nothing."""
    for corner, texts in _by_corner(labels).items():
        plate = _plate(texts, min(width, height), font)
        if plate.shape[1] > width or plate.shape[0] > height * _MOST_SHARE:
            return f"{plate.shape[1]}x{plate.shape[0]} pixels of label in the {corner} corner of {width}x{height}"
    return ""


def draw(pixels: Pixels, labels: Iterable[Label], font: Path | None) -> Pixels:
    """Return a copy of ``pixels`` with the labels in their corners; labels of one corner stand above each other."""
    drawn = pixels.copy()
    for corner, texts in _by_corner(labels).items():
        plate = _plate(texts, min(pixels.shape[:2]), font)
        _region(drawn, corner, plate.shape[0], plate.shape[1])[:] = plate
    return drawn


def legible(pixels: Pixels, label: Label, labels: Iterable[Label], font: Path | None) -> str:
    """Return what shows that ``label`` (one of ``labels``) is in the picture; nothing where it is not to be seen."""
    texts = _by_corner(labels).get(label.corner, ())
    if label.text not in texts:
        return ""
    plate = _plate(texts, min(pixels.shape[:2]), font)
    found = _region(pixels, label.corner, plate.shape[0], plate.shape[1])
    if found.shape != plate.shape:
        return ""
    levels, letters = np.abs(found.astype(np.int16) - plate), plate > 127  # noqa: PLR2004 - half of 255
    # Letters and ground each for itself: a black corner differs little from a plate with few letters.
    difference = max(float(levels[part].mean()) if part.any() else math.inf for part in (letters, ~letters))
    if difference > _MOST_DIFFERENCE:
        return ""
    return (
        f"the decoded file shows the words in the {label.corner} corner ({plate.shape[1]}x{plate.shape[0]} pixels, "
        f"mean difference {difference:.1f} of 255)"
    )


def _by_corner(labels: Iterable[Label]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for label in labels:
        if label.text not in found.get(label.corner, ()):
            found[label.corner] = (*found.get(label.corner, ()), label.text)
    return found


def _region(pixels: Pixels, corner: str, height: int, width: int) -> Pixels:
    rows = slice(-height, None) if corner.startswith("bottom") else slice(height)
    columns = slice(-width, None) if corner.endswith("right") else slice(width)
    return pixels[rows, columns]


@lru_cache(maxsize=16)
def _plate(texts: tuple[str, ...], side: int, font: Path | None) -> Pixels:
    """Return the plate with one line a text; ``side`` is the picture's shorter one, in pixels."""
    capital = max(_LEAST_HEIGHT, math.ceil(side * _SHARE))
    _, top, _, bottom = _face(font, _PROBE).getbbox("A")
    face = _face(font, math.ceil(_PROBE * capital / max(bottom - top, 1)))
    boxes = [face.getbbox(text) for text in texts]
    gap = math.ceil(capital / 2)
    width = math.ceil(max(right - left for left, _, right, _ in boxes)) + 2 * gap
    height = sum(math.ceil(bottom - top) + gap for _, top, _, bottom in boxes) + gap
    image = Image.new("L", (width, height), 0)
    pen, y = ImageDraw.Draw(image), gap
    for text, (left, top, _, bottom) in zip(texts, boxes, strict=True):
        pen.text((gap - left, y - top), text, fill=255, font=face)
        y += math.ceil(bottom - top) + gap
    plate: Pixels = np.repeat(np.asarray(image, np.uint8)[..., None], 3, axis=2)
    plate.setflags(write=False)
    return plate


@lru_cache(maxsize=16)
def _face(font: Path | None, size: int) -> ImageFont.FreeTypeFont:
    try:
        face = ImageFont.load_default(size) if font is None else ImageFont.truetype(str(font), size)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "label_font: the font cannot be read",
            code="label.font",
            hint="Name a TrueType or OpenType file (.ttf, .otf, .ttc).",
        ) from error
    if not isinstance(face, ImageFont.FreeTypeFont):
        raise ConfigurationError(
            "this build of Pillow has no FreeType, so no label can be drawn",
            code="label.font",
            hint="Install Pillow from its wheels.",
        )
    return face
