"""Adapters on the command line: what is fitted stands in the manifest, with the pictures that it reads."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest

from sdsafe import api
from sdsafe._internal import images
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.settings import Settings

    Sdsafe = Callable[..., tuple[int, str, str]]

ASKED = ("a red house", "--steps", "2", "--seed", "7", "--size", "256x256", "--use", "private", "-o", "x.png")


@pytest.fixture
def sdsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Sdsafe) -> Sdsafe:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    generator = DiffusersGenerator(device="cpu", threads=1)

    def open_pipeline(settings: Settings, *, unsafe: object = None) -> Any:
        assert unsafe is None
        return fake_pipeline(settings.places, generator=generator)

    monkeypatch.setattr(api, "open_pipeline", open_pipeline)

    return typed


def _active(path: Path) -> dict[str, Any]:
    """Return the active manifest, after two validators found the file valid."""
    data = path.read_bytes()
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader("image/png", io.BytesIO(data), context=context) as reader:
        report = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid", report.get("validation_results")
    second = encypher_c2pa.verify(data, "image/png", no_default_trust=True, telemetry=False)
    assert second["validation_state"] == "Valid", second
    active: dict[str, Any] = report["manifests"][report["active_manifest"]]
    return active


@pytest.mark.slow
def test_everything_that_was_fitted_is_in_the_manifest(
    sdsafe: Sdsafe, tmp_path: Path, tiny_folder: Path, lora: str, controlnet: str, ip_adapter: str
) -> None:
    for name, level in (("edges.png", 255), ("style.png", 90)):
        (tmp_path / name).write_bytes(images.encode(np.full((256, 256, 3), level, np.uint8)))
    code, out, err = sdsafe(
        "generate", *ASKED, "--model", str(tiny_folder), "--lora", f"{lora}:0.5",
        "--controlnet", controlnet, "--control-image", "edges.png",
        "--ip-adapter", f"{ip_adapter}#ip-adapter_tiny.safetensors:0.25", "--ip-adapter-image", "style.png",
    )  # fmt: skip
    assert code == 0, (out, err)
    active = _active(tmp_path / "x.png")
    data = {each["label"]: each["data"] for each in active["assertions"]}
    fitted = {each["kind"]: each for each in data["org.sdsafe.generation"]["adapters"]}
    assert {kind: each["weight"] for kind, each in fitted.items()} == {
        "lora": "0.5", "controlnet": "1.0", "ip-adapter": "0.25",
    }  # fmt: skip
    assert all(len(each["digest"]) == 64 and "/" not in each["id"] for each in fitted.values())
    assert [each["role"] for each in data["org.sdsafe.generation"]["inputs"]] == ["control", "reference"]
    titles = {each["title"]: each["relationship"] for each in active["ingredients"]}
    assert titles == dict.fromkeys(
        ("local:tiny-sd", "lora local:sketch", "controlnet local:edges", "ip-adapter local:style", "prompt",
         "control picture", "reference picture"), "inputTo",
    )  # fmt: skip
    actions = next(value for label, value in data.items() if label.startswith("c2pa.actions"))["actions"]
    assert actions[0]["action"] == "c2pa.created"
    assert len(actions[0]["parameters"]["ingredients"]) == len(titles)
    assert sdsafe("verify", "x.png")[0] == 0


def test_an_adapter_of_unknown_licence_is_no_commercial_matter(
    sdsafe: Sdsafe, tmp_path: Path, tiny_folder: Path, lora: str
) -> None:
    asked = [*ASKED[:-4], "--use", "commercial", "-o", "x.png"]
    code, _, err = sdsafe("generate", *asked, "--model", str(tiny_folder), "--lora", lora)
    assert code == 3
    assert "lora" in err
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--controlnet", "x/y"), "--controlnet needs --control-image"),
        (("--ip-adapter-image", "a.png"), "--ip-adapter-image needs --ip-adapter"),
        (("--lora", "#x.safetensors"), "no adapter is named"),
        (("--lora", "nothing-here"), "no adapter 'nothing-here'"),
        (("--lora", "a.png:99"), "weight"),
    ],
)
def test_half_an_adapter_is_refused(sdsafe: Sdsafe, tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    (tmp_path / "a.png").write_bytes(images.encode(np.zeros((64, 64, 3), np.uint8)))
    code, _, err = sdsafe("generate", *ASKED, "--model", "builtin:tiny", *options)
    assert code == 2
    assert says in err
    assert not (tmp_path / "x.png").exists()
