"""The contract suite of watermarkers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import images
from sdsafe.errors import WatermarkError
from sdsafe.protocols import Sized
from sdsafe.testing._requiring import SMALL_SIZES, flat, require, require_raises
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.softbinding import Detection
    from sdsafe.protocols import Watermarker

__all__ = ["WatermarkerContract"]


class WatermarkerContract(ABC):
    """What a watermarker has to show."""

    @abstractmethod
    def make(self) -> Watermarker:
        """Return the watermarker under test."""

    def pictures(self) -> Sequence[Pixels]:
        """Return pictures that it must be able to mark; override where it needs larger ones."""
        gray = np.repeat(sample_picture(3)[..., :1], 3, axis=2)
        return (sample_picture(1), sample_picture(2, height=264, width=328), gray)

    def payload(self, index: int = 0) -> bytes:
        """Return a payload of the right length, another one for each index."""
        size = self.make().capacity_bits // 8
        return bytes((37 * (index + 1) + 101 * at) % 256 for at in range(size))

    def mark(self, picture: Pixels, index: int = 0) -> Pixels:
        """Return the picture, marked with ``payload(index)``."""
        (marked,) = self.make().embed([picture], [self.payload(index)])
        return marked

    def read(self, picture: Pixels) -> Detection:
        """Return what the watermarker reads."""
        (detection,) = self.make().detect([picture])
        return detection

    def test_it_says_what_it_is(self) -> None:
        """Name, version and capacity are there."""
        marker = self.make()
        require(marker.alg, "alg is empty")
        require(marker.version, "version is empty")
        require(marker.capacity_bits > 0, "capacity_bits is not positive")
        require(marker.capacity_bits % 8 == 0, "capacity_bits is no multiple of 8")

    def test_payloads_come_back_through_a_png(self) -> None:
        """What was written is read from the decoded file."""
        for index, picture in enumerate(self.pictures()):
            marked = self.mark(picture, index)
            require(marked.shape == picture.shape, "marking changed the size")
            require(marked.dtype == np.uint8, "marked pixels are not uint8")
            detection = self.read(images.decode(images.encode(marked)))
            require(detection.payload == self.payload(index), f"picture {index} read back as {detection.payload!r}")
            require(detection.alg == self.make().alg, "the detection names another algorithm")

    def test_unmarked_pictures_give_no_payload(self) -> None:
        """Neither drawn nor flat pictures without a mark give one."""
        for picture in (*self.pictures(), flat(0, 0, 0), flat(255, 255, 255), flat(90, 120, 60)):
            require(self.read(picture).payload is None, "an unmarked picture gave a payload")

    def test_pictures_without_room_give_no_payload(self) -> None:
        """Detection answers for pictures of any size."""
        for height, width in SMALL_SIZES:
            detection = self.read(sample_picture(height=height, width=width))
            require(detection.payload is None, f"an unmarked {width}x{height} picture gave a payload")

    def test_it_says_beforehand_which_sizes_have_room(self) -> None:
        """``check_size``, where there is one, agrees with ``embed``."""
        marker = self.make()
        if not isinstance(marker, Sized):
            return
        for picture in self.pictures():
            marker.check_size(picture.shape[1], picture.shape[0])
        for height, width in SMALL_SIZES:
            small = sample_picture(height=height, width=width)
            require_raises(WatermarkError, partial(marker.check_size, width, height))
            require_raises(WatermarkError, partial(self.mark, small))

    def test_p_values_are_probabilities(self) -> None:
        """A stated p-value lies in (0, 1]."""
        for picture in (self.pictures()[0], self.mark(self.pictures()[0])):
            p_value = self.read(picture).p_value
            require(p_value is None or 0 < p_value <= 1, f"p-value {p_value}")

    def test_marking_is_deterministic(self) -> None:
        """The same picture and payload give the same pixels, from any instance."""
        picture = self.pictures()[0]
        require(np.array_equal(self.mark(picture), self.mark(picture.copy())), "two runs differ")

    def test_another_payload_gives_other_pixels(self) -> None:
        """The payload is in the pixels."""
        picture = self.pictures()[0]
        require(not np.array_equal(self.mark(picture, 0), self.mark(picture, 1)), "two payloads look alike")

    def test_nothing_given_is_changed(self) -> None:
        """Neither embedding nor detecting writes into its input, and the result is a copy."""
        for picture in self.pictures():
            kept = picture.copy()
            frozen = picture.copy()
            frozen.setflags(write=False)
            marked = self.mark(frozen)
            self.read(frozen)
            require(np.array_equal(frozen, kept), "the input was changed")
            require(not np.shares_memory(marked, frozen), "the result shares memory with the input")

    def test_batches_equal_singles_in_order(self) -> None:
        """A batch, sizes mixed, gives what the pictures give one by one, in their order."""
        pictures = self.pictures()
        payloads = [self.payload(index) for index in range(len(pictures))]
        batch = self.make().embed(pictures, payloads)
        require(len(batch) == len(pictures), "the batch has another length")
        for index, (picture, marked) in enumerate(zip(pictures, batch, strict=True)):
            require(np.array_equal(marked, self.mark(picture, index)), f"picture {index} differs in a batch")
        require([each.payload for each in self.make().detect(batch)] == payloads, "detections are out of order")

    def test_an_empty_batch_is_empty(self) -> None:
        """Nothing in, nothing out."""
        require(self.make().embed([], []) == [], "embed of nothing")
        require(self.make().detect([]) == [], "detect of nothing")

    def test_wrong_payloads_are_refused(self) -> None:
        """A payload too short, too long or missing is an error, not a padded mark."""
        marker, picture, payload = self.make(), self.pictures()[0], self.payload()
        for wrong in ([payload[:-1]], [payload + b"\x00"], [b""], [], [payload, payload]):
            require_raises(WatermarkError, lambda wrong=wrong: marker.embed([picture], wrong))  # type: ignore[misc]

    def test_it_marks_or_raises_but_never_stays_silent(self) -> None:
        """Where it cannot write, it says so: what ``embed`` returns always reads back."""
        small = [sample_picture(height=height, width=width) for height, width in SMALL_SIZES]
        for picture in (*small, flat(0, 0, 0), flat(255, 255, 255), flat(255, 255, 0), flat(0, 0, 255)):
            try:
                marked = self.mark(picture)
            except WatermarkError:
                continue
            require(self.read(marked).payload == self.payload(), "an unreadable picture was returned")
