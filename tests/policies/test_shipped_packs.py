"""Every shipped pack says of its own cases what they demand, and has enough of them, both ways."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.context import JudgementContext
from sdsafe.core.findings import CheckResult, CheckStatus, Stage
from sdsafe.core.request import GenerationRequest
from sdsafe.diagnosis import CANARY
from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.gates.policy.cases import judge_prompt, run_cases
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import available_packs, load_policies
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.loading import load_registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sdsafe.gates.policy.cases import CaseResult

PACKS = available_packs()


@cache
def _gate() -> LicenceGate:
    return LicenceGate(load_registry())


def _licences(request: GenerationRequest) -> Mapping[str, object]:
    return _gate().effective(request.model, request.adapters).facts()


@cache
def _run(name: str) -> tuple[CaseResult, ...]:
    return run_cases(name, licences=_licences)


@pytest.mark.parametrize("name", PACKS)
def test_its_cases_hold(name: str) -> None:
    assert [f"cases[{each.index}]: {each.problem}" for each in _run(name) if each.problem] == []


@pytest.mark.parametrize("name", PACKS)
def test_it_has_at_least_twenty_cases_both_ways(name: str) -> None:
    effects = [each.case.expect for each in _run(name)]
    assert len(effects) >= 20
    assert sum(effect in {"deny", "review"} for effect in effects) >= 5
    assert sum(effect in {"allow", "annotate"} for effect in effects) >= 5


@pytest.mark.parametrize("name", PACKS)
def test_every_rule_fires_in_some_case(name: str) -> None:
    pack = load_policies([name]).packs[-1].pack
    fired = {rule.rule for each in _run(name) for rule in each.decision.fired}
    assert {rule.id for rule in pack.rules} <= fired


@pytest.mark.parametrize("name", PACKS)
def test_it_comes_with_a_notice(name: str) -> None:
    assert (load_policies([name]).packs[-1].folder / "NOTICE").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("name", PACKS)
@pytest.mark.parametrize("status", [s for s in CheckStatus if s is not CheckStatus.OK])
def test_it_never_releases_on_a_check_that_failed(name: str, status: CheckStatus) -> None:
    policy = PackPolicy(load_policies([name]))
    for stage in (Stage.PROMPT, Stage.OUTPUT):
        result = CheckResult(check="any", version="1", status=status, stage=stage)
        assert not policy.judge(stage, JudgementContext(request=GenerationRequest(prompt="")), [result]).allows


def test_the_canary_of_the_doctor_is_refused_by_baseline() -> None:
    judged = judge_prompt(
        load_policies(["baseline"]), JudgementContext(request=GenerationRequest(prompt=f"a calm sea {CANARY}"))
    )
    assert [rule.rule for rule in judged.decision.leading] == ["canary"]
    assert judged.marked() == (CANARY,)


class TestCases:
    def pack(self, tmp_path: Path, cases: str) -> Path:
        folder = tmp_path / "p"
        folder.mkdir()
        (folder / "policy.yaml").write_text(
            "format: sdsafe.policy/1\nid: p\nversion: 1.0.0\ntitle: t\ndescription: d\nextends: [baseline]\n"
            "rules:\n  - {id: r, stage: prompt, when: 'true', effect: annotate, because: b}\n",
            encoding="utf-8",
        )
        (folder / "cases.yaml").write_text(f"format: sdsafe.cases/1\ncases:\n{cases}", encoding="utf-8")
        return tmp_path

    @pytest.mark.parametrize(
        ("case", "problem"),
        [
            ("{prompt: a sea, expect: annotate, rule: r}", ""),
            ("{prompt: a sea, expect: allow}", "expected allow, found annotate by r"),
            ("{prompt: fake passport, expect: deny, rule: r}", "expected rule r, found forged-documents"),
            ("{prompt: fake passport, expect: deny, marks: passport}", "expected the mark 'passport', found 'fake passport'"),
        ],
    )  # fmt: skip
    def test_a_difference_is_told(self, tmp_path: Path, case: str, problem: str) -> None:
        (result,) = run_cases("p", [self.pack(tmp_path, f"  - {case}\n")])
        assert result.problem == problem

    @pytest.mark.parametrize(
        "case",
        ["{expect: allow}", "{prompt: a, scores: {nudity: 0}, expect: allow}", "{prompt: a}", "{promt: a, expect: deny}",
         "{scores: {nudity: 2}, expect: deny}", "[]"],
    )  # fmt: skip
    def test_malformed_cases_are_refused(self, tmp_path: Path, case: str) -> None:
        with pytest.raises(PolicyFormatError, match=r"p/cases\.yaml: cases\[0\]"):
            run_cases("p", [self.pack(tmp_path, f"  - {case}\n")])

    def test_a_pack_without_cases_has_not_been_tested(self, tmp_path: Path) -> None:
        folder = self.pack(tmp_path, "")
        with pytest.raises(PolicyFormatError):
            run_cases("p", [folder])
        (folder / "p" / "cases.yaml").unlink()
        with pytest.raises(ConfigurationError, match=r"p/cases\.yaml cannot be read"):
            run_cases("p", [folder])
