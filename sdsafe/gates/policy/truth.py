"""Whether a condition can be true at all, and whether it can be false: tried out, over what it asks.

Every fact that a condition names takes each value that could matter: absent, and around each number and text that
stands in the condition. For conditions made of comparisons, ``in``, ``has`` and their combinations that is every case
there is; where there would be too many, nothing is claimed.
"""

from __future__ import annotations

import itertools
import math
import re
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Truth", "samples", "truth_of"]

_MOST = 10_000
_ABSENT = object()
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_TEXT = re.compile(r"\"((?:\\.|[^\"\\])*)\"|'((?:\\.|[^'\\])*)'")
_OTHER = "something else"


class Truth(Enum):
    """What came of trying."""

    NEVER = "never true"
    ALWAYS = "always true"
    SOMETIMES = "true or not"
    UNKNOWN = "not tried: too many cases"


def truth_of(
    expression: str,
    types: Mapping[str, str],
    evaluate: Callable[[Mapping[str, object]], bool | None],
    vocabulary: Mapping[str, Sequence[str]] | None = None,
) -> Truth:
    """Return whether an expression is ever true, and ever anything else.

    Args:
        expression: The condition.
        types: Every fact that it names, with its type: ``bool``, ``int``, ``double``, ``string`` or ``list``.
        evaluate: Answers it for facts by their names, those absent left out; None: it cannot be answered.
        vocabulary: All values of texts that take no others.
    """
    tried = list(itertools.islice(samples(expression, types, vocabulary or {}), _MOST + 1))
    if len(tried) > _MOST:
        return Truth.UNKNOWN
    answers = {evaluate(facts) is True for facts in tried}
    if answers == {True}:
        return Truth.ALWAYS
    return Truth.SOMETIMES if True in answers else Truth.NEVER


def samples(
    expression: str, types: Mapping[str, str], vocabulary: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Iterator[dict[str, object]]:
    """Yield facts to try: every combination of the values that could matter."""
    bare = _TEXT.sub('""', expression)
    numbers = sorted({float(match) for match in _NUMBER.findall(bare)} | {0.0})
    texts = list(dict.fromkeys(a or b for a, b in _TEXT.findall(expression)))
    values = [
        [(name, value) for value in (_ABSENT, *(vocabulary.get(name) or _values(name, kind, numbers, texts)))]
        for name, kind in types.items()
    ]
    for combination in itertools.product(*values):
        yield {name: value for name, value in combination if value is not _ABSENT}


def _values(name: str, kind: str, numbers: list[float], texts: list[str]) -> Sequence[object]:
    """Return one value of every kind that the constants of an expression tell apart."""
    between = [(a + b) / 2 for a, b in itertools.pairwise(numbers)]
    match kind:
        case "bool":
            return [True, False]
        case "int":
            whole = {math.floor(n) + step for n in (*numbers, *between) for step in (-1, 0, 1)}
            return sorted(n for n in whole if n >= 0)
        case "double":
            every = sorted({*numbers, *between, numbers[-1] + 1})
            return [n for n in every if 0 <= n <= 1] if name.startswith(("score.", "threshold.")) else every
        case "string":
            return [*texts, _OTHER, ""]
        case _:
            # Lists: empty, each text alone, all of them, and one with something else in it.
            return [(), *((text,) for text in texts), tuple(texts), (*texts, _OTHER)]
