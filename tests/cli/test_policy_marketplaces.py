"""``sdsafe policy check`` for marketplaces, with the packs that ship."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", "policy", "check", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        return int(end.value.code or 0), capsys.readouterr().out

    return call


@pytest.mark.parametrize("how", [("--policy", "getty"), ("--use", "marketplace:getty")])
def test_getty_is_refused_with_date_and_page_before_anything_is_made(
    check: Callable[..., Any], how: tuple[str]
) -> None:
    code, out = check("a cat on a red chair", *how)
    assert code == 3
    for line in ("getty / ai-not-accepted", "since 2022-09-21", "http://gettyimages.com/workwithus"):
        assert line in out


def test_a_living_artist_is_refused_for_adobe_stock_and_noted_without_it(check: Callable[..., Any]) -> None:
    prompt = "a harbour by Gerhard Richter"
    code, out = check(prompt, "--policy", "adobe-stock")
    assert code == 3
    assert "adobe-stock / artist-living" in out
    assert "prompt, characters 13 to 28: the listed term 'Gerhard Richter'" in out
    code, out = check(prompt)
    assert code == 0
    assert out.startswith("annotate\n")
    assert "prompt, characters 13 to 28: the listed term 'Gerhard Richter'" in out


def test_a_large_harmless_picture_for_adobe_stock_is_allowed_with_its_duties(check: Callable[..., Any]) -> None:
    wanted = ("a cat on a red chair", "--size", "2048x2048", "--use", "marketplace:adobe-stock", "--json")
    code, out = check(*wanted, "--model", "Qwen/Qwen-Image")
    document = json.loads(out)
    assert (code, document["decision"]["effect"]) == (0, "annotate")
    assert {"min_megapixels", "iptc", "watermark", "sign_c2pa"} <= {
        each["code"] for each in document["decision"]["obligations"]
    }
