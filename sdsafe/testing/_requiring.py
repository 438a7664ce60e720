"""What contract suites say with: a requirement, and the pictures that plug-ins find hard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sdsafe.core.findings import Finding, Stage
    from sdsafe.core.pixels import Pixels
    from sdsafe.protocols import Named

__all__ = ["SMALL_SIZES", "flat", "require", "require_measured", "require_named", "require_raises", "require_sourced"]

SMALL_SIZES = ((1, 1), (1, 400), (7, 9), (64, 48))
"""Height and width of pictures in which there is hardly room for anything."""


def require(condition: object, message: str) -> None:
    """Fail the test with ``message``; a bare assert would vanish under ``python -O``."""
    if not condition:
        raise AssertionError(message)


def require_raises(kinds: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object]) -> None:
    """Fail the test unless ``call`` raises one of ``kinds``."""
    try:
        call()
    except kinds:
        return
    raise AssertionError(f"expected {kinds}, and nothing was raised")


def flat(*colour: int, side: int = 256) -> Pixels:
    """Return a square picture of one colour."""
    return np.tile(np.array(colour, np.uint8), (side, side, 1))


def require_named(check: Named) -> None:
    """Fail the test unless a check says what it is."""
    require(check.name, "name is empty")
    require(check.version, "version is empty")


def require_measured(findings: Sequence[Finding]) -> None:
    """Fail the test unless there is a score, and every score is a number from 0 to 1."""
    scores = [each.score for each in findings if each.score is not None]
    require(scores, "no scored finding")
    require(all(math.isfinite(score) and 0 <= score <= 1 for score in scores), f"scores {scores}")


def require_sourced(findings: Sequence[Finding], check: Named, stage: Stage) -> None:
    """Fail the test unless every finding names the check, its version and the stage."""
    for finding in findings:
        require(finding.stage is stage, f"stage {finding.stage}")
        require(finding.source == check.name, f"source {finding.source}")
        require(finding.source_version == check.version, f"version {finding.source_version}")
