"""Laws of the watermark's pure parts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.bindings.watermark import code
from sdsafe.bindings.watermark.carrier import Carrier
from sdsafe.bindings.watermark.framing import Framing
from sdsafe.bindings.watermark.geometry import LatticeMap, cells, rotation
from sdsafe.bindings.watermark.keys import KeySchedule
from sdsafe.bindings.watermark.statistics import allowance, p_value

KEYS = st.binary(min_size=32, max_size=32)
PAYLOADS = st.binary(min_size=8, max_size=8)


@settings(max_examples=40, deadline=None)
@given(KEYS, PAYLOADS)
def test_what_is_framed_is_recognised_by_its_key_alone(key: bytes, payload: bytes) -> None:
    framing = Framing(KeySchedule(key))
    message = code.decode((1 - 2.0 * framing.encoded(payload)).astype(np.float32))
    assert framing.recognised([message]) == (1, payload)
    other = Framing(KeySchedule(bytes([key[0] ^ 1]) + key[1:]))
    assert other.recognised([message])[1] is None


@settings(max_examples=40, deadline=None)
@given(PAYLOADS, st.integers(0, 95))
def test_any_changed_message_bit_is_noticed(payload: bytes, at: int) -> None:
    framing = Framing(KeySchedule(bytes(32)))
    message = code.decode((1 - 2.0 * framing.encoded(payload)).astype(np.float32))
    message[at] ^= 1
    assert framing.recognised([message])[1] is None


@settings(max_examples=25, deadline=None)
@given(KEYS)
def test_symbols_and_soft_bits_undo_each_other(key: bytes) -> None:
    keys = KeySchedule(key)
    carrier = Carrier(keys)
    bits = Framing(keys).encoded(b"12345678")
    symbols = carrier.symbols(bits)
    lines = ((symbols[:, 0] + 1j * symbols[:, 1]) * carrier.phase).astype(np.complex64)
    assert np.array_equal(carrier.soft(lines) < 0, bits.astype(bool))


@settings(max_examples=40, deadline=None)
@given(st.floats(-3, 3), st.floats(0.5, 3), st.floats(-1e-4, 1e-4), st.floats(-1e-4, 1e-4))
def test_a_resampled_picture_has_a_resampled_map(angle: float, zoom: float, tilt_y: float, tilt_x: float) -> None:
    where = LatticeMap(rotation(angle) / 64, np.array([0.2, 0.9]), np.array([tilt_y, tilt_x]))
    points = np.array([[0.0, 0.0], [200.0, -130.0], [-77.0, 31.0]])
    assert np.allclose(where.zoomed(zoom).at(points * zoom), where.at(points))


@settings(max_examples=20, deadline=None)
@given(st.floats(-3, 3), st.integers(40, 90), st.integers(40, 90))
def test_every_pixel_falls_into_a_cell(angle: float, height: int, width: int) -> None:
    into = cells(LatticeMap.affine(rotation(angle) / 16), (height, width), 2, 64)
    assert into.shape == (height * width,)
    assert 0 <= into.min() <= into.max() < 64 * 64


@given(st.floats(1e-9, 0.5))
def test_a_detector_that_keeps_its_allowance_keeps_its_rate(rate: float) -> None:
    assert p_value(allowance(rate)) <= rate * (1 + 1e-12)
