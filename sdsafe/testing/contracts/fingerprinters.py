"""The contract suite of fingerprinters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import images
from sdsafe.errors import AssetError
from sdsafe.protocols import Discriminating
from sdsafe.testing._requiring import SMALL_SIZES, flat, require, require_raises
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from sdsafe.protocols import Fingerprinter

__all__ = ["FingerprinterContract"]

_JPEG_QUALITY = 50


class FingerprinterContract(ABC):
    """What a fingerprinter has to show."""

    @abstractmethod
    def make(self) -> Fingerprinter:
        """Return the fingerprinter under test."""

    def test_it_says_what_it_is(self) -> None:
        """Name and threshold are there."""
        require(self.make().alg, "alg is empty")
        require(0 < self.make().threshold < 1, "threshold is not between 0 and 1")

    def test_it_is_deterministic_and_changes_nothing(self) -> None:
        """Any instance gives the same bytes, from a picture that cannot be written to."""
        picture = sample_picture()
        picture.setflags(write=False)
        first = self.make().compute(picture)
        require(first, "the fingerprint is empty")
        require(self.make().compute(picture.copy()) == first, "two runs differ")

    def test_every_size_gives_the_same_length(self) -> None:
        """From one pixel upwards."""
        length = len(self.make().compute(sample_picture()))
        for height, width in (*SMALL_SIZES, (300, 200)):
            value = self.make().compute(sample_picture(height=height, width=width))
            require(len(value) == length, f"{width}x{height} gives {len(value)} bytes instead of {length}")

    def test_distance_is_a_normalised_distance(self) -> None:
        """Zero to itself, symmetric, between 0 and 1."""
        each = self.make()
        values = [each.compute(sample_picture(seed)) for seed in range(4)]
        for a in values:
            require(each.distance(a, a) == 0, "a fingerprint is not at distance 0 from itself")
            for b in values:
                distance = each.distance(a, b)
                require(0 <= distance <= 1, f"distance {distance}")
                require(distance == each.distance(b, a), "the distance is not symmetric")

    def test_foreign_fingerprints_are_far(self) -> None:
        """Bytes of another length are never within the threshold, and never an exception."""
        each = self.make()
        own = each.compute(sample_picture())
        for foreign in (b"", own[:-1], own + b"\x00"):
            require(each.distance(own, foreign) > each.threshold, "a foreign fingerprint counts as near")

    def test_a_recompressed_picture_stays_near(self) -> None:
        """JPEG 50 of the same picture is within the threshold."""
        each = self.make()
        for seed in range(3):
            picture = sample_picture(seed)
            again = images.decode(images.encode(picture, "image/jpeg", quality=_JPEG_QUALITY))
            distance = each.distance(each.compute(picture), each.compute(again))
            require(distance <= each.threshold, f"JPEG moved the fingerprint by {distance:.3f}")

    def test_other_pictures_are_far(self) -> None:
        """Different pictures are further apart than the threshold."""
        each = self.make()
        values = [each.compute(sample_picture(seed)) for seed in range(6)]
        for at, a in enumerate(values):
            for b in values[:at]:
                require(each.distance(a, b) > each.threshold, "two different pictures count as the same")

    def test_what_is_not_pixels_is_refused(self) -> None:
        """Wrong shapes are an ``AssetError``."""
        for wrong in (np.zeros((8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8)):
            require_raises(AssetError, lambda wrong=wrong: self.make().compute(wrong))  # type: ignore[misc]

    def test_it_knows_what_says_nothing(self) -> None:
        """Where it judges pictures, a flat one is refused and a drawn one is not."""
        each = self.make()
        if isinstance(each, Discriminating):
            require(each.discriminates(sample_picture()), "a drawn picture is said to have no detail")
            require(not each.discriminates(flat(128, 128, 128)), "a flat picture is said to have detail")
