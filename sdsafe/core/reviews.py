"""Cases for a person: what waits, and what people said about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sdsafe.core.ids import AssetId

__all__ = ["Case", "CaseState", "Opinion"]


class CaseState(StrEnum):
    """Where a case stands."""

    WAITING = "waiting"
    """Somebody has to look, or one more person has to."""
    APPROVED = "approved"
    """Enough people approved; the picture can be released."""
    RELEASED = "released"
    """It was released; the sealed picture is gone."""
    REJECTED = "rejected"
    """One person rejected it; the sealed picture is gone."""
    EXPIRED = "expired"
    """Nobody decided in time; the sealed picture is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one person said about a case."""

    reviewer: str
    """Name or address, as the organisation knows people."""
    approves: bool
    reason: str = field(repr=False)
    """In words; kept in the private record, never in the ledger."""
    at: str
    """RFC 3339, UTC, whole seconds."""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One picture that waits for a person, without the picture."""

    ticket: str
    """The id that the asset will have: 16 hex digits."""
    state: CaseState
    rules: tuple[str, ...]
    """``pack.rule`` of every rule that asked for a person."""
    people: int
    """How many different people have to approve."""
    roles: tuple[str, ...]
    """Roles that may approve; empty: any."""
    created_at: str
    expires_at: str
    opinions: tuple[Opinion, ...] = ()

    @property
    def approvals(self) -> tuple[Opinion, ...]:
        """The opinions that approve."""
        return tuple(each for each in self.opinions if each.approves)

    @property
    def asset_id(self) -> AssetId:
        """The ticket as an asset id."""
        return AssetId.parse(self.ticket)
