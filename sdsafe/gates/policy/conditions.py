"""Evaluates conditions over findings in three values: true, false, unknown.

Unknown is what a rule cannot see: a score that nobody measured, terms that nobody looked for. It follows Kleene's
strong logic: ``any`` with a true member is true whatever the others are, ``all`` with a false one is false,
everything else that touches unknown is unknown, and the rule takes its ``on_error``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.findings import CheckStatus
from sdsafe.gates.policy.categories import LEXICON
from sdsafe.gates.policy.model import AllOf, Always, AnyOf, Found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sdsafe.core.findings import CheckResult, Finding
    from sdsafe.gates.policy.categories import Category
    from sdsafe.gates.policy.model import Condition

__all__ = ["Answer", "Seen", "evaluate"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a condition: true, false, or None for unknown, then with the reason."""

    value: bool | None
    findings: frozenset[int] = frozenset()
    """Indices of the findings that made it true."""
    problem: str = ""


class Seen:
    """Findings of checks that ended ``ok``, by category, and which checks those were."""

    def __init__(self, results: Sequence[CheckResult], lexicon_version: str) -> None:
        """Index the results; the lexicon counts only in the version that was made from the packs that judge."""
        self._by_category: dict[str, list[tuple[int, Finding]]] = {}
        self._looked: set[str] = set()
        index = 0
        for result in results:
            usable = result.status is CheckStatus.OK
            if usable and (result.check != LEXICON or result.version == lexicon_version):
                self._looked.add(result.check)
            for finding in result.findings:
                if usable and finding.category is not None:
                    self._by_category.setdefault(finding.category, []).append((index, finding))
                index += 1

    def of(self, category: str) -> Sequence[tuple[int, Finding]]:
        """Return the findings of a category, each with its index among all findings."""
        return self._by_category.get(category, ())

    def looked(self, check: str | None) -> bool:
        """Say whether the check that answers for a category ran."""
        return check is None or check in self._looked


def evaluate(condition: Condition, seen: Seen, categories: Mapping[str, Category]) -> Answer:
    """Return what ``condition`` says of what was seen; total."""
    if isinstance(condition, Always):
        return Answer(value=True)
    if isinstance(condition, Found):
        category = categories[condition.found]
        return _scored(condition, seen) if category.scored else _reported(condition, seen, category)
    if isinstance(condition, AnyOf):
        return _any(evaluate(each, seen, categories) for each in condition.any)
    if isinstance(condition, AllOf):
        return _all(evaluate(each, seen, categories) for each in condition.all)
    inner = evaluate(condition.negated, seen, categories)
    return Answer(value=None if inner.value is None else not inner.value, problem=inner.problem)


def _scored(asked: Found, seen: Seen) -> Answer:
    threshold = 0.0 if asked.at_least is None else asked.at_least
    findings = seen.of(asked.found)
    hits = frozenset(index for index, finding in findings if _is_score(finding.score, threshold))
    if hits:
        return Answer(value=True, findings=hits)
    if not findings:
        return Answer(value=None, problem=f"no check measured {asked.found}")
    if not all(_is_score(finding.score) for _, finding in findings):
        return Answer(value=None, problem=f"a finding of {asked.found} has no score between 0 and 1")
    return Answer(value=False)


def _reported(asked: Found, seen: Seen, category: Category) -> Answer:
    findings = seen.of(asked.found)
    hits = {
        i for i, finding in findings if asked.fields is None or (finding.span and finding.span.field in asked.fields)
    }
    if hits:
        return Answer(value=True, findings=frozenset(hits))
    if not seen.looked(category.check):
        return Answer(value=None, problem=f"{category.check} did not look for {asked.found} with these packs")
    if any(finding.span is None for _, finding in findings):
        return Answer(value=None, problem=f"a finding of {asked.found} does not say in which field it was")
    return Answer(value=False)


def _is_score(score: object, least: float = 0.0) -> bool:
    return isinstance(score, int | float) and least <= score <= 1  # NaN compares false


def _any(answers: Iterable[Answer]) -> Answer:
    given = tuple(answers)
    if any(each.value for each in given):
        return Answer(value=True, findings=frozenset().union(*(each.findings for each in given if each.value)))
    return _unknown(given) or Answer(value=False)


def _all(answers: Iterable[Answer]) -> Answer:
    given = tuple(answers)
    if any(each.value is False for each in given):
        return Answer(value=False)
    return _unknown(given) or Answer(value=True, findings=frozenset().union(*(each.findings for each in given)))


def _unknown(answers: Iterable[Answer]) -> Answer | None:
    return next((each for each in answers if each.value is None), None)
