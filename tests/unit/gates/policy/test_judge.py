from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe.core.context import JudgementContext
from sdsafe.core.decisions import Decision, Effect, Obligation
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Span, Stage
from sdsafe.core.request import GenerationRequest
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import LoadedPolicies, load_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTEXT = JudgementContext(request=GenerationRequest(prompt="x"))

PACK = """\
format: sdsafe.policy/1
id: NAME
version: 1.0.0
title: t
description: d
categories:
  gore: {stage: output, scored: true, description: scored by a plug-in}
  logo: {stage: output, scored: false, check: logos, description: reported by a plug-in}
terms:
  - {category: rain, terms: [umbrella]}
  - {category: snow, terms: [sledge]}
rules:
RULES
"""


@pytest.fixture
def judge(write_pack: Callable[..., Path]) -> Callable[..., Decision]:
    """Judge findings by one rule, given as YAML, or by several."""

    def run(
        stage: Stage, findings: list[Finding], *rules: str, check: str | None = None, **changes: object
    ) -> Decision:
        loaded = _loaded(write_pack, *rules)
        name = check or ("lexicon" if stage is Stage.PROMPT else "classifier")
        version = loaded.lexicon_version if name == "lexicon" else "1"
        result = _result(name, stage, findings, **{"version": version, **changes})
        return PackPolicy(loaded).judge(stage, CONTEXT, [result])

    return run


def _loaded(write_pack: Callable[..., Path], *rules: str) -> LoadedPolicies:
    lines = "\n".join(f"  - {{id: r{i}, because: b, {rule}}}" for i, rule in enumerate(rules))
    return load_policies(["p"], [write_pack("p", PACK.replace("RULES", lines))])


def _result(check: str, stage: Stage, findings: list[Finding], **changes: object) -> CheckResult:
    values = {"version": "1", "status": CheckStatus.OK, **changes}
    return CheckResult(check=check, stage=stage, findings=tuple(findings), **values)  # type: ignore[arg-type]


def _finding(category: str | None, score: float | None = None, field: str | None = None) -> Finding:
    return Finding(
        code="test",
        severity=Severity.INFORMATIONAL,
        stage=Stage.PROMPT,
        source="test",
        source_version="1",
        category=category,
        score=score,
        span=Span(field=field, start=0, end=1) if field else None,
    )


def _fired(decision: Decision) -> list[tuple[str, str]]:
    return [(rule.rule, rule.effect.label) for rule in decision.fired]


DENY_RAIN = "stage: prompt, when: found.rain, effect: deny"
ANNOTATE_SNOW = "stage: prompt, when: found.snow, effect: annotate"


class TestRules:
    def test_nothing_found_is_allowed_when_somebody_looked(self, judge: Callable[..., Decision]) -> None:
        decision = judge(Stage.PROMPT, [], DENY_RAIN)
        assert decision.effect is Effect.ALLOW
        assert (decision.fired, decision.errors) == ((), ())

    def test_every_rule_is_evaluated_and_the_most_severe_wins(self, judge: Callable[..., Decision]) -> None:
        findings = [_finding("snow"), _finding("rain"), _finding("snow")]
        decision = judge(Stage.PROMPT, findings, DENY_RAIN, ANNOTATE_SNOW)
        assert decision.effect is Effect.DENY
        assert _fired(decision) == [("r0", "deny"), ("r1", "annotate")]
        assert [rule.findings for rule in decision.fired] == [(1,), (0, 2)]
        assert {rule.policy for rule in decision.fired} == {"p"}

    def test_indices_run_over_all_results(self, write_pack: Callable[..., Path]) -> None:
        loaded = _loaded(write_pack, DENY_RAIN)
        results = [
            _result("other", Stage.PROMPT, [_finding("x"), _finding(None)]),
            _result("lexicon", Stage.PROMPT, [_finding("rain")], version=loaded.lexicon_version),
        ]
        assert PackPolicy(loaded).judge(Stage.PROMPT, CONTEXT, results).fired[0].findings == (2,)

    def test_rules_of_other_stages_do_not_count(self, judge: Callable[..., Decision]) -> None:
        always = "stage: output, when: 'true', effect: deny"
        assert judge(Stage.PROMPT, [], always, DENY_RAIN).effect is Effect.ALLOW

    def test_obligations_of_fired_rules_unite(self, judge: Callable[..., Decision]) -> None:
        mark = "stage: output, when: 'true', effect: allow, obligations: [{code: watermark}]"
        both = "stage: output, when: 'true', effect: allow, obligations: [{code: sign_c2pa}, {code: watermark}]"
        never = "stage: output, when: score.gore >= 1.0, effect: allow, obligations: [{code: sign_c2pa}]"
        decision = judge(Stage.OUTPUT, [_finding("gore", 0.1)], mark, never)
        assert decision.obligations == (Obligation(code="watermark"),)
        decision = judge(Stage.OUTPUT, [_finding("gore", 0.1)], mark, both)
        assert [o.code for o in decision.obligations] == ["watermark", "sign_c2pa"]

    def test_the_refs_are_in_the_decision(self, judge: Callable[..., Decision]) -> None:
        (ref,) = judge(Stage.PROMPT, [], DENY_RAIN).policy
        assert (ref.id, len(ref.digest)) == ("p", 64)


class TestScores:
    RULE = "stage: output, when: score.gore >= 0.5, effect: review, on_error: deny"

    @pytest.mark.parametrize(("score", "effect"), [(0.0, "allow"), (0.4999, "allow"), (0.5, "review"), (1, "review")])
    def test_thresholds_are_inclusive(self, judge: Callable[..., Decision], score: float, effect: str) -> None:
        assert judge(Stage.OUTPUT, [_finding("gore", score)], self.RULE).effect.label == effect

    @pytest.mark.parametrize("score", [None, float("nan"), float("inf"), -0.1, 1.1, "high"])
    def test_what_is_not_a_score_is_unknown(self, judge: Callable[..., Decision], score: object) -> None:
        decision = judge(Stage.OUTPUT, [_finding("gore", score)], self.RULE)  # type: ignore[arg-type]
        assert decision.effect is Effect.DENY
        assert decision.errors == ("p.r0: no check measured gore",)

    def test_what_nobody_measured_is_unknown(self, judge: Callable[..., Decision]) -> None:
        decision = judge(Stage.OUTPUT, [_finding("cats", 0.0)], self.RULE)
        assert decision.effect is Effect.DENY
        assert decision.errors == ("p.r0: no check measured gore",)
        assert decision.fired[0].because == "cannot be evaluated: no check measured gore"

    def test_one_broken_score_makes_the_category_unknown(self, judge: Callable[..., Decision]) -> None:
        """The number that is none may be the one that mattered: the high one beside it decides nothing."""
        for findings in ([None, 0.9], [0.9, float("nan")], [0.1, None]):
            decision = judge(Stage.OUTPUT, [_finding("gore", score) for score in findings], self.RULE)
            assert _fired(decision) == [("r0", "deny")]
            assert decision.errors

    def test_the_highest_score_counts_and_is_what_the_rule_rests_on(self, judge: Callable[..., Decision]) -> None:
        findings = [_finding("gore", 0.1), _finding("gore", 0.9), _finding("cats", 1.0), _finding("gore", 0.6)]
        decision = judge(Stage.OUTPUT, findings, self.RULE)
        assert _fired(decision) == [("r0", "review")]
        assert decision.fired[0].findings == (1,)


class TestUnknown:
    @pytest.mark.parametrize(("on_error", "effect"), [("deny", "deny"), ("review", "review")])
    def test_a_rule_takes_its_on_error(self, judge: Callable[..., Decision], on_error: str, effect: str) -> None:
        rule = f"stage: output, when: score.gore >= 0.5, effect: annotate, on_error: {on_error}"
        decision = judge(Stage.OUTPUT, [_finding("cats", 0.1)], rule)
        assert decision.effect.label == effect

    def test_apply_brings_effect_and_obligations(self, judge: Callable[..., Decision]) -> None:
        rule = (
            "stage: output, when: score.gore >= 0.5, effect: annotate, on_error: apply,"
            " obligations: [{code: watermark}]"
        )
        decision = judge(Stage.OUTPUT, [_finding("cats", 0.1)], rule)
        assert (decision.effect, decision.obligations) == (Effect.ANNOTATE, (Obligation(code="watermark"),))

    @pytest.mark.parametrize("found", ["rain", "obfuscation"])
    def test_terms_that_nobody_looked_for(self, judge: Callable[..., Decision], found: str) -> None:
        rule = f"stage: prompt, when: found.{found}, effect: annotate"
        assert judge(Stage.PROMPT, [], rule, check="another").effect is Effect.DENY

    def test_a_lexicon_made_from_other_packs_did_not_look(self, judge: Callable[..., Decision]) -> None:
        assert judge(Stage.PROMPT, [], DENY_RAIN, version="1+unicode+000").effect is Effect.DENY

    def test_silence_of_a_plug_in_counts_only_when_it_ran(self, judge: Callable[..., Decision]) -> None:
        rule = "stage: output, when: found.logo, effect: review"
        seen = [_finding("cats", 0.5)]
        assert judge(Stage.OUTPUT, seen, rule, check="logos").effect is Effect.ALLOW
        assert judge(Stage.OUTPUT, seen, rule, check="classifier").effect is Effect.DENY

    @pytest.mark.parametrize(
        ("when", "effect"),
        [
            ("found.rain || score.gore >= 0.5", "annotate"),  # true or unknown
            ("found.snow || score.gore >= 0.5", "deny"),  # false or unknown
            ("found.snow && score.gore >= 0.5", "allow"),  # false and unknown
            ("found.rain && score.gore >= 0.5", "deny"),  # true and unknown
            ("!(score.gore >= 0.5)", "deny"),
            ("!found.snow", "annotate"),
            ("!!found.snow", "allow"),
            ("found.rain && !found.snow", "annotate"),
            ("found.snow || true", "annotate"),
            ("score.gore >= 0.5 || found.rain", "annotate"),  # the same with the unknown first
            ("score.gore >= 0.5 || found.snow", "deny"),
            ("score.gore >= 0.5 && found.snow", "allow"),
            ("score.gore >= 0.5 && found.rain", "deny"),
            ("score.gore >= 0.5 ? true : true", "deny"),  # a choice between answers, but the question is unknown
            ("has(score.gore) && score.gore >= 0.5", "allow"),
            ("!has(score.gore)", "annotate"),
        ],
    )
    def test_three_valued_logic(self, write_pack: Callable[..., Path], when: str, effect: str) -> None:
        loaded = _loaded(write_pack, f"stage: export, when: '{when}', effect: annotate")
        result = _result("lexicon", Stage.PROMPT, [_finding("rain")], version=loaded.lexicon_version)
        assert PackPolicy(loaded).judge(Stage.EXPORT, CONTEXT, [result]).effect.label == effect


class TestFields:
    RULE = "stage: prompt, when: found_in.prompt.rain, effect: deny"

    @pytest.mark.parametrize(("field", "effect"), [("prompt", "deny"), ("negative_prompt", "allow")])
    def test_only_the_named_fields_count(self, judge: Callable[..., Decision], field: str, effect: str) -> None:
        assert judge(Stage.PROMPT, [_finding("rain", field=field)], self.RULE).effect.label == effect

    def test_a_finding_without_a_place_is_unknown(self, judge: Callable[..., Decision]) -> None:
        decision = judge(Stage.PROMPT, [_finding("rain")], self.RULE)
        assert decision.effect is Effect.DENY
        assert decision.errors


class TestWhatNoPackCanLower:
    @pytest.mark.parametrize("stage", list(Stage))
    def test_no_results(self, write_pack: Callable[..., Path], stage: Stage) -> None:
        decision = PackPolicy(_loaded(write_pack, DENY_RAIN)).judge(stage, CONTEXT, [])
        assert decision.effect is Effect.DENY
        assert ("builtin.no-checks", "deny") in _fired(decision)

    @pytest.mark.parametrize("status", [s for s in CheckStatus if s is not CheckStatus.OK])
    @pytest.mark.parametrize("stage", [Stage.PROMPT, Stage.OUTPUT])
    def test_a_check_that_did_not_end_ok(
        self, write_pack: Callable[..., Path], status: CheckStatus, stage: Stage
    ) -> None:
        loaded = _loaded(write_pack, DENY_RAIN)
        good = _result("lexicon", stage, [_finding("gore", 0.0)], version=loaded.lexicon_version)
        bad = _result("other", stage, [], status=status, detail="weights.onnx")
        decision = PackPolicy(loaded).judge(stage, CONTEXT, [good, bad])
        assert _fired(decision) == [("builtin.check-not-ok", "deny")]
        assert status.value in decision.fired[0].because
        assert "weights.onnx" in decision.fired[0].because

    def test_findings_of_a_failed_check_are_not_evidence(self, write_pack: Callable[..., Path]) -> None:
        loaded = _loaded(write_pack, "stage: output, when: score.gore >= 0.5, effect: annotate")
        bad = _result("c", Stage.OUTPUT, [_finding("gore", 0.1)], status=CheckStatus.ERROR)
        decision = PackPolicy(loaded).judge(Stage.OUTPUT, CONTEXT, [bad])
        assert "p.r0: no check measured gore" in decision.errors

    def test_a_look_at_pixels_that_measured_nothing(self, judge: Callable[..., Decision]) -> None:
        decision = judge(Stage.OUTPUT, [], "stage: output, when: 'true', effect: allow")
        assert ("builtin.no-findings", "deny") in _fired(decision)

    def test_one_silent_check_beside_one_that_spoke(self, write_pack: Callable[..., Path]) -> None:
        loaded = _loaded(write_pack, "stage: output, when: 'true', effect: allow")
        results = [_result("a", Stage.OUTPUT, [_finding("gore", 0.0)]), _result("b", Stage.OUTPUT, [])]
        assert PackPolicy(loaded).judge(Stage.OUTPUT, CONTEXT, results).effect is Effect.DENY

    def test_results_of_another_stage(self, write_pack: Callable[..., Path]) -> None:
        loaded = _loaded(write_pack, "stage: output, when: 'true', effect: allow")
        result = _result("lexicon", Stage.PROMPT, [], version=loaded.lexicon_version)
        decision = PackPolicy(loaded).judge(Stage.OUTPUT, CONTEXT, [result])
        assert ("builtin.wrong-stage", "deny") in _fired(decision)


def test_several_packs_judge_together_in_any_order(write_pack: Callable[..., Path], minimal: str) -> None:
    write_pack("mild", minimal.replace("effect: deny", "effect: annotate"))
    folder = write_pack("strict", minimal.replace("effect: deny", "effect: review"))
    for names in (["mild", "strict"], ["strict", "mild"]):
        loaded = load_policies(names, [folder])
        finding = _finding("rain", field="prompt")
        result = _result("lexicon", Stage.PROMPT, [finding], version=loaded.lexicon_version)
        decision = PackPolicy(loaded).judge(Stage.PROMPT, CONTEXT, [result])
        assert decision.effect is Effect.REVIEW
        assert sorted(rule.policy for rule in decision.fired) == ["mild", "strict"]
        assert [ref.id for ref in decision.policy] == names


class TestAhead:
    """What the rules of a later stage say already."""

    def preview(self, write_pack: Callable[..., Path], when: str, context: JudgementContext = CONTEXT) -> Decision:
        loaded = _loaded(write_pack, f"stage: export, when: '{when}', effect: review")
        result = _result("lexicon", Stage.PROMPT, [_finding("rain")], version=loaded.lexicon_version)
        return PackPolicy(loaded).preview(Stage.EXPORT, context, [result])

    @pytest.mark.parametrize("when", ["true", "found.rain", "found.rain || score.gore > 0.5", "!has(use.kind)"])
    def test_what_holds_whatever_comes_is_said(self, write_pack: Callable[..., Path], when: str) -> None:
        decision = self.preview(write_pack, when)
        assert (decision.effect, decision.undecided) == (Effect.REVIEW, ())

    @pytest.mark.parametrize(
        "when",
        ["score.gore > 0.5", "asset.width < 9", "found.rain && found.logo", "has(score.gore)", "!has(score.gore)",
         "!has(asset.width)", "has(asset.width) || !has(found.logo)"],
    )  # fmt: skip
    def test_what_waits_is_undecided_even_where_only_its_presence_is_asked_for(
        self, write_pack: Callable[..., Path], when: str
    ) -> None:
        decision = self.preview(write_pack, when)
        assert (decision.effect, decision.fired) == (Effect.ALLOW, ())
        assert len(decision.undecided) == 1

    def test_what_was_not_declared_never_comes(self, write_pack: Callable[..., Path]) -> None:
        asks = 'use.kind == "private"'
        decision = self.preview(write_pack, asks.replace('"', "''"))
        assert (decision.effect, decision.errors) == (Effect.DENY, ("p.r0: use.kind is not known",))
        private = JudgementContext(request=GenerationRequest(prompt="x", intended_use="private"))
        assert self.preview(write_pack, asks.replace('"', "''"), private).effect is Effect.REVIEW
        # Licences come when the registry is asked; once it was, what it does not know stays unknown.
        assert self.preview(write_pack, "licence.known").undecided
        asked = JudgementContext(request=GenerationRequest(prompt="x"), licence={})
        assert self.preview(write_pack, "licence.known", asked).effect is Effect.DENY
