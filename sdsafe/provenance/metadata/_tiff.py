"""TIFF 6.0: XMP as tag 700; and EXIF, which is a TIFF of its own, with an AIGC label as user comment."""

from __future__ import annotations

import struct

from sdsafe.provenance.metadata._found import Found, damaged

__all__ = ["insert", "label", "scan", "with_comment"]

_ORDERS = {b"II*\x00": "<", b"MM\x00*": ">"}
_XMP, _EXIF_IFD, _USER_COMMENT = 700, 0x8769, 0x9286
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of a value
_BYTE, _UNDEFINED, _LONG = 1, 7, 4
_ENTRY = 12
_MAX_ENTRIES = 1024
_ASCII = b"ASCII\x00\x00\x00"  # EXIF 2.32, 4.6.5: the first eight bytes of a user comment name its encoding
_CODES = (_ASCII, bytes(8), b"UNICODE\x00")


class _Directory:
    """One image file directory: tag to entry, and where the next one is."""

    def __init__(self, data: bytes, order: str, offset: int) -> None:
        self.data, self.order = data, order
        (count,) = struct.unpack_from(f"{order}H", data, offset)
        if count > _MAX_ENTRIES:
            raise struct.error
        end = offset + 2 + count * _ENTRY
        (self.following,) = struct.unpack_from(f"{order}I", data, end)
        self.raw = [data[at : at + _ENTRY] for at in range(offset + 2, end, _ENTRY)]

    def value(self, tag: int) -> bytes | None:
        for raw in self.raw:
            found, type_, count = struct.unpack_from(f"{self.order}HHI", raw)
            if found == tag:
                length = count * _SIZES.get(type_, 1)
                at = struct.unpack_from(f"{self.order}I", raw, 8)[0] if length > 4 else None  # noqa: PLR2004 - fits in the entry
                value = raw[8 : 8 + length] if at is None else self.data[at : at + length]
                if len(value) < length:
                    raise struct.error
                return value
        return None


def scan(data: bytes) -> Found:
    """Find the packet of the first picture."""
    found = Found()
    try:
        first = _first(data)
        if (packet := first.value(_XMP)) is not None:
            found.packet("TIFF tag 700", packet)
        found.exif = first.value(_EXIF_IFD) is not None
        found.label("EXIF UserComment", label(data))
    except struct.error:
        found.cut_off()
    return found


def label(data: bytes) -> bytes | None:
    """Return the AIGC label in the user comment of an EXIF block; None where there is none, or none that reads."""
    try:
        first = _first(data)
        pointer = first.value(_EXIF_IFD)
        if pointer is None:
            comment = first.value(_USER_COMMENT)  # some writers put it there
        else:
            (at,) = struct.unpack(f"{first.order}I", pointer)
            comment = _Directory(data, first.order, at).value(_USER_COMMENT)
    except struct.error:
        return None
    if comment is None:
        return None
    if comment[:8] in _CODES:
        comment = comment[8:]
    # A user comment may hold anything; what does not begin like a label is none.
    text = comment.strip(b"\x00 ")
    return text if text.startswith((b'{"AIGC"', b'{"Label"')) else None


def with_comment(text: str) -> bytes:
    """Return an EXIF block whose only content is ``text`` (ASCII) as its user comment."""
    comment = _ASCII + text.encode("ascii")
    first = struct.pack("<HHHIII", 1, _EXIF_IFD, _LONG, 1, 26, 0)
    version = struct.pack("<HHI4s", 0x9000, _UNDEFINED, 4, b"0232")
    second = struct.pack("<H", 2) + version + struct.pack("<HHIII", _USER_COMMENT, _UNDEFINED, len(comment), 56, 0)
    return b"II*\x00" + struct.pack("<I", 8) + first + second + comment


def insert(data: bytes, packet: bytes, label: str | None) -> bytes:  # noqa: ARG001 - the guide has XMP alone for TIFF
    """Return the file with a new first directory at its end: the old one plus tag 700. The pixels stay in place."""
    try:
        first = _first(data)
    except struct.error as error:
        raise damaged("TIFF") from error
    order = first.order
    body = data + bytes(len(data) & 1)
    at = len(body)
    body += packet + bytes(len(packet) & 1)
    entry = struct.pack(f"{order}HHII", _XMP, _BYTE, len(packet), at)
    entries = sorted([*first.raw, entry], key=lambda raw: struct.unpack_from(f"{order}H", raw)[0])
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + struct.pack(f"{order}I", first.following)
    return body[:4] + struct.pack(f"{order}I", len(body)) + body[8:] + directory


def _first(data: bytes) -> _Directory:
    order = _ORDERS.get(data[:4])
    if order is None:
        raise struct.error
    (offset,) = struct.unpack_from(f"{order}I", data, 4)
    return _Directory(data, order, offset)
