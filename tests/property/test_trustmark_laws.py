"""Laws of TrustMark's frame: what is written is read through four wrong bits, and what is read was nearly written."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.bindings.watermark import bch
from sdsafe.bindings.watermark.trustmark_frame import FRAME_BITS, pack, unpack
from sdsafe.core.trustmark import DATA_BITS, asset_id_of, data_of

ids = st.binary(min_size=8, max_size=8)


@given(ids, st.sets(st.integers(0, FRAME_BITS - 1), max_size=4))
@settings(max_examples=150, deadline=None)
def test_an_id_reads_through_four_wrong_bits(asset_id: bytes, wrong: set[int]) -> None:
    bits = pack(asset_id) > 0.5
    bits[list(wrong)] ^= True
    assert unpack(bits) == (asset_id, len(wrong))
    assert unpack(bits, len(wrong) - 1) is None


@given(st.integers(0, 2**FRAME_BITS - 1), ids, st.sets(st.integers(0, FRAME_BITS - 1), min_size=5, max_size=12))
@settings(max_examples=150, deadline=None)
def test_what_reads_lies_as_near_to_a_frame_as_is_said(word: int, asset_id: bytes, wrong: set[int]) -> None:
    damaged = pack(asset_id) > 0.5
    damaged[list(wrong)] ^= True
    for bits in (np.array([bit == "1" for bit in f"{word:0{FRAME_BITS}b}"]), damaged):
        found = unpack(bits)
        if found is not None:
            assert (bits != (pack(found[0]) > 0.5)).sum() == found[1] <= 4


@given(st.integers(0, 2**DATA_BITS - 1), st.integers(0, 2**DATA_BITS - 1))
@settings(max_examples=100, deadline=None)
def test_the_code_is_linear_and_its_words_are_far_apart(a: int, b: int) -> None:
    assert bch.encoded(a) ^ bch.encoded(b) == bch.encoded(a ^ b)
    assert a == b or (bch.encoded(a) ^ bch.encoded(b)).bit_count() >= 9
    assert bch.corrected(bch.encoded(a)) == (a, 0)


@given(ids)
@settings(max_examples=100, deadline=None)
def test_ids_come_back_from_their_bits(asset_id: bytes) -> None:
    assert asset_id_of(data_of(asset_id)) == asset_id
