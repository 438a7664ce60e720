"""``sdsafe policy`` through the shell's eyes."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACK = """\
format: sdsafe.policy/1
id: house
version: 1.0.0
title: House rules
description: Sends umbrellas to a person.
terms:
  - {category: rain, terms: [umbrella]}
rules:
  - {id: no-rain, stage: prompt, when: found.rain, effect: review, because: it might rain, citation: "House, page 3",
     since: 2024-05-01, sources: ["https://example.org/rain"]}
"""


@pytest.fixture
def sdsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    folder = tmp_path / "packs" / "house"
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(PACK, encoding="utf-8")
    (folder / "cases.yaml").write_text(
        "format: sdsafe.cases/1\ncases:\n  - {prompt: umbrella, expect: review, rule: no-rain, marks: umbrella}\n"
        "  - {prompt: a sea, expect: allow}\n",
        encoding="utf-8",
    )
    config = tmp_path / "settings.toml"
    config.write_text(f'policy_folders = ["{tmp_path / "packs"}"]\n', encoding="utf-8")
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SDSAFE_CONFIG", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", "policy", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


def test_an_ordinary_prompt_is_allowed(sdsafe: Callable[..., Any]) -> None:
    code, out, _ = sdsafe("check", "a red house on green hills")
    assert code == 0
    assert out.startswith("allow\n")
    assert "baseline 1.1.0" in out


def test_a_refusal_names_rule_and_characters(sdsafe: Callable[..., Any]) -> None:
    code, out, _ = sdsafe("check", "scan of a f4ke passport")
    assert code == 3
    lines = out.splitlines()
    assert lines[0] == "deny"
    assert "  deny  baseline / forged-documents\n" in out
    assert "prompt, characters 10 to 23" in out
    at = next(i for i, line in enumerate(lines) if set(line.strip()) == {"^"})
    start, end = lines[at].index("^"), lines[at].rindex("^") + 1
    assert lines[at - 1][start:end] == "f4ke passport"


def test_an_annotation_is_shown_and_passes(sdsafe: Callable[..., Any]) -> None:
    code, out, _ = sdsafe("check", "a garden", "--negative-prompt", "nsfw")
    assert code == 0
    assert out.startswith("annotate\n")
    assert "negative_prompt, characters 0 to 4" in out


def test_review_is_not_a_permission(sdsafe: Callable[..., Any]) -> None:
    code, out, _ = sdsafe("check", "an umbrella", "--policy", "house")
    assert code == 3
    assert out.startswith("review\n")
    assert "House, page 3\n          since 2024-05-01\n          https://example.org/rain\n" in out
    assert "house 1.0.0" in out


def test_a_flag_adds_packs_and_never_drops_one(sdsafe: Callable[..., Any]) -> None:
    code, _, _ = sdsafe("check", "fake passport", "--policy", "house")
    assert code == 3


def test_what_a_terminal_would_act_on_is_spelled_out(sdsafe: Callable[..., Any]) -> None:
    _, out, _ = sdsafe("check", "fa\u200bke passport \u202e \x1b[31m")
    assert "fa\\u200bke passport" in out
    assert "\u202e" not in out
    assert "\x1b" not in out


def test_json_is_versioned_and_complete(sdsafe: Callable[..., Any]) -> None:
    code, out, err = sdsafe("check", "fake passport", "--json")
    assert (code, err) == (3, "")
    document = json.loads(out)
    assert document["schema"] == "sdsafe.policy-check/2"
    assert document["decision"]["effect"] == "deny"
    assert document["decision"]["fired"][0]["rule"] == "forged-documents"
    assert document["checks"][0]["findings"][0]["span"] == {"field": "prompt", "start": 0, "end": 13}


def test_a_long_prompt_comes_from_standard_input_and_is_refused(
    sdsafe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("x" * 1_000_000))
    code, out, _ = sdsafe("check", "-")
    assert code == 3
    assert "200,000 characters" in out
    monkeypatch.setattr(sys, "stdin", io.StringIO("a sea\n"))
    assert sdsafe("check", "-")[0] == 0


def test_an_unknown_or_broken_pack_is_a_fault(sdsafe: Callable[..., Any], tmp_path: Path) -> None:
    code, out, err = sdsafe("check", "a sea", "--policy", "nope")
    assert (code, out) == (1, "")
    assert "no policy pack 'nope'" in err
    (tmp_path / "packs" / "house" / "policy.yaml").write_text(PACK.replace("effect", "efect"), encoding="utf-8")
    code, _, err = sdsafe("check", "a sea", "--policy", "house")
    assert code == 1
    assert "house/policy.yaml: rules[0].efect" in err
    assert "Did you mean effect?" in err
    assert str(tmp_path) not in err


def test_list_shows_what_judges(sdsafe: Callable[..., Any]) -> None:
    code, out, _ = sdsafe("list")
    assert code == 0
    assert "baseline\t1.1.0\tyes" in out
    assert "house\t1.0.0\t-\t1\tHouse rules" in out
    document = json.loads(sdsafe("list", "--json")[1])
    assert {each["id"]: each["chosen"] for each in document["policies"]}.items() >= {
        "baseline": True,
        "house": False,
    }.items()


def test_cases_are_run_and_a_failure_is_told(sdsafe: Callable[..., Any], tmp_path: Path) -> None:
    code, out, _ = sdsafe("test")
    assert code == 0
    assert "house: 2 of 2 cases hold" in out
    assert "baseline:" in out
    cases = tmp_path / "packs" / "house" / "cases.yaml"
    cases.write_text(cases.read_text(encoding="utf-8").replace("expect: allow", "expect: deny"), encoding="utf-8")
    code, out, err = sdsafe("test", "house")
    assert code == 1
    assert "house: 1 of 2 cases hold" in out
    assert "cases[1]: expected deny, found allow" in err
    document = json.loads(sdsafe("test", "house", "--json")[1])
    assert document["results"] == [
        {"policy": "house", "cases": 2, "failed": [{"index": 1, "problem": "expected deny, found allow by no rule"}]}
    ]


STOCK = """\
format: sdsafe.policy/1
id: stock-x
version: 1.0.0
title: A stock
description: Takes no generated pictures, and no living artists.
terms_from: [artist_living]
rules:
  - id: no-generated-pictures
    stage: export
    when: use.kind == "marketplace" && use.marketplace == "stock-x"
    effect: deny
    because: this stock takes no generated pictures
    since: 2022-09-21
    sources: [https://example.org/stock]
  - {id: artist, stage: prompt, when: found.artist_living, effect: deny, because: a living artist is named}
"""


def test_a_declared_marketplace_brings_its_pack_and_its_export_rules(
    sdsafe: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "packs" / "stock-x"
    folder.mkdir()
    (folder / "policy.yaml").write_text(STOCK, encoding="utf-8")
    prompt = "a harbour in the style of Gerhard Richter"
    code, out, _ = sdsafe("check", prompt, "--use", "private")
    assert code == 0
    assert out.startswith("annotate\n")
    code, out, _ = sdsafe("check", prompt, "--use", "marketplace:stock-x")
    assert code == 3
    for line in (
        "stock-x / no-generated-pictures",
        "since 2022-09-21",
        "https://example.org/stock",
        "stock-x / artist",
        "prompt, characters 26 to 41: the listed term 'Gerhard Richter'",
    ):
        assert line in out
    assert sdsafe("check", prompt, "--use", "marketplace:nowhere")[0] == 1
    assert sdsafe("check", prompt, "--use", "comercial")[0] == 2


def test_facts_about_model_and_organisation_count(sdsafe: Callable[..., Any]) -> None:
    code, out, _ = sdsafe("check", "a sea", "--use", "commercial", "--model", "black-forest-labs/FLUX.1-dev")
    assert code == 3
    assert "licences / licence.commercial" in out
    assert "4(a)(i)" in out
    large = ("check", "a sea", "--use", "commercial", "--model", "stabilityai/stable-diffusion-3.5-large", "--json")
    effects = [
        json.loads(sdsafe(*large, "--revenue", amount)[1])["decision"]["effect"] for amount in ("1e6", "1000001")
    ]
    assert effects == ["review", "deny"]
