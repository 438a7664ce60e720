"""From pictures that a person labelled to a threshold: precision and recall at every score, with their intervals. Pure.

Intervals are Wilson's (https://doi.org/10.1080/01621459.1927.10502953) at 95 %: with few pictures they are wide, and
a threshold that was chosen on the same pictures looks better than it is. Both are said where the figures are shown.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from sdsafe.core.thresholds import FORMAT
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Labelled", "Point", "choose", "curve", "document", "wilson"]

_Z: Final = 1.959964
LEAST: Final = 20
"""Pictures of each label under which no threshold is written: the interval would say nothing."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The score of one picture, and whether a person says that the category applies."""

    sha256: str
    score: float
    positive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a threshold would do: scores of at least ``threshold`` count as found."""

    threshold: float
    found: int
    """Positive pictures at or above it."""
    missed: int
    wrong: int
    """Negative pictures at or above it."""
    passed: int

    @property
    def precision(self) -> float:
        """Share of what is found that is right; 1 where nothing is found."""
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share of the positive pictures that is found."""
        return self.found / (self.found + self.missed)

    @property
    def false_positive_rate(self) -> float:
        """Share of the negative pictures that is found all the same."""
        return self.wrong / (self.wrong + self.passed)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = hits / count, _Z * _Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def curve(labelled: Sequence[Labelled]) -> tuple[Point, ...]:
    """Return a point for every score that occurs, highest threshold first.

    Raises:
        ConfigurationError: ``calibration.few``: a label has fewer than ``LEAST`` pictures.
    """
    positives = sum(each.positive for each in labelled)
    negatives = len(labelled) - positives
    if min(positives, negatives) < LEAST:
        raise ConfigurationError(
            f"{positives} positive and {negatives} negative pictures are too few: at least {LEAST} of each",
            code="calibration.few",
            hint="Add pictures to the folders `positive` and `negative`.",
        )
    points, found, wrong = [], 0, 0
    ordered = sorted(labelled, key=lambda each: -each.score)
    for index, each in enumerate(ordered):
        found += each.positive
        wrong += not each.positive
        if index + 1 == len(ordered) or ordered[index + 1].score < each.score:
            points.append(
                Point(
                    threshold=each.score,
                    found=found,
                    missed=positives - found,
                    wrong=wrong,
                    passed=negatives - wrong,
                )
            )
    return tuple(points)


def choose(points: Sequence[Point], *, recall: float) -> Point:
    """Return the highest threshold that finds at least the share ``recall`` of the positive pictures.

    A gate errs on the side of finding: among the thresholds that find enough, the highest lets the most good pass.
    """
    return next(point for point in points if point.recall >= recall)


def document(
    check: tuple[str, str], category: str, point: Point, labelled: Sequence[Labelled], *, target: float
) -> dict[str, object]:
    """Return the content of a threshold file: the threshold, and what it was measured on.

    Args:
        check: Name and version of the check.
        category: What was labelled.
        point: The threshold that was chosen.
        labelled: All pictures.
        target: The recall that was asked for.
    """
    return {
        "format": FORMAT,
        "check": {"name": check[0], "version": check[1]},
        "category": category,
        "threshold": point.threshold,
        "target_recall": target,
        "measured": {
            **{key: value for key, value in asdict(point).items() if key != "threshold"},
            "recall_95": list(wilson(point.found, point.found + point.missed)),
            "precision_95": list(wilson(point.found, point.found + point.wrong)),
            "false_positive_rate_95": list(wilson(point.wrong, point.wrong + point.passed)),
        },
        "pictures": {
            "positive": sorted(each.sha256 for each in labelled if each.positive),
            "negative": sorted(each.sha256 for each in labelled if not each.positive),
        },
    }
