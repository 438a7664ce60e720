"""Decisions: what policy says about findings, and what it obliges us to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Decision", "Discharge", "Effect", "FiredRule", "Obligation", "PolicyRef", "distinct", "unite"]


class Effect(IntEnum):
    """A lattice: the larger value is the more severe, and the most severe wins."""

    ALLOW = 0
    ANNOTATE = 1
    TRANSFORM = 2
    REVIEW = 3
    DENY = 4

    @property
    def label(self) -> str:
        """The lower-case name used in packs, manifests and reports."""
        return self.name.lower()

    @classmethod
    def parse(cls, label: str) -> Effect:
        """Read a label; ``ValueError`` for an unknown one."""
        try:
            return cls[label.upper()]
        except KeyError:
            msg = f"unknown effect {label!r}: expected one of {', '.join(e.label for e in cls)}"
            raise ValueError(msg) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """Which policy pack judged: its id, its version and the SHA-256 of its canonical form."""

    id: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """Something that must be done, and shown to be done, before release."""

    code: str
    params: Mapping[str, str | int | bool] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class FiredRule:
    """One rule that applied: its id, what it asked for, why, and on which text it rests."""

    rule: str
    policy: str
    effect: Effect
    because: str
    citation: str = ""
    findings: tuple[int, ...] = ()
    """Indices into the findings it fired on, in the order the results were given."""
    obligations: tuple[Obligation, ...] = ()
    """What this rule obliges to; those of all rules unite in the decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome of judging: the most severe effect of all rules, with every rule that fired."""

    effect: Effect
    policy: tuple[PolicyRef, ...]
    fired: tuple[FiredRule, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    errors: tuple[str, ...] = ()
    """Rules or checks that could not be evaluated; each has already taken its ``on_error`` effect."""
    undecided: tuple[str, ...] = ()
    """Of a look ahead: rules that cannot be answered yet; they have no effect so far."""

    @property
    def allows(self) -> bool:
        """Whether work may go on without a person: allow, annotate or transform."""
        return self.effect < Effect.REVIEW

    @property
    def leading(self) -> tuple[FiredRule, ...]:
        """The fired rules that brought the effect about."""
        return tuple(rule for rule in self.fired if rule.effect == self.effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discharge:
    """The proof that an obligation was met, read back from the finished bytes."""

    obligation: Obligation
    evidence: str
    ok: bool


def unite(decisions: Iterable[Decision]) -> Decision:
    """Combine decisions: the most severe effect wins, rules, obligations and errors unite in order.

    Raises:
        ValueError: No decision was given. An empty judgement is not a permission.
    """
    given = tuple(decisions)
    if not given:
        msg = "no decisions to unite: an empty judgement is not a permission"
        raise ValueError(msg)
    return Decision(
        effect=max(d.effect for d in given),
        policy=_unique(ref for d in given for ref in d.policy),
        fired=tuple(rule for d in given for rule in d.fired),
        obligations=distinct(o for d in given for o in d.obligations),
        errors=tuple(error for d in given for error in d.errors),
        undecided=tuple(rule for d in given for rule in d.undecided),
    )


def _unique(refs: Iterable[PolicyRef]) -> tuple[PolicyRef, ...]:
    return tuple(dict.fromkeys(refs))


def distinct(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """Return each obligation once, in order; parameters are a mapping, so that none can be hashed."""
    kept: list[Obligation] = []
    for obligation in obligations:
        if obligation not in kept:
            kept.append(obligation)
    return tuple(kept)
