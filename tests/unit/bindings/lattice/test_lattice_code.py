from __future__ import annotations

import numpy as np
import pytest

from sdsafe.bindings.watermark import code
from sdsafe.bindings.watermark.framing import CODE_BITS, Framing
from sdsafe.bindings.watermark.keys import KeySchedule


def soft(bits: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    return (1 - 2.0 * bits + np.random.default_rng(seed).normal(0, noise, len(bits))).astype(np.float32)


def test_one_input_bit_gives_the_generators() -> None:
    coded = code.encode(np.array([1], np.uint8)).reshape(-1, 4)
    columns = ["".join(map(str, coded[:, g])) for g in range(4)]
    assert [int(each, 2) for each in columns] == [0o463, 0o535, 0o733, 0o745]


def test_the_free_distance_is_24() -> None:
    words = [np.array([int(b) for b in f"{n:b}"], np.uint8) for n in range(1, 512)]
    assert min(int(code.encode(each).sum()) for each in words) == 24


def test_eleven_wrong_bits_anywhere_are_corrected() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        message = random.integers(0, 2, 96).astype(np.uint8)
        bits = code.encode(message)
        bits[random.choice(len(bits), 11, replace=False)] ^= 1
        assert np.array_equal(code.decode(soft(bits, 0)), message)


def test_the_list_starts_with_the_best_and_never_repeats() -> None:
    message = np.random.default_rng(2).integers(0, 2, 96).astype(np.uint8)
    values = soft(code.encode(message), 1.6)
    found = code.decode_list(values, 8)
    assert np.array_equal(found[0], code.decode(values))
    assert len({each.tobytes() for each in found}) == 8
    fits = [float((values * (1 - 2.0 * code.encode(each))).sum()) for each in found]
    assert fits == sorted(fits, reverse=True)


def test_a_list_reads_what_the_best_path_misses() -> None:
    random, alone, listed = np.random.default_rng(3), 0, 0
    for seed in range(40):
        message = random.integers(0, 2, 96).astype(np.uint8)
        values = soft(code.encode(message), 1.75, seed)
        found = code.decode_list(values, 8)
        alone += np.array_equal(found[0], message)
        listed += any(np.array_equal(each, message) for each in found)
    assert listed > alone


def test_a_payload_comes_back_and_its_neighbours_do_not(framing: Framing) -> None:
    payload = bytes(range(1, 9))
    bits = framing.encoded(payload)
    assert len(bits) == CODE_BITS == 416
    message = code.decode(soft(bits, 0.8))
    assert framing.recognised([message]) == (1, payload)
    for at in (0, 17, 63, 64, 80, 95):
        wrong = message.copy()
        wrong[at] ^= 1
        assert framing.recognised([wrong]) == (1, None)


def test_messages_are_counted_up_to_the_accepted_one(framing: Framing) -> None:
    right = code.decode(soft(framing.encoded(b"12345678"), 0))
    wrong = right ^ 1
    assert framing.recognised([wrong, wrong, right, wrong]) == (3, b"12345678")
    assert framing.recognised([]) == (0, None)


def test_corrected_counts_the_flipped_bits(framing: Framing) -> None:
    values = soft(framing.encoded(b"12345678"), 0)
    assert framing.corrected(b"12345678", values) == 0
    values[[3, 99, 400]] *= -1
    assert framing.corrected(b"12345678", values) == 3


@pytest.mark.parametrize("payload", [bytes(8), b"\xff" * 8])
def test_plain_payloads_are_whitened(framing: Framing, payload: bytes) -> None:
    assert 150 < framing.encoded(payload).sum() < 266


def test_another_key_does_not_recognise_the_message(framing: Framing) -> None:
    message = code.decode(soft(framing.encoded(b"12345678"), 0))
    assert Framing(KeySchedule(b"\x07" * 32)).recognised([message]) == (1, None)
