"""The canonical frame, where a mark lives: luma, short side 512 pixels. And the detector's front end.

Because the frame does not depend on the picture's resolution, neither do the mark, the cost of detection, or what a
resize does. The front end takes away what is smooth and divides by local contrast (a Wiener-like whitening, as in
Cox, Miller, Bloom, "Digital Watermarking", section 7.4), so that one strong edge does not drown a sky.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels

__all__ = [
    "CLIP",
    "FLOOR",
    "LUMA",
    "SHORT_SIDE",
    "canonical",
    "frame_shape",
    "framed",
    "front_end",
    "local_contrast",
    "luma",
    "resampled",
    "sensitivity",
]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G, B (ITU-R BT.601), as in JPEG."""
SHORT_SIDE = 512
LONGEST = 2048  # pixels of the frame; longer panoramas are read and written at the middle

SMOOTH = 3.5  # pixels: what varies more slowly is the picture's, not the mark's
NEIGHBOURHOOD = 5.0
FLOOR = 3.0
"""Grey levels added to local contrast: what counts as flat."""
BEYOND = 0.6  # contrast hides a mark less than in proportion, so flat areas know more about it
CLIP = 3.0
"""Multiples of local contrast at which the front end saturates."""


def luma(image: Pixels) -> npt.NDArray[np.float32]:
    """Return the luma of a picture, (H, W), 0 to 255."""
    return np.asarray(image.astype(np.float32) @ LUMA)


def frame_shape(height: int, width: int) -> tuple[int, int]:
    """Return the size of the canonical frame of a picture."""
    factor = SHORT_SIDE / min(height, width)
    return round(height * factor), round(width * factor)


def framed(height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of a picture that its frame shows: all, or the middle of a panorama."""
    longest = min(height, width) * LONGEST // SHORT_SIDE
    inside = (min(height, longest), min(width, longest))
    top, left = (height - inside[0]) // 2, (width - inside[1]) // 2
    return slice(top, top + inside[0]), slice(left, left + inside[1])


def resampled(plane: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return ``plane`` at another size, bicubic and without aliasing; centres stay centres."""
    if plane.shape == shape:
        return plane
    resized = Image.fromarray(plane).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32)


def canonical(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the canonical frame of a luma plane, at most ``LONGEST`` pixels long."""
    rows, columns = framed(plane.shape[0], plane.shape[1])
    plane = np.ascontiguousarray(plane[rows, columns])
    return resampled(plane, frame_shape(*plane.shape))


def front_end(frame: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return what the detector looks at, about unit variance and limited, and the local contrast it divided by."""
    detail = frame - _blurred(frame, SMOOTH)
    contrast = local_contrast(detail)
    level = contrast + np.float32(FLOOR)
    ratio = detail / (level * np.float32(CLIP))
    np.tanh(ratio, out=ratio)
    ratio *= np.power(level, np.float32(-BEYOND), out=level)
    return ratio, contrast


def sensitivity(contrast: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return how much the front end's output changes per grey level of a mark too small to saturate it."""
    return np.asarray(np.power(contrast + np.float32(FLOOR), np.float32(-1 - BEYOND)) / np.float32(CLIP))


def local_contrast(detail: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the local standard deviation of a high-passed plane, in grey levels."""
    variance = _blurred(np.square(detail), NEIGHBOURHOOD)
    return np.sqrt(np.maximum(variance, 0, out=variance), out=variance)


def _blurred(plane: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(plane, sigma, mode="reflect", truncate=3.0))
