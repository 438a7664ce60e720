"""AVIF (ISO 14496-12, 23008-12): XMP as an item of type ``mime`` that describes the primary item.

Inserting makes the ``meta`` box longer, so that everything behind it moves: every file offset in ``iloc`` moves along.
The packet itself goes into a new ``mdat`` box at the end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.provenance.metadata import _tiff
from sdsafe.provenance.metadata._found import MAX_PIECES, Found, bounded, damaged
from sdsafe.provenance.metadata.xmp import MAX_PACKET_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["insert", "scan"]

_XMP_TYPE = b"application/rdf+xml"
_IN_FILE, _IN_IDAT = 0, 1  # construction methods
_FULL = 4  # version and flags of a full box
_MAX_ITEMS = 4096


@dataclass(slots=True)
class _Box:
    type_: bytes
    body: bytes
    start: int
    end: int


@dataclass(slots=True)
class _Location:
    """Where the bytes of one item are."""

    item: int
    method: int
    reference: int
    base: int
    extents: list[tuple[int, int, int]]  # index, offset, length


class _Cursor:
    """Reads big-endian integers one after the other; ``struct.error`` beyond the end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def integer(self, size: int) -> int:
        if self.at + size > len(self.data):
            raise struct.error
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")

    def text(self) -> bytes:
        text, _, _ = self.data[self.at :].partition(b"\x00")
        self.at += len(text) + 1
        return text


class _Locations:
    """The ``iloc`` box (14496-12, 8.11.3), versions 0 to 2, kept so that it can be written again."""

    def __init__(self, body: bytes) -> None:
        cursor = _Cursor(body)
        self.head = body[:6]
        self.version = cursor.integer(1)
        cursor.integer(3)
        sizes = cursor.integer(2)
        self.sizes = (sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15 if self.version else 0)
        self.wide = 4 if self.version == 2 else 2  # noqa: PLR2004 - the version that has 32-bit ids
        count = cursor.integer(self.wide)
        if self.version > 2 or count > _MAX_ITEMS or not set(self.sizes) <= {0, 4, 8}:  # noqa: PLR2004 - the last version
            raise struct.error
        self.items = [self._item(cursor) for _ in range(count)]

    def _item(self, cursor: _Cursor) -> _Location:
        offset, length, base, index = self.sizes
        item = cursor.integer(self.wide)
        method = cursor.integer(2) & 15 if self.version else _IN_FILE
        reference, start, count = cursor.integer(2), cursor.integer(base), cursor.integer(2)
        if count > MAX_PIECES:
            raise struct.error
        extents = [(cursor.integer(index), cursor.integer(offset), cursor.integer(length)) for _ in range(count)]
        return _Location(item, method, reference, start, extents)

    def render(self) -> bytes:
        offset, length, base, index = self.sizes
        out = [self.head, _bytes(len(self.items), self.wide)]
        for each in self.items:
            out += [_bytes(each.item, self.wide), _bytes(each.method, 2) if self.version else b""]
            out += [_bytes(each.reference, 2), _bytes(each.base, base), _bytes(len(each.extents), 2)]
            for at, start, size in each.extents:
                out += [_bytes(at, index), _bytes(start, offset), _bytes(size, length)]
        return b"".join(out)

    def move(self, behind: int, by: int) -> None:
        """Let everything that stands ``behind`` a place in the file stand ``by`` bytes further."""
        for each in self.items:
            if each.method != _IN_FILE:
                continue
            if each.base >= behind:
                each.base += by
            else:
                each.extents = [
                    (i, start + by if each.base + start >= behind else start, n) for i, start, n in each.extents
                ]


def scan(data: bytes) -> Found:
    """Find packets."""
    found = Found()
    try:
        meta = _meta(data)
        locations = _Locations(meta[b"iloc"].body)
        store = meta[b"idat"].body if b"idat" in meta else b""
        for item, kind, content in bounded(_items(meta[b"iinf"].body), found):
            if kind == b"mime" and content == _XMP_TYPE and found.take():
                found.packet("AVIF item", _content(data, store, locations, item))
            elif kind == b"Exif" and found.take():
                found.exif = True
                found.label("EXIF UserComment", _tiff.label(_content(data, store, locations, item)[4:]))
    except (struct.error, KeyError):
        found.cut_off()
    return found


def insert(data: bytes, packet: bytes, label: str | None) -> bytes:  # noqa: ARG001 - the guide knows no wrapped form for AVIF
    """Return the file with one more item; the coded pixels are the same, further back in the file."""
    try:
        return _inserted(data, packet)
    except (struct.error, KeyError, OverflowError) as error:
        raise damaged("AVIF") from error


def _inserted(data: bytes, packet: bytes) -> bytes:
    top = {box.type_: box for box in _boxes(data, 0)}
    meta, outer = _meta(data), top[b"meta"]
    locations = _Locations(meta[b"iloc"].body)
    # A sequence (moov) has sample tables with offsets of their own.
    if b"moov" in top or not all(locations.sizes[:2]):
        raise struct.error
    item = 1 + max((each.item for each in locations.items), default=0)
    primary = int.from_bytes(meta[b"pitm"].body[_FULL:], "big")
    mine = _Location(item, _IN_FILE, 0, 0, [(0, 0, len(packet))])
    locations.items.append(mine)
    described = _box(
        b"infe", b"\x02\x00\x00\x00" + _bytes(item, 2) + bytes(2) + b"mime" + b"\x00" + _XMP_TYPE + b"\x00"
    )
    changed = {
        b"iloc": locations.render(),
        b"iinf": _one_more(meta[b"iinf"].body) + described,
        b"iref": _refers(meta.get(b"iref"), item, primary),
    }
    rebuilt = _rebuilt(outer, changed)
    grown = len(rebuilt) - (outer.end - outer.start)
    locations.move(outer.end, grown)
    mine.extents = [(0, len(data) + grown + 8, len(packet))]
    changed[b"iloc"] = locations.render()
    return data[: outer.start] + _rebuilt(outer, changed) + data[outer.end :] + _box(b"mdat", packet)


def _rebuilt(outer: _Box, changed: dict[bytes, bytes]) -> bytes:
    kept = [(box.type_, changed.get(box.type_, box.body)) for box in _boxes(outer.body, _FULL)]
    new = [(type_, body) for type_, body in changed.items() if type_ not in dict(kept)]
    return _box(b"meta", outer.body[:_FULL] + b"".join(_box(*each) for each in (*kept, *new)))


def _one_more(body: bytes) -> bytes:
    """Return the ``iinf`` body with its count raised by one."""
    wide = _width(body)
    count = int.from_bytes(body[_FULL : _FULL + wide], "big") + 1
    return body[:_FULL] + _bytes(count, wide) + body[_FULL + wide :]


def _refers(box: _Box | None, item: int, primary: int) -> bytes:
    """Return the ``iref`` body with a ``cdsc`` reference from the packet to the picture (23008-12, 6.6.4.11)."""
    body = box.body if box else bytes(_FULL)
    wide = _width(body)
    return body + _box(b"cdsc", _bytes(item, wide) + _bytes(1, 2) + _bytes(primary, wide))


def _width(body: bytes) -> int:
    """Return how many bytes ids and counts take in a box of this version (14496-12, 8.11.6 and 8.11.12)."""
    if len(body) < _FULL:
        raise struct.error
    return 4 if body[0] else 2


def _meta(data: bytes) -> dict[bytes, _Box]:
    outer = next((box for box in _boxes(data, 0) if box.type_ == b"meta"), None)
    if outer is None:
        raise struct.error
    return {box.type_: box for box in _boxes(outer.body, _FULL)}


def _boxes(data: bytes, at: int) -> Iterator[_Box]:
    while at < len(data):
        size, type_ = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        end = at + size if size else len(data)
        if end < at + head or end > len(data):
            raise struct.error
        yield _Box(type_, b"" if type_ == b"mdat" else data[at + head : end], at, end)
        at = end


def _items(body: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (id, type, content type) of every item (14496-12, 8.11.6)."""
    for box in _boxes(body, _FULL + (4 if body[:1] > b"\x00" else 2)):
        cursor = _Cursor(box.body)
        version = cursor.integer(1)
        if version < 2:  # noqa: PLR2004 - older entries have no type
            continue
        cursor.integer(3)
        item = cursor.integer(2 if version == 2 else 4)  # noqa: PLR2004 - the version that has 16-bit ids
        cursor.integer(2)
        kind = cursor.integer(4).to_bytes(4, "big")
        cursor.text()
        yield item, kind, cursor.text() if kind == b"mime" else b""


def _content(data: bytes, store: bytes, locations: _Locations, item: int) -> bytes:
    where = next((each for each in locations.items if each.item == item), None)
    if where is None or where.method not in {_IN_FILE, _IN_IDAT}:
        raise struct.error
    source = data if where.method == _IN_FILE else store
    parts = []
    for _, offset, length in where.extents:
        start = where.base + offset
        end = start + length if length else len(source)
        if end > len(source):
            raise struct.error
        parts.append(source[start : min(end, start + MAX_PACKET_BYTES + 1)])  # the rest is too much anyway
    return b"".join(parts)


def _box(type_: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, type_) + body


def _bytes(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")
