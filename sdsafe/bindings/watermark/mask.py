"""How strong a mark may be at each pixel before it is seen. Pure.

Texture hides it, flat areas do not, and an edge does not hide it in the flat area beside the edge. So the activity
of a pixel is the *least* local contrast of windows around it: in texture all are busy, beside an edge one is flat.
Very dark and very bright areas take less (after Chou and Li, "A perceptually tuned subband image coder based on the
measure of just-noticeable-distortion profile", IEEE Trans. CSVT 5, 1995, but with a lower floor in the dark: grain
in a night sky is seen first, and an 8-bit step is coarse there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from sdsafe.bindings.watermark.frame import FLOOR, LUMA

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["DIRECTION", "perceptual_mask"]

APART = 6  # pixels from a pixel to the windows around it: they do not contain it
WINDOW = 7
EXPONENT = 0.7
DARK, BRIGHT = 50.0, 235.0
LEAST = 0.45  # of the strength in mid-grey, at black
MOST_ACTIVITY = 40.0

_TOWARDS_LUMA = 0.5
DIRECTION = _TOWARDS_LUMA * LUMA / np.square(LUMA).sum() + np.float32(1 - _TOWARDS_LUMA)
"""How much R, G, B change per unit of luma. All along the luma weights costs the least squared error and tints the
grain green and violet; equal parts are neutral. Halfway costs 0.35 dB over the least and no tint is seen."""


def perceptual_mask(frame: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the relative strength at each pixel of a luma plane (0 to 255): positive, about 2 where it is flat."""
    contrast = _spread(frame)
    activity = np.minimum(_least_around(contrast), np.float32(MOST_ACTIVITY)) + np.float32(FLOOR)
    light = np.clip(frame / np.float32(DARK), LEAST, 1) * np.clip((275 - frame) / (275 - BRIGHT), LEAST, 1)
    return np.asarray(np.power(activity, np.float32(EXPONENT)) * light, np.float32)


def _spread(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the standard deviation in a small window, grey levels."""
    centred = plane - np.float32(128)  # keeps single precision exact enough
    mean = ndimage.uniform_filter(centred, WINDOW, mode="reflect")
    square = ndimage.uniform_filter(np.square(centred), WINDOW, mode="reflect")
    return np.asarray(np.sqrt(np.maximum(square - np.square(mean), 0)))


def _least_around(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    padded = np.pad(plane, APART, mode="edge")
    height, width = plane.shape
    near = slice(APART, APART + height), slice(APART, APART + width)
    least = np.minimum(padded[:height, near[1]], padded[2 * APART :, near[1]])
    np.minimum(least, padded[near[0], :width], out=least)
    return np.asarray(np.minimum(least, padded[near[0], 2 * APART :], out=least))
