"""``sdsafe safety`` over pictures whose label is their brightness, judged by a small network with random weights."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def sdsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    from sdsafe.gates.pinned import folder_digest

    torch.manual_seed(0)
    network = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=8,
        initializer_range=1.0, id2label={0: "no", 1: "yes"}, label2id={"no": 0, "yes": 1},
    )  # fmt: skip
    folder = tmp_path / "network"
    ViTForImageClassification(network).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f"[options.transformers]\npath = '{folder}'\nsha256 = '{folder_digest(folder)}'\nlabels = {{yes = 'bright'}}\n"
    )
    monkeypatch.setenv("SDSAFE_CONFIG", str(settings))
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "home"))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", "safety", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "labelled"
    rng = np.random.default_rng(0)
    for label, middle in (("positive", 200), ("negative", 60)):
        (folder / label).mkdir(parents=True)
        for index in range(24):
            pixels = np.clip(rng.normal(middle, 25, (24, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{index}.png")
    return folder


ADDED = ("--check", "transformers", "--category", "bright")


def test_a_threshold_is_found_and_can_be_loaded(
    sdsafe: Callable[..., tuple[int, str, str]], pictures: Path, tmp_path: Path
) -> None:
    from sdsafe.core import thresholds

    target, plot = tmp_path / "t.json", tmp_path / "curve.png"
    code, out, _ = sdsafe("calibrate", str(pictures), *ADDED, "-o", str(target), "--plot", str(plot), "--json")
    assert code == 0
    found = json.loads(out)
    assert found["measured"]["found"] >= 23  # 0.95 of 24
    assert len(found["pictures"]["positive"]) == 24
    assert thresholds.parse(target.read_bytes(), "t.json").values["bright"] == found["threshold"]
    with Image.open(plot) as drawn:
        assert drawn.size[0] > 400
    assert sdsafe("calibrate", str(pictures), *ADDED, "-o", str(target))[0] == 1  # it exists
    assert sdsafe("calibrate", str(pictures), *ADDED, "-o", str(target), "--force")[0] == 0


def test_scores_are_printed(sdsafe: Callable[..., tuple[int, str, str]], pictures: Path) -> None:
    code, out, _ = sdsafe("score", str(pictures / "positive" / "0.png"), "--check", "transformers", "--json")
    assert code == 0
    (picture,) = json.loads(out)["pictures"]
    assert 0 <= picture["scores"]["bright"] <= 1


def test_a_category_that_the_check_does_not_report_is_a_mistake(
    sdsafe: Callable[..., tuple[int, str, str]], pictures: Path, tmp_path: Path
) -> None:
    code, _, err = sdsafe("calibrate", str(pictures), "--check", "transformers", "-o", str(tmp_path / "t.json"))
    assert code == 2
    assert "reports bright, not nudity" in err
    assert not (tmp_path / "t.json").exists()


def test_empty_folders_are_too_few(sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    code, _, err = sdsafe("calibrate", str(tmp_path / "none"), *ADDED, "-o", str(tmp_path / "t.json"))
    assert code == 1
    assert "too few" in err
