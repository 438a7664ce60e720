from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sdsafe.core.digests import pixels_sha256
from sdsafe.core.findings import CheckStatus
from sdsafe.core.ids import AssetId
from sdsafe.core.request import Size
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.errors import CancelledError, RequestError
from sdsafe.gates.guard import run_output_check, run_prompt_check
from sdsafe.testing import fakes
from sdsafe.testing.contracts import (
    FingerprinterContract,
    OutputCheckContract,
    PromptCheckContract,
    WatermarkerContract,
)
from sdsafe.testing.samples import sample_admitted, sample_generated, sample_picture, sample_request, sample_signed

IDS = (AssetId(b"asset--1"), AssetId(b"asset--2"), AssetId(b"asset--3"))


class TestLsbWatermarker(WatermarkerContract):
    def make(self) -> fakes.LsbWatermarker:
        return fakes.LsbWatermarker()


class TestGridFingerprinter(FingerprinterContract):
    def make(self) -> fakes.GridFingerprinter:
        return fakes.GridFingerprinter()


class TestFakeOutputCheck(OutputCheckContract):
    def make(self) -> fakes.FakeOutputCheck:
        return fakes.FakeOutputCheck(score=0.25)


class TestFakePromptCheck(PromptCheckContract):
    def make(self) -> fakes.FakePromptCheck:
        return fakes.FakePromptCheck()

    def triggering(self) -> str:
        return "sentinel-term"


class TestFakeGenerator:
    def run(self, **changes: Any) -> list[Any]:
        request = fakes.FakeGenerator().resolve(replace(sample_request(), count=3, **changes))
        return list(fakes.FakeGenerator().generate(sample_admitted(request, asset_ids=IDS)))

    def test_each_image_has_its_own_seed_and_id_in_order(self) -> None:
        made = self.run()
        assert [each.asset_id for each in made] == list(IDS)
        assert [each.seed for each in made] == [7, 8, 9]
        assert len({each.pixels_sha256 for each in made}) == 3
        assert all(each.pixels_sha256 == pixels_sha256(each.pixels) for each in made)

    def test_the_same_request_gives_the_same_pixels(self) -> None:
        assert [a.pixels_sha256 for a in self.run()] == [b.pixels_sha256 for b in self.run()]

    def test_prompt_seed_and_size_are_followed(self) -> None:
        digests = {self.run(**change)[0].pixels_sha256 for change in ({}, {"prompt": "a boat"}, {"seed": 8})}
        assert len(digests) == 3
        assert self.run(size=Size(width=264, height=320))[0].pixels.shape == (320, 264, 3)

    @pytest.mark.parametrize(
        "change",
        [{"size": Size(width=255, height=256)}, {"size": Size(width=0, height=8)}, {"parameters": {"x": 1}}],
    )
    def test_what_it_cannot_do_is_refused(self, change: dict[str, Any]) -> None:
        with pytest.raises(RequestError):
            fakes.FakeGenerator().resolve(replace(sample_request(), **change))

    def test_open_questions_are_answered(self) -> None:
        asked = replace(sample_request(), size=None, steps=None, guidance=None, scheduler=None)
        resolved = fakes.FakeGenerator(side=128).resolve(asked)
        assert resolved.size == Size(width=128, height=128)
        assert None not in (resolved.steps, resolved.guidance, resolved.scheduler, resolved.model.digest)

    def test_the_watch_sees_every_step_and_can_stop(self) -> None:
        class Watch:
            def __init__(self) -> None:
                self.steps: list[tuple[int, int, int]] = []

            def step(self, image: int, step: int, total: int) -> None:
                self.steps.append((image, step, total))

            def cancelled(self) -> bool:
                return len(self.steps) == 3

        watch = Watch()
        made = fakes.FakeGenerator().generate(sample_admitted(asset_ids=IDS), watch)
        next(made)
        with pytest.raises(CancelledError):
            next(made)
        assert watch.steps == [(0, 1, 2), (0, 2, 2), (1, 1, 2)]


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (fakes.Behaviour.WORK, CheckStatus.OK),
        (fakes.Behaviour.FAIL, CheckStatus.ERROR),
        (fakes.Behaviour.NAN, CheckStatus.ERROR),
        (fakes.Behaviour.EMPTY, CheckStatus.ERROR),
        (fakes.Behaviour.UNAVAILABLE, CheckStatus.UNAVAILABLE),
    ],
)
def test_misbehaviour_is_seen_by_the_guard(behaviour: fakes.Behaviour, status: CheckStatus) -> None:
    assert run_output_check(fakes.FakeOutputCheck(behaviour=behaviour), sample_generated()).status is status


def test_a_nan_score_is_really_one() -> None:
    (finding,) = fakes.FakeOutputCheck(behaviour=fakes.Behaviour.NAN).check(sample_generated())
    assert finding.score is not None
    assert math.isnan(finding.score)


def test_hanging_can_be_ended() -> None:
    check = fakes.FakeOutputCheck(behaviour=fakes.Behaviour.HANG, seconds=30)
    threading.Timer(0.05, check.wake.set).start()
    started = time.monotonic()
    assert run_output_check(check, sample_generated()).status is CheckStatus.OK
    assert 0.04 < time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("behaviour", "status", "count"),
    [
        (fakes.Behaviour.WORK, CheckStatus.OK, 2),
        (fakes.Behaviour.EMPTY, CheckStatus.OK, 0),
        (fakes.Behaviour.FAIL, CheckStatus.ERROR, 0),
        (fakes.Behaviour.NAN, CheckStatus.ERROR, 0),
        (fakes.Behaviour.UNAVAILABLE, CheckStatus.UNAVAILABLE, 0),
    ],
)
def test_prompt_checks_misbehave_as_told(behaviour: fakes.Behaviour, status: CheckStatus, count: int) -> None:
    request = sample_request("a sentinel-term and a sentinel-term")
    result = run_prompt_check(fakes.FakePromptCheck(behaviour=behaviour), request)
    assert (result.status, len(result.findings)) == (status, count)


def test_the_repository_finds_by_mark_and_by_likeness_nearest_first() -> None:
    repository, grid = fakes.MemoryRepository(), fakes.GridFingerprinter()
    values = [bytes(32), b"\x01" + bytes(31), b"\x03" + bytes(31)]
    for asset_id, value in zip(IDS, reversed(values), strict=True):
        binding = SoftBinding(alg=grid.alg, value=value, kind=BindingKind.FINGERPRINT)
        assert len(repository.put(sample_signed(asset_id=asset_id, fingerprints=[binding]))) == 64
    mark = SoftBinding(alg="test.lsb", value=IDS[1].value, kind=BindingKind.WATERMARK)
    assert [each.asset_id for each in repository.find(mark)] == [IDS[1]]
    query = SoftBinding(alg=grid.alg, value=bytes(32), kind=BindingKind.FINGERPRINT)
    assert [each.asset_id for each in repository.find(query, within=0.1)] == [IDS[2], IDS[1], IDS[0]]
    assert [each.asset_id for each in repository.find(query, within=1 / 256)] == [IDS[2], IDS[1]]
    assert [each.distance for each in repository.find(query)] == [0.0]
    # The same value under another name or kind leads nowhere.
    assert not list(repository.find(SoftBinding(alg="x", value=bytes(32), kind=BindingKind.FINGERPRINT), within=1))
    assert not list(repository.find(SoftBinding(alg=grid.alg, value=bytes(32), kind=BindingKind.WATERMARK)))


def test_the_repository_forgets_and_notes() -> None:
    repository = fakes.MemoryRepository()
    repository.put(sample_signed(asset_id=IDS[0]))
    assert repository.has(IDS[0])
    repository.mark_delivered(IDS[0])
    assert repository.delivered == {IDS[0]}
    repository.discard(IDS[0])
    repository.discard(IDS[1])
    assert not repository.has(IDS[0])


def test_sample_pictures_differ_by_seed_text_and_nothing_else() -> None:
    assert np.array_equal(sample_picture(1), sample_picture(1))
    assert not np.array_equal(sample_picture(1), sample_picture(2))
    assert not np.array_equal(sample_picture(1), sample_picture(1, text="a"))
