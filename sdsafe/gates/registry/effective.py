"""The licence that a combination of parts is effectively under: strictest per field, union of duties. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from sdsafe.gates.registry.licence import Commercial, strictest_commercial, weakest

if TYPE_CHECKING:
    from sdsafe.gates.registry.licence import Duty, Licence, Limit, Restriction, Territory, Verified
    from sdsafe.gates.registry.records import Found, Record, Registry

__all__ = ["Dropped", "EffectiveLicence", "LicenceFacts", "Part", "combine", "dropped_terms"]

_OUTPUTS = ("allowed", "unstated", "disputed", "forbidden")  # from the mildest to the strictest


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One model or adapter of the combination."""

    role: str
    """``base``, or the adapter's kind (``lora``, ``controlnet``, ...)."""
    found: Found

    @property
    def name(self) -> str:
        """How messages call it: a private model by its alias."""
        record = self.found.record
        if record is not None and record.visibility == "private":
            return f"private:{record.alias}"
        return self.found.repo

    @property
    def verified(self) -> Verified:
        """The weakest of: that it is under these licences, and each licence."""
        return weakest((self.found.verified, *(each.verified for each in self.found.licences)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A derivative whose declared licence lacks what the licence of its base makes it keep."""

    part: Part
    base: Licence
    terms: tuple[str, ...]


class LicenceFacts(TypedDict, total=False):
    """What a policy rule may ask about licences. A key that is absent is not known; it is never zero."""

    known: bool
    ids: list[str]
    verified: str
    commercial: str
    outputs_commercial: str
    restrictions: list[str]
    duties: list[str]
    excluded_territories: list[str]
    registration_required: bool
    depicts_person: bool
    private_model: bool
    conflict: bool
    revenue_limit_usd: int
    """The lowest ceiling; absent where no licence has one."""
    users_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveLicence:
    """What binds whoever uses this combination."""

    parts: tuple[Part, ...]
    commercial: Commercial | None
    """None: at least one part is under no known licence."""
    outputs_commercial: str
    verified: Verified
    limits: tuple[tuple[Part, Licence, Limit], ...]
    territories: tuple[tuple[Part, Licence, Territory], ...]
    duties: tuple[tuple[Part, Licence, Duty], ...]
    restrictions: dict[str, tuple[Licence, ...]]
    """Code to the licences that have it, in the order of the parts."""
    codes: dict[str, Restriction]
    dropped: tuple[Dropped, ...]
    unknown: tuple[Part, ...]
    """Parts under no known licence, or derived from a model under none."""

    @property
    def licences(self) -> tuple[tuple[Part, Licence], ...]:
        """Every licence with the part that brings it, in order."""
        return tuple((part, licence) for part in self.parts for licence in part.found.licences)

    @property
    def depicts_person(self) -> bool:
        """Whether a part was made to show one real person."""
        return any(part.found.record is not None and part.found.record.depicts_person for part in self.parts)

    def facts(self) -> LicenceFacts:
        """Return what policy rules see; see ``LicenceFacts``."""
        records = [part.found.record for part in self.parts if part.found.record is not None]
        facts = LicenceFacts(
            known=not self.unknown,
            ids=sorted({licence.id for _, licence in self.licences}),
            verified=self.verified,
            commercial=self.commercial or "unknown",
            outputs_commercial=self.outputs_commercial,
            restrictions=sorted(self.restrictions),
            duties=sorted({duty.code for _, _, duty in self.duties}),
            excluded_territories=sorted({code for _, _, each in self.territories for code in each.excluded}),
            registration_required=any(duty.code == "registration" for _, _, duty in self.duties),
            depicts_person=self.depicts_person,
            private_model=any(record.visibility == "private" for record in records),
            conflict=any(part.found.conflict for part in self.parts),
        )
        revenue = [limit.value for _, _, limit in self.limits if limit.metric == "annual_revenue_usd"]
        users = [limit.value for _, _, limit in self.limits if limit.metric == "monthly_users"]
        if revenue:
            facts["revenue_limit_usd"] = min(revenue)
        if users:
            facts["users_limit"] = min(users)
        return facts


def combine(parts: tuple[Part, ...], registry: Registry) -> EffectiveLicence:
    """Return the effective licence of ``parts``, base first.

    Raises:
        ValueError: There are no parts. Nothing is licensed to do nothing with.
    """
    if not parts:
        msg = "no parts to combine: a combination without a model has no licence"
        raise ValueError(msg)
    pairs = tuple((part, licence) for part in parts for licence in part.found.licences)
    unknown = tuple(part for part in parts if _is_unknown(part, registry))
    restrictions: dict[str, tuple[Licence, ...]] = {}
    for _, licence in pairs:
        for code in licence.restrictions:
            if licence not in restrictions.get(code, ()):
                restrictions[code] = (*restrictions.get(code, ()), licence)
    return EffectiveLicence(
        parts=parts,
        commercial=None if unknown else strictest_commercial(tuple(licence.commercial.value for _, licence in pairs)),
        outputs_commercial=max(
            ("unstated" if unknown else "allowed", *(licence.outputs.commercial for _, licence in pairs)),
            key=_OUTPUTS.index,
        ),
        verified=weakest(tuple(part.verified for part in parts)),
        limits=tuple((part, licence, limit) for part, licence in pairs for limit in licence.limits),
        territories=tuple((part, licence, licence.territory) for part, licence in pairs if licence.territory),
        duties=_distinct(pairs),
        restrictions=restrictions,
        codes={code: registry.restrictions[code] for code in restrictions},
        dropped=tuple(_dropped(parts, registry)),
        unknown=unknown,
    )


def dropped_terms(declared: Licence, base: Licence) -> tuple[str, ...]:
    """Return which terms of ``base`` a derivative under ``declared`` would drop without being free to."""
    if base.derivatives.value == "free":
        return ()
    if base.derivatives.value == "forbidden":
        return ("no derivatives",)
    dropped = [code for code in base.restrictions if code not in declared.restrictions]
    if base.derivatives.value == "same_terms":
        if strictest_commercial((declared.commercial.value, base.commercial.value)) != declared.commercial.value:
            dropped.append(f"commercial use {base.commercial.value}")
        dropped += [
            f"{limit.metric} {limit.op} {limit.value}"
            for limit in base.limits
            if not any(_as_strict(other, limit) for other in declared.limits)
        ]
        excluded = declared.territory.excluded if declared.territory else ()
        dropped += [
            f"territory {code}" for code in (base.territory.excluded if base.territory else ()) if code not in excluded
        ]
    return tuple(dropped)


def _as_strict(one: Limit, other: Limit) -> bool:
    if one.metric != other.metric:
        return False
    return one.value < other.value or (one.value == other.value and one.op in {other.op, ">="})


def _distinct(pairs: tuple[tuple[Part, Licence], ...]) -> tuple[tuple[Part, Licence, Duty], ...]:
    """Unite duties: the same duty of the same licence counts once, whichever parts bring it."""
    kept: dict[tuple[str, Duty], tuple[Part, Licence, Duty]] = {}
    for part, licence in pairs:
        for duty in licence.duties:
            kept.setdefault((licence.id, duty), (part, licence, duty))
    return tuple(kept.values())


def _dropped(parts: tuple[Part, ...], registry: Registry) -> list[Dropped]:
    found: list[Dropped] = []
    for part in parts:
        for base in _bases(part.found.record, registry):
            for licence in (registry.licences[name] for name in _names(base)):
                lost: set[str] = set()
                for declared in part.found.licences[:1]:
                    lost.update(dropped_terms(declared, licence))
                if lost:
                    found.append(Dropped(part=part, base=licence, terms=tuple(sorted(lost))))
    return found


def _is_unknown(part: Part, registry: Registry) -> bool:
    return not part.found.licences or any(not _names(base) for base in _bases(part.found.record, registry))


def _bases(record: Record | None, registry: Registry) -> list[Record]:
    """Return every record that ``record`` was made of, through all generations, each once."""
    reached: dict[str, Record] = {}
    waiting = list(record.derived_from) if record is not None else []
    while waiting:
        name = waiting.pop()
        base = registry.record(name)
        if base is not None and name not in reached:
            reached[name] = base
            waiting += base.derived_from
    return list(reached.values())


def _names(record: Record) -> tuple[str, ...]:
    return (*((record.licence,) if record.licence else ()), *record.also)
