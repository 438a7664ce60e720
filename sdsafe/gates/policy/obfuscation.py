"""Finds writing that hides what it says: characters nobody sees inside words, scripts mixed within one word.

Ordinary uses stay unmentioned: joiners between letters of scripts that need them and in emoji, direction marks
around right-to-left text, flags, units such as ``\N{MICRO SIGN}m``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sdsafe._internal.text.confusables import is_foreign_lookalike

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Obfuscation", "find_obfuscation"]

_PRINTABLE_ASCII = re.compile(r"[\t\n\r -~]*")
# Letters and digits of scripts that never need a joiner: Latin, Greek, Cyrillic, Armenian.
_JOINERLESS = r"[0-9A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u0531-\u0587]"
_ZERO_WIDTH = r"[\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0]"

_KINDS = {
    "control": re.compile(r"[\x00-\x08\x0e-\x1f\x7f]+"),
    "direction": re.compile(r"[\u202d\u202e]+|(?<=\w)[\u202a-\u202e\u2066-\u2069]+(?=\w)"),
    "tags": re.compile(r"(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+"),
    "zero-width": re.compile(rf"(?<={_JOINERLESS}){_ZERO_WIDTH}+(?={_JOINERLESS})"),
    "stacked-marks": re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{3,}"),
}
_WORD = re.compile(r"[^\W\d_]{4,}")
_LATIN = re.compile(r"[A-Za-z]")


class Obfuscation(NamedTuple):
    """Characters ``start`` to ``end`` of the text, and what is odd about them."""

    kind: str
    start: int
    end: int


def find_obfuscation(text: str) -> Iterator[Obfuscation]:
    """Yield what hides something in ``text``: by kind, then in order."""
    if _PRINTABLE_ASCII.fullmatch(text):
        return
    for kind, pattern in _KINDS.items():
        for match in pattern.finditer(text):
            yield Obfuscation(kind, match.start(), match.end())
    for match in _WORD.finditer(text):
        word = match[0]
        if not word.isascii() and _LATIN.search(word) and any(map(is_foreign_lookalike, word)):
            yield Obfuscation("mixed-scripts", match.start(), match.end())
