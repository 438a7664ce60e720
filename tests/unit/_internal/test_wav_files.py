"""WAV files: written so that others read them, and read so that nothing odd passes."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe._internal import wav
from sdsafe.core.sound import Sound
from sdsafe.errors import AssetError

SOUND = Sound.of(np.array([[0, 1], [-32768, 32767], [5, -5]], np.int16), 44_100)


def test_the_standard_library_reads_what_is_written() -> None:
    with wave.open(io.BytesIO(wav.encode(SOUND)), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (2, 2, 44_100, 3)
        assert file.readframes(9) == SOUND.samples.tobytes()


def test_equal_sounds_give_equal_bytes_and_nothing_else_is_in_them() -> None:
    assert wav.encode(SOUND) == wav.encode(Sound.of(SOUND.samples.copy(), 44_100))
    assert len(wav.encode(SOUND)) == 44 + SOUND.samples.nbytes


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda channels: st.lists(
            st.lists(st.integers(-32768, 32767), min_size=channels, max_size=channels), min_size=1, max_size=20
        )
    ),
    st.integers(1, 192_000),
)
def test_decoding_undoes_encoding(rows: list[list[int]], rate: int) -> None:
    sound = Sound.of(np.array(rows, np.int16), rate)
    again = wav.decode(wav.encode(sound))
    assert (again.samples == sound.samples).all()
    assert (again.rate, again.sha256) == (sound.rate, sound.sha256)


def test_other_chunks_are_passed_over() -> None:
    data = wav.encode(SOUND)
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    body = data[:12] + odd + data[12:]
    whole = body[:4] + struct.pack("<I", len(body) - 8) + body[8:]
    assert wav.decode(whole).sha256 == SOUND.sha256


def _changed(at: int, value: bytes) -> bytes:
    data = wav.encode(SOUND)
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "asset.malformed"),
        (b"RIFF\0\0\0\0WAVE", "asset.malformed"),
        (wav.encode(SOUND)[:-1], "asset.malformed"),
        (_changed(20, b"\x03\0"), "asset.unsupported"),  # floating point
        (_changed(34, b"\x18\0"), "asset.unsupported"),  # 24 bits
        (_changed(22, b"\x03\0"), "asset.malformed"),  # three channels in blocks of two
        (_changed(24, b"\0\0\0\0"), "asset.malformed"),  # no samples a second
        (_changed(36, b"atad"), "asset.malformed"),
    ],
)
def test_what_cannot_be_read_is_said(data: bytes, code: str) -> None:
    with pytest.raises(AssetError) as caught:
        wav.decode(data)
    assert caught.value.code == code
