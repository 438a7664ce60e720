"""A strict reading of the file around a manifest store: nothing may be there that no hash covers.

A PNG file (ISO 15948) is a signature and chunks; each chunk carries a CRC that the C2PA library does not check
for its own chunk. What a WAV file is stands in ``riff``.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from sdsafe._internal import wav
from sdsafe.provenance.manifest import jumbf, riff

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["REMOVABLE_TYPES", "STRICT_TYPES", "problems", "with_store", "without_store"]

STRICT_TYPES = ("image/png", wav.MEDIA_TYPE)
"""Formats whose container is read strictly; for others the report says that it was not."""

REMOVABLE_TYPES = (*STRICT_TYPES, "image/jpeg", "image/webp")
"""Formats from which a manifest store can be taken so that every other byte is what it was before."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_APP11, _SCAN = 0xEB, 0xDA
_CHUNK = 12  # length, type and CRC around the data
_HEADER = 13  # bytes of data in IHDR, which comes first


def problems(data: bytes, media_type: str) -> Iterator[tuple[str, str]]:
    """Yield (code, explanation) for every irregularity of a file that carries a manifest store.

    Yields nothing for a clean file, for a file without a store, and for formats outside ``STRICT_TYPES``.
    """
    if media_type == wav.MEDIA_TYPE:
        yield from riff.problems(data)
    if media_type != "image/png":
        return
    chunks = list(_chunks(data))
    stores = [body for type_, body, _ in chunks if type_ == b"caBX"]
    if not stores:
        return
    yield from _chunk_problems(data, chunks)
    if len(stores) > 1:
        yield "container.png.several-stores", f"{len(stores)} C2PA chunks, at most one is allowed"
    for store in stores:
        yield from jumbf.problems(store)


def without_store(data: bytes) -> bytes:
    """Return a file of ``REMOVABLE_TYPES`` without its manifest store; files of other formats come back unchanged.

    Every other byte is as it was, but for the length that a WAV or WebP file states of itself.
    """
    if wav.sniff(data) or data[8:12] == b"WEBP":
        return riff.without_store(data)
    if data.startswith(_JPEG):
        return _jpeg_without_store(data)
    if not data.startswith(_PNG):
        return data
    kept, start = [], 0
    for type_, body, end in _chunks(data):
        if type_ == b"caBX":
            kept.append(data[start : end - len(body) - _CHUNK])
            start = end
    return b"".join((*kept, data[start:]))


def with_store(data: bytes, store: bytes) -> bytes:
    """Return a PNG file that has none with a manifest store in it, behind its header."""
    body = b"caBX" + store
    chunk = struct.pack(">I", len(store)) + body + struct.pack(">I", zlib.crc32(body))
    behind = len(_PNG) + _CHUNK + _HEADER
    return data[:behind] + chunk + data[behind:]


def _jpeg_without_store(data: bytes) -> bytes:
    """Leave out the APP11 segments that hold JUMBF (ISO 19566-5, annex D), up to the pixels."""
    kept, start, position = [], 0, len(_JPEG)
    while data[position : position + 1] == b"\xff" and data[position + 1 : position + 2] not in {b"", bytes((_SCAN,))}:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if data[position + 1] == _APP11 and data[position + 4 : position + 6] == b"JP":
            kept.append(data[start:position])
            start = end
        position = max(end, position + 4)
    return b"".join((*kept, data[start:]))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield (type, data, offset of the end) for every chunk that fits into the file."""
    position = len(_PNG)
    while position + _CHUNK <= len(data):
        length, type_ = struct.unpack_from(">I4s", data, position)
        end = position + _CHUNK + length
        if end > len(data):
            return
        yield type_, data[position + 8 : end - 4], end
        position = end


def _chunk_problems(data: bytes, chunks: list[tuple[bytes, bytes, int]]) -> Iterator[tuple[str, str]]:
    if not data.startswith(_PNG) or chunks[0][0] != b"IHDR":
        yield "container.png.malformed", "the file does not begin like a PNG"
    if chunks[-1][0] != b"IEND" or chunks[-1][1]:
        yield "container.png.malformed", "the file does not end with an empty IEND chunk"
    if chunks[-1][2] != len(data):
        yield "container.png.trailing", f"{len(data) - chunks[-1][2]} bytes after the last whole chunk"
    if sum(type_ == b"IEND" for type_, _, _ in chunks) > 1:
        yield "container.png.malformed", "more than one IEND chunk"
    for type_, body, end in chunks:
        (stored,) = struct.unpack_from(">I", data, end - 4)
        if stored != zlib.crc32(body, zlib.crc32(type_)):
            yield "container.png.crc", f"the checksum of a {type_.decode('latin-1')!r} chunk does not fit"
