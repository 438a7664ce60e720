"""Whatever bytes come in, ``decode`` returns pixels or raises ``AssetError``."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdsafe._internal import images
from sdsafe.core.pixels import is_pixels
from sdsafe.errors import AssetError

_SAMPLE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8))


def _file(kind: str) -> bytes:
    buffer = io.BytesIO()
    _SAMPLE.save(buffer, kind)
    return buffer.getvalue()


FILES = {kind: _file(kind) for kind in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF")}
LIMIT = 1 << 20


def survives(data: bytes) -> None:
    code = None
    try:
        pixels = images.decode(data, max_pixels=LIMIT)
    except AssetError as error:
        code = error.code
    if code is None:
        assert is_pixels(pixels)
        assert pixels.shape[0] * pixels.shape[1] <= LIMIT
    else:
        assert (code == "asset.not-an-image") == (images.sniff(data) is None)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=1000)
def test_random_bytes(data: bytes) -> None:
    survives(data)


@pytest.mark.parametrize("kind", sorted(FILES))
@given(data=st.data())
@settings(max_examples=80, deadline=1000)
def test_random_bytes_after_a_real_beginning(kind: str, data: st.DataObject) -> None:
    keep = data.draw(st.integers(0, 64))
    survives(FILES[kind][:keep] + data.draw(st.binary(max_size=200)))


@pytest.mark.parametrize("kind", sorted(FILES))
@given(data=st.data())
@settings(max_examples=80, deadline=1000)
def test_truncated_files(kind: str, data: st.DataObject) -> None:
    survives(FILES[kind][: data.draw(st.integers(0, len(FILES[kind]) - 1))])


@pytest.mark.parametrize("kind", sorted(FILES))
@given(data=st.data())
@settings(max_examples=150, deadline=1000)
def test_mutated_files(kind: str, data: st.DataObject) -> None:
    mutated = bytearray(FILES[kind])
    # Half of the flips go to the first 64 bytes, where the headers are.
    last = len(mutated) - 1
    where = st.one_of(st.integers(0, min(64, last)), st.integers(0, last))
    for at, value in data.draw(st.lists(st.tuples(where, st.integers(0, 255)), min_size=1, max_size=4)):
        mutated[at] = value
    survives(bytes(mutated))
