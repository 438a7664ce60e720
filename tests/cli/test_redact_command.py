"""The prompt of a released file is taken out on the command line, where the private record is, and elsewhere."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.testing.pipeline import signed_png
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = "a zebrafinch on green hills"


@pytest.fixture
def sdsafe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    (tmp_path / "a.png").write_bytes(signed_png(tmp_path / "state", prompt=PROMPT))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err

    return run


def test_the_prompt_is_gone_and_can_still_be_proven(sdsafe: Any, tmp_path: Path) -> None:
    code, out, err = sdsafe("redact", "a.png", "-o", "b.png", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["schema"], document["log_index"]) == ("sdsafe.redact/1", 1)
    assert b"zebrafinch" in (tmp_path / "a.png").read_bytes()
    assert b"zebrafinch" not in (tmp_path / "b.png").read_bytes()
    root = str(tmp_path / "state" / "keys" / "root.pem")
    for name in ("a.png", "b.png"):
        code, out, _ = sdsafe("verify", name, "--trust", root, "--json")
        report = json.loads(out)
        assert (code, report["verdict"], report["states"]["ledger"]) == (0, "trusted", "included")
    assert sdsafe("disclose", "b.png", "-o", "opened.json")[0] == 0
    assert PROMPT in sdsafe("disclose", "b.png", "--check", "opened.json")[1]
    assert "redacted: c2pa.embedded-data" in sdsafe("inspect", "b.png", "--tree")[1]


def test_where_there_is_no_record_nothing_can_be_proven(sdsafe: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "elsewhere"))
    code, _, err = sdsafe("redact", "a.png", "-o", "b.png", "--signer", f"file:{tmp_path / 'state' / 'keys'}")
    assert code == 0, err
    assert b"zebrafinch" not in (tmp_path / "b.png").read_bytes()
    assert not (tmp_path / "elsewhere").exists()
    code, _, err = sdsafe("disclose", "b.png")
    assert code == 1
    assert "there is no private record" in err


def test_what_exists_is_not_overwritten_and_what_is_done_is_done(sdsafe: Any, tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"mine")
    code, _, err = sdsafe("redact", "a.png", "-o", "b.png")
    assert code == 1
    assert "--force" in err
    assert (tmp_path / "b.png").read_bytes() == b"mine"
    assert sdsafe("redact", "a.png", "-o", "b.png", "--force")[0] == 0
    code, _, err = sdsafe("redact", "b.png", "-o", "c.png")
    assert code == 1
    assert "no manifest of this file shows a prompt" in err
    assert not (tmp_path / "c.png").exists()
