"""How strong a mark is made: once from what hides it, or in a closed loop with attacks on the marked picture itself.

*Standard*: the same visibility everywhere, so that a busy picture carries more; PSNR is kept between two limits.

*Robust*: embed, attack the result in memory (JPEG, a thumbnail, a crop), read it back, and strengthen by steps until
everything reads or the quality floor is met. The loop asks the detector, so it needs no model of what a picture does
to a mark.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sdsafe.bindings.watermark import embedding, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier
    from sdsafe.bindings.watermark.detection import Reader
    from sdsafe.bindings.watermark.embedding import Prepared
    from sdsafe.bindings.watermark.geometry import LatticeMap
    from sdsafe.core.pixels import Pixels

__all__ = ["FLOOR_DB", "Written", "robust", "standard"]

VISIBILITY = 0.28
"""Strength of the standard quality, in units of the perceptual mask."""
_BEST_DB, _WORST_DB = 43.5, 38.0
_FIRST_DB = 44.5  # where the loop begins at best: what is sure to be kept costs nothing in easy pictures
FLOOR_DB = 37.0
"""Least PSNR of the robust quality."""
_STEP_DB = 1.0
_SETTLED_DB = 0.05
_LARGE = 768  # pixels: a half-size thumbnail of less keeps too little of the mark
_CROP = 0.45
_CORNERS = ((0.5, 0.5), (0.1, 0.2), (0.9, 0.8))
_SURE = 7.5  # template correlation at which a crop is found without knowing where it is


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A marked picture and what is known about it."""

    image: Pixels
    psnr: float
    passed: tuple[str, ...]
    """Attacks of the closed loop after which it still read; empty for the standard quality."""
    failed: tuple[str, ...]
    """Attacks after which it did not, at the quality floor."""


def standard(image: Pixels, ready: Prepared, carrier: Carrier) -> tuple[Pixels, float]:
    """Return the marked picture and its PSNR at the strength that the mask allows, within the limits."""
    change = embedding.pattern(ready, carrier, VISIBILITY)
    aim = min(max(embedding.psnr_of(change), _WORST_DB), _BEST_DB)
    return at_psnr(image, ready, carrier, aim)


def at_psnr(image: Pixels, ready: Prepared, carrier: Carrier, aim: float) -> tuple[Pixels, float]:
    """Return the marked picture at about the PSNR ``aim``, and what it is without clipping."""
    strength, change = VISIBILITY, embedding.pattern(ready, carrier, VISIBILITY)
    for _ in range(6):
        off = embedding.psnr_of(change) - aim
        if abs(off) < _SETTLED_DB:
            break
        strength *= 10 ** (off / 20)
        change = embedding.pattern(ready, carrier, strength)
    return embedding.added(image, change), embedding.psnr_of(change)


def robust(image: Pixels, ready: Prepared, carrier: Carrier, reader: Reader, payload: bytes) -> Written:
    """Strengthen until the mark reads after every attack of the loop, or the floor is met."""
    allowed = embedding.psnr_of(embedding.pattern(ready, carrier, VISIBILITY))
    marked, quality = at_psnr(image, ready, carrier, min(max(allowed, _WORST_DB), _FIRST_DB))
    while True:
        passed: list[str] = []
        failed: list[str] = []
        for name, reads in _attacked(marked, ready, reader, payload):
            (passed if reads else failed).append(name)
            if not reads and quality > FLOOR_DB:
                break
        if not failed or quality <= FLOOR_DB + _SETTLED_DB:
            return Written(marked, quality, tuple(passed), tuple(failed))
        marked, quality = at_psnr(image, ready, carrier, max(quality - _STEP_DB, FLOOR_DB))


def _attacked(marked: Pixels, ready: Prepared, reader: Reader, payload: bytes) -> Iterator[tuple[str, bool]]:
    """Yield attacks and whether the mark reads after each, hardest first so that a loop ends soon."""
    plane = frame.luma(marked)
    part = 0.5 if min(plane.shape) >= _LARGE else 0.6
    small = frame.resampled(plane, (round(plane.shape[0] * part), round(plane.shape[1] * part)))
    yield f"thumbnail of {100 * part:.0f} %, JPEG 50", _reads(_jpeg(small, 50), ready.where, reader, payload)
    canonical = frame.canonical(plane)
    for at in _CORNERS:
        yield "crop to 45 % of each side", _reads_crop(canonical, ready.where, reader, payload, at)
    yield "JPEG 20", _reads(_jpeg(plane, 20), ready.where, reader, payload)


def _reads(plane: npt.NDArray[np.float32], where: LatticeMap, reader: Reader, payload: bytes) -> bool:
    return reader.read_along(frame.canonical(plane), where, adjust=False).payload == payload


def _reads_crop(
    small: npt.NDArray[np.float32], where: LatticeMap, reader: Reader, payload: bytes, at: tuple[float, float]
) -> bool:
    """Say whether a crop reads whose place, from 0 to 1, is ``at``; and whether a blind search would surely find it."""
    shape = [round(side * _CROP) for side in small.shape]
    top, left = (round((side - kept) * each) for side, kept, each in zip(small.shape, shape, at, strict=True))
    middle = np.array([top + shape[0] / 2 - small.shape[0] / 2, left + shape[1] / 2 - small.shape[1] / 2])
    crop = np.ascontiguousarray(small[top : top + shape[0], left : left + shape[1]])
    moved = where.shifted(where.linear @ middle)
    bigger = frame.canonical(crop)
    reading = reader.read_along(bigger, moved.zoomed(bigger.shape[0] / crop.shape[0]))
    return reading.payload == payload and reading.peak > _SURE


def _jpeg(plane: npt.NDArray[np.float32], quality: int) -> npt.NDArray[np.float32]:
    """Return a luma plane after JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.rint(plane), 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer), np.float32)
