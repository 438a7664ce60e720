"""What somebody says they will do with the pictures. What was not said is missing, and is never taken for zero."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sdsafe.errors import RequestError
from sdsafe.gates.registry.territory import parse_territory

__all__ = ["DeclaredUse"]

_PLAIN = ("private", "internal", "commercial")
_MARKET = re.compile(r"marketplace:[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredUse:
    """A declared use with the facts about whoever declares it.

    Raises:
        RequestError: The use or the territory does not exist, or a number is negative.
    """

    use: str | None = None
    """``private``, ``internal``, ``commercial`` or ``marketplace:<id>``; None: not declared."""
    revenue_usd: int | None = None
    """Annual, with affiliates."""
    monthly_users: int | None = None
    territory: tuple[str, ...] | None = None
    """Where pictures are made and shown: countries, ``EU``, ``WORLDWIDE``."""
    attested: frozenset[str] = frozenset()
    """What a person vouches for: ``registration:<licence>`` (registered), ``licence:<licence>`` (read the text)."""

    def __post_init__(self) -> None:
        """Refuse what does not exist: a typo must not pass for a milder use."""
        if self.use is not None and self.use not in _PLAIN and not _MARKET.fullmatch(self.use):
            raise RequestError(
                f"no use {self.use[:40]!r}",
                code="licence.use",
                hint=f"Declare one of {', '.join(_PLAIN)}, marketplace:ID.",
            )
        for name, amount in (("revenue", self.revenue_usd), ("number of users", self.monthly_users)):
            if amount is not None and amount < 0:
                raise RequestError(f"the {name} cannot be negative", code="licence.use")
        if self.territory is not None:
            object.__setattr__(self, "territory", tuple(parse_territory(code) for code in self.territory))

    @property
    def marketplace(self) -> str | None:
        """Id of the marketplace, where one is declared."""
        return self.use.partition(":")[2] if self.use and self.use.startswith("marketplace:") else None

    @property
    def private(self) -> bool:
        """Whether it is declared to be private."""
        return self.use == "private"

    @property
    def business(self) -> bool:
        """Whether it may be more than private; a use that is not declared may be."""
        return not self.private

    @property
    def commercial(self) -> bool:
        """Whether it may earn money; a use that is not declared may."""
        return self.use not in {"private", "internal"}
