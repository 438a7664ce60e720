"""Contract suites: what every plug-in of a slot has to show, the built-in ones and the fakes included.

Inherit and say how to make one::

    class TestMyWatermarker(WatermarkerContract):
        def make(self) -> Watermarker:
            return MyWatermarker()

pytest collects the inherited ``test_`` methods. The classes need no pytest themselves; any runner that calls the
methods and takes ``AssertionError`` for a failure will do.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import images
from sdsafe.core.findings import Finding, Stage
from sdsafe.core.request import TEXT_FIELDS
from sdsafe.errors import AssetError, WatermarkError
from sdsafe.protocols import Discriminating, Sized
from sdsafe.testing.samples import sample_generated, sample_picture, sample_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.softbinding import Detection
    from sdsafe.protocols import Fingerprinter, OutputCheck, PromptCheck, Watermarker

__all__ = ["FingerprinterContract", "OutputCheckContract", "PromptCheckContract", "WatermarkerContract"]

_NO_EFFORT_SIZES = ((1, 1), (1, 400), (7, 9), (64, 48))
_JPEG_QUALITY = 50


def _require(condition: object, message: str) -> None:
    """Fail the test with ``message``; a bare assert would vanish under ``python -O``."""
    if not condition:
        raise AssertionError(message)


def _require_raises(kinds: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object]) -> None:
    try:
        call()
    except kinds:
        return
    raise AssertionError(f"expected {kinds}, and nothing was raised")


def _flat(*colour: int, side: int = 256) -> Pixels:
    return np.tile(np.array(colour, np.uint8), (side, side, 1))


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
        _require(marker.alg, "alg is empty")
        _require(marker.version, "version is empty")
        _require(marker.capacity_bits > 0, "capacity_bits is not positive")
        _require(marker.capacity_bits % 8 == 0, "capacity_bits is no multiple of 8")

    def test_payloads_come_back_through_a_png(self) -> None:
        """What was written is read from the decoded file."""
        for index, picture in enumerate(self.pictures()):
            marked = self.mark(picture, index)
            _require(marked.shape == picture.shape, "marking changed the size")
            _require(marked.dtype == np.uint8, "marked pixels are not uint8")
            detection = self.read(images.decode(images.encode(marked)))
            _require(detection.payload == self.payload(index), f"picture {index} read back as {detection.payload!r}")
            _require(detection.alg == self.make().alg, "the detection names another algorithm")

    def test_unmarked_pictures_give_no_payload(self) -> None:
        """Neither drawn nor flat pictures without a mark give one."""
        for picture in (*self.pictures(), _flat(0, 0, 0), _flat(255, 255, 255), _flat(90, 120, 60)):
            _require(self.read(picture).payload is None, "an unmarked picture gave a payload")

    def test_pictures_without_room_give_no_payload(self) -> None:
        """Detection answers for pictures of any size."""
        for height, width in _NO_EFFORT_SIZES:
            detection = self.read(sample_picture(height=height, width=width))
            _require(detection.payload is None, f"an unmarked {width}x{height} picture gave a payload")

    def test_it_says_beforehand_which_sizes_have_room(self) -> None:
        """``check_size``, where there is one, agrees with ``embed``."""
        marker = self.make()
        if not isinstance(marker, Sized):
            return
        for picture in self.pictures():
            marker.check_size(picture.shape[1], picture.shape[0])
        for height, width in _NO_EFFORT_SIZES:
            small = sample_picture(height=height, width=width)
            _require_raises(WatermarkError, partial(marker.check_size, width, height))
            _require_raises(WatermarkError, partial(self.mark, small))

    def test_p_values_are_probabilities(self) -> None:
        """A stated p-value lies in (0, 1]."""
        for picture in (self.pictures()[0], self.mark(self.pictures()[0])):
            p_value = self.read(picture).p_value
            _require(p_value is None or 0 < p_value <= 1, f"p-value {p_value}")

    def test_marking_is_deterministic(self) -> None:
        """The same picture and payload give the same pixels, from any instance."""
        picture = self.pictures()[0]
        _require(np.array_equal(self.mark(picture), self.mark(picture.copy())), "two runs differ")

    def test_another_payload_gives_other_pixels(self) -> None:
        """The payload is in the pixels."""
        picture = self.pictures()[0]
        _require(not np.array_equal(self.mark(picture, 0), self.mark(picture, 1)), "two payloads look alike")

    def test_nothing_given_is_changed(self) -> None:
        """Neither embedding nor detecting writes into its input, and the result is a copy."""
        for picture in self.pictures():
            kept = picture.copy()
            frozen = picture.copy()
            frozen.setflags(write=False)
            marked = self.mark(frozen)
            self.read(frozen)
            _require(np.array_equal(frozen, kept), "the input was changed")
            _require(not np.shares_memory(marked, frozen), "the result shares memory with the input")

    def test_batches_equal_singles_in_order(self) -> None:
        """A batch, sizes mixed, gives what the pictures give one by one, in their order."""
        pictures = self.pictures()
        payloads = [self.payload(index) for index in range(len(pictures))]
        batch = self.make().embed(pictures, payloads)
        _require(len(batch) == len(pictures), "the batch has another length")
        for index, (picture, marked) in enumerate(zip(pictures, batch, strict=True)):
            _require(np.array_equal(marked, self.mark(picture, index)), f"picture {index} differs in a batch")
        _require([each.payload for each in self.make().detect(batch)] == payloads, "detections are out of order")

    def test_an_empty_batch_is_empty(self) -> None:
        """Nothing in, nothing out."""
        _require(self.make().embed([], []) == [], "embed of nothing")
        _require(self.make().detect([]) == [], "detect of nothing")

    def test_wrong_payloads_are_refused(self) -> None:
        """A payload too short, too long or missing is an error, not a padded mark."""
        marker, picture, payload = self.make(), self.pictures()[0], self.payload()
        for wrong in ([payload[:-1]], [payload + b"\x00"], [b""], [], [payload, payload]):
            _require_raises(WatermarkError, lambda wrong=wrong: marker.embed([picture], wrong))  # type: ignore[misc]

    def test_it_marks_or_raises_but_never_stays_silent(self) -> None:
        """Where it cannot write, it says so: what ``embed`` returns always reads back."""
        small = [sample_picture(height=height, width=width) for height, width in _NO_EFFORT_SIZES]
        for picture in (*small, _flat(0, 0, 0), _flat(255, 255, 255), _flat(255, 255, 0), _flat(0, 0, 255)):
            try:
                marked = self.mark(picture)
            except WatermarkError:
                continue
            _require(self.read(marked).payload == self.payload(), "an unreadable picture was returned")


class FingerprinterContract(ABC):
    """What a fingerprinter has to show."""

    @abstractmethod
    def make(self) -> Fingerprinter:
        """Return the fingerprinter under test."""

    def test_it_says_what_it_is(self) -> None:
        """Name and threshold are there."""
        _require(self.make().alg, "alg is empty")
        _require(0 < self.make().threshold < 1, "threshold is not between 0 and 1")

    def test_it_is_deterministic_and_changes_nothing(self) -> None:
        """Any instance gives the same bytes, from a picture that cannot be written to."""
        picture = sample_picture()
        picture.setflags(write=False)
        first = self.make().compute(picture)
        _require(first, "the fingerprint is empty")
        _require(self.make().compute(picture.copy()) == first, "two runs differ")

    def test_every_size_gives_the_same_length(self) -> None:
        """From one pixel upwards."""
        length = len(self.make().compute(sample_picture()))
        for height, width in (*_NO_EFFORT_SIZES, (300, 200)):
            value = self.make().compute(sample_picture(height=height, width=width))
            _require(len(value) == length, f"{width}x{height} gives {len(value)} bytes instead of {length}")

    def test_distance_is_a_normalised_distance(self) -> None:
        """Zero to itself, symmetric, between 0 and 1."""
        each = self.make()
        values = [each.compute(sample_picture(seed)) for seed in range(4)]
        for a in values:
            _require(each.distance(a, a) == 0, "a fingerprint is not at distance 0 from itself")
            for b in values:
                distance = each.distance(a, b)
                _require(0 <= distance <= 1, f"distance {distance}")
                _require(distance == each.distance(b, a), "the distance is not symmetric")

    def test_foreign_fingerprints_are_far(self) -> None:
        """Bytes of another length are never within the threshold, and never an exception."""
        each = self.make()
        own = each.compute(sample_picture())
        for foreign in (b"", own[:-1], own + b"\x00"):
            _require(each.distance(own, foreign) > each.threshold, "a foreign fingerprint counts as near")

    def test_a_recompressed_picture_stays_near(self) -> None:
        """JPEG 50 of the same picture is within the threshold."""
        each = self.make()
        for seed in range(3):
            picture = sample_picture(seed)
            again = images.decode(images.encode(picture, "image/jpeg", quality=_JPEG_QUALITY))
            distance = each.distance(each.compute(picture), each.compute(again))
            _require(distance <= each.threshold, f"JPEG moved the fingerprint by {distance:.3f}")

    def test_other_pictures_are_far(self) -> None:
        """Different pictures are further apart than the threshold."""
        each = self.make()
        values = [each.compute(sample_picture(seed)) for seed in range(6)]
        for at, a in enumerate(values):
            for b in values[:at]:
                _require(each.distance(a, b) > each.threshold, "two different pictures count as the same")

    def test_what_is_not_pixels_is_refused(self) -> None:
        """Wrong shapes are an ``AssetError``."""
        for wrong in (np.zeros((8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8)):
            _require_raises(AssetError, lambda wrong=wrong: self.make().compute(wrong))  # type: ignore[misc]

    def test_it_knows_what_says_nothing(self) -> None:
        """Where it judges pictures, a flat one is refused and a drawn one is not."""
        each = self.make()
        if isinstance(each, Discriminating):
            _require(each.discriminates(sample_picture()), "a drawn picture is said to have no detail")
            _require(not each.discriminates(_flat(128, 128, 128)), "a flat picture is said to have detail")


class OutputCheckContract(ABC):
    """What an output check has to show. Weights it needs must be present."""

    @abstractmethod
    def make(self) -> OutputCheck:
        """Return the check under test."""

    def look(self, picture: Pixels) -> tuple[Finding, ...]:
        """Return what the check finds."""
        return tuple(self.make().check(sample_generated(picture)))

    def test_it_says_what_it_is(self) -> None:
        """Name and version are there."""
        _require(self.make().name, "name is empty")
        _require(self.make().version, "version is empty")

    def test_it_always_measures_something(self) -> None:
        """Every picture gives at least one score, and every score is a number from 0 to 1."""
        for picture in (sample_picture(), _flat(0, 0, 0), _flat(255, 255, 255)):
            findings = self.look(picture)
            scores = [each.score for each in findings if each.score is not None]
            _require(scores, "no scored finding")
            _require(all(math.isfinite(score) and 0 <= score <= 1 for score in scores), f"scores {scores}")

    def test_findings_name_their_source(self) -> None:
        """Stage, source and version are those of the check."""
        check = self.make()
        for finding in self.look(sample_picture()):
            _require(finding.stage is Stage.OUTPUT, f"stage {finding.stage}")
            _require(finding.source == check.name, f"source {finding.source}")
            _require(finding.source_version == check.version, f"version {finding.source_version}")
            _require(finding.category, "no category: policy rules could not refer to it")

    def test_it_is_deterministic(self) -> None:
        """The same picture gives the same findings, from any instance."""
        _require(self.look(sample_picture()) == self.look(sample_picture()), "two runs differ")

    def test_it_changes_nothing(self) -> None:
        """The picture is left as it was."""
        picture = sample_picture()
        picture.setflags(write=False)
        self.look(picture)
        _require(np.array_equal(picture, sample_picture()), "the picture was changed")

    def test_every_size_is_looked_at(self) -> None:
        """From one pixel upwards, square or not."""
        for height, width in (*_NO_EFFORT_SIZES, (520, 300)):
            _require(self.look(sample_picture(height=height, width=width)), f"nothing for {width}x{height}")


_NASTY = (
    "",
    " ",
    "\x00",
    "\u202eabc\u202c",
    "a\u200bb",
    "\U000e0041\U000e0042",
    "\ud800",
    "e\u0301" * 50,
    "x" * 100_000,
    "{}%s${y}\\",
)


class PromptCheckContract(ABC):
    """What a prompt check has to show."""

    @abstractmethod
    def make(self) -> PromptCheck:
        """Return the check under test."""

    def triggering(self) -> str | None:
        """Return a text in which the check must find something; None where it has no such text."""
        return None

    def look(self, request: GenerationRequest) -> tuple[Finding, ...]:
        """Return what the check finds."""
        return tuple(self.make().check(request))

    def test_it_says_what_it_is(self) -> None:
        """Name and version are there."""
        _require(self.make().name, "name is empty")
        _require(self.make().version, "version is empty")

    def test_any_text_is_answered(self) -> None:
        """Empty, hidden, broken and very long texts give findings or none, never an exception."""
        for text in _NASTY:
            self.require_sound(sample_request(text), self.look(sample_request(text)))

    def test_it_is_deterministic(self) -> None:
        """The same request gives the same findings, from any instance."""
        request = sample_request(f"a house {self.triggering() or ''}")
        _require(self.look(request) == self.look(request), "two runs differ")

    def test_every_text_field_is_looked_at(self) -> None:
        """What triggers in the prompt triggers in every other field, and the span says in which."""
        text = self.triggering()
        if text is None:
            return
        for field in TEXT_FIELDS:
            # By keyword mapping: the field's name is the variable here.
            request = replace(sample_request("a house"), **{field: text})  # type: ignore[arg-type]
            findings = self.look(request)
            _require(findings, f"nothing found in {field}")
            self.require_sound(request, findings)
            spans = [each.span for each in findings if each.span is not None]
            _require(all(span.field == field for span in spans), f"a span points elsewhere than {field}")

    def require_sound(self, request: GenerationRequest, findings: Sequence[Finding]) -> None:
        """Fail unless every finding names its source and points at characters that exist."""
        check, texts = self.make(), dict(request.texts())
        for finding in findings:
            _require(finding.stage is Stage.PROMPT, f"stage {finding.stage}")
            _require(finding.source == check.name, f"source {finding.source}")
            _require(finding.source_version == check.version, f"version {finding.source_version}")
            if finding.span is not None:
                length = len(texts[finding.span.field])
                _require(0 <= finding.span.start < finding.span.end <= length, f"span {finding.span}")
            if finding.score is not None:
                _require(math.isfinite(finding.score) and 0 <= finding.score <= 1, f"score {finding.score}")
