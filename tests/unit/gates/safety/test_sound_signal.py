"""What the built-in check of sounds measures: by sounds of which the answer is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sdsafe.core.findings import CheckStatus, Stage
from sdsafe.core.pixels import nothing
from sdsafe.core.request import Task
from sdsafe.core.sound import Sound
from sdsafe.gates.guard import run_output_check
from sdsafe.gates.policy.categories import BUILTIN
from sdsafe.gates.safety.sound_signal import CATEGORIES, SoundSignalCheck
from sdsafe.testing.samples import sample_admitted, sample_generated, sample_request
from sdsafe.testing.sounds import SoundCheckContract

if TYPE_CHECKING:
    from sdsafe.core.states import Generated

RATE = 8000
TIME = np.arange(RATE) / RATE
TONE = np.sin(2 * np.pi * 440 * TIME)


def _generated(*channels: np.ndarray, asked: float | None = 1.0, rate: int = RATE) -> Generated:
    samples = np.stack([np.rint(each * 32767) for each in channels], 1).clip(-32768, 32767).astype(np.int16)
    request = replace(sample_request(), task=Task.AUDIO, size=None, seconds=asked)
    picture = sample_generated(admitted=sample_admitted(request))
    return replace(picture, pixels=nothing(), pixels_sha256="", sound=Sound.of(samples, rate))


def _scores(*channels: np.ndarray, asked: float | None = 1.0, rate: int = RATE) -> dict[str, float]:
    result = run_output_check(SoundSignalCheck(), _generated(*channels, asked=asked, rate=rate))
    assert result.status is CheckStatus.OK
    assert all(each.stage is Stage.OUTPUT for each in result.findings)
    scores = {str(each.category): each.score for each in result.findings}
    assert scores.keys() == CATEGORIES.keys()
    return {name.removeprefix("sound_"): score for name, score in scores.items() if score is not None}


class TestContract(SoundCheckContract):
    def make(self) -> SoundSignalCheck:
        return SoundSignalCheck()


def test_its_categories_are_those_that_rules_may_name() -> None:
    assert set(CATEGORIES) == {name for name, category in BUILTIN.items() if category.heard}


def test_an_ordinary_tone_gives_no_reason_for_anything() -> None:
    assert _scores(TONE * 0.5) == pytest.approx(
        dict.fromkeys(("silence", "clipping", "offset", "shortfall"), 0), abs=1e-4
    )


@pytest.mark.parametrize("level", [0.0, 0.25, -1.0])
def test_what_stands_still_is_silent_wherever_it_stands(level: float) -> None:
    assert _scores(np.full(RATE, level))["silence"] == 1.0


def test_silence_is_the_share_of_quiet_pieces_and_one_loud_channel_is_enough() -> None:
    half = np.where(TIME < 0.5, TONE * 0.5, 0)
    assert _scores(half)["silence"] == pytest.approx(0.5, abs=0.02)
    assert _scores(np.zeros(RATE), TONE * 0.5)["silence"] == 0.0
    assert _scores(half, half[::-1])["silence"] == 0.0


@pytest.mark.parametrize(("decibels", "silent"), [(-50, 0.0), (-70, 1.0)])
def test_sixty_decibels_below_full_scale_is_quiet(decibels: float, silent: float) -> None:
    assert _scores(TONE * 10 ** (decibels / 20) * np.sqrt(2))["silence"] == silent


def test_clipping_is_the_share_of_samples_at_full_scale() -> None:
    loud = np.where(np.arange(RATE) < RATE // 4, 1.0, TONE * 0.5)
    assert _scores(loud)["clipping"] == 0.25
    assert _scores(-loud)["clipping"] == 0.25
    assert _scores(loud, TONE * 0.5)["clipping"] == 0.125


def test_offset_is_that_of_the_worst_channel() -> None:
    assert _scores(TONE * 0.5, TONE * 0.25 + 0.5)["offset"] == pytest.approx(0.5, abs=1e-3)


def test_shortfall_is_what_is_missing_of_what_was_asked_for() -> None:
    assert _scores(TONE * 0.5, asked=4.0)["shortfall"] == 0.75
    assert _scores(TONE * 0.5, asked=0.5)["shortfall"] == 0.0  # longer is not shorter
    assert _scores(TONE * 0.5, asked=None)["shortfall"] == 0.0


def test_single_samples_and_odd_rates_are_measured_too() -> None:
    assert _scores(np.array([0.5]), asked=1.0, rate=1)["silence"] == 1.0
    assert _scores(TONE[:7] * 0.5, asked=1.0, rate=11)["silence"] == 0.0


def test_it_looks_at_no_picture_and_at_nothing_that_was_taken_away() -> None:
    assert run_output_check(SoundSignalCheck(), sample_generated()).status is CheckStatus.UNAVAILABLE
    gone = _generated(TONE)
    assert gone.sound is not None
    gone = replace(gone, sound=gone.sound.emptied())
    assert run_output_check(SoundSignalCheck(), gone).status is CheckStatus.UNAVAILABLE
