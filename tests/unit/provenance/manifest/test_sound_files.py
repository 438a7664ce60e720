from __future__ import annotations

import io
import struct
import wave
from typing import TYPE_CHECKING

import encypher_c2pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdsafe import api
from sdsafe.core.report import Evidence, ManifestState, Verdict
from sdsafe.core.states import Asset
from sdsafe.errors import AssetError, VerificationError
from sdsafe.provenance.manifest import _c2pa, container, labels, riff
from sdsafe.provenance.manifest.document import ManifestDefinition
from sdsafe.provenance.manifest.probe import ManifestProbe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.provenance.signing.local import FileSigner
    from sdsafe.settings import Settings

WAV = "audio/wav"


def _sound(*, width: int = 2, frames: int = 200) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(width)
        sound.setframerate(16_000)
        sound.writeframes(bytes(n % 251 for n in range(width * frames)))
    data = file.getvalue()
    if len(data) % 2 == 0:
        return data
    return data[:4] + struct.pack("<I", len(data) - 7) + data[8:] + b"\0"  # which Python's writer leaves out


def _signed(data: bytes, signer: FileSigner) -> bytes:
    created = {"action": labels.ACTION_CREATED, "digitalSourceType": labels.SOURCE_TRAINED}
    document: dict[str, object] = {
        "claim_generator_info": [{"name": "somebody", "version": "1"}],
        "title": "sound.wav",
        "format": WAV,
        "assertions": [{"label": labels.ACTIONS, "created": True, "data": {"actions": [created]}}],
    }
    asset = Asset(data=data, media_type=WAV)
    return _c2pa.sign(asset, ManifestDefinition(document=document), signer)[0]


@pytest.fixture(scope="module")
def signed_wav(signer: FileSigner) -> bytes:
    return _signed(_sound(), signer)


def _state(data: bytes) -> ManifestState:
    return ManifestProbe().examine(Asset(data=data, media_type=WAV), Evidence()).manifest


def _codes(data: bytes) -> set[str]:
    return {code for code, _ in container.problems(data, WAV)}


def test_a_signed_sound_is_valid_and_its_container_was_looked_at(signed_wav: bytes) -> None:
    seen = ManifestProbe().examine(Asset(data=signed_wav, media_type=WAV), Evidence())
    assert seen.manifest is ManifestState.VALID
    assert not [note for note in seen.not_checked if note.startswith("container")]
    with wave.open(io.BytesIO(signed_wav)) as sound:
        assert sound.getnframes() == 200  # players pass over the store


def test_another_reader_accepts_the_sound(signed_wav: bytes) -> None:
    report = encypher_c2pa.verify(signed_wav, WAV, no_default_trust=True, telemetry=False)
    assert "dataHash.match" in str(report)
    assert "mismatch" not in str(report)


@pytest.mark.parametrize("frames", [200, 201])
def test_taking_the_store_out_gives_the_sound_that_was_signed(signer: FileSigner, frames: int) -> None:
    data = _sound(width=1, frames=frames)  # an odd number of bytes is filled up with a zero
    assert container.without_store(_signed(data, signer)) == data
    assert container.without_store(data) == data


_MUTATIONS: dict[str, Callable[[bytes, int, int], bytes]] = {
    "flip": lambda d, at, n: d[:at] + bytes([d[at] ^ (1 << n % 8)]) + d[at + 1 :],
    "cut the end": lambda d, at, _n: d[:at],
    "cut out": lambda d, at, n: d[:at] + d[at + 1 + n % 64 :],
    "insert": lambda d, at, n: d[:at] + bytes([n % 256]) * (1 + n % 16) + d[at:],
    "double": lambda d, at, n: d[: at + n] + d[at:],
}


@settings(max_examples=300, deadline=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(_MUTATIONS)), where=st.floats(0, 1, exclude_max=True), n=st.integers(1, 300))
def test_a_valid_sound_is_the_one_that_was_signed(*, signed_wav: bytes, kind: str, where: float, n: int) -> None:
    mutated = _MUTATIONS[kind](signed_wav, int(where * len(signed_wav)), n)
    assert _state(mutated) is not ManifestState.VALID or mutated == signed_wav


def test_every_bit_around_sound_and_store_counts(signed_wav: bytes) -> None:
    start = signed_wav.index(b"C2PA")
    for position in (*range(44), *range(start, start + 32)):
        for bit in range(8):
            data = bytearray(signed_wav)
            data[position] ^= 1 << bit
            assert _state(bytes(data)) is not ManifestState.VALID, (position, bit)


def _with_length(data: bytes) -> bytes:
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def test_what_no_hash_covers_is_named(signed_wav: bytes) -> None:
    start = signed_wav.index(b"C2PA")
    store = signed_wav[start:]
    assert _codes(signed_wav) == set()
    assert _codes(_sound()) == set()  # without a store there is nothing to say
    assert "container.wav.length" in _codes(signed_wav[:4] + b"\0\0\0\0" + signed_wav[8:])
    assert "container.wav.trailing" in _codes(_with_length(signed_wav + b"end"))
    assert "container.wav.several-stores" in _codes(_with_length(signed_wav + store))
    assert "container.wav.malformed" in _codes(b"RIFX" + signed_wav[4:])
    odd = signed_wav[:12] + b"note\x01\0\0\0x" + b"!" + signed_wav[12:]
    assert "container.wav.padding" in _codes(_with_length(odd))
    assert [code for code, _ in riff.problems(b"RIFF")] == []


def test_verify_takes_sounds(signed_wav: bytes, tmp_path: Path, auditor: Settings, root_path: Path) -> None:
    file = tmp_path / "sound.wav"
    file.write_bytes(signed_wav)
    report = api.verify(file, settings=auditor, trust=[root_path])
    assert report.verdict is Verdict.TRUSTED
    assert report.media_type == WAV
    notes = " / ".join(report.evidence.not_checked)
    assert "watermark: none is known for audio/wav" in notes
    assert "fingerprint: none is known for audio/wav" in notes


def test_a_changed_or_unsigned_sound_is_not_verified(signed_wav: bytes, tmp_path: Path, auditor: Settings) -> None:
    file = tmp_path / "sound.wav"
    changed = bytearray(signed_wav)
    changed[100] ^= 1
    for data, verdict in ((bytes(changed), Verdict.INVALID), (_sound(), Verdict.UNKNOWN)):
        file.write_bytes(data)
        report = api.inspect(file, settings=auditor)
        assert report.verdict is verdict
        assert not [each for each in report.evidence.findings if each.code.endswith("unreadable-asset")]
        with pytest.raises(VerificationError):
            api.verify(file, settings=auditor)


def test_a_sound_is_no_picture_to_start_from(signed_wav: bytes, tmp_path: Path) -> None:
    file = tmp_path / "sound.wav"
    file.write_bytes(signed_wav)
    with pytest.raises(AssetError):
        api.read_input(file)
