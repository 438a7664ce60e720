"""The schemes that `watermark.py` compares, each as its makers ship it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sdsafe import plugins
from sdsafe.bindings.watermark.lattice import LatticeWatermarker

if TYPE_CHECKING:
    from sdsafe.core.pixels import Pixels

__all__ = ["Invisible", "Lattice", "Scheme", "TrustMark", "scheme"]

_KEYS = 4


class Scheme(Protocol):
    """What the benchmark asks of a scheme."""

    bits: int

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """Return the marked picture."""
        ...

    def read(self, image: Pixels) -> bytes | None:
        """Return what is read, None where the scheme can say that there is nothing."""
        ...


class Lattice:
    """Ours, one of several keys, so that no lucky lattice decides."""

    bits = 64

    def __init__(self, quality: str, key: int) -> None:
        self._marker = LatticeWatermarker(bytes([key]) * 32, quality=quality)

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """Mark."""
        return self._marker.write(image, payload).image

    def read(self, image: Pixels) -> bytes | None:
        """Read."""
        return self._marker.examine(image).payload


class Invisible:
    """invisible-watermark, unmodified; it returns bits whether or not there is a mark."""

    def __init__(self, method: str) -> None:
        self.bits = 32 if method == "rivaGan" else 64
        self._method = method

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """Mark, in their channel order."""
        from imwatermark import WatermarkEncoder

        encoder = WatermarkEncoder()
        encoder.set_watermark("bytes", payload)
        if self._method == "rivaGan":
            encoder.loadModel()
        return np.asarray(encoder.encode(image[..., ::-1].copy(), self._method), np.uint8)[..., ::-1].copy()

    def read(self, image: Pixels) -> bytes | None:
        """Read; None for sizes it refuses."""
        from imwatermark import WatermarkDecoder

        if image.shape[0] * image.shape[1] < 256 * 256:
            return None  # it refuses
        decoder = WatermarkDecoder("bytes", self.bits)
        if self._method == "rivaGan":
            decoder.loadModel()
        try:
            return bytes(decoder.decode(image[..., ::-1].copy(), self._method))
        except (ValueError, RuntimeError, IndexError):
            return None


class TrustMark:
    """Adobe's networks, from where ``sdsafe models pull trustmark-P`` puts them or from ``--networks``."""

    bits = 64
    folder: str | None = None

    def __init__(self, variant: str) -> None:
        named = {} if self.folder is None else {"folder": self.folder}
        self._marker = plugins.load(
            "sdsafe.watermarkers", "trustmark", None, {"variant": variant, "threads": 1, **named}
        )

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """Mark."""
        (marked,) = self._marker.embed([image], [payload])
        return np.asarray(marked)

    def read(self, image: Pixels) -> bytes | None:
        """Read."""
        (found,) = self._marker.detect([image])
        return None if found.payload is None else bytes(found.payload)


def scheme(name: str, cover: int) -> Scheme:
    """Return the scheme of a name; the number of the cover decides about the key, where there is one."""
    if name.startswith("trustmark-"):
        return _trustmark(name.removeprefix("trustmark-"))
    if name.startswith("lattice"):
        return Lattice("standard" if name == "lattice-standard" else "robust", cover % _KEYS)
    return Invisible(name)


@functools.cache
def _trustmark(variant: str) -> TrustMark:
    return TrustMark(variant)  # loading takes longer than reading
