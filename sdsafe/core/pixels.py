"""The one shape an image has at every slot."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Pixels", "is_pixels", "nothing"]

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""``uint8`` RGB array of shape (height, width, 3), values 0 to 255, sRGB."""


def is_pixels(value: object) -> bool:
    """Say whether ``value`` has the type and shape of ``Pixels`` and is not empty."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 3  # noqa: PLR2004 - height, width, channel
        and value.shape[2] == 3  # noqa: PLR2004 - R, G, B
        and value.size > 0
    )


def nothing() -> Pixels:
    """Return the array of no picture, (0, 0, 3): what stands where a picture was, or never is."""
    return np.zeros((0, 0, 3), np.uint8)
