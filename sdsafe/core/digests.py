"""SHA-256 of bytes and of pixels, as hex."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sdsafe.core.pixels import Pixels

__all__ = ["pixels_sha256", "sha256_hex"]


def sha256_hex(data: bytes | memoryview) -> str:
    """Return the SHA-256 of ``data`` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def pixels_sha256(pixels: Pixels) -> str:
    """Return the SHA-256 of the raw interleaved 8-bit RGB bytes, row by row, without any header.

    Anyone can repeat it: ``magick a.png -depth 8 rgb:- | sha256sum`` hashes the same bytes.
    """
    return sha256_hex(np.ascontiguousarray(pixels).data)
