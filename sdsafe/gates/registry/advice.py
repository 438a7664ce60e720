"""What somebody who was refused for licence reasons can do about it, in words that can be typed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.core.decisions import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sdsafe.gates.registry.assessment import Assessment

__all__ = ["declare_hint", "remedies"]

_WORDS = {
    Effect.ALLOW: "would be allowed",
    Effect.ANNOTATE: "would be allowed, with a note",
    Effect.TRANSFORM: "would be allowed, with changes",
    Effect.REVIEW: "would need a person",
    Effect.DENY: "would be refused",
}
_FACTS = {
    "licence.limit-unknown": "State revenue_usd and monthly_users in the table [organisation] of the settings.",
    "licence.territory-unknown": "State territories in the table [organisation] of the settings.",
    "licence.unknown": "If you know the licence, put the model into your registry.yaml.",
    "licence.conflict": "Settle it with a record of your own in registry.yaml.",
}


def declare_hint(alternatives: Iterable[tuple[str, Effect]]) -> str:
    """Return what to type where no use was declared; ``alternatives`` are uses with what each would bring."""
    found = sorted(alternatives, key=lambda pair: pair[1])
    said = "; ".join(f"--use {use} {_WORDS[effect]}" for use, effect in found)
    return f"Say what the pictures are for: {said}. `intended_use` in the settings says it for good."


def remedies(assessment: Assessment) -> tuple[str, ...]:
    """Return what would remove the reasons of an assessment that does not allow, each once."""
    found: list[str] = []
    for reason in assessment.reasons:
        if reason.effect < Effect.REVIEW:
            continue
        if reason.code == "licence.registration":
            found.append(f"If you are registered, vouch for it with --attest registration:{reason.licence}.")
        elif reason.code == "licence.unverified":
            found.append(f"If you have read the licence, vouch for it with --attest licence:{reason.licence}.")
        elif reason.code in _FACTS:
            found.append(_FACTS[reason.code])
    return tuple(dict.fromkeys(found))
