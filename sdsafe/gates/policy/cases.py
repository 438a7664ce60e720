"""The cases of a pack: what it must say of a prompt or of scores, and what it says (``sdsafe.cases/1``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Stage
from sdsafe.core.request import GenerationRequest
from sdsafe.errors import ConfigurationError
from sdsafe.gates.guard import run_prompt_check
from sdsafe.gates.policy._strict import Strict, build
from sdsafe.gates.policy._yaml import read_yaml
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.policy.model import EffectLabel, Score  # noqa: TC001 - pydantic reads them when the class is made

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sdsafe.core.decisions import Decision
    from sdsafe.gates.policy.loader import LoadedPolicies

__all__ = ["Case", "CaseResult", "Judged", "judge_prompt", "run_cases"]

_FILE = "cases.yaml"


class Case(Strict):
    """One expectation: of a prompt at the prompt stage, or of scores at the output stage."""

    prompt: str | None = None
    prompt_2: str | None = None
    prompt_3: str | None = None
    negative_prompt: str | None = None
    scores: dict[str, Score] | None = None
    expect: EffectLabel
    rule: str | None = None
    """A rule that brings the effect about."""
    marks: str | None = None
    """Characters that a finding of that rule must point at."""

    @model_validator(mode="after")
    def _one_stage(self) -> Self:
        if (self.prompt is None) == (self.scores is None):
            context = {"expected": "either prompt or scores", "found": "both or neither"}
            raise PydanticCustomError("mismatch", "mismatch", context)
        return self


class _CaseFile(Strict):
    format: Literal["sdsafe.cases/1"]
    cases: Annotated[tuple[Case, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A decision with what it was made from."""

    request: GenerationRequest
    result: CheckResult
    decision: Decision

    def marked(self, rules: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the characters that the named rules (default: all) point at, each once, in order."""
        texts = dict(self.request.texts())
        wanted = [i for rule in self.decision.fired if not rules or rule.rule in rules for i in rule.findings]
        spans = [self.result.findings[index].span for index in wanted]
        return tuple(dict.fromkeys(texts[span.field][span.start : span.end] for span in spans if span))


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case."""

    index: int
    case: Case
    decision: Decision
    problem: str
    """What differs from the expectation; empty when nothing does."""


def judge_prompt(loaded: LoadedPolicies, request: GenerationRequest) -> Judged:
    """Return what the packs say of the texts of ``request``; nothing is generated."""
    return _Bench(loaded).prompt(request)


def run_cases(name: str, folders: Sequence[Path] = ()) -> tuple[CaseResult, ...]:
    """Run the cases of the pack ``name`` against it and what it extends.

    Raises:
        ConfigurationError: The pack does not load, or has no cases.
        PolicyFormatError: ``cases.yaml`` is malformed.
    """
    loaded = load_policies([name], folders)
    pack = loaded.packs[-1]
    file = f"{pack.folder.name}/{_FILE}"
    try:
        data = (pack.folder / _FILE).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror}", code="policy.no-cases", hint="A pack is tested by its cases."
        ) from error
    bench = _Bench(loaded)
    return tuple(bench.run(build(_CaseFile, read_yaml(data, file), file).cases))


class _Bench:
    """The engine and the term check of a set of packs."""

    def __init__(self, loaded: LoadedPolicies) -> None:
        self._policy = PackPolicy(loaded)
        self._check = LexiconCheck(loaded)

    def prompt(self, request: GenerationRequest) -> Judged:
        result = run_prompt_check(self._check, request)
        return Judged(request=request, result=result, decision=self._policy.judge(Stage.PROMPT, request, [result]))

    def output(self, scores: dict[str, float]) -> Judged:
        findings = tuple(_scored(category, score) for category, score in scores.items())
        result = CheckResult(check="cases", version="1", status=CheckStatus.OK, stage=Stage.OUTPUT, findings=findings)
        request = GenerationRequest(prompt="")
        return Judged(request=request, result=result, decision=self._policy.judge(Stage.OUTPUT, request, [result]))

    def run(self, cases: Sequence[Case]) -> Iterator[CaseResult]:
        for index, case in enumerate(cases):
            judged = self.prompt(_request(case)) if case.scores is None else self.output(case.scores)
            yield CaseResult(index=index, case=case, decision=judged.decision, problem=_problem(case, judged))


def _request(case: Case) -> GenerationRequest:
    return GenerationRequest(
        prompt=case.prompt or "",
        prompt_2=case.prompt_2,
        prompt_3=case.prompt_3,
        negative_prompt=case.negative_prompt,
    )


def _scored(category: str, score: float) -> Finding:
    return Finding(
        code="output.score",
        severity=Severity.INFORMATIONAL,
        stage=Stage.OUTPUT,
        source="cases",
        source_version="1",
        category=category,
        score=score,
    )


def _problem(case: Case, judged: Judged) -> str:
    leading = [rule.rule for rule in judged.decision.leading]
    if judged.decision.effect.label != case.expect:
        return f"expected {case.expect}, found {judged.decision.effect.label} by {', '.join(leading) or 'no rule'}"
    if case.rule is not None and case.rule not in leading:
        return f"expected rule {case.rule}, found {', '.join(leading) or 'no rule'}"
    if case.marks is not None:
        marked = judged.marked([case.rule] if case.rule else leading)
        if case.marks not in marked:
            return f"expected the mark {case.marks!a}, found {', '.join(map(ascii, marked)) or 'none'}"
    return ""
