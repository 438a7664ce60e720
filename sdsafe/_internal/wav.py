"""WAV files of 16-bit linear PCM: recognised, written, and read back.

Equal sounds give equal bytes: a header of 44 bytes and the samples, no date and no name of a program.
"""

from __future__ import annotations

import struct

import numpy as np

from sdsafe.core.sound import Sound
from sdsafe.errors import AssetError

__all__ = ["MEDIA_TYPE", "decode", "encode", "sniff"]

MEDIA_TYPE = "audio/wav"
"""Media type of WAV files, by the name that C2PA has for it."""

_FORM = 12  # "RIFF", the length of what follows, "WAVE"
_HEADER = 8  # name and length of a chunk
_FORMAT = struct.Struct("<HHIIHH")  # kind, channels, rate, bytes a second, bytes a sample of all channels, bits
_PCM = 1
_BITS = 16


def sniff(data: bytes) -> str | None:
    """Return the media type if the first bytes announce a WAV file, else None; a result does not mean it decodes."""
    return MEDIA_TYPE if data[:4] == b"RIFF" and data[8:12] == b"WAVE" else None


def encode(sound: Sound) -> bytes:
    """Return the WAV file of a sound.

    Raises:
        AssetError: ``asset.too-large``: a WAV file holds 4 GiB at most.
    """
    body = np.ascontiguousarray(sound.samples, dtype="<i2").tobytes()
    block = sound.channels * _BITS // 8
    described = _FORMAT.pack(_PCM, sound.channels, sound.rate, sound.rate * block, block, _BITS)
    rest = b"WAVE" + _chunk(b"fmt ", described) + _chunk(b"data", body)
    if len(rest) >= 1 << 32:
        raise AssetError("a WAV file holds at most 4 GiB", code="asset.too-large", hint="Ask for fewer seconds.")
    return _chunk(b"RIFF", rest)


def decode(data: bytes) -> Sound:
    """Return the sound in a WAV file of 16-bit PCM; chunks of other names are passed over.

    Raises:
        AssetError: ``asset.malformed``: it is none, or is cut short; ``asset.unsupported``: other samples are in it.
    """
    described, body = _chunks(data)
    if len(described) < _FORMAT.size or body is None:
        raise _malformed("it has no samples, or does not say of what kind they are")
    kind, channels, rate, per_second, block, bits = _FORMAT.unpack_from(described)
    if kind != _PCM or bits != _BITS:
        raise AssetError("only WAV files of 16-bit PCM are read", code="asset.unsupported", hint="Convert it first.")
    if block != channels * _BITS // 8 or per_second != rate * block or not block or len(body) % block:
        raise _malformed("its header contradicts itself")
    try:
        return Sound.of(np.frombuffer(body, "<i2").astype(np.int16).reshape(-1, channels), rate)
    except ValueError as error:
        raise _malformed(str(error)) from error


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _chunks(data: bytes) -> tuple[bytes, bytes | None]:
    """Return the data of the chunks ``fmt`` and ``data``, of each the first."""
    if sniff(data) is None:
        raise _malformed("it does not begin like one")
    found: dict[bytes, bytes] = {}
    position = _FORM
    while position + _HEADER <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        start = position + _HEADER
        if start + length > len(data):
            raise _malformed("it is cut short")
        found.setdefault(name, data[start : start + length])
        position = start + length + length % 2
    return found.get(b"fmt ", b""), found.get(b"data")


def _malformed(why: str) -> AssetError:
    return AssetError(f"not a usable WAV file: {why}", code="asset.malformed", hint="Make or export it again.")
