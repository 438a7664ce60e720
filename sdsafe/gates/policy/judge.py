"""The policy engine: every rule of every pack is evaluated, the most severe effect wins, obligations unite."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sdsafe.core.decisions import Decision, Effect, FiredRule, Obligation
from sdsafe.core.findings import CheckStatus, Stage
from sdsafe.gates.policy.conditions import Seen, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sdsafe.core.decisions import PolicyRef
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.request import GenerationRequest
    from sdsafe.gates.policy.loader import LoadedPack, LoadedPolicies
    from sdsafe.gates.policy.model import Rule

__all__ = ["PackPolicy"]

_MUST_FIND = {Stage.OUTPUT, Stage.INPUT}


class PackPolicy:
    """A ``PolicyEngine`` made of packs. Frozen; safe to use from several threads."""

    __slots__ = ("_loaded",)

    def __init__(self, loaded: LoadedPolicies) -> None:
        """Judge with these packs."""
        self._loaded = loaded

    @property
    def refs(self) -> tuple[PolicyRef, ...]:
        """Id, version and digest of every pack that judges."""
        return self._loaded.refs

    def judge(self, stage: Stage, _request: GenerationRequest, results: Sequence[CheckResult], /) -> Decision:
        """Return the decision of all packs together.

        (0) What no pack can lower: no results, a check that did not end ``ok``, a look at pixels that measured
            nothing, a result of another stage - each denies.
        (1) Every rule of the stage is evaluated, none is skipped because another has fired.
        (2) A rule whose condition is unknown takes its ``on_error`` and is named in ``errors``.
        (3) The most severe effect wins; the obligations of every rule that fired unite.
        """
        builtin = tuple(_builtin(stage, results))
        fired = list(builtin)
        errors = [f"{rule.rule}: {rule.because}" for rule in builtin]
        obligations: list[Obligation] = []
        seen = Seen(results, self._loaded.lexicon_version)
        for loaded in self._loaded.packs:
            for rule in loaded.pack.rules:
                if rule.stage != stage:
                    continue
                answer = evaluate(rule.when, seen, loaded.categories)
                if answer.value is None:
                    errors.append(f"{loaded.pack.id}.{rule.id}: {answer.problem}")
                # Where a check failed, every rule that waits for it is unknown: denied already, and said once above.
                if answer.value or (answer.value is None and not builtin):
                    fired.append(_fired(loaded, rule, answer.findings, answer.problem))
                if answer.value or (answer.value is None and rule.on_error == "apply"):
                    obligations += [o for o in _obligations(rule) if o not in obligations]
        return Decision(
            effect=max((rule.effect for rule in fired), default=Effect.ALLOW),
            policy=self.refs,
            fired=tuple(fired),
            obligations=tuple(obligations),
            errors=tuple(errors),
        )


def _fired(loaded: LoadedPack, rule: Rule, findings: frozenset[int], problem: str) -> FiredRule:
    effect = Effect.parse(rule.effect)
    if problem and rule.on_error != "apply":
        effect = Effect.parse(rule.on_error)
    return FiredRule(
        rule=rule.id,
        policy=loaded.pack.id,
        effect=effect,
        because=f"cannot be evaluated: {problem}" if problem else rule.because,
        citation=rule.citation,
        findings=tuple(sorted(findings)),
    )


def _obligations(rule: Rule) -> Iterator[Obligation]:
    return (Obligation(code=duty.code, params=MappingProxyType(duty.params)) for duty in rule.obligations)


def _builtin(stage: Stage, results: Sequence[CheckResult]) -> Iterator[FiredRule]:
    if not results:
        yield _deny("no-checks", "no check looked")
    for result in results:
        if result.status is not CheckStatus.OK:
            yield _deny("check-not-ok", f"{result.check} ended {result.status.value}: {result.detail or 'no detail'}")
        elif not result.findings and result.stage in _MUST_FIND:
            yield _deny("no-findings", f"{result.check} measured nothing")
        if result.stage is not stage and stage is not Stage.EXPORT:
            yield _deny("wrong-stage", f"{result.check} looked at the {result.stage.value}, not at the {stage.value}")


def _deny(rule: str, because: str) -> FiredRule:
    return FiredRule(rule=f"builtin.{rule}", policy="builtin", effect=Effect.DENY, because=because)
