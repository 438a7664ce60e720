"""The command line, run in this process as a person would type it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from sdsafe_cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return what runs a command and returns (exit code, standard output, standard error)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
        with pytest.raises(SystemExit) as end:
            run()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call
