"""What policy is told besides findings: facts about the request, the house, the licences and the file.

What nobody knows is missing. It is never zero, never empty and never false.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdsafe.core.organisation import Organisation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.request import GenerationRequest

__all__ = ["AssetFacts", "JudgementContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFacts:
    """What is known of the file to be; None: not yet."""

    media_type: str | None = None
    width: int | None = None
    height: int | None = None

    @property
    def megapixels(self) -> float | None:
        """Width times height, in millions."""
        return self.width * self.height / 1e6 if self.width is not None and self.height is not None else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgementContext:
    """Everything about which rules may ask besides findings."""

    request: GenerationRequest = field(repr=False)
    """As resolved; ``intended_use`` included, where one was declared."""
    organisation: Organisation = field(default_factory=Organisation)
    licence: Mapping[str, object] | None = None
    """Facts about the effective licence; see ``gates.registry.effective.LicenceFacts``. None: nobody asked."""
    asset: AssetFacts | None = None
    """None before there is a file to speak of."""
