"""What is known about whoever makes the pictures. What nobody said is missing, and is never taken for zero."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Organisation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Facts that licences and marketplaces ask for; None: not said."""

    name: str | None = None
    """The provider, as labels that ask for one name it."""
    code: str | None = None
    """The code that a registry of providers gave it."""
    revenue_usd: int | None = None
    """Annual, with affiliates."""
    monthly_users: int | None = None
    territories: tuple[str, ...] | None = None
    """Where pictures are made and shown: countries (ISO 3166-1 alpha-2), ``EU``, ``WORLDWIDE``."""
    attested: tuple[str, ...] = ()
    """What it vouches for: ``registration:LICENCE``, ``licence:LICENCE``."""
