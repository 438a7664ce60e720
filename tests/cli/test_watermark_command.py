"""``sdsafe watermark`` through the shell's eyes."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sdsafe.bindings.watermark.invisible import InvisibleWatermarker
from sdsafe.testing.samples import sample_picture
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def sdsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SDSAFE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Image.fromarray(sample_picture(height=300, width=320)).save(tmp_path / "plain.png")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
        with pytest.raises(SystemExit) as caught:
            run_sdsafe()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return call


def test_what_embed_writes_detect_reads(sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    code, out, _ = sdsafe(
        "watermark", "embed", "plain.png", "-o", "m.png", "--id", "0011223344556677", "--difference", "d.png", "--json"
    )
    assert code == 0
    assert json.loads(out)["id"] == "0011223344556677"
    assert json.loads(out)["psnr_db"] > 36.9
    code, out, err = sdsafe("watermark", "detect", "m.png")
    assert (code, out) == (0, "0011223344556677\n")
    assert "p-value" in err
    difference = np.array(Image.open(tmp_path / "d.png")).astype(float)
    assert abs(difference.mean() - 128) < 3
    assert difference.std() > 3


def test_the_key_that_settings_name_is_used(
    sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.key").write_bytes(bytes(range(32)))
    (tmp_path / "s.toml").write_text(f'[options.lattice]\nkey_file = "{tmp_path / "own.key"}"\n')
    monkeypatch.setenv("SDSAFE_CONFIG", str(tmp_path / "s.toml"))
    assert sdsafe("watermark", "embed", "plain.png", "-o", "m.png", "--id", "0011223344556677")[0] == 0
    assert sdsafe("watermark", "detect", "m.png")[:2] == (0, "0011223344556677\n")
    monkeypatch.delenv("SDSAFE_CONFIG")
    assert sdsafe("watermark", "detect", "m.png")[0] != 0


def test_other_marks_are_read_by_name(sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (marked,) = InvisibleWatermarker().embed([sample_picture()], [bytes(range(8))])
    Image.fromarray(marked).save(tmp_path / "theirs.png")
    code, out, err = sdsafe("watermark", "detect", "theirs.png", "--watermarker", "dwtDctSvd")
    assert (code, out) == (0, "0001020304050607\n")
    assert "p-value 2.3e-10" in err
    code, out, err = sdsafe("watermark", "detect", "theirs.png", "--watermarker", "trustmark")
    assert (code, out) == (1, "")
    assert "models pull trustmark-P" in err
    code, _, err = sdsafe("watermark", "detect", "theirs.png", "--watermarker", "nobody")
    assert (code, "trustmark" in err) == (1, True)


def test_an_unmarked_picture_is_not_shown_to_be_anything(sdsafe: Callable[..., tuple[int, str, str]]) -> None:
    assert sdsafe("watermark", "embed", "plain.png", "-o", "m.png", "--quality", "standard")[0] == 0
    code, out, err = sdsafe("watermark", "detect", "plain.png")
    assert (code, out) == (5, "")
    assert "says nothing" in err


def test_without_a_key_nothing_can_be_looked_for(sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    code, _, err = sdsafe("watermark", "detect", "plain.png")
    assert code == 1
    assert "key" in err
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("bad", ["xyz", "00", "00112233445566778899"])
def test_a_wrong_id_is_a_usage_error(sdsafe: Callable[..., tuple[int, str, str]], bad: str) -> None:
    assert sdsafe("watermark", "embed", "plain.png", "-o", "m.png", "--id", bad)[0] == 2


def test_nothing_is_overwritten_unasked(sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"mine")
    assert sdsafe("watermark", "embed", "plain.png", "-o", "m.png", "--quality", "standard")[0] == 1
    assert (tmp_path / "m.png").read_bytes() == b"mine"


def test_false_positives_are_measured_over_a_folder(sdsafe: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = sdsafe("watermark", "fpr", ".", "--keys", "2", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["readings"], found["false"]) == (2, 0)
    assert found["bound_from_messages"] < found["bound_promised"]


@pytest.mark.slow
def test_bench_draws_where_the_mark_stops(sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    code, out, _ = sdsafe("watermark", "bench", "plain.png", "-o", "curve.png", "--json")
    curves = json.loads(out)["curves"]
    assert code == 0
    assert curves["JPEG quality"][0] == [90, True]
    assert Image.open(io.BytesIO((tmp_path / "curve.png").read_bytes())).width > 300


@pytest.mark.parametrize("option", [("--id", "00" * 8), ("--model", "builtin:scenes"), ("--size", "64x64")])
def test_what_is_for_the_noise_alone_says_so(
    sdsafe: Callable[..., tuple[int, str, str]], option: tuple[str, str]
) -> None:
    code, _, err = sdsafe("watermark", "detect", "plain.png", *option)
    assert code == 2
    assert "are for --noise" in err


def test_the_noise_needs_a_key_and_a_proper_id(sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    code, _, err = sdsafe("watermark", "detect", "plain.png", "--noise")
    assert (code, "there is no watermark key on this machine" in err) == (1, True)
    assert not (tmp_path / "state" / "watermark.key").exists()
    code, _, err = sdsafe("watermark", "detect", "plain.png", "--noise", "--id", "123")
    assert (code, "16 hex digits" in err) == (2, True)


def test_a_size_that_the_model_does_not_make_is_asked_for(sdsafe: Callable[..., tuple[int, str, str]]) -> None:
    sdsafe("watermark", "embed", "plain.png", "-o", "marked.png", "--quality", "standard")  # makes the key
    code, _, err = sdsafe("watermark", "detect", "plain.png", "--noise")
    assert code == 2
    assert "nobody says at which" in err
