"""Sounds for tests: samples, a generator that needs no model, and what every check of sounds has to show.

Inherit and say how to make one, as with the suites in ``contracts``::

    class TestMyCheck(SoundCheckContract):
        def make(self) -> SoundCheck:
            return MyCheck()
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.core.findings import Stage
from sdsafe.core.pixels import nothing
from sdsafe.core.request import Task
from sdsafe.core.sound import Sound
from sdsafe.core.states import Generated
from sdsafe.errors import CancelledError, RequestError
from sdsafe.testing._requiring import require, require_measured, require_named, require_sourced
from sdsafe.testing.samples import sample_admitted, sample_execution, sample_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.findings import Finding
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Admitted
    from sdsafe.protocols import SoundCheck, Watch

__all__ = ["FakeSoundGenerator", "SoundCheckContract", "sample_generated_sound", "sample_sound"]

_RATE = 8000
_SECONDS = 0.5


def sample_sound(
    seed: int = 0, *, seconds: float = _SECONDS, rate: int = _RATE, channels: int = 2, volume: float = 0.5
) -> Sound:
    """Return a tone whose pitch comes from ``seed``, the same in every channel; ``volume`` 1 is full scale."""
    time = np.arange(max(1, int(seconds * rate))) / rate
    tone = np.sin(2 * np.pi * (200 + 10 * seed) * time) * volume * 32767
    samples = np.rint(tone).clip(-32767, 32767).astype(np.int16)
    return Sound.of(np.stack([samples] * channels, axis=1), rate)


def sample_generated_sound(sound: Sound | None = None) -> Generated:
    """Return a generated sound; default: ``sample_sound()``."""
    chosen = sound or sample_sound()
    request = replace(sample_request(), task=Task.AUDIO, size=None, seconds=chosen.seconds, guidance=None)
    admitted = sample_admitted(request)
    return _generated(admitted, 0, chosen)


@dataclass(kw_only=True)
class FakeSoundGenerator:
    """Makes tones from seeds: the same request and seed give the same samples."""

    volume: float = 0.5
    missing: float = 0.0
    """Share of the asked length that is left out."""
    made: int = 0
    """How many were made."""

    def resolve(self, request: GenerationRequest, /) -> GenerationRequest:
        """Fill in everything; ``RequestError`` for anything but a sound."""
        if not request.is_sound:
            raise RequestError("this fake makes sounds only", code="request.task")
        standard = sample_request()
        return replace(
            request, model=standard.model, steps=2, scheduler="fake", guidance=None, seconds=request.seconds or _SECONDS
        )

    def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
        """Yield one tone per asset id, the i-th from ``seed + i``."""
        request = admitted.request
        for index in range(len(admitted.asset_ids)):
            if watch is not None and watch.cancelled():
                raise CancelledError("generation was cancelled")
            self.made += 1
            seconds = (request.seconds or _SECONDS) * (1 - self.missing)
            yield _generated(
                admitted, index, sample_sound((request.seed or 0) + index, seconds=seconds, volume=self.volume)
            )


class SoundCheckContract(ABC):
    """What a check of sounds has to show. Weights it needs must be present."""

    @abstractmethod
    def make(self) -> SoundCheck:
        """Return the check under test."""

    def look(self, sound: Sound) -> tuple[Finding, ...]:
        """Return what the check finds."""
        return tuple(self.make().check(sample_generated_sound(sound)))

    def test_it_says_what_it_is(self) -> None:
        """Name and version are there."""
        require_named(self.make())

    def test_it_always_measures_something(self) -> None:
        """Every sound gives at least one score, and every score is a number from 0 to 1: silence, noise, one sample."""
        for channels in (1, 2, 6):
            for volume in (0.0, 0.5, 3.0):
                for seconds in (0.0, 0.3):
                    require_measured(self.look(sample_sound(seconds=seconds, channels=channels, volume=volume)))

    def test_findings_name_their_source(self) -> None:
        """Stage, source and version are those of the check."""
        findings = self.look(sample_sound())
        require_sourced(findings, self.make(), Stage.OUTPUT)
        require(all(each.category for each in findings), "no category: policy rules could not refer to it")

    def test_it_is_deterministic(self) -> None:
        """The same sound gives the same findings, from any instance."""
        require(self.look(sample_sound()) == self.look(sample_sound()), "two runs differ")

    def test_it_changes_nothing(self) -> None:
        """The sound is left as it was."""
        sound = sample_sound()
        sound.samples.setflags(write=False)
        self.look(sound)
        require(np.array_equal(sound.samples, sample_sound().samples), "the sound was changed")


def _generated(admitted: Admitted, index: int, sound: Sound) -> Generated:
    return Generated(
        admitted=admitted,
        index=index,
        asset_id=admitted.asset_ids[index],
        seed=(admitted.request.seed or 0) + index,
        pixels=nothing(),
        pixels_sha256="",
        execution=sample_execution(admitted.request.model),
        sound=sound,
    )
