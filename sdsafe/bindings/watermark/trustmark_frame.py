"""The 100 bits that TrustMark's networks write and read, and what it is worth that they read. Pure.

A frame is 68 data bits (``core.trustmark``), 28 of parity (``bch``) and the number of the schema in four bits, ``0010``.
The package of TrustMark reads that number first, unprotected, and corrects up to four bits of the rest. Here the frame
counts as a whole: a word is read as the one frame that is within four bits of it, wherever they are.

**What that is worth.** Two frames differ in nine bits or more, so balls of radius d <= 4 around the 2^64 of them do not
meet, and of all 2^100 words the share V(100, d) / 2^36 lies within d of one, V(n, d) being the sum of the binomial
coefficients up to d:

| wrong bits | 0 | 1 | 2 | 3 | 4 |
|---|---|---|---|---|---|
| share of random words | 1.5e-11 | 1.5e-9 | 7.4e-8 | 2.4e-6 | 6.0e-5 |

That is the p-value of a reading *if a network answers pictures without a mark as a fair coin would*. Networks need not:
their bits lean, and lean together. It is no bound for every picture, as that of the built-in mark is.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Final

import numpy as np

from sdsafe.bindings.watermark import bch
from sdsafe.core.trustmark import SCHEMA, asset_id_of, data_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FRAME_BITS", "allowance", "p_value", "pack", "unpack"]

_SCHEMA_BITS: Final = 4

FRAME_BITS: Final = bch.WORD_BITS + _SCHEMA_BITS
"""100."""

_SPARE_BITS: Final = FRAME_BITS - 64  # what a frame holds beside the id


def pack(asset_id: bytes) -> npt.NDArray[np.float32]:
    """Return the frame of an id: 100 numbers, each 0 or 1."""
    frame = bch.encoded(data_of(asset_id)) << _SCHEMA_BITS | SCHEMA
    return np.array([int(bit) for bit in f"{frame:0{FRAME_BITS}b}"], np.float32)


def unpack(bits: npt.NDArray[np.bool_], most_wrong: int = bch.CORRECTABLE) -> tuple[bytes, int] | None:
    """Return the id of the frame that 100 bits lie near, and how many of them are wrong.

    Returns None where no frame is within ``most_wrong`` bits, four at most.
    """
    word = int("".join("1" if bit else "0" for bit in bits), 2)
    found = bch.corrected(word >> _SCHEMA_BITS)
    if found is None:
        return None
    data, wrong = found
    wrong += (word % (1 << _SCHEMA_BITS) ^ SCHEMA).bit_count()
    asset_id = asset_id_of(data)
    return None if asset_id is None or wrong > min(most_wrong, bch.CORRECTABLE) else (asset_id, wrong)


def p_value(wrong: int) -> float:
    """Return the share of random words that lie within ``wrong`` bits of a frame."""
    return sum(comb(FRAME_BITS, k) for k in range(wrong + 1)) / 2.0**_SPARE_BITS


def allowance(rate: float) -> int | None:
    """Return how many wrong bits may be corrected so that ``rate`` is kept; None when not even none."""
    kept = [wrong for wrong in range(bch.CORRECTABLE + 1) if p_value(wrong) <= rate]
    return max(kept, default=None)
