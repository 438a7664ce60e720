"""The policy engine: every rule of every pack is evaluated, the most severe effect wins, obligations unite."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sdsafe.core.decisions import Decision, Effect, FiredRule, Obligation
from sdsafe.core.findings import CheckStatus, Stage
from sdsafe.gates.policy.categories import BUILTIN
from sdsafe.gates.policy.facts import category_of, known, why_missing
from sdsafe.gates.policy.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sdsafe.core.context import JudgementContext
    from sdsafe.core.decisions import PolicyRef
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.thresholds import Thresholds
    from sdsafe.gates.policy.cel import Condition
    from sdsafe.gates.policy.loader import LoadedPack, LoadedPolicies
    from sdsafe.gates.policy.model import Rule

__all__ = ["PackPolicy"]

_MUST_FIND = {Stage.OUTPUT, Stage.INPUT}


class PackPolicy:
    """A ``PolicyEngine`` made of packs. Frozen; safe to use from several threads."""

    __slots__ = ("_lexicon_version", "_loaded", "_thresholds")

    def __init__(self, loaded: LoadedPolicies, thresholds: Thresholds | None = None) -> None:
        """Judge with these packs, and with thresholds that somebody measured."""
        self._loaded = loaded
        self._lexicon_version = loaded.lexicon_version  # a digest of all digests: once, not at every question
        self._thresholds = thresholds

    @property
    def refs(self) -> tuple[PolicyRef, ...]:
        """Id, version and digest of every pack that judges, and of every threshold file."""
        return (*self._loaded.refs, *(self._thresholds.refs if self._thresholds else ()))

    def judge(self, stage: Stage, context: JudgementContext, results: Sequence[CheckResult], /) -> Decision:
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
        for each in self._answers(stage, context, results):
            if each.value is None:
                errors.append(f"{each.loaded.pack.id}.{each.rule.id}: {each.problem}")
            # Where a check failed, every rule that waits for it is unknown: denied already, and said once above.
            if each.value or (each.value is None and not builtin):
                fired.append(_fired(each))
            if each.value or (each.value is None and each.rule.on_error == "apply"):
                obligations += [o for o in _obligations(each.rule) if o not in obligations]
        return Decision(
            effect=max((rule.effect for rule in fired), default=Effect.ALLOW),
            policy=self.refs,
            fired=tuple(fired),
            obligations=tuple(obligations),
            errors=tuple(errors),
        )

    def preview(self, stage: Stage, context: JudgementContext, results: Sequence[CheckResult], /) -> Decision:
        """Return what the rules of a later stage say already.

        A rule that waits for findings or for the file is ``undecided``. One that asks for a fact that nobody will
        supply later (use, organisation, licence) takes its ``on_error`` now.
        """
        fired: list[FiredRule] = []
        errors: list[str] = []
        undecided: list[str] = []
        obligations: list[Obligation] = []
        for each in self._answers(stage, context, results, ahead=True):
            if each.value is None:
                (undecided if each.waits else errors).append(f"{each.loaded.pack.id}.{each.rule.id}: {each.problem}")
            if each.value or (each.value is None and not each.waits):
                fired.append(_fired(each))
            if each.value or (each.value is None and not each.waits and each.rule.on_error == "apply"):
                obligations += [o for o in _obligations(each.rule) if o not in obligations]
        return Decision(
            effect=max((rule.effect for rule in fired), default=Effect.ALLOW),
            policy=self.refs,
            fired=tuple(fired),
            obligations=tuple(obligations),
            errors=tuple(errors),
            undecided=tuple(undecided),
        )

    def _answers(
        self, stage: Stage, context: JudgementContext, results: Sequence[CheckResult], *, ahead: bool = False
    ) -> Iterator[_Answer]:
        seen = Seen(results, self._lexicon_version)
        for loaded in self._loaded.packs:
            for conditions in loaded.conditions:
                if conditions.stage is not stage:
                    continue
                facts = known(stage, context, seen, conditions.categories) | self._measured(results)
                # Ahead of its stage, what is missing may only not be there yet: not even has() can be answered then.
                coming = (lambda name: not _final([name], context)) if ahead else None
                activation = conditions.door.activate(facts, coming=coming)
                for rule, condition in conditions.rules:
                    value = condition.ask(activation)
                    problem = "" if value is not None else _problem(condition, facts, loaded)
                    findings = _findings(condition, seen) if value else frozenset[int]()
                    waits = value is None and not _final(
                        [name for name in condition.names if name not in facts], context
                    )
                    yield _Answer(
                        loaded=loaded, rule=rule, value=value, findings=findings, problem=problem, waits=waits
                    )

    def _measured(self, results: Sequence[CheckResult]) -> dict[str, object]:
        """Return the thresholds whose check ran in the very version that they were measured with."""
        if self._thresholds is None:
            return {}
        ran = {(result.check, result.version) for result in results}
        given = self._thresholds
        return {f"threshold.{name}": value for name, value in given.values.items() if given.checks[name] in ran}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came of one rule's condition."""

    loaded: LoadedPack
    rule: Rule
    value: bool | None
    findings: frozenset[int]
    problem: str
    waits: bool
    """True: unknown so far, and something that it asks for may become known."""


def _final(missing: Sequence[str], context: JudgementContext) -> bool:
    """Say whether what is missing stays missing.

    That is what was not declared, what the registry does not know, and of a sound what only pictures are scored for.
    """
    roots = ("use.", "organisation.", *(("licence.",) if context.licence is not None else ()))
    sound = context.request.is_sound
    return bool(missing) and all(name.startswith(roots) or (sound and _is_of_pictures(name)) for name in missing)


def _is_of_pictures(fact: str) -> bool:
    """Say whether a fact is what a built-in check sees in pictures; those of others may look at sounds, too."""
    about = category_of(fact)
    category = BUILTIN.get(about[0]) if about else None
    return category is not None and category.stage is Stage.OUTPUT and not category.heard


def _problem(condition: Condition, facts: Mapping[str, object], loaded: LoadedPack) -> str:
    missing = [name for name in condition.names if name not in facts]
    if not missing:
        return "the condition ended in an error"
    return why_missing(missing[0], loaded.categories)


def _findings(condition: Condition, seen: Seen) -> frozenset[int]:
    """Return the findings that a condition which holds rests on: those of the categories it names."""
    indices: set[int] = set()
    for name in condition.names:
        about = category_of(name)
        if about is None:
            continue
        category, field = about
        found = seen.of(category)
        if name.startswith("threshold."):
            continue
        if name.startswith("score."):
            highest = max((finding.score or 0.0 for _, finding in found), default=0.0)
            found = [(index, finding) for index, finding in found if finding.score == highest]
        indices.update(
            index for index, finding in found if field is None or (finding.span and finding.span.field == field)
        )
    return frozenset(indices)


def _fired(answer: _Answer) -> FiredRule:
    rule, problem = answer.rule, answer.problem
    effect = Effect.parse(rule.effect)
    if problem and rule.on_error != "apply":
        effect = Effect.parse(rule.on_error)
    return FiredRule(
        rule=rule.id,
        policy=answer.loaded.pack.id,
        effect=effect,
        because=f"cannot be evaluated: {problem}" if problem else rule.because,
        citation=rule.citation,
        findings=tuple(sorted(answer.findings)),
        obligations=tuple(_obligations(rule)),
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
