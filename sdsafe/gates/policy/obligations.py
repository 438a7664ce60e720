"""The obligations that a pack may name, as the loader looks them up; ``core.obligations`` is the one table of them.

Naming an obligation that nobody knows is a mistake in the pack, found when it loads.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sdsafe.core.obligations import OBLIGATION_KINDS, obligation_mismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OBLIGATIONS", "obligation_mismatch"]

OBLIGATIONS: Mapping[str, Mapping[str, type]] = MappingProxyType(
    {
        code: MappingProxyType({name: each.kind for name, each in kind.params.items()})
        for code, kind in OBLIGATION_KINDS.items()
    }
)
"""Code to the parameters it takes, each with its type. ``obligation_mismatch`` also knows which values fit."""
