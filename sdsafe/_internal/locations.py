"""Where state and cache lie when nobody says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe.core.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["default_places"]


def default_places(env: Mapping[str, str]) -> Places:
    """Return the folders named by ``SDSAFE_HOME`` and ``SDSAFE_CACHE``, else those of the XDG base directories."""
    home = Path(env.get("HOME") or Path.home())
    data = Path(env.get("XDG_DATA_HOME") or home / ".local" / "share")
    cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache")
    return Places(
        state=Path(env.get("SDSAFE_HOME") or data / "sdsafe"),
        cache=Path(env.get("SDSAFE_CACHE") or cache / "sdsafe"),
    )
