"""Framing of an asset id for a watermark: 64 bits of id, then their CRC-32. Pure.

A scheme that always returns bits, marked or not, needs a way to say "no mark". The check does that, and only that:

- An unmarked picture whose bits are as good as random passes with probability 2^-32 per read
  (``FALSE_POSITIVE``). A detector that tries k readings of one picture has to say k times that.
- Up to seven wrong bits are always noticed (CRC-32/ISO-HDLC has Hamming distance 8 at 64 data bits; Koopman,
  "32-Bit Cyclic Redundancy Codes for Internet Applications", DSN 2002, table 1).
- It is **no protection against forgers**: a CRC has no key, so anybody can frame an id of their choice, and a whole
  mark can be copied from one picture to another in any case. That is why a mark alone never recovers a manifest:
  the repository must know the id and the fingerprint must agree.

The frame carries no version of its own: the watermark's ``alg`` names it, and another framing is another ``alg``.
"""

from __future__ import annotations

from zlib import crc32

from sdsafe.core.ids import ASSET_ID_BYTES, AssetId

__all__ = ["FALSE_POSITIVE", "FRAME_BITS", "FRAME_BYTES", "pack", "unpack"]

_CHECK_BYTES = 4

FRAME_BYTES = ASSET_ID_BYTES + _CHECK_BYTES
"""12: eight bytes of id, four of check, both big-endian."""

FRAME_BITS = 8 * FRAME_BYTES
"""96."""

FALSE_POSITIVE = 2.0**-32
"""Probability that 96 random bits unpack to an id."""


def pack(asset_id: AssetId) -> bytes:
    """Return the frame of ``asset_id``: ``FRAME_BYTES`` bytes."""
    return asset_id.value + crc32(asset_id.value).to_bytes(_CHECK_BYTES, "big")


def unpack(frame: bytes) -> AssetId | None:
    """Return the id in ``frame``, or None when the check fails or the length is wrong."""
    value = frame[:ASSET_ID_BYTES]
    if len(frame) != FRAME_BYTES or frame[ASSET_ID_BYTES:] != crc32(value).to_bytes(_CHECK_BYTES, "big"):
        return None
    return AssetId(value)
