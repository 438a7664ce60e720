"""A strict reading of a WAV file around a manifest store: nothing may be there that no hash covers.

A WAV file is one RIFF chunk of the form ``WAVE``, which holds chunks: a name, a little-endian length, that many bytes
of data, and one zero after data of odd length. The manifest store is the data of a ``C2PA`` chunk (C2PA 2.4, A.3.3),
which has no checksum; the C2PA library does not hold the length inside the store against that of its chunk (measured).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sdsafe._internal import wav
from sdsafe.provenance.manifest import jumbf

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["problems", "without_store"]

_STORE = b"C2PA"
_FORM = 12  # "RIFF", its length, "WAVE"
_HEADER = 8  # name and length of a chunk


def problems(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield (code, explanation) for every irregularity of a file that carries a manifest store."""
    chunks = list(_chunks(data))
    stores = [body for name, body, _, _ in chunks if name == _STORE]
    if not stores:
        return
    if wav.sniff(data) is None:
        yield "container.wav.malformed", "the file does not begin like a WAV file"
    (length,) = struct.unpack_from("<I", data, 4)
    if length + _HEADER != len(data):
        yield "container.wav.length", f"the file says that it has {length + _HEADER} bytes, and has {len(data)}"
    if chunks[-1][3] != len(data):
        yield "container.wav.trailing", f"{len(data) - chunks[-1][3]} bytes after the last whole chunk"
    for name, body, start, end in chunks:
        if any(data[start + _HEADER + len(body) : end]):
            yield "container.wav.padding", f"a {name.decode('latin-1')!r} chunk is filled up with something but zero"
    if len(stores) > 1:
        yield "container.wav.several-stores", f"{len(stores)} C2PA chunks, at most one is allowed"
    for store in stores:
        yield from jumbf.problems(store)


def without_store(data: bytes) -> bytes:
    """Return a WAV file without its manifest store; every other byte but the file's length is as it was."""
    kept, position = [], _FORM
    for name, _, start, end in _chunks(data):
        if name == _STORE:
            kept.append(data[position:start])
            position = end
    if not kept:
        return data
    rest = b"".join((*kept, data[position:]))
    return data[:4] + struct.pack("<I", len(rest) + _FORM - _HEADER) + data[_HEADER:_FORM] + rest


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Yield (name, data, offset, offset of the end) for every chunk that fits into the file."""
    position = _FORM
    while position + _HEADER <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        end = position + _HEADER + length + length % 2
        if end > len(data):
            return
        yield name, data[position + _HEADER : position + _HEADER + length], position, end
        position = end
