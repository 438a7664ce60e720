"""PNG files taken apart and put together again, as somebody who changes them would."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Chunk = tuple[bytes, bytes]


@pytest.fixture(scope="session")
def take_apart() -> Callable[[bytes], list[Chunk]]:
    def parse(data: bytes) -> list[Chunk]:
        chunks, position = [], len(_SIGNATURE)
        while position < len(data):
            length, name = struct.unpack_from(">I4s", data, position)
            chunks.append((name, data[position + 8 : position + 8 + length]))
            position += 12 + length
        return chunks

    return parse


@pytest.fixture(scope="session")
def put_together() -> Callable[[Iterable[Chunk]], bytes]:
    """Write chunks with checksums that fit, so that nothing but the content has changed."""

    def render(chunks: Iterable[Chunk]) -> bytes:
        parts = [_SIGNATURE]
        for name, body in chunks:
            parts += [struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))]
        return b"".join(parts)

    return render
