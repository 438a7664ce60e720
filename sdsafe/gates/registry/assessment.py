"""Judges a declared use against an effective licence. Pure; every rule is evaluated; not legal advice.

What is known for sure to be forbidden is denied; what cannot be decided because a fact is missing or not verified
goes to a person; nothing is allowed on a fact that nobody has verified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sdsafe.core.decisions import Decision, Effect, FiredRule, Obligation, PolicyRef, distinct
from sdsafe.gates.registry.territory import overlap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.gates.registry.effective import EffectiveLicence, Part
    from sdsafe.gates.registry.licence import Duty, Licence, Verified
    from sdsafe.gates.registry.marketplace import Marketplace
    from sdsafe.gates.registry.use import DeclaredUse

__all__ = ["NOT_ADVICE", "Assessment", "DutyDue", "Reason", "assess"]

NOT_ADVICE = "Facts about licences in our own words; not legal advice. The licence texts alone are binding."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that speaks against allowing, or that somebody should know."""

    code: str
    """Stable dotted code, such as ``licence.commercial``."""
    effect: Effect
    says: str
    part: str = ""
    licence: str = ""
    clause: str = ""
    citation: str = ""
    verified: Verified = "primary"


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyDue:
    """A duty that binds this use, with where it is written."""

    obligation: Obligation
    release: bool
    """True: has to be shown on the finished file. False: people see to it outside of the file."""
    says: str
    licence: str
    citation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The outcome: the most severe effect of all reasons, with every reason and every duty."""

    effect: Effect
    reasons: tuple[Reason, ...]
    duties: tuple[DutyDue, ...]

    @property
    def allows(self) -> bool:
        """Whether work may go on without a person."""
        return self.effect < Effect.REVIEW

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """Every duty as an obligation, each once."""
        return distinct(duty.obligation for duty in self.duties)

    @property
    def release_obligations(self) -> tuple[Obligation, ...]:
        """The obligations that a pipeline discharges on the finished file; the others bind people."""
        return distinct(duty.obligation for duty in self.duties if duty.release)

    def decision(self, ref: PolicyRef) -> Decision:
        """Return it as a decision that unites with those of policy packs.

        Only obligations of the finished file go along: one that binds people could never be discharged there.
        """
        reasons = tuple(
            FiredRule(rule=each.code, policy=ref.id, effect=each.effect, because=each.says, citation=each.citation)
            for each in self.reasons
        )
        duties = tuple(
            FiredRule(
                rule=f"duty.{each.licence}",
                policy=ref.id,
                effect=Effect.ALLOW,
                because=each.says,
                citation=each.citation,
                obligations=(each.obligation,),
            )
            for each in self.duties
            if each.release
        )
        return Decision(
            effect=self.effect, policy=(ref,), fired=(*reasons, *duties), obligations=self.release_obligations
        )


def assess(
    effective: EffectiveLicence, use: DeclaredUse, marketplaces: Mapping[str, Marketplace] | None = None
) -> Assessment:
    """Judge ``use`` of the combination ``effective``.

    Args:
        effective: What ``combine`` returned.
        use: What was declared. A use that was not declared is judged as commercial; what that would deny goes to
            review, because declaring a milder use may settle it.
        marketplaces: Known marketplaces; needed for ``marketplace:<id>``.
    """
    rules = (_unknown, _dropped, _commercial, _limits, _territories, _outputs, _registration, _certainty, _persons)
    found = [reason for rule in rules for reason in rule(effective, use)]
    found += _marketplace(use, marketplaces or {})
    if use.use is None and any(reason.effect >= Effect.REVIEW for reason in found):
        found = [_softened(reason) for reason in found]
        found.append(
            Reason(
                code="use.undeclared",
                effect=Effect.REVIEW,
                says="no use was declared, and not every use is licensed: declare private, internal or commercial",
            )
        )
    effect = max((reason.effect for reason in found), default=Effect.ALLOW)
    ordered = sorted(found, key=lambda reason: -reason.effect)
    return Assessment(effect=effect, reasons=tuple(ordered), duties=tuple(_duties(effective, use)))


def _unknown(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[Reason]:
    for part in effective.unknown:
        effect = Effect.ANNOTATE if use.private else Effect.DENY if use.commercial else Effect.REVIEW
        yield Reason(
            code="licence.unknown",
            effect=effect,
            says=f"no licence of the {part.role} {part.name} (or of what it was made of) is known; unknown is no permission",
            part=part.name,
            verified="memory",
        )


def _dropped(effective: EffectiveLicence, _use: DeclaredUse) -> Iterator[Reason]:
    for each in effective.dropped:
        yield _reason(
            "licence.dropped",
            Effect.DENY,
            f"{each.part.name} is derived from a model under {each.base.name}, and its declared terms drop "
            f"{', '.join(each.terms)}",
            each.part,
            each.base,
            each.base.derivatives.clause,
            each.base.certainty(each.base.derivatives),
        )


def _commercial(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[Reason]:
    for part, licence in effective.licences:
        term = licence.commercial
        if term.value != "forbidden":
            continue
        certainty = licence.certainty(term)
        if use.private:
            effect, says = Effect.ANNOTATE, "private use only"
        elif not use.commercial:
            effect, says = Effect.REVIEW, "not every internal use is non-commercial"
        else:
            effect, says = _against(certainty), "commercial use is forbidden"
        says = f"{part.name}: {says}: {term.says}"
        yield _reason("licence.commercial", effect, says, part, licence, term.clause, certainty)


def _limits(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[Reason]:
    amounts = {"annual_revenue_usd": use.revenue_usd, "monthly_users": use.monthly_users}
    words = {"annual_revenue_usd": "annual revenue", "monthly_users": "number of monthly users"}
    for part, licence, limit in effective.limits:
        amount, certainty = amounts[limit.metric], licence.certainty(limit)
        if amount is not None and limit.crossed(amount):
            says = f"{part.name}: {amount:,} {limit.op} {limit.value:,} ({words[limit.metric]}): {limit.says}"
            yield _reason("licence.limit", _against(certainty), says, part, licence, limit.clause, certainty)
        elif amount is None and use.business:
            # A private person has neither; whoever acts for a business has to say.
            says = (
                f"{part.name}: the {words[limit.metric]} was not given, so the limit cannot be evaluated: {limit.says}"
            )
            yield _reason("licence.limit-unknown", Effect.REVIEW, says, part, licence, limit.clause, certainty)


def _territories(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[Reason]:
    for part, licence, territory in effective.territories:
        certainty = licence.certainty(territory)
        if use.territory is None:
            says = f"{part.name}: the territory was not given, and the licence is limited: {territory.says}"
            yield _reason("licence.territory-unknown", Effect.REVIEW, says, part, licence, territory.clause, certainty)
        elif not use.territory or (touched := overlap(use.territory, territory.excluded)):
            places = ", ".join(touched) if use.territory else "nowhere"
            says = f"{part.name}: not licensed for {places}: {territory.says}"
            yield _reason("licence.territory", _against(certainty), says, part, licence, territory.clause, certainty)


def _outputs(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[Reason]:
    for part, licence in effective.licences:
        outputs, certainty = licence.outputs, licence.certainty(licence.outputs)
        if use.commercial and outputs.commercial in {"forbidden", "disputed"}:
            effect = _against(certainty) if outputs.commercial == "forbidden" else Effect.REVIEW
            says = f"{part.name}: commercial use of pictures is {outputs.commercial}: {outputs.says}"
            yield _reason("licence.outputs", effect, says, part, licence, outputs.clause, certainty)


def _registration(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[Reason]:
    for part, licence, duty in effective.duties:
        attested = f"registration:{licence.id}" in use.attested
        if duty.code == "registration" and _binds(duty, use) and not attested:
            says = f"{part.name}: nobody has attested the registration ({duty.text}): {duty.says}"
            certainty = licence.certainty(duty)
            yield _reason("licence.registration", Effect.REVIEW, says, part, licence, duty.clause, certainty)


def _certainty(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[Reason]:
    effect = Effect.ANNOTATE if use.private else Effect.REVIEW
    for part in effective.parts:
        if part.found.conflict:
            says = f"{part.name}: {part.found.conflict}; the strictest statement counts until a person decides"
            yield Reason(code="licence.conflict", effect=effect, says=says, part=part.name, verified=part.verified)
        for licence in part.found.licences:
            verified = max(part.found.verified, licence.verified, key=("primary", "secondary", "memory").index)
            if verified != "primary" and f"licence:{licence.id}" not in use.attested:
                says = f"{part.name}: that it is under {licence.name}, or what that says, is known from {verified} only"
                yield _reason("licence.unverified", effect, says, part, licence, "", verified)


def _persons(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[Reason]:
    for part in effective.parts:
        if part.found.record is not None and part.found.record.depicts_person:
            says = f"{part.name} was made to show a real person, whose consent is needed"
            effect = Effect.ANNOTATE if use.private else Effect.REVIEW
            yield Reason(code="model.depicts-person", effect=effect, says=says, part=part.name)


def _marketplace(use: DeclaredUse, known: Mapping[str, Marketplace]) -> Iterator[Reason]:
    if use.marketplace is None:
        return
    place = known.get(use.marketplace)
    if place is None:
        says = f"nothing is known about the marketplace {use.marketplace}"
        yield Reason(code="marketplace.unknown", effect=Effect.REVIEW, says=says)
        return
    citation = f"{place.name}{f', {place.since}' if place.since else ''} ({place.sources[0]})"
    if place.accepts_ai == "no" and place.verified in {"primary", "secondary"}:
        says = f"{place.name} does not accept AI-generated pictures ({place.verified} source)"
        yield Reason(code="marketplace.refuses", effect=Effect.DENY, says=says, citation=citation)
    elif place.accepts_ai != "yes" or place.verified != "primary":
        says = f"whether {place.name} accepts AI-generated pictures is not known from a primary source"
        yield Reason(code="marketplace.unverified", effect=Effect.REVIEW, says=says, citation=citation)


def _duties(effective: EffectiveLicence, use: DeclaredUse) -> Iterator[DutyDue]:
    for _, licence, duty in effective.duties:
        if _binds(duty, use):
            params: dict[str, str | int | bool] = {}
            if duty.text:
                params["text"] = duty.text
            if duty.manner:
                params["manner"] = duty.manner
            yield DutyDue(
                obligation=Obligation(code=duty.code, params=params),
                release=duty.phase == "release",
                says=duty.says,
                licence=licence.id,
                citation=licence.cite(duty.clause),
            )
    for enforced in ("automatic", "attested", "none"):
        codes = sorted(code for code, each in effective.codes.items() if each.enforced == enforced)
        holders = {licence.id: licence for code in codes for licence in effective.restrictions[code]}
        if codes:
            yield DutyDue(
                obligation=Obligation(code="use_restrictions", params={"codes": " ".join(codes), "enforced": enforced}),
                release=False,
                says=f"not to be used for: {'; '.join(effective.codes[code].says for code in codes)}",
                licence=", ".join(holders),
                citation="; ".join(each.cite(each.restrictions_clause) for each in holders.values()),
            )


def _binds(duty: Duty, use: DeclaredUse) -> bool:
    match duty.applies:
        case "any":
            return True
        case "business" | "distribution":
            return use.business
        case "commercial":
            return use.commercial


def _against(certainty: Verified) -> Effect:
    """Return what a prohibition brings: what is only remembered asks a person."""
    return Effect.REVIEW if certainty == "memory" else Effect.DENY


def _softened(reason: Reason) -> Reason:
    always = reason.code in {"licence.dropped", "licence.limit", "licence.territory"}
    return reason if always or reason.effect < Effect.DENY else replace(reason, effect=Effect.REVIEW)


def _reason(  # noqa: PLR0913, PLR0917 - one value each of a row of the result
    code: str, effect: Effect, says: str, part: Part, licence: Licence, clause: str, verified: Verified
) -> Reason:
    return Reason(
        code=code,
        effect=effect,
        says=says,
        part=part.name,
        licence=licence.id,
        clause=clause,
        citation=licence.cite(clause),
        verified=verified,
    )
