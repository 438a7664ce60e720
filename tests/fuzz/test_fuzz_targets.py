"""A short walk through the targets of ``make fuzz``, so that they stay alive and plain mistakes are found at once."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from targets import TARGETS, seeds

pytestmark = pytest.mark.slow

_MUTATIONS = 60


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 8))):
        at = int(rng.integers(len(changed)))
        match int(rng.integers(4)):
            case 0:
                changed[at] ^= 1 << int(rng.integers(8))
            case 1:
                changed[at : at + 4] = rng.bytes(4)
            case 2:
                del changed[at : at + int(rng.integers(1, 64))]
            case _:
                changed[at:at] = changed[at : at + int(rng.integers(1, 64))]
        if not changed:
            return bytes(1)
    return bytes(changed)


@pytest.mark.parametrize("target", TARGETS)
def test_hostile_bytes_raise_nothing_foreign(target: str) -> None:
    rng = np.random.default_rng(len(target))
    for seed in seeds(target):
        TARGETS[target](seed)
        for _ in range(_MUTATIONS):
            TARGETS[target](_mutated(seed, rng))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 64], ids=["empty", "zero", "ones"])
def test_next_to_nothing_raises_nothing_foreign(target: str, data: bytes) -> None:
    TARGETS[target](data)
