"""Filling a slot: whose checks run in a process of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe import plugins
from sdsafe.api import slots
from sdsafe.gates.isolation import IsolatedCheck
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("name", "builtin", "isolated"), [("open-nsfw", True, False), ("open-nsfw", False, True)])
def test_a_check_of_somebody_else_runs_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, builtin: bool, isolated: bool
) -> None:
    (info,) = [each for each in plugins.installed("sdsafe.output_checks") if each.name == name]
    monkeypatch.setattr(plugins, "installed", lambda _group: iter([replace(info, builtin=builtin)]))
    settings = Settings.load({"SDSAFE_HOME": str(tmp_path), "HOME": str(tmp_path)})
    check = slots.check("output_checks", name, settings)
    assert isinstance(check, IsolatedCheck) is isolated
    if isolated:
        with check:
            assert (check.name, check.version.partition("+")[0]) == ("open-nsfw", "2")


def test_a_judge_behind_an_endpoint_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    settings = Settings.load({"SDSAFE_HOME": str(tmp_path), "HOME": str(tmp_path)})
    with slots.check("output_checks", "vlm-judge", settings) as check:
        assert isinstance(check, IsolatedCheck)
        assert check.version == "unknown"  # its options are missing; the first answer will say so
