"""How strong a mark is made: once from what hides it, or in a closed loop with attacks on the marked picture itself.

*Standard*: the same visibility everywhere, so that a busy picture carries more; PSNR is kept between two limits.

*Robust*: embed, attack the result in memory (JPEG, a thumbnail, a crop), read it back, and strengthen by steps until
everything reads or the quality floor is met. The loop asks the detector, so it needs no model of what a picture does
to a mark.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, features

from sdsafe.bindings.watermark import embedding, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier
    from sdsafe.bindings.watermark.detection import Reader
    from sdsafe.bindings.watermark.embedding import Prepared
    from sdsafe.bindings.watermark.geometry import LatticeMap
    from sdsafe.core.pixels import Pixels

    _Attack = Callable[[npt.NDArray[np.float32], LatticeMap, Reader], bytes | None]

__all__ = ["FLOOR_DB", "Written", "robust", "standard"]

VISIBILITY = 0.28
"""Strength of the standard quality, in units of the perceptual mask."""
BEST_DB, WORST_DB = 43.5, 38.0
_FIRST_DB = 44.5  # where the loop begins at best: what is sure to be kept costs nothing in easy pictures
FLOOR_DB = 37.0
"""Least PSNR of the robust quality."""
_STEP_DB = 1.0
SETTLED_DB = 0.05
ROUNDS = 6
_THUMBNAIL_DB = 42.5  # asks for more than it is worth in some pictures
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
    """Attacks of the closed loop after which it read, at this strength or a lower one; empty for the standard quality."""
    failed: tuple[str, ...]
    """Attacks after which it did not, at the quality floor."""


def standard(image: Pixels, ready: Prepared, carrier: Carrier) -> tuple[Pixels, float]:
    """Return the marked picture and its PSNR at the strength that the mask allows, within the limits."""
    change = embedding.pattern(ready, carrier, VISIBILITY)
    aim = min(max(embedding.psnr_of(change), WORST_DB), BEST_DB)
    return at_psnr(image, ready, carrier, aim)


def at_psnr(image: Pixels, ready: Prepared, carrier: Carrier, aim: float) -> tuple[Pixels, float]:
    """Return the marked picture at about the PSNR ``aim``, and what it is without clipping."""
    strength, change = VISIBILITY, embedding.pattern(ready, carrier, VISIBILITY)
    for _ in range(ROUNDS):
        off = embedding.psnr_of(change) - aim
        if abs(off) < SETTLED_DB:
            break
        strength *= 10 ** (off / 20)
        change = embedding.pattern(ready, carrier, strength)
    return embedding.added(image, change), embedding.psnr_of(change)


def robust(image: Pixels, ready: Prepared, carrier: Carrier, reader: Reader, payload: bytes) -> Written:
    """Strengthen until the mark reads after every attack of the loop, each down to its own quality floor.

    What read at some strength is not tried again at a higher one.
    """
    allowed = embedding.psnr_of(embedding.pattern(ready, carrier, VISIBILITY))
    marked, quality = at_psnr(image, ready, carrier, min(max(allowed, WORST_DB), _FIRST_DB))
    plane = frame.luma(marked)
    passed: dict[str, None] = {}
    failed: dict[str, None] = {}
    for name, floor, attack in _attacks(large=min(image.shape[:2]) >= _LARGE):
        reads = attack(plane, ready.where, reader) == payload
        while not reads and quality > floor + SETTLED_DB:
            marked, quality = at_psnr(image, ready, carrier, max(quality - _STEP_DB, floor))
            plane = frame.luma(marked)
            reads = attack(plane, ready.where, reader) == payload
        (passed if reads else failed)[name] = None
    return Written(marked, quality, tuple(each for each in passed if each not in failed), tuple(failed))


def _attacks(*, large: bool) -> Iterator[tuple[str, float, _Attack]]:
    """Yield the loop's attacks and how low the quality may go for each; what asks for most comes first."""
    yield "thumbnail of half size, JPEG 50", FLOOR_DB if large else _THUMBNAIL_DB, _thumbnail
    for at in _CORNERS:
        yield "crop to 45 % of each side", FLOOR_DB, partial(_cropped, at=at)
    yield "JPEG 20", FLOOR_DB, partial(_read, attack=partial(_coded, form="JPEG", quality=20))
    if not large and features.check("webp"):
        yield "WebP 50", FLOOR_DB, partial(_read, attack=partial(_coded, form="WEBP", quality=50))


def _read(
    plane: npt.NDArray[np.float32],
    where: LatticeMap,
    reader: Reader,
    *,
    attack: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
) -> bytes | None:
    """Read where the mark is known to be, after an attack that moves nothing."""
    return reader.read_along(frame.canonical(attack(plane)), where, adjust=False).payload


def _thumbnail(plane: npt.NDArray[np.float32], where: LatticeMap, reader: Reader) -> bytes | None:
    small = frame.resampled(plane, (plane.shape[0] // 2, plane.shape[1] // 2))
    return _read(small, where, reader, attack=partial(_coded, form="JPEG", quality=50))


def _cropped(
    plane: npt.NDArray[np.float32], where: LatticeMap, reader: Reader, *, at: tuple[float, float]
) -> bytes | None:
    """Read a crop whose place, from 0 to 1, is ``at``, if a blind search would surely find it too."""
    small = frame.canonical(plane)
    shape = [round(side * _CROP) for side in small.shape]
    top, left = (round((side - kept) * each) for side, kept, each in zip(small.shape, shape, at, strict=True))
    middle = np.array([top + shape[0] / 2 - small.shape[0] / 2, left + shape[1] / 2 - small.shape[1] / 2])
    crop = np.ascontiguousarray(small[top : top + shape[0], left : left + shape[1]])
    bigger = frame.canonical(crop)
    moved = where.shifted(where.linear @ middle).zoomed(bigger.shape[0] / crop.shape[0])
    reading = reader.read_along(bigger, moved)
    return reading.payload if reading.peak > _SURE else None


def _coded(plane: npt.NDArray[np.float32], form: str, quality: int) -> npt.NDArray[np.float32]:
    """Return a luma plane after lossy coding."""
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.rint(plane), 0, 255).astype(np.uint8)).save(buffer, form, quality=quality)
    return np.asarray(Image.open(buffer).convert("L"), np.float32)
