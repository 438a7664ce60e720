from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.bindings.watermark.payload import FRAME_BITS, FRAME_BYTES, pack, unpack
from sdsafe.core.ids import AssetId

asset_ids = st.binary(min_size=8, max_size=8).map(AssetId)


def flipped(frame: bytes, positions: list[int]) -> bytes:
    bits = np.unpackbits(np.frombuffer(frame, np.uint8))
    bits[positions] ^= 1
    return np.packbits(bits).tobytes()


@given(asset_ids)
def test_unpack_undoes_pack(asset_id: AssetId) -> None:
    frame = pack(asset_id)
    assert len(frame) == FRAME_BYTES
    assert unpack(frame) == asset_id


@given(asset_ids)
@settings(max_examples=30)
def test_every_single_flip_is_rejected(asset_id: AssetId) -> None:
    frame = pack(asset_id)
    assert all(unpack(flipped(frame, [at])) is None for at in range(FRAME_BITS))


@given(asset_ids, st.lists(st.integers(0, FRAME_BITS - 1), min_size=1, max_size=7, unique=True))
@settings(max_examples=500)
def test_up_to_seven_flips_are_rejected(asset_id: AssetId, positions: list[int]) -> None:
    assert unpack(flipped(pack(asset_id), positions)) is None


@given(asset_ids, st.integers(0, FRAME_BITS - 1), st.integers(1, 2**32 - 1))
@settings(max_examples=300)
def test_every_burst_of_32_bits_is_rejected(asset_id: AssetId, start: int, pattern: int) -> None:
    positions = [start + at for at in range(32) if pattern >> at & 1 and start + at < FRAME_BITS]
    if positions:
        assert unpack(flipped(pack(asset_id), positions)) is None


@given(st.binary(max_size=40).filter(lambda data: len(data) != FRAME_BYTES))
def test_other_lengths_are_rejected(data: bytes) -> None:
    assert unpack(data) is None


def test_periodic_bits_are_rejected() -> None:
    # What flat and periodic pictures give: the same few bits over and over.
    for period in range(1, 11):
        for pattern in product((0, 1), repeat=period):
            bits = np.resize(np.array(pattern, np.uint8), FRAME_BITS)
            assert unpack(np.packbits(bits).tobytes()) is None
