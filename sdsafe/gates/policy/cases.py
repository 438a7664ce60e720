"""The cases of a pack: what it must say of a prompt, of scores or of a file, and what it says (``sdsafe.cases/1``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sdsafe._internal.documents import read_yaml
from sdsafe._internal.strict import Strict, build
from sdsafe.core.context import AssetFacts, JudgementContext
from sdsafe.core.decisions import Decision, Effect, unite
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Stage
from sdsafe.core.organisation import Organisation
from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef, Size, Task
from sdsafe.errors import ConfigurationError
from sdsafe.gates.guard import run_prompt_check
from sdsafe.gates.policy.categories import PROVENANCE
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.policy.model import EffectLabel, Score  # noqa: TC001 - pydantic reads them when the class is made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sdsafe.gates.policy.loader import LoadedPolicies

    Licences = Callable[[GenerationRequest], Mapping[str, object]]

__all__ = ["Case", "CaseResult", "Judged", "judge_prompt", "run_cases"]

_FILE = "cases.yaml"
_BY = "cases"

_Use = Annotated[str, Field(pattern=r"^(private|internal|commercial|marketplace:[a-z0-9-]{1,40})$")]
_Side = Annotated[int, Field(ge=1, le=100_000)]


class Case(Strict):
    """One expectation: of a prompt, of scores, or of a file, with what is known besides.

    The stage is ``output`` where scores are given and no prompt, else ``prompt``, unless it is said.
    """

    prompt: str | None = None
    prompt_2: str | None = None
    prompt_3: str | None = None
    negative_prompt: str | None = None
    scores: dict[str, Score] | None = None
    found: tuple[str, ...] = ()
    """At the stage ``input``: categories that the manifest of the picture gives, such as ``input_use_not_allowed``."""
    stage: Literal["prompt", "input", "output", "export"] | None = None
    task: Literal["generate", "transform", "vary", "inpaint", "outpaint", "upscale", "restore", "audio", "sign"] = (
        "generate"
    )
    model: str | None = None
    adapters: tuple[str, ...] = ()
    use: _Use | None = None
    revenue_usd: int | None = None
    monthly_users: int | None = None
    territories: tuple[str, ...] | None = None
    media_type: str | None = None
    width: _Side | None = None
    height: _Side | None = None
    expect: EffectLabel
    rule: str | None = None
    """A rule that brings the effect about."""
    marks: str | None = None
    """Characters that a finding of that rule must point at."""
    obligations: tuple[str, ...] | None = None
    """Codes that the decision must carry, and no others."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.prompt is None and self.scores is None and self.stage is None:
            context = {"expected": "prompt, scores or stage", "found": "none of them"}
            raise PydanticCustomError("mismatch", "mismatch", context)
        if self.prompt is not None and self.scores is not None and self.stage is None:
            context = {"expected": "stage, beside a prompt and scores", "found": "none"}
            raise PydanticCustomError("mismatch", "mismatch", context)
        if (self.width is None) != (self.height is None):
            context = {"expected": "width and height together", "found": "one of them"}
            raise PydanticCustomError("mismatch", "mismatch", context)
        return self

    def judged_at(self) -> Stage:
        """Return the stage that the case is about."""
        if self.stage is not None:
            return Stage(self.stage)
        return Stage.OUTPUT if self.prompt is None else Stage.PROMPT

    def request(self) -> GenerationRequest:
        """Return the request that the case describes."""
        return GenerationRequest(
            prompt=self.prompt or "",
            prompt_2=self.prompt_2,
            prompt_3=self.prompt_3,
            negative_prompt=self.negative_prompt,
            task=Task(self.task),
            model=ModelRef(repo=self.model or "builtin:scenes"),
            adapters=tuple(AdapterRef(kind="lora", repo=each) for each in self.adapters),
            size=Size(width=self.width, height=self.height) if self.width and self.height else None,
            intended_use=self.use,
        )

    def context(self, licences: Licences | None) -> JudgementContext:
        """Return what policy is told."""
        request = self.request()
        return JudgementContext(
            request=request,
            organisation=Organisation(
                revenue_usd=self.revenue_usd, monthly_users=self.monthly_users, territories=self.territories
            ),
            licence=licences(request) if licences and (self.model or self.adapters) else None,
            asset=AssetFacts(media_type=self.media_type, width=self.width, height=self.height),
        )


class _CaseFile(Strict):
    format: Literal["sdsafe.cases/1"]
    cases: Annotated[tuple[Case, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A decision with what it was made from."""

    request: GenerationRequest
    results: tuple[CheckResult, ...]
    decision: Decision
    ahead: Decision
    """What the rules about output and file say already."""

    def marked(self, rules: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the characters that the named rules (default: all) point at, each once, in order."""
        texts = dict(self.request.texts())
        found = [finding for result in self.results for finding in result.findings]
        wanted = [i for rule in self.decision.fired if not rules or rule.rule in rules for i in rule.findings]
        spans = [found[index].span for index in wanted]
        return tuple(dict.fromkeys(texts[span.field][span.start : span.end] for span in spans if span))


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case."""

    index: int
    case: Case
    decision: Decision
    problem: str
    """What differs from the expectation; empty when nothing does."""


def judge_prompt(loaded: LoadedPolicies, context: JudgementContext) -> Judged:
    """Return what the packs say of a request, and what they say already of its output and file; nothing is made."""
    return _Bench(loaded).prompt(context)


def run_cases(name: str, folders: Sequence[Path] = (), *, licences: Licences | None = None) -> tuple[CaseResult, ...]:
    """Run the cases of the pack ``name`` against it and what it extends.

    Args:
        name: Name or path of the pack.
        folders: Where to look besides the shipped packs.
        licences: Answers the facts about licences of the model and adapters that a case names; without it, and where
            a case names none, they are missing.

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
    return tuple(_Bench(loaded).run(build(_CaseFile, read_yaml(data, file), file).cases, licences))


class _Bench:
    """The engine and the term check of a set of packs."""

    def __init__(self, loaded: LoadedPolicies) -> None:
        self._policy = PackPolicy(loaded)
        self._check = LexiconCheck(loaded)

    def prompt(self, context: JudgementContext) -> Judged:
        results = (run_prompt_check(self._check, context.request),)
        return self._judged(Stage.PROMPT, context, results)

    def run(self, cases: Sequence[Case], licences: Licences | None) -> Iterator[CaseResult]:
        for index, case in enumerate(cases):
            judged = self._case(case, case.context(licences))
            yield CaseResult(index=index, case=case, decision=judged.decision, problem=_problem(case, judged))

    def _case(self, case: Case, context: JudgementContext) -> Judged:
        stage = case.judged_at()
        results: list[CheckResult] = []
        if stage in {Stage.PROMPT, Stage.EXPORT}:
            results.append(run_prompt_check(self._check, context.request))
        if stage in {Stage.INPUT, Stage.OUTPUT} or case.scores is not None:
            results.append(_scored(case.scores or {}, stage if stage is not Stage.EXPORT else Stage.OUTPUT))
        if stage is Stage.INPUT:
            results.append(_of_manifest(case.found))
        return self._judged(stage, context, tuple(results))

    def _judged(self, stage: Stage, context: JudgementContext, results: tuple[CheckResult, ...]) -> Judged:
        decision = self._policy.judge(stage, context, results)
        ahead = Decision(effect=Effect.ALLOW, policy=decision.policy)
        if stage is Stage.PROMPT:
            later = (self._policy.preview(each, context, results) for each in (Stage.OUTPUT, Stage.EXPORT))
            ahead = unite(later)
        return Judged(request=context.request, results=results, decision=decision, ahead=ahead)


def _of_manifest(categories: Sequence[str]) -> CheckResult:
    """Return what ``input-provenance`` says of a picture whose manifest gives these categories."""
    findings = tuple(
        Finding(
            code="input.manifest",
            severity=Severity.INFORMATIONAL,
            stage=Stage.INPUT,
            source=PROVENANCE,
            source_version="1",
            category=category,
        )
        for category in (None, *categories)
    )
    return CheckResult(check=PROVENANCE, version="1", status=CheckStatus.OK, stage=Stage.INPUT, findings=findings)


def _scored(scores: dict[str, float], stage: Stage) -> CheckResult:
    findings = tuple(
        Finding(
            code=f"{stage}.score",
            severity=Severity.INFORMATIONAL,
            stage=stage,
            source=_BY,
            source_version="1",
            category=category,
            score=score,
        )
        for category, score in scores.items()
    )
    return CheckResult(check=_BY, version="1", status=CheckStatus.OK, stage=stage, findings=findings)


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
    codes = sorted({each.code for each in judged.decision.obligations})
    if case.obligations is not None and codes != sorted(set(case.obligations)):
        return f"expected the obligations {', '.join(case.obligations) or 'none'}, found {', '.join(codes) or 'none'}"
    return ""
