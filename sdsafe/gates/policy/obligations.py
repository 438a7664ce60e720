"""The obligations that a pack may name: those that the pipeline can discharge with evidence from the finished file.

An obligation that nobody can discharge would refuse every release; naming one is a mistake in the pack, found when
it loads.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OBLIGATIONS"]

OBLIGATIONS: Mapping[str, Mapping[str, type]] = MappingProxyType(
    {
        "watermark": MappingProxyType({}),
        "sign_c2pa": MappingProxyType({}),
    }
)
"""Code to the parameters it takes, each with its type."""
