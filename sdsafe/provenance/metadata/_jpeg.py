"""JPEG (ITU T.81): XMP and EXIF each in an APP1 segment before the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.errors import MetadataError
from sdsafe.provenance.metadata import _tiff
from sdsafe.provenance.metadata._found import Found, bounded, damaged, occupied

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["insert", "scan"]

_START = b"\xff\xd8"
_SCAN, _END, _APP0, _APP1 = 0xDA, 0xD9, 0xE0, 0xE1
_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\x00"
_EXIF = b"Exif\x00\x00"
_MAX_SEGMENT = 0xFFFF - 2


def scan(data: bytes) -> Found:
    """Find packets and labels before the pixels."""
    found = Found()
    for marker, body, _ in bounded(_segments(data, found), found):
        if marker != _APP1 or not body.startswith((_XMP, _EXTENSION, _EXIF)) or not found.take():
            continue
        if body.startswith(_XMP):
            found.packet("JPEG APP1", body.removeprefix(_XMP))
        elif body.startswith(_EXTENSION):
            found.problem("metadata.container.extended", "extended XMP is not read")
        else:
            found.exif = True
            found.label("EXIF UserComment", _tiff.label(body.removeprefix(_EXIF)))
    return found


def insert(data: bytes, packet: bytes, label: str | None) -> bytes:
    """Return the file with the segments after its JFIF header; every other byte as it is."""
    found = Found()
    ends = [end for marker, _, end in _segments(data, found) if marker == _APP0]
    if data[:2] != _START or found.problems:
        raise damaged("JPEG")
    at = ends[0] if ends else len(_START)
    segments = _segment(_XMP + packet)
    if label is not None:
        if scan(data).exif:
            raise occupied("an EXIF block")
        # EXIF 2.32, 4.5.4: its segment comes first.
        segments = _segment(_EXIF + _tiff.with_comment(label)) + segments
    return data[:at] + segments + data[at:]


def _segment(body: bytes) -> bytes:
    if len(body) > _MAX_SEGMENT:
        raise MetadataError(
            f"the metadata has {len(body):,} bytes, JPEG has room for {_MAX_SEGMENT:,}",
            code="metadata.too-large",
            hint="Use PNG or WebP, or keep the prompt out with --prompt-disclosure commit.",
        )
    return bytes((0xFF, _APP1)) + (len(body) + 2).to_bytes(2, "big") + body


def _segments(data: bytes, found: Found) -> Iterator[tuple[int, bytes, int]]:
    """Yield (marker, body, offset of the end) up to the pixels."""
    position = len(_START)
    while True:
        if data[position : position + 1] != b"\xff":
            return found.cut_off()
        while data[position + 1 : position + 2] == b"\xff":  # fill bytes
            position += 1
        marker = data[position + 1 : position + 2]
        if marker in {bytes((_SCAN,)), bytes((_END,))}:
            return None
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        end = position + 2 + length
        if not marker or length < 2 or end > len(data):  # noqa: PLR2004 - the length counts its own two bytes
            return found.cut_off()
        yield marker[0], data[position + 4 : end], end
        position = end
