"""``sdsafe policy lint``, ``explain`` and ``diff`` through the shell's eyes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from sdsafe_cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., tuple[int, str, str]]

PACK = """\
format: sdsafe.policy/1
id: house
version: 1.0.0
title: House rules
description: Sends umbrellas to a person.
terms:
  - {category: rain, terms: [umbrella]}
rules:
  - {id: no-rain, stage: prompt, when: found.rain, effect: review, because: it might rain, citation: "House, page 3"}
"""
CASES = """\
format: sdsafe.cases/1
cases:
  - {prompt: umbrella, expect: review}
  - {prompt: a sea, expect: allow}
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "packs" / "house"
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(PACK, encoding="utf-8")
    (folder / "cases.yaml").write_text(CASES, encoding="utf-8")
    (folder / "NOTICE").write_text("Own wording.", encoding="utf-8")
    return folder


@pytest.fixture
def policy(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    config = tmp_path / "settings.toml"
    config.write_text(f'policy_folders = ["{pack.parent}"]\n', encoding="utf-8")
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SDSAFE_CONFIG", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", "policy", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


class TestLint:
    def test_a_clean_pack_exits_0_and_notes_count_when_asked(self, policy: Command, pack: Path) -> None:
        code, out, _ = policy("lint", pack)
        assert code == 0
        assert out.splitlines()[-1] == "house 1.0.0: no warnings, 1 note"
        assert policy("lint", pack, "--strict")[0] == 1
        assert policy("lint", "house")[1] == out

    def test_a_warning_exits_1_and_stands_at_its_line(self, policy: Command, pack: Path) -> None:
        (pack / "policy.yaml").write_text(PACK.replace("found.rain,", "found.rain && !found.rain,"), encoding="utf-8")
        code, out, _ = policy("lint", pack)
        assert code == 1
        assert (
            "house/policy.yaml: rules[0] no-rain (line 9): warning never-fires: nothing makes what it asks true" in out
        )
        document = json.loads(policy("lint", pack, "--json")[1])
        assert document["schema"] == "sdsafe.policy-lint/1"
        (result,) = document["results"]
        assert {"never-fires", "case-fails"} <= {problem["code"] for problem in result["problems"]}
        assert result["problems"][0]["level"] == "warning"

    def test_what_does_not_load_is_an_error(self, policy: Command, pack: Path) -> None:
        (pack / "policy.yaml").write_text(PACK.replace("found.rain,", "found.rian,"), encoding="utf-8")
        code, out, err = policy("lint", pack)
        assert (code, out) == (1, "")
        assert "house/policy.yaml: rules[0].when" in err
        assert "found.rain" in err
        assert policy("lint", pack.parent / "absent")[0] == 1


class TestExplain:
    def test_every_pack_is_searched(self, policy: Command) -> None:
        code, out, _ = policy("explain", "no-rain")
        assert code == 0
        lines = out.splitlines()
        assert lines[0] == "house / no-rain"
        assert "  source   House, page 3" in lines
        assert any("found.rain: whether a term of rain stands in the texts" in line for line in lines)

    def test_the_packs_that_judge_come_first(self, policy: Command) -> None:
        code, out, _ = policy("explain", "baseline.marked-and-signed")
        assert code == 0
        assert any("request.task: what is to be done" in line for line in out.splitlines())
        assert "obliges  watermark: the invisible mark reads back from the finished file" in out

    def test_an_unknown_rule_is_a_usage_error(self, policy: Command) -> None:
        code, _, err = policy("explain", "no-rian")
        assert code == 2
        assert "Did you mean house.no-rain?" in err

    def test_json(self, policy: Command) -> None:
        document = json.loads(policy("explain", "house.no-rain", "--json")[1])
        assert document["schema"] == "sdsafe.policy-explain/1"
        assert document["rules"][0]["reads"][0]["name"] == "found.rain"


class TestDiff:
    @pytest.fixture
    def prompts(self, tmp_path: Path) -> Path:
        path = tmp_path / "prompts.txt"
        path.write_text("a sea\nan umbrella\na fake passport \x1b[31m\n", encoding="utf-8")
        return path

    def test_what_changes_is_told_with_line_and_rules(self, policy: Command, prompts: Path) -> None:
        code, out, _ = policy("diff", "baseline", "baseline,house", "--prompts", prompts)
        assert code == 0
        assert out == (
            "1 of 3 decisions differ\n  allow -> review: 1\n\nline 2: allow -> review: an umbrella\n  + house.no-rain\n"
        )
        assert policy("diff", "baseline", "baseline,house", "--prompts", prompts, "--exit-code")[0] == 1
        assert policy("diff", "house", "house", "--prompts", prompts, "--exit-code")[0] == 0

    def test_what_a_terminal_would_act_on_is_spelled_out(self, policy: Command, prompts: Path) -> None:
        out = policy("diff", "house", "baseline", "--prompts", prompts)[1]
        assert "\x1b" not in out
        assert "\\x1b" in out

    def test_json_holds_no_prompt(self, policy: Command, prompts: Path) -> None:
        document = json.loads(policy("diff", "baseline", "baseline,house", "--prompts", prompts, "--json")[1])
        assert document["schema"] == "sdsafe.policy-diff/1"
        assert document["prompts"] == 3
        (changed,) = document["changed"]
        assert (changed["line"], changed["before"], changed["after"]) == (2, "allow", "review")
        assert "umbrella" not in json.dumps(document)

    def test_an_empty_file_is_a_usage_error(self, policy: Command, tmp_path: Path) -> None:
        (tmp_path / "none.txt").write_text("\n", encoding="utf-8")
        code, _, err = policy("diff", "house", "baseline", "--prompts", tmp_path / "none.txt")
        assert code == 2
        assert "holds no prompt" in err
