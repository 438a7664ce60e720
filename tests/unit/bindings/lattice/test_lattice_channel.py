from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sdsafe.bindings.watermark import channel, code

if TYPE_CHECKING:
    from sdsafe.bindings.watermark.carrier import Carrier
    from sdsafe.bindings.watermark.framing import Framing

SHIFT = np.array([0.37, 0.71])
PAYLOAD = b"abcdefgh"


def received(carrier: Carrier, framing: Framing, gain: np.ndarray, seed: int = 0) -> channel.Heard:
    """Return the lines of a mark at ``SHIFT`` that came through a channel, in noise that is louder where they are."""
    symbols = carrier.symbols(framing.encoded(PAYLOAD))
    sent = (symbols[:, 0] + 1j * symbols[:, 1]) * carrier.phase * carrier.amplitude
    turned = sent * gain * np.exp(2j * np.pi * (carrier.index @ SHIFT))
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0.5, 2, len(gain)).astype(np.float32)
    noisy = turned + np.sqrt(noise / 2) * (rng.normal(size=len(gain)) + 1j * rng.normal(size=len(gain)))
    return channel.heard(carrier, noisy.astype(np.complex64), noise, SHIFT)


def frequency(carrier: Carrier) -> np.ndarray:
    return (carrier.radius / carrier.period).astype(np.float32)


@pytest.mark.parametrize("width", [0.06, 0.1, 10])
def test_a_fading_channel_is_learned(carrier: Carrier, framing: Framing, width: float) -> None:
    true = 2 * channel.lowpass(frequency(carrier), width)
    came = channel.learned(carrier, received(carrier, framing, true), *channel.fading(carrier))
    assert np.abs(came.gain - true).mean() < 0.12 * true.max()


def test_what_is_learned_reads_more_than_equal_weights(carrier: Carrier, framing: Framing) -> None:
    true = 8 * channel.lowpass(frequency(carrier), 0.06)
    learned = equal = 0
    for seed in range(30):
        seen = received(carrier, framing, true, seed)
        came = channel.learned(carrier, seen, *channel.fading(carrier))
        for lines, which in ((came.combined, 0), (seen.lines * seen.level, 1)):
            _, payload = framing.recognised([code.decode(carrier.soft(lines))])
            learned, equal = learned + (payload == PAYLOAD and not which), equal + (payload == PAYLOAD and which)
    assert learned > equal + 10


def test_the_fit_tells_a_mark_from_noise(carrier: Carrier, framing: Framing) -> None:
    start, shapes = channel.fading(carrier)
    none = [
        channel.learned(carrier, received(carrier, framing, 0 * start, seed), start, shapes).fit for seed in range(20)
    ]
    there = channel.learned(carrier, received(carrier, framing, 2 * start), start, shapes).fit
    assert max(none) < 15
    assert there > 50


def test_signs_are_followed_from_where_they_begin(carrier: Carrier, framing: Framing) -> None:
    shape = np.cos(2 * np.pi * 6 * frequency(carrier)).astype(np.float32)
    seen = received(carrier, framing, 2 * shape)
    came = channel.learned(carrier, seen, shape, np.stack([np.ones_like(shape), shape], axis=1))
    assert np.corrcoef(came.gain, shape)[0, 1] > 0.99


def test_silence_teaches_nothing(carrier: Carrier) -> None:
    count = len(carrier.index)
    nothing = channel.heard(carrier, np.zeros(count, np.complex64), np.ones(count, np.float32), SHIFT)
    came = channel.learned(carrier, nothing, *channel.fading(carrier))
    assert np.array_equal(came.gain, np.zeros(count))
    assert came.fit == 0
