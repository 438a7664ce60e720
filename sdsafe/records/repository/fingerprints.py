"""Nearest fingerprints by Hamming distance, over a packed matrix that grows with the repository. Pure.

A million fingerprints of 256 bits are 32 MB; one query reads them once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FingerprintIndex"]

_CHUNK = 1 << 16  # rows compared at a time: bounds the scratch memory to a few megabytes
_WORD_BYTES = 8
_ROUNDING = 1e-9  # so that 31 / 256 counts as within 31 / 256 whatever the division did


class FingerprintIndex:
    """All fingerprints of one algorithm and one length, each with the number it was stored under."""

    def __init__(self, length: int) -> None:
        """Start empty.

        Args:
            length: Bytes of a fingerprint, at least one.
        """
        self._length = length
        self._size = 0
        self._numbers: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._words: npt.NDArray[np.uint64] = np.empty((0, -(-length // _WORD_BYTES)), np.uint64)

    @property
    def last(self) -> int:
        """The largest number added; 0 while empty."""
        return int(self._numbers[self._size - 1]) if self._size else 0

    def extend(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """Add (number, fingerprint) pairs, in ascending order, all larger than ``last``."""
        if not rows:
            return
        needed = self._size + len(rows)
        if needed > len(self._numbers):  # doubling keeps the cost of growing linear
            room = max(needed, 2 * len(self._numbers))
            self._numbers = np.resize(self._numbers, room)
            self._words = np.resize(self._words, (room, self._words.shape[1]))
        self._numbers[self._size : needed] = [number for number, _ in rows]
        self._words[self._size : needed] = self._packed([value for _, value in rows])
        self._size = needed

    def within(self, value: bytes, limit: float) -> list[tuple[int, float]]:
        """Return (number, distance) of all within ``limit``, nearest first, then oldest first.

        Args:
            value: A fingerprint of the same length.
            limit: Largest normalised distance, 0 to 1.
        """
        bits = 8 * self._length
        query = self._packed([value])[0]
        found: list[tuple[int, float]] = []
        for start in range(0, self._size, _CHUNK):
            stop = min(start + _CHUNK, self._size)
            differing = np.bitwise_count(self._words[start:stop] ^ query).sum(axis=1, dtype=np.int64)
            near = np.flatnonzero(differing <= limit * bits + _ROUNDING)
            found += [(int(self._numbers[start + place]), float(differing[place]) / bits) for place in near]
        return sorted(found, key=lambda pair: (pair[1], pair[0]))

    def _packed(self, values: Sequence[bytes]) -> npt.NDArray[np.uint64]:
        """Pad with zeros to whole words: equal padding adds nothing to a distance."""
        width = self._words.shape[1] * _WORD_BYTES
        packed = b"".join(value.ljust(width, b"\0") for value in values)
        return np.frombuffer(packed, np.uint64).reshape(len(values), -1)
