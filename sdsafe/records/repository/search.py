"""From a soft binding to the records it may lead to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sdsafe.core.softbinding import BindingKind
from sdsafe.records.repository.fingerprints import FingerprintIndex

if TYPE_CHECKING:
    from sdsafe.core.softbinding import SoftBinding
    from sdsafe.records.repository.tables import Tables

__all__ = ["Search"]


class Search:
    """Looks marks up by equality, fingerprints by distance; keeps the latter in memory and reads only new ones."""

    def __init__(self) -> None:
        """Start with nothing in memory."""
        self._lock = threading.Lock()
        self._indexes: dict[tuple[str, int], FingerprintIndex] = {}

    def candidates(self, tables: Tables, binding: SoftBinding, within: float) -> list[tuple[int, float | None]]:
        """Return (record number, distance) of what a binding leads to, nearest first; distance None for marks."""
        if not binding.value:
            return []
        if binding.kind is BindingKind.WATERMARK:
            return [(number, None) for number in tables.bound_to(binding)]
        nearest: dict[int, float | None] = {}
        for place, distance in self._places(tables, binding, within):
            number = tables.record_bound_by(place)
            if number is not None:  # None: discarded since the index was filled
                nearest.setdefault(number, distance)
        return list(nearest.items())

    def _places(self, tables: Tables, binding: SoftBinding, within: float) -> list[tuple[int, float]]:
        alg, length = binding.alg, len(binding.value)
        with self._lock:
            index = self._indexes.get((alg, length))
            if index is None or index.last > tables.last_binding():  # the file was put back to an earlier state
                index = self._indexes[alg, length] = FingerprintIndex(length)
            index.extend(list(tables.fingerprints(alg, length, index.last)))
            return index.within(binding.value, within)
