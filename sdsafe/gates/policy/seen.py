"""Findings by category, and which checks looked: what conditions about findings are answered from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.core.findings import CheckStatus
from sdsafe.gates.policy.categories import LEXICON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdsafe.core.findings import CheckResult, Finding

__all__ = ["Seen"]


class Seen:
    """Findings of checks that ended ``ok``, by category, and which checks those were."""

    def __init__(self, results: Sequence[CheckResult], lexicon_version: str) -> None:
        """Index the results; the lexicon counts only in the version that was made from the packs that judge."""
        self._by_category: dict[str, list[tuple[int, Finding]]] = {}
        self._looked: set[str] = set()
        index = 0
        for result in results:
            usable = result.status is CheckStatus.OK
            if usable and (result.check != LEXICON or result.version == lexicon_version):
                self._looked.add(result.check)
            for finding in result.findings:
                if usable and finding.category is not None:
                    self._by_category.setdefault(finding.category, []).append((index, finding))
                index += 1

    def of(self, category: str) -> Sequence[tuple[int, Finding]]:
        """Return the findings of a category, each with its index among all findings."""
        return self._by_category.get(category, ())

    def looked(self, check: str | None) -> bool:
        """Say whether the check that answers for a category ran; a category that names no check is never silent."""
        return check is None or check in self._looked
