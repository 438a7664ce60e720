"""The slot of verification: one look at a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sdsafe.core.report import Evidence
    from sdsafe.core.states import Asset

__all__ = ["Probe"]


class Probe(Protocol):
    """**Protocol:** one step of verification. Returns what it was given, plus what it saw."""

    @property
    def name(self) -> str:
        """Stable name, used as the source of its findings."""
        ...

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        """Add findings and set the state it is responsible for. Never raises on bad evidence."""
        ...
