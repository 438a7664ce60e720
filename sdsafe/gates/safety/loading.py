"""How a network that scores pictures is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.gates.safety.scoring import DEFAULT_TILE

if TYPE_CHECKING:
    from sdsafe.gates.options import CheckOptions

__all__ = ["Runtime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How a network is run."""

    device: str = "cpu"
    """A torch device, or ``auto``."""
    batch: int = 8
    """Views of one forward pass."""
    tile: int = DEFAULT_TILE
    """Side of the tiles of large pictures, in pixels; 0 looks at the whole picture alone."""

    @classmethod
    def read(cls, given: CheckOptions) -> Runtime:
        """Read ``device``, ``batch`` and ``tile``."""
        return cls(
            device=given.text("device", "cpu"),
            batch=given.integer("batch", 8, least=1),
            tile=given.integer("tile", DEFAULT_TILE),
        )

    def torch_device(self) -> str:
        """Return the torch device; ``auto`` is a GPU where torch sees one."""
        if self.device != "auto":
            return self.device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
