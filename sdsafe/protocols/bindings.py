"""Slots of the soft bindings: marks in pixels, marks in noise, fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.softbinding import Detection, NoiseMatch

__all__ = ["Discriminating", "Fingerprinter", "Legible", "NoiseMarker", "Sized", "Watermarker"]


class Watermarker(Protocol):
    """**Protocol:** writes a payload into pixels and reads it back, blind."""

    @property
    def alg(self) -> str:
        """Name of the algorithm, as it appears in manifests."""
        ...

    @property
    def version(self) -> str:
        """Version of the implementation."""
        ...

    @property
    def capacity_bits(self) -> int:
        """Payload size in bits, a multiple of 8."""
        ...

    def embed(self, images: Sequence[Pixels], payloads: Sequence[bytes], /) -> list[Pixels]:
        """Return marked copies; never an unmarked one.

        Args:
            images: Pictures, each (H, W, 3) ``uint8``; not changed.
            payloads: One per picture, ``capacity_bits // 8`` bytes each.

        Raises:
            WatermarkError: A picture cannot carry the mark (too small, or it does not read back).
        """
        ...

    def detect(self, images: Sequence[Pixels], /) -> list[Detection]:
        """Return one detection per image; an unmarked image gives ``payload=None``."""
        ...


@runtime_checkable
class Sized(Protocol):
    """**Protocol:** what a watermarker may offer besides: it knows before generation which sizes have room."""

    def check_size(self, width: int, height: int, /) -> None:
        """Return if a picture of this size in pixels has room for the mark; else raise what ``embed`` would.

        Raises:
            WatermarkError: ``watermark.too-small``.
        """
        ...


@runtime_checkable
class Legible(Protocol):
    """**Protocol:** what a watermarker may offer besides: it knows which sizes are too small to look for a mark in."""

    def check_legible(self, width: int, height: int, /) -> None:
        """Return if a picture of this size can be read; else ``detect`` says nothing about it.

        Raises:
            WatermarkError: ``watermark.too-small``.
        """
        ...


class NoiseMarker(Protocol):
    """**Protocol:** draws a diffusion model's initial noise so that it carries an asset id, and reads it back. Pure."""

    @property
    def alg(self) -> str:
        """Name of the algorithm, as it appears in manifests."""
        ...

    @property
    def version(self) -> str:
        """Version of the implementation."""
        ...

    @property
    def key_id(self) -> str:
        """Short name of the key in manifests, which says nothing else about it."""
        ...

    def noise(self, asset_id: bytes, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return noise of that shape, standard normal, the same for the same id and shape.

        Raises:
            WatermarkError: The shape has no room for the mark, or the id has not 8 bytes.
        """
        ...

    def read(self, noise: npt.NDArray[np.float32], /) -> Detection:
        """Return what a noise carries that was recovered by inverting the model; never raises for unmarked noise."""
        ...

    def match(self, noise: npt.NDArray[np.float32], asset_id: bytes, /) -> NoiseMatch:
        """Return how well a recovered noise fits a candidate id; needs much less of it than ``read``."""
        ...


class Fingerprinter(Protocol):
    """**Protocol:** computes a robust digest of what a picture looks like."""

    @property
    def alg(self) -> str:
        """Name of the algorithm, as it appears in manifests."""
        ...

    @property
    def threshold(self) -> float:
        """Largest distance, 0 to 1, at which two pictures count as the same."""
        ...

    def compute(self, image: Pixels, /) -> bytes:
        """Return the fingerprint."""
        ...

    def distance(self, a: bytes, b: bytes, /) -> float:
        """Return the normalised distance, 0 (equal) to 1."""
        ...


@runtime_checkable
class Discriminating(Protocol):
    """**Protocol:** what a fingerprinter may offer besides: it knows the pictures on which it says nothing.

    Flat pictures and plain gradients share fingerprints, and noise decides theirs. Probes neither match nor
    contradict on them. A fingerprinter without this method vouches for every picture.
    """

    def discriminates(self, image: Pixels, /) -> bool:
        """Say whether the fingerprint of ``image`` tells it from others and stays under small changes."""
        ...
