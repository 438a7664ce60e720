"""What is known about whoever runs a pipeline, whatever the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdsafe.core.organisation import Organisation

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["House"]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Facts and demands of the operator that hold for every request."""

    organisation: Organisation = field(default_factory=Organisation)
    intended_use: str | None = None
    """What pictures are for where a request does not say."""
    required: frozenset[str] = frozenset()
    """Ids of packs that the organisation demands: their rules about the output forbid to look away from it."""
    label_font: Path | None = None
    """Font of visible labels; None: the built-in one."""
