"""Asking again: a request file written from a signed file makes the same picture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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

ASKED = ("--steps", "3", "--size", "256x256", "--scheduler", "dpmpp-karras", "--guidance", "3.3")


@pytest.fixture(scope="module")
def generator() -> DiffusersGenerator:
    return DiffusersGenerator(device="cpu", threads=1)


@pytest.fixture
def sdsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Sdsafe, generator: DiffusersGenerator) -> Sdsafe:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def open_pipeline(settings: Settings, *, unsafe: object = None) -> Any:
        assert unsafe is None
        return fake_pipeline(settings.places, generator=generator, disclosure=settings.prompt_disclosure)

    monkeypatch.setattr(api, "open_pipeline", open_pipeline)

    return typed


def _made(sdsafe: Sdsafe, *arguments: str) -> str:
    """Run a command that makes one picture, and return the SHA-256 of its pixels before the mark."""
    code, out, err = sdsafe(*arguments, "--json", "--force")
    assert code == 0, (out, err)
    (row,) = json.loads(out)["outcomes"]
    return str(row["pixels_sha256"])


@pytest.mark.slow
def test_a_local_model_with_a_lora_is_asked_again(sdsafe: Sdsafe, tmp_path: Path, tiny_folder: Path, lora: str) -> None:
    fitted = ("--model", str(tiny_folder), "--lora", f"{lora}:0.7")
    first = _made(sdsafe, "generate", "a red house", *ASKED, *fitted, "--use", "private", "-o", "a.png")
    code, out, _ = sdsafe("inspect", "a.png", "--request")
    assert code == 0
    (tmp_path / "a.json").write_text(out)
    assert str(tiny_folder) not in out
    again = _made(sdsafe, "generate", "--config", "a.json", *fitted, "-o", "b.png")
    assert again == first
    other = (*fitted[:2], "--lora", f"{lora}:0.2", "--seed", "1")
    code, _, err = sdsafe("generate", "--config", "a.json", *other, "-o", "c.png")
    assert code == 0
    assert "seed of the command line replaces that of a.json" in err


@pytest.mark.slow
def test_an_edit_is_asked_again_with_the_very_picture(sdsafe: Sdsafe, tmp_path: Path) -> None:
    common = ("--model", "builtin:tiny", "--steps", "3")
    for name, seed in (("0.png", 1), ("9.png", 2)):
        picture = np.random.default_rng(seed).integers(0, 256, (256, 256, 3), np.uint8)
        (tmp_path / name).write_bytes(images.encode(picture))
    first = _made(sdsafe, "transform", "0.png", "a house", "--strength", "0.7", *common, "-o", "1.png")
    (tmp_path / "1.json").write_text(sdsafe("inspect", "1.png", "--request")[1])
    assert _made(sdsafe, "transform", "0.png", "--config", "1.json", "-o", "2.png") == first
    code, _, err = sdsafe("transform", "9.png", "--config", "1.json", "-o", "3.png")
    assert code == 2
    assert "not the picture that the request file names" in err
    code, _, err = sdsafe("generate", "--config", "1.json", "-o", "3.png")
    assert code == 2
    assert "a request to transform" in err


def test_a_withheld_prompt_is_never_guessed(sdsafe: Sdsafe, tmp_path: Path) -> None:
    common = ("--model", "builtin:tiny", *ASKED)
    secret = ("--prompt-disclosure", "commit")
    first = _made(sdsafe, "generate", "a red house", *common, "--seed", "4", *secret, "-o", "a.png")
    code, out, err = sdsafe("inspect", "a.png", "--request")
    assert code == 0
    assert "withholds prompt" in err
    assert "red house" not in out
    (tmp_path / "a.json").write_text(out)
    code, _, err = sdsafe("generate", "--config", "a.json", "-o", "b.png")
    assert code == 2
    assert "withholds prompt" in err
    assert not (tmp_path / "b.png").exists()
    assert _made(sdsafe, "generate", "a red house", "--config", "a.json", "-o", "b.png") == first


def test_without_a_prompt_or_a_manifest_there_is_nothing_to_ask(sdsafe: Sdsafe, tmp_path: Path) -> None:
    assert sdsafe("generate", "-o", "x.png")[0] == 2
    (tmp_path / "plain.png").write_bytes(images.encode(np.zeros((64, 64, 3), np.uint8)))
    assert sdsafe("inspect", "plain.png", "--request")[0] == 4
