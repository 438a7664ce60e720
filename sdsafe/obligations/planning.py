"""From a decision to a plan. What is unknown or cannot be done refuses here, before anything is generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.core.decisions import Effect
from sdsafe.core.obligations import AREAS, obligation_mismatch
from sdsafe.core.plans import Demand, Plan
from sdsafe.core.request import PromptDisclosure
from sdsafe.errors import ObligationError
from sdsafe.obligations import label
from sdsafe.obligations.duties import DISCLOSURES, DUTIES, Obstacle, aigc_provider, label_of, people_of, roles_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sdsafe.core.decisions import Decision, Obligation
    from sdsafe.core.findings import CheckResult
    from sdsafe.obligations.means import Means

__all__ = ["demands_of", "make_plan"]


def make_plan(decision: Decision, means: Means, checks: tuple[CheckResult, ...] = ()) -> Plan:
    """Return how every obligation of ``decision`` will be met.

    Args:
        decision: Of all that judged so far, united.
        means: What can be done for this request.
        checks: What the decision was made from; goes into the error.

    Raises:
        ObligationError: One or more cannot be met: ``refused.obligation``, or ``refused.review`` where only a person
            is missing. The message names each with rule and pack, the hint says what to do.
    """
    demands = demands_of(decision)
    if means.sound and decision.effect is Effect.REVIEW:
        rules = ", ".join(f"{rule.rule} ({rule.because})" for rule in decision.leading)
        raise ObligationError(
            f"policy asks for a person, and a sound cannot wait for one, as the queue shows pictures only: {rules}",
            decision=decision,
            checks=checks,
            code="refused.review",
            hint="Declare what it is for (--use), ask in other words, or leave the pack out.",
        )
    obstacles = [(demand, each) for demand in demands if (each := _obstacle(demand.obligation, means))]
    obstacles = obstacles or list(_together(demands, means))
    if obstacles:
        says = "; ".join(f"{d.by} obliges to {_named(d.obligation)}: {o.says}" for d, o in obstacles)
        raise ObligationError(
            f"policy demands what cannot be done here: {says}",
            decision=decision,
            checks=checks,
            code="refused.review" if all(o.review for _, o in obstacles) else None,
            hint=" ".join(dict.fromkeys(o.hint for _, o in obstacles)),
        )
    credits_ = (" ".join(str(params["text"]).split()) for params in _asked(demands, "attribution"))
    return Plan(
        demands=demands,
        disclosure=_disclosure(demands, means),
        labels=tuple(dict.fromkeys(label_of(params) for params in _asked(demands, "visible_label"))),
        source_type=bool(_asked(demands, "iptc")),
        aigc=next((aigc_provider(params, means) for params in _asked(demands, "aigc_label")), None),
        attributions=tuple(dict.fromkeys(credits_)),
        blur=_area(demands),
        people=_people(decision, demands, means),
        roles=tuple(dict.fromkeys(role for params in _asked(demands, "human_review") for role in roles_of(params))),
    )


def demands_of(decision: Decision) -> tuple[Demand, ...]:
    """Return every obligation with the rules that brought it."""
    return tuple(
        Demand(obligation=each, rules=tuple(rule for rule in decision.fired if each in rule.obligations))
        for each in decision.obligations
    )


def _obstacle(obligation: Obligation, means: Means) -> Obstacle | None:
    mismatch = obligation_mismatch(obligation.code, obligation.params)
    if mismatch or obligation.code not in DUTIES:
        says = f"expected {mismatch[0]}, found {mismatch[1]}" if mismatch else "nothing here knows how to meet it"
        return Obstacle(says=says, hint="Correct the pack, or leave it out.")
    duty = DUTIES[obligation.code]
    if means.sound and duty.pictures:
        return Obstacle(
            says="it is met by pictures only, and a sound is asked for",
            hint="Leave the pack out, or choose one with rules for sounds.",
        )
    return duty.obstacle(obligation.params, means)


def _together(demands: tuple[Demand, ...], means: Means) -> Iterator[tuple[Demand, Obstacle]]:
    """Yield what cannot be met because of another: contradicting modes, several providers, labels without room."""
    modes = [d for d in demands if d.obligation.code == "prompt_disclosure"]
    for demand in modes[1:]:
        hint = f"{modes[0].by} asks for {modes[0].obligation.params['mode']}; leave one of the packs out."
        yield demand, Obstacle(says="another rule asks for another mode", hint=hint)
    named = [d for d in demands if d.obligation.code == "aigc_label"]
    for demand in named[1:]:
        if aigc_provider(demand.obligation.params, means) != aigc_provider(named[0].obligation.params, means):
            hint = f"{named[0].by} names another; leave one of the packs out."
            yield demand, Obstacle(says="a file names one provider", hint=hint)
    labels = [d for d in demands if d.obligation.code == "visible_label"]
    if means.size and labels:
        each = [label_of(d.obligation.params) for d in labels]
        if why := label.misfit(each, means.size.width, means.size.height, means.label_font):
            yield labels[-1], Obstacle(says=f"the labels do not fit: {why}", hint="Ask for a larger --size.")


def _area(demands: Iterable[Demand]) -> str | None:
    """Return the larger of the areas that have to be hidden."""
    asked = [str(params.get("area", AREAS[0])) for params in _asked(demands, "blur")]
    return max(asked, key=AREAS.index, default=None)


def _people(decision: Decision, demands: Iterable[Demand], means: Means) -> int:
    """Return how many people have to approve: an effect asks for one, an obligation for as many as it says."""
    asked = [people_of(params) for params in _asked(demands, "human_review")]
    if decision.effect is Effect.REVIEW or (not means.checked and _asked(demands, "classifier_or_review")):
        asked.append(1)
    return max(asked, default=0)


def _disclosure(demands: Iterable[Demand], means: Means) -> PromptDisclosure:
    asked = [PromptDisclosure(str(params["mode"])) for params in _asked(demands, "prompt_disclosure")]
    return max((means.disclosure, *asked), key=DISCLOSURES.index)


def _asked(demands: Iterable[Demand], code: str) -> list[Mapping[str, str | int | bool]]:
    return [each.obligation.params for each in demands if each.obligation.code == code]


def _named(obligation: Obligation) -> str:
    params = ", ".join(f"{name}: {value}" for name, value in obligation.params.items())
    return f"{obligation.code} ({params})" if params else obligation.code
