"""A picture that carries its id twice: in its pixels, and in the noise that it was made of."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sdsafe import plugins
from sdsafe._internal import images
from sdsafe.api import open_pipeline, open_validator
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, ModelRef
from sdsafe.core.states import Recorded
from sdsafe.noise import read_noise_mark
from sdsafe.pipeline import UnsafeNoOutputCheck
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.settings import Settings
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow
SCENES = ModelRef(repo="builtin:scenes")


@pytest.fixture(scope="module")
def marking(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    places = Places(state=tmp_path_factory.mktemp("noise"), cache=tmp_path_factory.mktemp("cache"))
    init_development(places.keys, name="noise test", password=None, force=False)
    empty = Settings.load({"HOME": str(places.cache)}, site=places.state / "none.toml")
    return replace(empty, places=places, device="cpu", noise_marker="gaussian-shading")


@pytest.fixture(scope="module")
def released(marking: Settings) -> Recorded:
    pipeline = open_pipeline(marking, unsafe=UnsafeNoOutputCheck())
    (outcome,) = pipeline.run(GenerationRequest(prompt="a red house on green hills", model=SCENES, seed=5))
    assert isinstance(outcome, Recorded)
    return outcome


def as_jpeg(data: bytes, side: int) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((side, side)).save(out, "JPEG", quality=75)
    return out.getvalue()


def test_the_manifest_says_which_noise(marking: Settings, released: Recorded) -> None:
    report = open_validator(marking).inspect(released.asset)
    assert report.evidence.summary is not None
    assert report.evidence.summary.generation["noise_mark"] == {
        "alg": "org.sdsafe.latent.1",
        "version": "1",
        "key_id": plugins.load("sdsafe.watermarkers", "lattice", marking.places).key_id,
        "shape": "1x16x16x16",
    }


def test_both_marks_lead_to_the_asset_where_its_manifest_is_gone(marking: Settings, released: Recorded) -> None:
    pixels = images.decode(as_jpeg(released.asset.data, 358))
    (mark,) = plugins.load("sdsafe.watermarkers", "lattice", marking.places).detect([pixels])
    found = read_noise_mark(pixels, GenerationRequest(prompt="", model=SCENES), settings=marking)
    assert mark.payload == released.asset_id.value
    assert (found.asset_id, found.candidates, found.mirrored) == (released.asset_id, 1, False)
    assert found.p_value < 1e-6


def test_another_id_and_another_key_find_nothing(marking: Settings, released: Recorded, tmp_path: Path) -> None:
    pixels, asked = images.decode(released.asset.data), GenerationRequest(prompt="", model=SCENES)
    other = type(released.asset_id)(bytes(8))
    assert read_noise_mark(pixels, asked, settings=marking, asset_id=other).asset_id is None
    (tmp_path / "key").write_bytes(bytes(32))
    stranger = replace(marking, options={"gaussian-shading": {"key_file": str(tmp_path / "key")}})
    assert read_noise_mark(pixels, asked, settings=stranger, asset_id=released.asset_id).asset_id is None


@pytest.fixture
def sdsafe(
    marking: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("SDSAFE_HOME", str(marking.places.state))
    monkeypatch.setenv("HOME", str(marking.places.cache))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
        with pytest.raises(SystemExit) as caught:
            run_sdsafe()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return call


def test_the_command_tells_people_and_programs(
    sdsafe: Callable[..., tuple[int, str, str]], released: Recorded, tmp_path: Path
) -> None:
    file, ours = tmp_path / "p.jpg", str(released.asset_id)
    file.write_bytes(as_jpeg(released.asset.data, 358))
    code, out, err = sdsafe("watermark", "detect", str(file), "--noise", "--id", ours)
    assert (code, out.strip()) == (0, ours)
    assert "of 2048 signs agree" in err
    code, out, _ = sdsafe("watermark", "detect", str(file), "--noise", "--json")
    said = json.loads(out)
    assert (code, said["schema"], said["id"], said["candidates"]) == (0, "sdsafe.watermark.noise/1", ours, 1)
    assert said["p_value"] < said["false_positive_rate"] == 1e-6
    code, out, err = sdsafe("watermark", "detect", str(file), "--noise", "--id", "00" * 8)
    assert (code, out) == (5, "")
    assert "that says nothing" in err


def test_held_pictures_keep_what_is_known_of_their_noise(released: Recorded) -> None:
    from sdsafe.records.reviews import codec

    execution = released.generated.execution
    assert codec.decode(codec.encode(execution)) == execution
