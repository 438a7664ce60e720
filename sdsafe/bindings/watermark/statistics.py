"""What a detection is worth: bounds over everything that was tried. Pure.

**The test.** A message counts as a payload only when 32 keyed check bits agree. For a picture that carries no mark of
the key, HMAC-SHA256 makes them as good as random, so *each message looked at* is accepted with probability 2^-32,
whatever the picture and however it was chosen. The detector may look at many: two framings, six places, two shapes of
each, three ways in which it may have been averaged, 32 messages of each list. By the union bound the n-th of them is
accepted with probability at most n * 2^-32, which is the p-value of a detection; and a detector that never looks at
more than ``allowance(rate)`` messages is wrong about at most that share of unmarked pictures. Scale, rotation, mirror,
aspect and shift need no correction of their own: they choose which messages are looked at, and every message looked at
is counted.

The bound holds per picture *and key*. Whoever tries k keys has k times the rate.

**The template.** Its correlation says where to look and whether looking further is worth the time; it accepts nothing.
Its largest value over an unmarked picture follows a Gumbel distribution closely (the maximum of many nearly
independent places), which `fit_gumbel` fits, so that a benchmark can say how far the gates are from chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.bindings.watermark.framing import CHECK_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_RATE", "Gumbel", "allowance", "fit_gumbel", "p_value", "rate_bound"]

DEFAULT_RATE = 1e-6
"""False positives per unmarked picture and key that a detector may have."""


def allowance(rate: float) -> int:
    """Return how many messages may be held against the check so that ``rate`` is kept; 0 when not even one."""
    if not 0 < rate < 1:
        raise ValueError(f"a false-positive rate lies between 0 and 1, not {rate}")
    return math.floor(rate * 2.0**CHECK_BITS)


def p_value(messages: int) -> float:
    """Bound the probability that an unmarked picture gives a payload within ``messages`` messages."""
    return min(1.0, max(1, messages) * 2.0**-CHECK_BITS)


def rate_bound(false: int, trials: int, confidence: float = 0.95) -> float:
    """Return the one-sided upper confidence bound of a rate seen ``false`` times in ``trials`` (Clopper-Pearson)."""
    if false >= trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        logs = [
            math.lgamma(trials + 1)
            - math.lgamma(k + 1)
            - math.lgamma(trials - k + 1)
            + k * math.log(middle)
            + (trials - k) * math.log1p(-middle)
            for k in range(false + 1)
        ]
        if sum(math.exp(each) for each in logs) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True, slots=True)
class Gumbel:
    """The distribution of a maximum."""

    location: float
    scale: float

    def tail(self, value: float) -> float:
        """Return the probability of a maximum above ``value``."""
        return -math.expm1(-math.exp(-(value - self.location) / self.scale))

    def quantile(self, tail: float) -> float:
        """Return the value that a maximum exceeds with probability ``tail``."""
        return self.location - self.scale * math.log(-math.log1p(-tail))


def fit_gumbel(values: Sequence[float]) -> Gumbel:
    """Fit by maximum likelihood (fixed-point iteration on the scale).

    Raises:
        ValueError: Fewer than ten values, or all equal.
    """
    data = np.asarray(values, float)
    if len(data) < 10 or np.ptp(data) == 0:  # noqa: PLR2004 - fewer say nothing about a tail
        raise ValueError("a Gumbel fit needs at least ten different values")
    scale = float(data.std() * math.sqrt(6) / math.pi)
    for _ in range(200):
        weight = np.exp(-(data - data.min()) / scale)
        new = float(data.mean() - (data * weight).sum() / weight.sum())
        scale, settled = (scale + new) / 2, abs(new - scale) < 1e-9 * scale
        if settled:
            break
    location = float(data.min() - scale * math.log(np.mean(np.exp(-(data - data.min()) / scale))))
    return Gumbel(location, scale)
