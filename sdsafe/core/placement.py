"""How a model was laid out over the memory of a machine, and how much of it was used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MemoryPeak", "Offload", "Placement"]


class Offload(StrEnum):
    """Where the weights wait while they are not used."""

    NONE = "none"
    """On the device, all of them."""
    MODEL = "model"
    """In main memory; whole models take turns on the device."""
    SEQUENTIAL = "sequential"
    """In main memory; layer after layer goes to the device: the least memory, and by far the slowest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What was chosen so that a model fits, and why."""

    offload: Offload = Offload.NONE
    attention_slicing: bool = False
    """Attention is computed head by head."""
    tiling: bool = False
    """The autoencoder works tile by tile; it may change single pixels where tiles meet."""
    budget: int | None = None
    """Bytes that were allowed; None: there was no limit."""
    expected: int | None = None
    """Bytes that were estimated before loading; None: nothing was estimated."""
    reason: str = ""
    """In words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPeak:
    """The most memory that was in use, as measured."""

    used: int
    """Bytes."""
    before: int
    """Bytes that were in use before the picture was begun; for ``process`` the peak until then."""
    of: str
    """``device``: its allocator's peak during this picture. ``pool``: what the device's allocator holds afterwards.
    ``process``: the peak of the whole process since it started."""
