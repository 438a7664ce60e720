"""The hard layer through the shell's eyes, with words without meaning."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOTH = "__age_test__ quokka __sexual_test__"


@pytest.fixture
def sdsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out + captured.err

    return call


@pytest.mark.parametrize("flags", [(), ("--json",), ("--negative-prompt", "fog")])
def test_policy_check_refuses_before_any_pack(sdsafe: Callable[..., tuple[int, str]], flags: tuple[str, ...]) -> None:
    code, said = sdsafe("policy", "check", BOTH, *flags)
    assert code == 3
    assert "hard.minor_sexual" in said
    assert "quokka" not in said


def test_generate_refuses_with_an_incident_and_writes_nothing(
    sdsafe: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert sdsafe("keys", "init")[0] == 0
    picture = tmp_path / "picture.png"
    code, said = sdsafe(
        "generate", BOTH, "-o", str(picture), "--model", "builtin:tiny", "--use", "private", "--unsafe-unchecked"
    )
    assert code == 3
    assert "hard.minor_sexual" in said
    assert "incident 20" in said
    assert "quokka" not in said
    assert not picture.exists()
    assert (tmp_path / "state" / "incidents" / "incidents.sqlite").exists()
