from __future__ import annotations

from itertools import combinations, pairwise
from math import comb

import numpy as np
import pytest

from sdsafe.bindings.watermark import bch
from sdsafe.bindings.watermark.trustmark_frame import FRAME_BITS, allowance, p_value, pack, unpack
from sdsafe.core.trustmark import data_of

ID = bytes.fromhex("019aff007f575859")

# What DataLayer(100, encoding_mode=2).encode_binary of the package trustmark 0.9.2 makes of data_of(id) in 68 digits.
PACKAGE = {
    "0000000000000000": "000000000000000097f64e9d2",
    "ffffffffffffffff": "ffffffffffffffffc88d5b7c2",
    "0123456789abcdef": "0123456789abcdefe97f717c2",
    "019aff007f575859": "019aff007f575859a50d583e2",
    "8000000000000001": "80000000000000015c18e3ec2",
}


def flipped(bits: np.ndarray, *places: int) -> np.ndarray:
    changed = bits > 0.5
    for place in places:
        changed[place] = not changed[place]
    return changed


@pytest.mark.parametrize(("asset_id", "frame"), PACKAGE.items())
def test_frames_are_those_of_the_package(asset_id: str, frame: str) -> None:
    expected = [int(bit) for bit in f"{int(frame, 16):0100b}"]
    assert pack(bytes.fromhex(asset_id)).tolist() == expected
    assert unpack(np.array(expected, bool)) == (bytes.fromhex(asset_id), 0)


def test_any_four_wrong_bits_are_corrected_wherever_they_are() -> None:
    frame, chance = pack(ID), np.random.default_rng(1)
    for wrong in range(5):
        for _ in range(60):
            places = chance.choice(FRAME_BITS, wrong, replace=False)
            assert unpack(flipped(frame, *places)) == (ID, wrong), places
    assert unpack(flipped(frame, 96, 97, 98, 99)) == (ID, 4)


def test_every_single_and_many_double_errors_are_corrected() -> None:
    frame = pack(ID)
    for place in range(FRAME_BITS):
        assert unpack(flipped(frame, place)) == (ID, 1)
    for places in list(combinations(range(FRAME_BITS), 2))[::17]:
        assert unpack(flipped(frame, *places)) == (ID, 2)


def test_no_more_is_corrected_than_was_allowed() -> None:
    frame = pack(ID)
    assert unpack(flipped(frame, 3, 50), 2) == (ID, 2)
    assert unpack(flipped(frame, 3, 50, 98), 2) is None
    assert unpack(flipped(frame, 1, 2, 3, 97, 98), 100) is None


def test_a_marked_picture_that_lost_too_much_hardly_ever_reads_as_another_id() -> None:
    frame, chance = pack(ID), np.random.default_rng(2)
    other = 0
    for _ in range(1500):
        wrong = int(chance.integers(5, 20))
        found = unpack(flipped(frame, *chance.choice(FRAME_BITS, wrong, replace=False)))
        other += found is not None
    assert other <= 3


def test_blank_answers_carry_nothing() -> None:
    assert unpack(np.zeros(FRAME_BITS, bool)) is None
    assert unpack(np.ones(FRAME_BITS, bool)) is None


def test_other_schemas_with_the_same_data_do_not_read() -> None:
    bits = pack(ID) > 0.5
    for schema in (0, 1, 3):
        changed = bits.copy()
        changed[96:] = [bit == "1" for bit in f"{schema:04b}"]
        assert unpack(changed, 0) is None


def test_words_of_the_code_differ_in_nine_places_or_more() -> None:
    words = [bch.encoded(data_of(bytes(7) + bytes([each]))) for each in range(64)]
    assert min((a ^ b).bit_count() for a, b in combinations(words, 2)) >= 9
    assert bch.encoded(0) == 0


def test_a_word_with_errors_where_nothing_is_sent_is_refused() -> None:
    # The four places between data and parity are zero by agreement; a correction there names no word of this code.
    chance = np.random.default_rng(3)
    refused = 0
    for _ in range(2000):
        word = int.from_bytes(chance.bytes(12), "big")
        found = bch.corrected(word)
        if found is None:
            refused += 1
            continue
        data, wrong = found
        assert (bch.encoded(data) ^ word).bit_count() == wrong <= bch.CORRECTABLE
    share = sum(comb(96, k) for k in range(5)) / 2**28
    assert abs((2000 - refused) / 2000 - share) < 4 * (share / 2000) ** 0.5


def test_the_p_value_is_the_share_of_words_near_a_frame() -> None:
    assert p_value(0) == 2.0**-36
    assert p_value(2) == (1 + 100 + 4950) / 2**36
    assert p_value(4) == pytest.approx(5.95e-5, rel=0.01)
    assert all(a < b for a, b in pairwise(p_value(wrong) for wrong in range(5)))


@pytest.mark.parametrize(
    ("rate", "wrong"), [(1e-12, None), (1e-10, 0), (1e-8, 1), (1e-6, 2), (1e-5, 3), (1e-4, 4), (0.5, 4)]
)
def test_the_rate_decides_how_much_is_corrected(rate: float, wrong: int | None) -> None:
    assert allowance(rate) == wrong


def test_random_words_read_as_rarely_as_is_computed() -> None:
    chance = np.random.default_rng(4)
    read = sum(unpack(chance.random(FRAME_BITS) < 0.5) is not None for _ in range(4000))
    assert read <= 2  # 0.24 are expected; benchmarks/trustmark_chance.py counts a million
