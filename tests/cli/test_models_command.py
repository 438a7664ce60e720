"""``sdsafe models`` through the shell's eyes; pip is never run here."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.gates.safety import weights
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def sdsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("SDSAFE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("pip was run")

    monkeypatch.setattr(weights.subprocess, "run", forbidden)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", "models", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


def test_an_empty_cache_says_what_to_do(sdsafe: Callable[..., Any]) -> None:
    code, out, err = sdsafe("verify", "open-nsfw")
    assert (code, out) == (1, "")
    assert "sdsafe models pull open-nsfw" in err
    assert "open-nsfw\t-\tBSD-2-Clause" in sdsafe("list")[1]
    document = json.loads(sdsafe("list", "--json")[1])
    assert document["schema"] == "sdsafe.models/1"
    assert document["models"][0]["present"] is False


def test_path_prints_where_they_would_lie(sdsafe: Callable[..., Any], tmp_path: Path) -> None:
    code, out, _ = sdsafe("path", "open-nsfw")
    assert code == 0
    assert out.strip() == str(tmp_path / "cache" / "models" / "open-nsfw" / "open-nsfw.onnx")


def test_changed_weights_are_not_intact(sdsafe: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "models" / "open-nsfw"
    folder.mkdir(parents=True)
    (folder / "open-nsfw.onnx").write_bytes(b"something else")
    for command in ("verify", "pull"):
        code, _, err = sdsafe(command, "open-nsfw")
        assert code == 1
        assert "expected 864bb37bf886" in err
        assert "--force" in err


@pytest.mark.parametrize("command", ["pull", "verify", "path"])
def test_an_unknown_name_lists_the_known_ones(sdsafe: Callable[..., Any], command: str) -> None:
    code, out, err = sdsafe(command, "nope")
    assert (code, out) == (1, "")
    assert "open-nsfw" in err


def test_nothing_is_pulled_while_offline(sdsafe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSAFE_OFFLINE", "1")
    code, _, err = sdsafe("pull", "open-nsfw")
    assert code == 1
    assert "offline" in err


def test_the_digest_of_a_folder_changes_with_its_content(
    sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "m" / "config.json").write_text("{}")
    code, first, _ = sdsafe("digest", str(tmp_path / "m"))
    assert code == 0
    assert len(first.strip()) == 64
    (tmp_path / "m" / "config.json").write_text("{} ")
    assert sdsafe("digest", str(tmp_path / "m"))[1] != first


def test_a_folder_without_weights_is_refused(sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    code, _, err = sdsafe("digest", str(tmp_path / "m"))
    assert code == 1
    assert "no safetensors weights" in err
