"""The shape of a sound, and the digest that a replay compares."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

from sdsafe.core.sound import Sound, sound_sha256

SAMPLES = np.arange(-6, 6, dtype=np.int16).reshape(6, 2)


def test_a_sound_knows_its_measures() -> None:
    sound = Sound.of(SAMPLES, 3)
    assert (sound.channels, sound.rate, sound.seconds) == (2, 3, 2.0)


def test_the_digest_covers_rate_channels_and_samples_and_anyone_can_repeat_it() -> None:
    body = b"".join(struct.pack("<h", value) for value in range(-6, 6))
    assert Sound.of(SAMPLES, 3).sha256 == hashlib.sha256(struct.pack("<IH", 3, 2) + body).hexdigest()
    others = {sound_sha256(SAMPLES, 4), sound_sha256(SAMPLES.reshape(12, 1), 3), sound_sha256(SAMPLES[::-1], 3)}
    assert len(others | {sound_sha256(SAMPLES, 3)}) == 4


def test_a_digest_stays_when_the_samples_go() -> None:
    sound = Sound.of(SAMPLES, 3)
    empty = sound.emptied()
    assert (empty.sha256, empty.channels, empty.seconds, len(empty.samples)) == (sound.sha256, 2, 0.0, 0)
    assert empty.samples.base is None  # not a view of what had to go


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (SAMPLES.astype(np.int32), 3),
        (SAMPLES.astype(np.float32), 3),
        (SAMPLES.ravel(), 3),
        (SAMPLES[:0], 3),
        (np.zeros((2, 9), np.int16), 3),
        (np.zeros((2, 0), np.int16), 3),
        (SAMPLES, 0),
        (SAMPLES, 1_000_000),
    ],
)
def test_what_is_no_sound_is_refused(samples: np.ndarray, rate: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        Sound.of(samples, rate)


def test_its_repr_shows_no_samples() -> None:
    assert "-6" not in repr(Sound.of(SAMPLES, 3))
