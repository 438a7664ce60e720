"""PNG (ISO 15948): XMP in an ``iTXt`` chunk, the AIGC label in a ``tEXt`` chunk, both before the pixels."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from sdsafe.provenance.metadata import _tiff
from sdsafe.provenance.metadata._found import Found, bounded, damaged
from sdsafe.provenance.metadata.xmp import MAX_PACKET_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["checked", "insert", "scan"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp"
_LABEL = b"AIGC"
_AROUND = 12  # length, type and checksum of a chunk
_HEADER_END = len(_SIGNATURE) + _AROUND + 13  # IHDR comes first and has 13 bytes


def scan(data: bytes) -> Found:
    """Find packets and labels, wherever in the file they stand."""
    found = Found()
    for type_, body in bounded(_chunks(data, found), found):
        if type_ == b"eXIf" and found.take():
            found.exif = True
            found.label("EXIF UserComment", _tiff.label(body))
        if type_ in {b"iTXt", b"tEXt", b"zTXt"}:
            keyword, _, rest = body.partition(b"\x00")
            if keyword in {_XMP, _LABEL} and found.take():
                text = _text(type_, rest)
                if text is None:
                    found.problem(
                        "metadata.container.text", f"a {type_.decode()} chunk does not unpack within the limit"
                    )
                elif keyword == _XMP:
                    found.packet(f"PNG {type_.decode()}", text)
                else:
                    found.label(f"PNG {type_.decode()}", text)
    return found


def insert(data: bytes, packet: bytes, label: str | None) -> bytes:
    """Return the file with both chunks after its header; every other byte as it is."""
    if data[:8] != _SIGNATURE or data[12:16] != b"IHDR" or len(data) < _HEADER_END:
        raise damaged("PNG")
    # Keyword, not compressed, no language, no translated keyword (XMP specification part 3, 1.1.5).
    chunks = _chunk(b"iTXt", _XMP + bytes(5) + packet)
    if label is not None:
        chunks += _chunk(b"tEXt", _LABEL + b"\x00" + label.encode("ascii"))
    return data[:_HEADER_END] + chunks + data[_HEADER_END:]


def checked(data: bytes) -> bytes:
    """Return the file with every checksum made to fit."""
    parts, at = [data[: len(_SIGNATURE)]], len(_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append(_chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += _AROUND + length
    return b"".join(parts)


def _chunk(type_: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + type_ + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(type_)))


def _chunks(data: bytes, found: Found) -> Iterator[tuple[bytes, bytes]]:
    position = len(_SIGNATURE)
    while position < len(data):
        if position + _AROUND > len(data):
            return found.cut_off()
        length, type_ = struct.unpack_from(">I4s", data, position)
        end = position + _AROUND + length
        if end > len(data):
            return found.cut_off()
        if type_ == b"IEND":
            return None
        # Pixels are passed over without a copy.
        yield type_, b"" if type_ == b"IDAT" else data[position + 8 : end - 4]
        position = end
    return None


def _text(type_: bytes, rest: bytes) -> bytes | None:
    """Return the text after the keyword, unpacked; None where it cannot be had within the limit."""
    packed = type_ == b"zTXt"
    if type_ == b"iTXt":
        packed = rest[:1] == b"\x01"
        *_, rest = rest[2:].split(b"\x00", 2)
    elif packed:
        rest = rest[1:]
    if not packed:
        return rest
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(rest, MAX_PACKET_BYTES + 1)
    except zlib.error:
        return None
    return None if len(text) > MAX_PACKET_BYTES or not unpacker.eof else text
