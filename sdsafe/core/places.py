"""Where things are kept on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Places"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The two folders sdsafe writes to on its own account."""

    state: Path
    """Keys, ledger, repository: losing it loses proofs. ``SDSAFE_HOME``, else the XDG data folder."""
    cache: Path
    """Pulled weights: can be deleted and pulled again. ``SDSAFE_CACHE``, else the XDG cache folder."""

    @property
    def keys(self) -> Path:
        """Folder of the signing credentials that ``sdsafe keys init`` makes."""
        return self.state / "keys"

    @property
    def models(self) -> Path:
        """Folder of pulled model files."""
        return self.cache / "models"
