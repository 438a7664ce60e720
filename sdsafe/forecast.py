"""What would become of a request: everything that is decided before a model is loaded, and what has to wait.

It asks what the pipeline asks at admission - the hard layer, prompt checks, packs, licences - in the same order and
with the same settings. It needs neither a model nor a credential, fetches nothing, and keeps nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sdsafe.api import judging_packs, open_generator, open_policy, open_prompt_checks
from sdsafe.core.context import JudgementContext
from sdsafe.core.decisions import Effect, unite
from sdsafe.core.house import House
from sdsafe.core.request import require_plain
from sdsafe.errors import ObligationError, PromptRefusedError, RefusedError, RequestError
from sdsafe.gates.guard import run_prompt_check
from sdsafe.gates.hard.gate import require_permitted_request
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.loading import load_registry, user_registry
from sdsafe.judgement import Abilities, Judges

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sdsafe.core.decisions import Decision, FiredRule
    from sdsafe.core.findings import CheckResult, Finding
    from sdsafe.core.request import GenerationRequest
    from sdsafe.gates.policy.loader import LoadedPolicies
    from sdsafe.settings import Settings

__all__ = ["Forecast", "foresee", "licence_facts", "what_is_known"]

_OF_THE_MODEL = (
    "request.width",
    "request.height",
    "request.steps",
    "request.guidance",
    "model.revision",
    "model.pipeline",
)
"""Facts that a model's own description fills in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What would become of a request, as far as it can be said."""

    request: GenerationRequest
    """As resolved, where that needed nothing to be fetched."""
    decision: Decision
    """Of everything that can be asked already; ``undecided`` names the rules that have to wait."""
    checks: tuple[CheckResult, ...]
    policies: LoadedPolicies = field(repr=False)
    """The packs that were asked."""
    hint: str = ""
    """What to do about a refusal, where something can be done."""
    obstacle: str = ""
    """Why an obligation could not be met here, though policy lets the request pass; empty where nothing is known to."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings that the indices of fired rules point at."""
        return tuple(finding for check in self.checks for finding in check.findings)

    def grounds(self, fired: FiredRule) -> tuple[str, ...]:
        """Return since when a rule of a pack holds and where that can be read; nothing for rules of other kinds."""
        rules = (rule for loaded in self.policies.packs if loaded.pack.id == fired.policy for rule in loaded.pack.rules)
        rule = next((each for each in rules if each.id == fired.rule), None)
        if rule is None:
            return ()
        return (*((f"since {rule.since}",) if rule.since else ()), *rule.sources)


def foresee(request: GenerationRequest, settings: Settings) -> Forecast:
    """Return what would become of ``request`` under ``settings``.

    Raises:
        RequestError: The request is not plain, or too long to be read.
        ConfigurationError: A pack or a check does not load, or the pack of a declared marketplace does not judge.
    """
    asked, resolved = _resolved(replace(request, intended_use=request.intended_use or settings.intended_use), settings)
    house = House(organisation=settings.organisation, label_font=settings.label_font)
    policies = judging_packs(settings)
    can = Abilities(
        reviewed=bool(settings.reviews),
        stamped=bool(settings.timestamp_authorities) and settings.timestamp_policy != "later",
        sealed=settings.disclosure_recipient is not None,
    )
    judges = Judges(open_policy(settings, policies), _gate(), house, can)
    try:
        shows_person = judges.shows_person(asked)
        require_permitted_request(asked, (), None, shows_person=shows_person)
        checks = tuple(run_prompt_check(check, asked) for check in open_prompt_checks(settings, policies))
        require_permitted_request(asked, checks, None, shows_person=shows_person)
    except PromptRefusedError as refusal:
        return Forecast(request=asked, decision=refusal.decision, checks=(), policies=policies)
    said = [_said(judges.request, asked, checks), _said(judges.ahead, asked, checks)]
    decision = unite(each if resolved else _without_guesses(each) for each, _ in said)
    obstacle, remedy = _obstacle(judges, decision, asked, settings, checks) if decision.allows else ("", "")
    hint = " ".join(filter(None, (*(hint for _, hint in said), remedy)))
    return Forecast(request=asked, decision=decision, checks=checks, policies=policies, hint=hint, obstacle=obstacle)


def what_is_known(request: GenerationRequest, settings: Settings) -> JudgementContext:
    """Return what rules are told of a request before there is a file."""
    return JudgementContext(request=request, organisation=settings.organisation, licence=licence_facts()(request))


def licence_facts() -> Callable[[GenerationRequest], Mapping[str, object]]:
    """Return what answers the facts about the licences of a request's model and adapters."""
    gate = _gate()
    return lambda request: dict(gate.effective(request.model, request.adapters).facts())


def _gate() -> LicenceGate:
    return LicenceGate(load_registry(user=user_registry()))


def _resolved(request: GenerationRequest, settings: Settings) -> tuple[GenerationRequest, bool]:
    """Return the request with what the model would choose by itself, and whether its description is on this machine."""
    require_plain(request)
    generator = open_generator(settings, offline=True)
    try:
        return replace(generator.resolve(replace(request, seed=request.seed or 0)), seed=request.seed), True
    except RequestError:
        return request, False


def _without_guesses(decision: Decision) -> Decision:
    """Return a decision in which rules wait that ask for what only the model's description says."""
    waiting = tuple(
        each
        for each in decision.errors
        if each.partition(": ")[2] in {f"{fact} is not known" for fact in _OF_THE_MODEL}
    )
    names = {each.partition(": ")[0] for each in waiting}
    fired = tuple(rule for rule in decision.fired if f"{rule.policy}.{rule.rule}" not in names)
    return replace(
        decision,
        effect=max((rule.effect for rule in fired), default=Effect.ALLOW),
        fired=fired,
        obligations=tuple(each for each in decision.obligations if any(each in rule.obligations for rule in fired)),
        errors=tuple(each for each in decision.errors if each not in waiting),
        undecided=(*decision.undecided, *waiting),
    )


def _said(
    ask: Callable[[GenerationRequest, tuple[CheckResult, ...]], Decision],
    request: GenerationRequest,
    checks: tuple[CheckResult, ...],
) -> tuple[Decision, str]:
    try:
        return ask(request, checks), ""
    except RefusedError as refusal:
        return refusal.decision, refusal.hint


def _obstacle(
    judges: Judges, decision: Decision, request: GenerationRequest, settings: Settings, checks: tuple[CheckResult, ...]
) -> tuple[str, str]:
    try:
        judges.plan((decision,), request, request.size, settings.prompt_disclosure, checks)
    except ObligationError as error:
        return str(error), error.hint
    return "", ""
