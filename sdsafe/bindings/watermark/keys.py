"""The secret behind a mark, and everything that is derived from it. Only the key file touches a disk.

One organisation has one 32-byte key. HKDF (RFC 5869, SHA-256) turns it into independent sub-keys by label, so that
knowing one of them (or its published output) says nothing about the others:

- *carrier*: lattice angle and period, template, phases and bit order;
- *phase*: the tile phase of each picture, from its payload;
- *check*: the 32 check bits that decide whether bits are a payload;
- *mask*: what whitens the payload;
- *id*: eight hexadecimal digits that name the key in a manifest.

Whoever holds the key can detect, **and can forge**: detection with a shared secret cannot be made public. A mark
under a published or leaked key is a hint and never evidence.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import atomic
from sdsafe.errors import AssetError, WatermarkError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["KEY_BYTES", "KEY_FILE", "KeySchedule", "KeyStream", "load_or_make", "read_key"]

KEY_BYTES = 32
KEY_FILE = "watermark.key"
"""Name of the key in the state folder; all marks of an organisation share it."""
_SALT = b"org.sdsafe.lattice.1"


class KeySchedule:
    """The sub-keys of one key. Its ``repr`` names the key and does not show it."""

    def __init__(self, key: bytes) -> None:
        """Extract (RFC 5869, section 2.2) from a key of at least ``KEY_BYTES`` bytes."""
        if len(key) < KEY_BYTES:
            raise WatermarkError(
                f"a watermark key needs {KEY_BYTES} bytes, this one has {len(key)}",
                code="watermark.key",
                hint="Delete the file to have a new one made, or restore the right one.",
            )
        self._extracted = hmac.digest(_SALT, key, "sha256")

    def __repr__(self) -> str:
        return f"KeySchedule({self.key_id})"

    @property
    def key_id(self) -> str:
        """Eight hexadecimal digits that name the key and reveal nothing else about it."""
        return hashlib.sha256(self.expand(b"id", KEY_BYTES)).hexdigest()[:8]

    def expand(self, label: bytes, length: int) -> bytes:
        """Return ``length`` bytes under ``label`` (RFC 5869, section 2.3; at most 8160)."""
        block, out = b"", b""
        for counter in range(1, -(-length // 32) + 1):
            block = hmac.digest(self._extracted, block + label + bytes([counter]), "sha256")
            out += block
        return out[:length]

    def stream(self, label: bytes, context: bytes = b"") -> KeyStream:
        """Return pseudo-random numbers that depend on the key, ``label`` and ``context`` only."""
        return KeyStream(hmac.digest(self.expand(label, KEY_BYTES), context, "sha256"))

    def tag(self, label: bytes, message: bytes, bits: int) -> npt.NDArray[np.uint8]:
        """Return the first ``bits`` bits of HMAC-SHA256 over ``message``."""
        digest = hmac.digest(self.expand(label, KEY_BYTES), message, "sha256")
        return np.unpackbits(np.frombuffer(digest, np.uint8))[:bits]


class KeyStream:
    """Pseudo-random numbers from HMAC-SHA256 in counter mode.

    Not numpy's generators: their streams may change between releases, and a mark must be readable in ten years.
    """

    def __init__(self, seed: bytes) -> None:
        """Start at the first block."""
        self._seed = seed
        self._counter = 0

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """Return ``count`` numbers of 64 bits."""
        blocks = -(-count // 4)
        start, self._counter = self._counter, self._counter + blocks
        data = b"".join(
            hmac.digest(self._seed, index.to_bytes(8, "big"), "sha256") for index in range(start, start + blocks)
        )
        return np.frombuffer(data, ">u8").astype(np.uint64)[:count]

    def uniform(self, count: int) -> npt.NDArray[np.float64]:
        """Return ``count`` numbers in [0, 1)."""
        return (self.words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def permutation(self, count: int) -> npt.NDArray[np.intp]:
        """Return the numbers below ``count`` in random order."""
        return np.argsort(self.words(count), kind="stable")


def read_key(path: Path) -> bytes:
    """Return the key in ``path``.

    Raises:
        WatermarkError: The file cannot be read or holds no key.
    """
    try:
        key = path.read_bytes()
    except OSError as error:
        raise WatermarkError(
            f"the watermark key {path.name} cannot be read: {error.strerror}",
            code="watermark.key",
            hint="Check the option key_file and the rights of the file.",
        ) from error
    if len(key) != KEY_BYTES:
        raise WatermarkError(
            f"{path.name} holds {len(key)} bytes; a watermark key has {KEY_BYTES}",
            code="watermark.key",
            hint="Restore the key from a copy: another key does not read the marks of this one.",
        )
    return key


def load_or_make(path: Path) -> bytes:
    """Return the key in ``path``; make one from the operating system's randomness, mode 0600, where there is none."""
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic.write_new(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
        except AssetError as error:
            if error.code != "asset.exists":  # somebody else made it at the same moment: theirs is the key
                raise WatermarkError(str(error), code="watermark.key", hint=error.hint) from error
        except OSError as error:
            raise WatermarkError(
                f"no watermark key can be made here: {error.strerror}",
                code="watermark.key",
                hint="Check the rights of the state folder (SDSAFE_HOME).",
            ) from error
    return read_key(path)
