"""A contract that accepts everything proves nothing: each of these plug-ins breaks one promise and must be caught."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.softbinding import Detection
from sdsafe.protocols import Unavailable
from sdsafe.testing import contracts, fakes

if TYPE_CHECKING:
    from collections.abc import Callable


class Marker(fakes.LsbWatermarker):
    """Behaves, until a test replaces something."""


class SilentMarker(Marker):
    def embed(self, images: Any, payloads: Any) -> Any:
        return [image.copy() for image in images]


class MutatingMarker(Marker):
    def embed(self, images: Any, payloads: Any) -> Any:
        marked = super().embed(images, payloads)
        for image, each in zip(images, marked, strict=True):
            image[...] = each
        return marked


class RandomMarker(Marker):
    made = 0

    def embed(self, images: Any, payloads: Any) -> Any:
        marked = super().embed(images, payloads)
        for each in marked:
            # Not drawn: one draw in 256 would repeat itself and pass for deterministic.
            RandomMarker.made = (RandomMarker.made + 1) % 256
            each[-1, -1, 0] = RandomMarker.made
        return marked


class ReversingMarker(Marker):
    def detect(self, images: Any) -> Any:
        return super().detect(images)[::-1]


class AlwaysPositiveMarker(Marker):
    def detect(self, images: Any) -> Any:
        return [each if each.payload else Detection(payload=bytes(8), alg=self.alg) for each in super().detect(images)]


class PaddingMarker(Marker):
    def embed(self, images: Any, payloads: Any) -> Any:
        return super().embed(images, [each.ljust(8, b"\x00")[:8] for each in payloads][: len(images)])


class SilentWhereSmallMarker(Marker):
    def embed(self, images: Any, payloads: Any) -> Any:
        if images and images[0].size < 3 * 96:
            return [image.copy() for image in images]
        return super().embed(images, payloads)


class CrashingPrint(fakes.GridFingerprinter):
    def distance(self, a: bytes, b: bytes) -> float:
        return super().distance(a, b) if len(a) == len(b) else len(a) / 0


class ConstantPrint(fakes.GridFingerprinter):
    def compute(self, image: Any) -> bytes:
        super().compute(image)
        return bytes(32)


class NeverAlikePrint(fakes.GridFingerprinter):
    threshold = 1e-9


class EmptyCheck(fakes.FakeOutputCheck):
    def check(self, generated: Any) -> Any:
        return ()


class UnscoredCheck(fakes.FakeOutputCheck):
    def check(self, generated: Any) -> Any:
        return [replace(each, score=None) for each in super().check(generated)]


class ImpostorCheck(fakes.FakeOutputCheck):
    def check(self, generated: Any) -> Any:
        return [replace(each, source="another") for each in super().check(generated)]


class RefusingSmallCheck(fakes.FakeOutputCheck):
    def check(self, generated: Any) -> Any:
        if min(generated.pixels.shape[:2]) < 32:
            raise Unavailable("too small")
        return super().check(generated)


class OneFieldCheck(fakes.FakePromptCheck):
    def check(self, request: Any) -> Any:
        return [each for each in super().check(request) if each.span and each.span.field == "prompt"]


class FragileCheck(fakes.FakePromptCheck):
    def check(self, request: Any) -> Any:
        request.prompt.encode("utf-8")
        return super().check(request)


class MispointingCheck(fakes.FakePromptCheck):
    def check(self, request: Any) -> Any:
        return [replace(each, span=each.span and replace(each.span, end=10_000)) for each in super().check(request)]


BROKEN: list[tuple[type[Any], Callable[[], Any], str]] = [
    (contracts.WatermarkerContract, SilentMarker, "payloads_come_back_through_a_png"),
    (contracts.WatermarkerContract, MutatingMarker, "nothing_given_is_changed"),
    (contracts.WatermarkerContract, RandomMarker, "marking_is_deterministic"),
    (contracts.WatermarkerContract, ReversingMarker, "batches_equal_singles_in_order"),
    (contracts.WatermarkerContract, AlwaysPositiveMarker, "unmarked_pictures_give_no_payload"),
    (contracts.WatermarkerContract, PaddingMarker, "wrong_payloads_are_refused"),
    (contracts.WatermarkerContract, SilentWhereSmallMarker, "it_marks_or_raises_but_never_stays_silent"),
    (contracts.FingerprinterContract, CrashingPrint, "foreign_fingerprints_are_far"),
    (contracts.FingerprinterContract, ConstantPrint, "other_pictures_are_far"),
    (contracts.FingerprinterContract, NeverAlikePrint, "a_recompressed_picture_stays_near"),
    (contracts.OutputCheckContract, EmptyCheck, "it_always_measures_something"),
    (contracts.OutputCheckContract, UnscoredCheck, "it_always_measures_something"),
    (contracts.OutputCheckContract, ImpostorCheck, "findings_name_their_source"),
    (contracts.OutputCheckContract, RefusingSmallCheck, "every_size_is_looked_at"),
    (contracts.PromptCheckContract, OneFieldCheck, "every_text_field_is_looked_at"),
    (contracts.PromptCheckContract, FragileCheck, "any_text_is_answered"),
    (contracts.PromptCheckContract, MispointingCheck, "every_text_field_is_looked_at"),
]


@pytest.mark.parametrize(("suite", "plugin", "promise"), BROKEN, ids=[each[1].__name__ for each in BROKEN])  # type: ignore[attr-defined]
def test_a_broken_promise_is_caught(suite: type[Any], plugin: Callable[[], Any], promise: str) -> None:
    members = {"make": lambda _self: plugin(), "triggering": lambda _self: "sentinel-term"}
    under_test = type("UnderTest", (suite,), members)()
    # A broken plug-in may also break in its own way, which a runner reports as well.
    with pytest.raises((AssertionError, ValueError, ZeroDivisionError, UnicodeError, Unavailable)):
        getattr(under_test, f"test_{promise}")()
