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
FLOOR_DB = 37.0
"""Least PSNR of the robust quality."""
_STEP_DB = 1.0
_SETTLED_DB = 0.05
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
    marked, quality = standard(image, ready, carrier)
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
    yield "crop to 50 % of each side", _reads_crop(frame.canonical(plane), ready.where, reader, payload, 0.5)
    yield "JPEG 25", _reads(_jpeg(marked, 25), ready.where, reader, payload)
    small = frame.resampled(plane, (marked.shape[0] * 6 // 10, marked.shape[1] * 6 // 10))
    yield "60 % size, JPEG 65", _reads(_jpeg(small, 65), ready.where, reader, payload)


def _reads(plane: npt.NDArray[np.float32], where: LatticeMap, reader: Reader, payload: bytes) -> bool:
    return reader.read_along(frame.canonical(plane), where).payload == payload


def _reads_crop(small: npt.NDArray[np.float32], where: LatticeMap, reader: Reader, payload: bytes, part: float) -> bool:
    height, width = (round(side * part) for side in small.shape)
    top, left = (small.shape[0] - height) // 2, (small.shape[1] - width) // 2
    reading = reader.read_along(small[top : top + height, left : left + width], where)
    return reading.payload == payload and reading.peak > _SURE


def _jpeg(picture: npt.NDArray[np.float32] | Pixels, quality: int) -> npt.NDArray[np.float32]:
    """Return the luma of a picture, or of a luma plane, after JPEG."""
    if picture.ndim == 2:  # noqa: PLR2004 - a luma plane
        picture = np.clip(np.rint(picture), 0, 255)
    buffer = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).convert("L").save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer), np.float32)
