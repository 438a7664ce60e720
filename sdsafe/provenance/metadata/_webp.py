"""WebP (RFC 9649): XMP and EXIF in chunks of their own after the pixels, announced in the ``VP8X`` header."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sdsafe.provenance.metadata import _tiff
from sdsafe.provenance.metadata._found import Found, bounded, damaged, occupied

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["insert", "scan"]

_HAS_XMP, _HAS_EXIF, _HAS_ALPHA = 0x04, 0x08, 0x10  # RFC 9649, 2.7.1
_HEADER = 10  # bytes of a VP8X header
_FIRST = 12  # after "RIFF", the size and "WEBP"


def scan(data: bytes) -> Found:
    """Find packets and labels."""
    found = Found()
    for type_, body in bounded(_chunks(data, found), found):
        if type_ == b"XMP " and found.take():
            found.packet("WebP XMP", body)
        elif type_ == b"EXIF" and found.take():
            found.exif = True
            found.label("EXIF UserComment", _tiff.label(body.removeprefix(b"Exif\x00\x00")))
    return found


def insert(data: bytes, packet: bytes, label: str | None) -> bytes:
    """Return the file with an extended header and the chunks at its end; the pixels as they are."""
    found = Found()
    chunks = list(_chunks(data, found))
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or not chunks or found.problems:
        raise damaged("WebP")
    type_, body = chunks[0]
    if type_ == b"VP8X" and len(body) != _HEADER:
        raise damaged("WebP")
    extended = chunks[1:] if type_ == b"VP8X" else chunks
    header = bytearray(body if type_ == b"VP8X" else _header(type_, body))
    header[0] |= _HAS_XMP
    if label is not None:
        if any(type_ == b"EXIF" for type_, _ in chunks):
            raise occupied("an EXIF block")
        header[0] |= _HAS_EXIF
        extended = [*extended, (b"EXIF", _tiff.with_comment(label))]
    parts = [(b"VP8X", bytes(header)), *extended, (b"XMP ", packet)]
    content = b"WEBP" + b"".join(map(_chunk, parts))
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    type_, body = part
    return type_ + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def _chunks(data: bytes, found: Found) -> Iterator[tuple[bytes, bytes]]:
    position = _FIRST
    while position < len(data):
        if position + 8 > len(data):
            return found.cut_off()
        type_, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length
        if end > len(data):
            return found.cut_off()
        yield type_, data[position + 8 : end]
        position = end + (length & 1)
    return None


def _header(type_: bytes, body: bytes) -> bytes:
    """Return a ``VP8X`` header for a file that had none, from the header of its picture."""
    if type_ == b"VP8L" and body[:1] == b"\x2f" and len(body) > 5:  # noqa: PLR2004 - RFC 9649, 3.4
        bits = int.from_bytes(body[1:5], "little")
        width, height, alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    elif type_ == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) > 10:  # noqa: PLR2004 - RFC 6386, 9.1
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", body, 6))
        width, height, alpha = width - 1, height - 1, 0
    else:
        raise damaged("WebP")
    if min(width, height) < 0:
        raise damaged("WebP")
    flags = _HAS_ALPHA if alpha else 0
    return bytes((flags, 0, 0, 0)) + width.to_bytes(3, "little") + height.to_bytes(3, "little")
