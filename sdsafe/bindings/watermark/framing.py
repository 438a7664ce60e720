"""From a 64-bit payload to soft code bits and back: whitening, keyed check, code. Pure.

The check is the first 32 bits of HMAC-SHA256 over the payload: bits that belong to no mark of this key pass with
probability 2^-32 per message looked at, whatever the picture (`statistics` adds that up over all of them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sdsafe.bindings.watermark import code

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from sdsafe.bindings.watermark.keys import KeySchedule

__all__ = ["CHECK_BITS", "CODE_BITS", "PAYLOAD_BITS", "PAYLOAD_BYTES", "Framing"]

PAYLOAD_BYTES = 8
PAYLOAD_BITS = 8 * PAYLOAD_BYTES
CHECK_BITS = 32
CODE_BITS = code.coded_length(PAYLOAD_BITS + CHECK_BITS)
"""416."""


class Framing:
    """Writes and recognises the payloads of one key."""

    def __init__(self, keys: KeySchedule) -> None:
        """Derive what whitens the payload: without it the zero payload would be the zero code word."""
        self._keys = keys
        self._mask = np.unpackbits(np.frombuffer(keys.expand(b"mask", PAYLOAD_BYTES), np.uint8))

    def encoded(self, payload: bytes) -> npt.NDArray[np.uint8]:
        """Return the ``CODE_BITS`` code bits of a payload of ``PAYLOAD_BYTES`` bytes."""
        bits = np.unpackbits(np.frombuffer(payload, np.uint8))
        return code.encode(np.concatenate([bits ^ self._mask, self._check(payload)]))

    def recognised(self, messages: Iterable[npt.NDArray[np.uint8]]) -> tuple[int, bytes | None]:
        """Return how many messages were looked at, and the payload of the first whose check holds."""
        looked = 0
        for message in messages:
            looked += 1
            payload = np.packbits(message[:PAYLOAD_BITS] ^ self._mask).tobytes()
            if np.array_equal(message[PAYLOAD_BITS:], self._check(payload)):
                return looked, payload
        return looked, None

    def corrected(self, payload: bytes, soft: npt.NDArray[np.float32]) -> int:
        """Return how many code bits a hard decision would have got wrong."""
        return int(np.count_nonzero((soft < 0) != self.encoded(payload).astype(bool)))

    def _check(self, payload: bytes) -> npt.NDArray[np.uint8]:
        return self._keys.tag(b"check", payload, CHECK_BITS)
