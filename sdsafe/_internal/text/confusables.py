"""Letters that look like plain Latin ones: a small table of our own, completed from the names of the characters.

What ``unicodedata`` calls a Latin letter with a hook, a stroke or small-capital form is found by its name. Letters
of other scripts that readers take for Latin ones are listed here, capital and small apart, because they may look
like different letters. It is meant for finding terms, not for deciding whether two domain names differ.
"""

from __future__ import annotations

import functools
import re
import unicodedata

__all__ = ["is_foreign_lookalike", "lookalike"]

# Code points, by the letter they are read as: Cyrillic, Greek, Armenian, Cherokee, Lisu, Coptic.
_FOREIGN = {
    "a": "0410 0414 0430 0391 0394 039B 03B1 13AA A4EE 2C81",
    "b": "0412 042C 0432 044C 0392 03B2 13CF 13F4 A4D0",
    "c": "0421 0441 03F2 03F9 03C2 13DF A4DA 2CA5",
    "d": "0500 0501 03B4 13A0 13E7 A4D3",
    "e": "0404 0415 0435 0454 0395 03A3 03B5 13AC A4F0",
    "f": "A4DD",
    "g": "0581 13C0 13F3 A4D6",
    "h": "041D 043D 04BA 04BB 0397 0570 13BB A4E7",
    "i": "0406 0456 0399 03B9 0582 13A5 A4F2 2C93",
    "j": "0408 0458 03F3 0575 13AB A4D9",
    "k": "041A 043A 049A 049B 039A 03BA 13E6 A4D7 2C95",
    "l": "04C0 04CF 053C 056C 13DE A4E1",
    "m": "041C 043C 039C 13B7 A4DF",
    "n": "0418 041F 043F 039D 03B7 0578 057C A4E0 2C9B",
    "o": "041E 043E 04E8 04E9 039F 03BF 03C3 0555 0585 A4F3 2C9F",
    "p": "0420 0440 03A1 03C1 13E2 A4D1 2CA3",
    "q": "051A 051B 0566",
    "r": "0413 042F 0433 044F 13A1 13D2 A4E3",
    "s": "0405 0455 054F 13D5 13DA A4E2",
    "t": "0422 0442 03A4 03C4 13A2 A4D4",
    "u": "0438 03BC 03C5 054D 057D A4F4",
    "v": "0474 0475 03BD 13D9 A4E6",
    "w": "0428 0448 0460 0461 051C 051D 03C9 13B3 13D4 A4EA",
    "x": "0425 0445 04B2 04B3 03A7 03C7 A4EB",
    "y": "0423 0443 04AE 04AF 03A5 03B3 13A9 13BD A4EC",
    "z": "0396 13C3 A4DC",
}
_BY_CHARACTER = {chr(int(code, 16)): letter for letter, codes in _FOREIGN.items() for code in codes.split()}

_SHAPES = "SMALL CAPITAL|SCRIPT|DOTLESS|TURNED|REVERSED|OPEN|BARRED|SIDEWAYS|LONG|INSULAR|LIGATURE"
_NAMED = re.compile(
    rf"LATIN (?:SMALL |CAPITAL )?LETTER (?:(?:{_SHAPES}) )*([A-Z])(?: WITH .*)?"
    r"|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER ([A-Z])"
    r"|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
)
_SPECIAL = {"LATIN SMALL LETTER ALPHA": "a", "LATIN SMALL LETTER IOTA": "i"} | dict.fromkeys(
    ("LATIN SMALL LETTER SCHWA", "LATIN CAPITAL LETTER SCHWA"), "e"
)


@functools.lru_cache(maxsize=4096)
def lookalike(character: str) -> str | None:
    """Return the ASCII letter that ``character`` is read as, or None when it is read as itself."""
    if character.isascii():
        return None
    if listed := _BY_CHARACTER.get(character):
        return listed
    name = unicodedata.name(character, "")
    if special := _SPECIAL.get(name):
        return special
    matched = _NAMED.fullmatch(name)
    return next(filter(None, matched.groups())).lower() if matched else None


def is_foreign_lookalike(character: str) -> bool:
    """Say whether ``character`` belongs to another script and is read as a Latin letter."""
    return character in _BY_CHARACTER
