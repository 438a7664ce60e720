"""How a model was laid out over the memory of a machine, and how much of it was used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Adoption", "MemoryPeak", "Offload", "Placement"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What was seen of a pipe that the caller had configured, and what nobody can vouch for."""

    seen: Mapping[str, str]
    """What was observed, by name: quantisation, compiled components, offload, ...; empty where all is ordinary."""
    unvouched: tuple[str, ...]
    """Stable codes: see ``docs/guides/adopt-a-pipeline.md``."""

    def __post_init__(self) -> None:
        """Freeze what was seen."""
        object.__setattr__(self, "seen", MappingProxyType(dict(self.seen)))
