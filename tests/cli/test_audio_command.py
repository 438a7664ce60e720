"""`sdsafe audio`: from a command line to a WAV file that every reader of manifests accepts."""

from __future__ import annotations

import io
import json
import wave
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import pytest

from sdsafe import api
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.parts import UnsafeNoOutputCheck
    from sdsafe.settings import Settings

    Sdsafe = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.slow  # two pipelines are built, and run a few times


@pytest.fixture(scope="module")
def generator() -> DiffusersGenerator:
    return DiffusersGenerator(device="cpu", threads=1)


@pytest.fixture
def sdsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Sdsafe, generator: DiffusersGenerator) -> Sdsafe:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def open_pipeline(settings: Settings, *, unsafe: UnsafeNoOutputCheck | None = None) -> Any:
        parts = {} if unsafe is None else {"output_checks": unsafe}
        return fake_pipeline(settings.places, generator=generator, disclosure=settings.prompt_disclosure, **parts)

    monkeypatch.setattr(api, "open_pipeline", open_pipeline)

    return typed


@pytest.fixture
def bell(stable_audio: str) -> tuple[str, ...]:
    return ("audio", "a bell", "--model", stable_audio, "--seconds", "0.15", "--steps", "3", "--use", "private")


@pytest.fixture
def beat(dance: str) -> tuple[str, ...]:
    return ("audio", "--model", dance, "--steps", "4", "--use", "private")


def test_a_prompt_becomes_a_signed_sound_that_three_readers_accept(
    sdsafe: Sdsafe, tmp_path: Path, bell: tuple[str, ...]
) -> None:
    code, out, err = sdsafe(*bell, "--negative-prompt", "noise", "--seed", "5", "-o", "bell.wav")
    assert code == 0, err
    assert out.startswith("bell.wav  asset ")
    data = (tmp_path / "bell.wav").read_bytes()
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 2, 1200)
    reader = c2pa.Reader("audio/wav", io.BytesIO(data))
    assert str(reader.get_validation_state()) == "Valid"
    theirs = encypher_c2pa.verify(data, "audio/wav", no_default_trust=True, telemetry=False)
    assert theirs["validation_state"] == "Valid"
    code, out, _ = sdsafe("verify", "bell.wav")
    assert code == 0
    for line in (
        "verdict     valid",
        "prompt      a bell",
        "ledger      included, entry #0",
        "mark        not_checked",
    ):
        assert line in out


def test_a_model_without_texts_needs_no_prompt_and_takes_none(
    sdsafe: Sdsafe, tmp_path: Path, beat: tuple[str, ...]
) -> None:
    code, out, err = sdsafe(*beat, "--n", "2", "--seed", "5", "-o", "beat.wav", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["schema"] == "sdsafe.audio/1"
    rows = document["outcomes"]
    assert [each["path"] for each in rows] == ["beat-1.wav", "beat-2.wav"]
    assert len({each["sound_sha256"] for each in rows}) == 2
    assert not any("pixels_sha256" in each for each in rows)
    code, _, err = sdsafe(*beat, "a drum", "-o", "drum.wav")
    assert code == 2
    assert "have no prompt" in err
    assert not (tmp_path / "drum.wav").exists()


def test_the_same_seed_gives_the_same_sound_and_a_request_file_asks_for_it_again(
    sdsafe: Sdsafe, tmp_path: Path, beat: tuple[str, ...]
) -> None:
    def made(*arguments: str) -> str:
        code, out, err = sdsafe(*arguments, "--json")
        assert code == 0, err
        (row,) = json.loads(out)["outcomes"]
        return str(row["sound_sha256"])

    first = made(*beat, "--seconds", "0.05", "--seed", "9", "-o", "a.wav")
    assert made(*beat, "--seconds", "0.05", "--seed", "9", "-o", "b.wav") == first
    assert made(*beat, "--seconds", "0.05", "--seed", "8", "-o", "c.wav") != first
    code, out, _ = sdsafe("inspect", "a.wav", "--request")
    assert code == 0
    (tmp_path / "a.json").write_text(out)
    assert json.loads(out)["seconds"] == 0.05
    assert made("audio", "--config", "a.json", "--model", beat[2], "-o", "d.wav") == first


def test_a_refused_prompt_leaves_no_file_and_says_which_words(
    sdsafe: Sdsafe, tmp_path: Path, stable_audio: str
) -> None:
    words = "sdsafe-canary-refuse-me"
    code, _, err = sdsafe("audio", words, "--model", stable_audio, "--use", "private", "-o", "no.wav")
    assert code == 3
    assert words in err
    assert not (tmp_path / "no.wav").exists()


def test_the_manifest_of_a_sound_can_stand_beside_it(sdsafe: Sdsafe, tmp_path: Path, beat: tuple[str, ...]) -> None:
    code, _, err = sdsafe(*beat, "--sidecar", "-o", "beat.wav")
    assert code == 0, err
    assert b"C2PA" not in (tmp_path / "beat.wav").read_bytes()
    code, out, _ = sdsafe("verify", "beat.wav")
    assert code == 0
    assert "prompt      none" in out
    assert "watermark   none was applied, says the manifest" in out
    (tmp_path / "beat.c2pa").unlink()
    assert sdsafe("verify", "beat.wav")[0] == 5


def test_a_committed_prompt_is_not_in_the_file(sdsafe: Sdsafe, tmp_path: Path, bell: tuple[str, ...]) -> None:
    code, _, err = sdsafe(*bell, "--prompt-disclosure", "commit", "-o", "bell.wav")
    assert code == 0, err
    assert b"a bell" not in (tmp_path / "bell.wav").read_bytes()


def test_unchecked_sounds_say_so(sdsafe: Sdsafe, bell: tuple[str, ...]) -> None:
    assert sdsafe(*bell, "--unsafe-unchecked", "-o", "bell.wav")[0] == 0
    assert "NO OUTPUT CHECK RAN" in sdsafe("inspect", "bell.wav")[1]


@pytest.mark.parametrize("name", ["bell.png", "bell.mp3", "bell"])
def test_nothing_but_wav_is_written(sdsafe: Sdsafe, bell: tuple[str, ...], name: str) -> None:
    code, _, err = sdsafe(*bell, "-o", name)
    assert code == 2
    assert ".wav" in err


def test_a_model_of_pictures_and_options_of_pictures_are_refused(
    sdsafe: Sdsafe, tmp_path: Path, tiny_folder: Path, bell: tuple[str, ...]
) -> None:
    code, _, err = sdsafe("audio", "a bell", "--model", str(tiny_folder), "--use", "private", "-o", "bell.wav")
    assert code == 2
    assert "not text to sound" in err
    for option in ("--size", "--lora", "--quality"):
        assert sdsafe(*bell, option, "1", "-o", "bell.wav")[0] == 2
    assert not (tmp_path / "bell.wav").exists()


def test_a_sound_model_makes_no_picture_and_says_what_it_is_for(sdsafe: Sdsafe, dance: str) -> None:
    code, _, err = sdsafe("generate", "a bell", "--model", dance, "--use", "private", "-o", "bell.png")
    assert code == 2
    assert "sdsafe audio" in err
