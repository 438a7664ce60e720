"""Asks packs and licences about a request, its pictures and its file, and refuses what they do not let pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe._internal import wav
from sdsafe.core.context import AssetFacts, JudgementContext
from sdsafe.core.decisions import Decision, Effect, FiredRule, unite
from sdsafe.core.findings import CheckStatus, Stage
from sdsafe.errors import (
    ConfigurationError,
    ExportRefusedError,
    InputRefusedError,
    OutputRefusedError,
    PromptRefusedError,
)
from sdsafe.gates.registry.use import DeclaredUse
from sdsafe.obligations.means import Means
from sdsafe.obligations.planning import make_plan

if TYPE_CHECKING:
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.house import House
    from sdsafe.core.plans import Plan
    from sdsafe.core.request import GenerationRequest, PromptDisclosure, Size
    from sdsafe.errors import RefusedError
    from sdsafe.gates.registry.gate import LicenceGate
    from sdsafe.protocols import PolicyEngine

    Checks = tuple[CheckResult, ...]

__all__ = ["Abilities", "Judges"]

_TRANSFORMING = frozenset({"blur", "visible_label"})  # obligations that change the picture

_UNCHECKED = FiredRule(
    rule="builtin.unsafe-unchecked",
    policy="builtin",
    effect=Effect.ANNOTATE,
    because="output checks were switched off with UnsafeNoOutputCheck",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a pipeline has besides the parts that every pipeline has."""

    checked: bool = True
    """Output checks look at pictures."""
    reviewed: bool = False
    """Pictures can wait for a person: then *review* is no refusal."""
    stamped: bool = False
    """Time-stamp authorities are asked."""
    sealed: bool = False
    """There is an auditor to seal prompts for."""


class Judges:
    """Packs and licences, asked in the order of the spine. Every answer allows; anything else is raised."""

    def __init__(self, policy: PolicyEngine, licences: LicenceGate, house: House, can: Abilities) -> None:
        """Judge with these.

        Args:
            policy: The packs.
            licences: The facts about licences.
            house: Who makes the pictures.
            can: What the pipeline has besides.
        """
        self._policy = policy
        self._licences = licences
        self._house = house
        self._can = can

    def request(self, request: GenerationRequest, checks: Checks) -> Decision:
        """Return what packs and licences say of a resolved request together.

        Raises:
            ConfigurationError: ``policy.marketplace``: the pack of the declared marketplace does not judge.
            PromptRefusedError: They do not let it pass; the hint says what to declare, where that would help.
        """
        use = self._use(request)
        self._require_marketplace(use)
        licences = self._licences.decide(request, use)
        decision = unite((self._policy.judge(Stage.PROMPT, self._context(request), checks), licences))
        hint = "" if licences.allows else self._licences.hint(request, use)
        return self._passed(decision, "the request", PromptRefusedError, checks, hint)

    def inputs(self, request: GenerationRequest, checks: Checks) -> Decision:
        """Return what the rules about pictures that go in say of them.

        Without output checks those are judged that need no finding, and the decision says so.

        Raises:
            InputRefusedError: They do not let them pass.
        """
        context = self._context(request)
        decision = (
            self._policy.judge(Stage.INPUT, context, checks)
            if self._can.checked
            else self._unchecked(context, Stage.INPUT, checks)
        )
        return self._passed(decision, "a picture that goes in", InputRefusedError, checks)

    def ahead(self, request: GenerationRequest, checks: Checks) -> Decision:
        """Return what can be said before generation of picture and file: what is sure to be refused costs nothing.

        Raises:
            OutputRefusedError: Rules about the output that need no finding refuse.
            ExportRefusedError: Rules about the file and its use refuse.
        """
        context = self._context(request, request.size)
        output = self._policy.preview(Stage.OUTPUT, context, ()) if self._can.checked else self._unchecked(context)
        self._passed(output, _made(request), OutputRefusedError, checks)
        export = self._policy.preview(Stage.EXPORT, context, checks)
        return unite((output, self._passed(export, "the file", ExportRefusedError, checks)))

    def output(self, request: GenerationRequest, size: Size | None, checks: Checks) -> Decision:
        """Return what the rules of the output stage say of a picture, or of a sound, which has no size.

        Without output checks those are judged that need no finding, and the decision says so.

        Raises:
            OutputRefusedError: They do not let it pass.
        """
        context = self._context(request, size)
        decision = self._policy.judge(Stage.OUTPUT, context, checks) if self._can.checked else self._unchecked(context)
        return self._passed(decision, _made(request), OutputRefusedError, checks)

    def export(self, request: GenerationRequest, size: Size | None, checks: Checks) -> Decision:
        """Return what the rules about the file and its use say.

        Args:
            request: As resolved.
            size: Of the picture; None of a sound.
            checks: Of prompt and output.

        Raises:
            ExportRefusedError: They do not let it pass.
        """
        decision = self._policy.judge(Stage.EXPORT, self._context(request, size), checks)
        return self._passed(decision, "the file", ExportRefusedError, checks)

    def plan(
        self,
        decisions: tuple[Decision, ...],
        request: GenerationRequest,
        size: Size | None,
        disclosure: PromptDisclosure,
        checks: Checks,
    ) -> Plan:
        """Return how the obligations of ``decisions`` will be met.

        Raises:
            ObligationError: One cannot be.
        """
        means = Means(
            disclosure=disclosure,
            organisation=self._house.organisation,
            checked=self._can.checked,
            size=size,
            attestations=request.attestations,
            label_font=self._house.label_font,
            reviewed=self._can.reviewed and not request.is_sound,
            stamped=self._can.stamped,
            sealed=self._can.sealed,
            sound=request.is_sound,
        )
        return make_plan(unite(decisions), means, checks)

    def shows_person(self, request: GenerationRequest) -> bool:
        """Say whether model or adapters were made to show one real person."""
        return self._licences.effective(request.model, request.adapters).depicts_person

    def _passed(
        self, decision: Decision, what: str, error: type[RefusedError], checks: Checks, hint: str = ""
    ) -> Decision:
        """Return a decision that allows, and whose changes somebody here can make; refuse any other.

        REVIEW passes where a queue is: the plan then says how many people the picture waits for.
        """
        allows = decision.allows or (self._can.reviewed and decision.effect is Effect.REVIEW)
        if allows and all(_can_be_made(rule) for rule in decision.fired if rule.effect is Effect.TRANSFORM):
            return decision
        rules = ", ".join(f"{rule.rule} ({rule.because})" for rule in decision.leading) or "an error while judging"
        msg = f"policy refuses {what} [{decision.effect.label}]: {rules}"
        raise error(msg, decision=decision, checks=checks, hint=hint)

    def _use(self, request: GenerationRequest) -> DeclaredUse:
        """Return what is known of the use; what was not said is missing."""
        own = self._house.organisation
        return DeclaredUse(
            use=request.intended_use,
            revenue_usd=own.revenue_usd,
            monthly_users=own.monthly_users,
            territory=own.territories,
            attested=frozenset((*own.attested, *request.attestations)),
        )

    def _context(self, request: GenerationRequest, size: Size | None = None) -> JudgementContext:
        asset = AssetFacts(media_type=request.media_type, width=size.width, height=size.height) if size else None
        if request.is_sound:
            asset = AssetFacts(media_type=wav.MEDIA_TYPE)
        effective = self._licences.effective(request.model, request.adapters)
        facts = dict(effective.facts())
        return JudgementContext(request=request, organisation=self._house.organisation, licence=facts, asset=asset)

    def _unchecked(self, context: JudgementContext, stage: Stage = Stage.OUTPUT, checks: Checks = ()) -> Decision:
        """Judge pictures that no classifier looked at; a required pack that needs a finding forbids it.

        What looks all the same, such as at manifests, counts, and has to have ended ``ok``.
        """
        decision = self._policy.preview(stage, context, checks)
        unseen = Decision(effect=Effect.ANNOTATE, policy=self._policy.refs, fired=(_UNCHECKED,))
        waiting = [rule for rule in decision.undecided if rule.partition(".")[0] in self._house.required]
        if waiting:
            forbidden = FiredRule(
                rule="builtin.unsafe-forbidden",
                policy="builtin",
                effect=Effect.DENY,
                because=f"output checks were switched off, and required packs need them: {'; '.join(waiting)}",
            )
            unseen = Decision(effect=Effect.DENY, policy=self._policy.refs, fired=(forbidden,))
        failed = [each.check for each in checks if each.status is not CheckStatus.OK]
        if failed:
            because = f"did not end ok: {', '.join(failed)}"
            rule = FiredRule(rule="builtin.check-not-ok", policy="builtin", effect=Effect.DENY, because=because)
            unseen = Decision(effect=Effect.DENY, policy=self._policy.refs, fired=(rule,))
        return unite((decision, unseen))

    def _require_marketplace(self, use: DeclaredUse) -> None:
        place = use.marketplace
        if place is not None and place not in {ref.id for ref in self._policy.refs}:
            raise ConfigurationError(
                f"pictures for the marketplace {place} are judged by its pack, which is not among the policies",
                code="policy.marketplace",
                hint=f"Declare the use in the settings or with --use, which adds the pack, or add --policy {place}.",
            )


def _made(request: GenerationRequest) -> str:
    return "the sound" if request.is_sound else "the image"


def _can_be_made(rule: FiredRule) -> bool:
    return any(each.code in _TRANSFORMING for each in rule.obligations)
