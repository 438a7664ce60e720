"""The packed index finds what a plain comparison finds."""

from __future__ import annotations

import numpy as np
import pytest

from sdsafe.records.repository import fingerprints
from sdsafe.records.repository.fingerprints import FingerprintIndex


def plain(rows: list[tuple[int, bytes]], value: bytes, limit: float) -> list[tuple[int, float]]:
    bits = 8 * len(value)
    number = int.from_bytes(value, "big")
    distances = [(n, (int.from_bytes(row, "big") ^ number).bit_count()) for n, row in rows]
    near = [(n, d / bits) for n, d in distances if d <= round(limit * bits)]
    return sorted(near, key=lambda pair: (pair[1], pair[0]))


@pytest.mark.parametrize("length", [1, 7, 8, 32, 33])
def test_it_agrees_with_a_plain_comparison_however_it_grew(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "_CHUNK", 17)
    rng = np.random.default_rng(length)
    base = rng.bytes(length)
    rows: list[tuple[int, bytes]] = []
    index = FingerprintIndex(length)
    for step in (0, 1, 1, 5, 30, 100):
        start = rows[-1][0] + 2 if rows else 1
        fresh = [
            (start + 3 * i, bytes(b ^ m for b, m in zip(base, rng.bytes(length), strict=True)) if i % 2 else base)
            for i in range(step)
        ]
        rows += fresh
        index.extend(fresh)
        assert index.last == (rows[-1][0] if rows else 0)
        for bits in (0, 1, 4 * length, 8 * length):
            assert index.within(base, bits / (8 * length)) == plain(rows, base, bits / (8 * length))


def test_the_limit_itself_is_within() -> None:
    index = FingerprintIndex(32)
    index.extend([(1, b"\xff\xff\xff\xfe" + bytes(28)), (2, b"\xff" * 4 + bytes(28))])
    assert index.within(bytes(32), 31 / 256) == [(1, 31 / 256)]
