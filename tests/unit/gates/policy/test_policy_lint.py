"""Lint: each mistake is named once, at its place, and a pack without mistakes is clean."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.forecast import licence_facts
from sdsafe.gates.policy.lint import _VOCABULARY, Level, lint_pack
from sdsafe.gates.policy.loader import available_packs, load_policies
from sdsafe.gates.registry.licence import COMMERCIAL, VERIFIED, Outputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.gates.policy.lint import LintReport

PACK = """\
format: sdsafe.policy/1
id: house
version: 1.0.0
title: House rules
description: For tests of lint.
terms:
  - category: rain
    terms: [umbrella, raincoat]
rules:
  - id: no-rain
    stage: prompt
    when: found.rain
    effect: deny
    because: it might rain today
    citation: House, page 1
"""
CASES = """\
format: sdsafe.cases/1
cases:
  - {prompt: an umbrella, expect: deny, rule: no-rain}
  - {prompt: a sea, expect: allow}
"""
RULE = """\
  - id: other
    stage: prompt
    when: WHEN
    effect: EFFECT
    because: there has to be a reason
    citation: House, page 2
"""


@pytest.fixture
def lint(tmp_path: Path) -> Callable[..., LintReport]:
    def write(policy: str = PACK, cases: str | None = CASES, notice: str | None = "Own wording.") -> LintReport:
        folder = tmp_path / "house"
        folder.mkdir(exist_ok=True)
        (folder / "policy.yaml").write_text(policy, encoding="utf-8")
        for name, text in (("cases.yaml", cases), ("NOTICE", notice)):
            if text is not None:
                (folder / name).write_text(text, encoding="utf-8")
        return lint_pack(folder)

    return write


def codes(report: LintReport) -> list[str]:
    return [problem.code for problem in report.problems]


def rule(when: str, effect: str = "deny") -> str:
    return PACK + RULE.replace("WHEN", when).replace("EFFECT", effect)


@pytest.mark.parametrize("name", available_packs())
def test_every_shipped_pack_is_clean(name: str) -> None:
    report = lint_pack(load_policies([name]).packs[-1].folder, licences=licence_facts())
    assert [f"{each.where}: {each.code}: {each.says}" for each in report.problems if each.level is Level.WARNING] == []


def test_a_good_pack_is_clean(lint: Callable[..., LintReport]) -> None:
    report = lint()
    assert report.clean
    assert codes(report) == ["few-cases"]


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("found.rain && !found.rain", "never-fires"),
        ('use.kind == "comercial"', "never-fires"),
        ("organisation.revenue_usd < 0", "never-fires"),
        ('use.kind == "private" && use.kind == "commercial"', "never-fires"),
        ("request.width > 10 && request.width < 11", "never-fires"),
        ('"has(use.kind) || !has(use.kind)"', "always-fires"),
        ("has(request.width) && request.width > 10", "untested"),
    ],
)
def test_conditions_are_tried_out(lint: Callable[..., LintReport], when: str, code: str) -> None:
    (problem,) = (each for each in lint(rule(when)).problems if each.code == code)
    assert problem.where == "house/policy.yaml: rules[1] other"
    assert problem.line == PACK.count("\n") + 1


def test_texts_that_take_no_other_value_are_those_of_the_registry() -> None:
    assert set(COMMERCIAL) | {"unknown"} == set(_VOCABULARY["licence.commercial"])
    assert set(VERIFIED) == set(_VOCABULARY["licence.verified"])
    assert set(get_args(Outputs.model_fields["commercial"].annotation)) == set(
        _VOCABULARY["licence.outputs_commercial"]
    )


def test_what_can_be_true_is_not_reported(lint: Callable[..., LintReport]) -> None:
    for when in ("found.rain || request.width > 10", 'has(use.kind) && use.kind != "private"', '"true"'):
        assert not {"never-fires", "always-fires"} & set(codes(lint(rule(when))))


def test_a_rule_that_another_always_overrules(lint: Callable[..., LintReport]) -> None:
    assert "never-decides" in codes(lint(rule("found.rain", "annotate")))
    assert "never-decides" not in codes(lint(rule("found.rain", "annotate") + "    obligations: [{code: watermark}]\n"))


def test_allow_without_obligations_says_nothing(lint: Callable[..., LintReport]) -> None:
    assert "no-effect" in codes(lint(rule("found.rain", "allow")))


@pytest.mark.parametrize("because", ["no", "no-rain", "House rules"])
def test_a_reason_that_is_none(lint: Callable[..., LintReport], because: str) -> None:
    report = lint(PACK.replace("it might rain today", because))
    assert "thin-because" in codes(report)
    assert not report.clean


def test_missing_grounds_are_notes(lint: Callable[..., LintReport], tmp_path: Path) -> None:
    report = lint(PACK.replace("    citation: House, page 1\n", ""), notice=None)
    assert {"no-citation", "no-notice"} <= set(codes(report))
    assert report.clean


def test_missing_cases_are_not(lint: Callable[..., LintReport]) -> None:
    report = lint(cases=None)
    assert "no-cases" in codes(report)
    assert not report.clean


def test_cases_that_fail_or_show_one_side_only(lint: Callable[..., LintReport]) -> None:
    assert "case-fails" in codes(lint(cases=CASES.replace("expect: allow", "expect: review")))
    assert "one-sided-cases" in codes(lint(cases=CASES.replace("  - {prompt: a sea, expect: allow}\n", "")))


def test_terms_that_do_nothing(lint: Callable[..., LintReport]) -> None:
    twice = lint(PACK.replace("raincoat]", "Umbrella]"))
    assert "listed-twice" in codes(twice)
    swallowed = lint(PACK.replace("raincoat]", "red umbrella]"))
    (problem,) = (each for each in swallowed.problems if each.code == "swallowed")
    assert "red umbrella (in it: umbrella)" in problem.says
    assert problem.level is Level.NOTE
    unasked = lint(PACK.replace("rules:\n", "  - {category: snow, terms: [sledge]}\nrules:\n"))
    (problem,) = (each for each in unasked.problems if each.code == "nobody-asks")
    assert problem.where == "house/policy.yaml: terms[1]"


def test_a_declared_category_that_nobody_asks_for(lint: Callable[..., LintReport]) -> None:
    declared = "categories:\n  fog: {stage: output, scored: true, description: how foggy it looks}\n"
    assert "nobody-asks" in codes(lint(PACK.replace("rules:\n", declared + "rules:\n")))


def test_terms_alone_need_no_rules(lint: Callable[..., LintReport]) -> None:
    report = lint(PACK.split("rules:", maxsplit=1)[0], cases=None)
    assert "nobody-asks" not in codes(report)


def test_what_does_not_load_is_an_error(lint: Callable[..., LintReport], tmp_path: Path) -> None:
    with pytest.raises(PolicyFormatError, match=r"house/policy\.yaml: rules\[0\]"):
        lint(PACK.replace("found.rain", "found.ran"))
    with pytest.raises(ConfigurationError):
        lint_pack(tmp_path / "absent")


def test_a_single_file_has_no_place_for_cases(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text(PACK, encoding="utf-8")
    report = lint_pack(tmp_path / "house.yaml")
    assert codes(report) == ["no-folder"]
    assert report.problems[0].where == "house.yaml"
