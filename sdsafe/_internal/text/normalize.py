"""Views of a text, each with a map back to the original, so that what is found can be shown where it stands.

The first view is the folded text: compatibility forms (full-width, circled, mathematical letters) become plain
ones, case is folded, marks that decorate letters and everything invisible is dropped. Vowel signs of scripts that
spell with them stay. Beside it stands its skeleton: look-alike letters as the Latin ones they are read as; equal to
the folded text where that is plain ASCII. Further views appear only where a text gives reason for them: *spaced*
(what is invisible separates words) and *symbols* (``$`` for s, inside words).

Single words have more readings, by ``readings``: digits as letters where both are mixed, long repetitions cut.

Folding is idempotent. It depends on the Unicode version of the interpreter, which ``UNICODE`` states for the record.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from array import array
from dataclasses import dataclass, replace

from sdsafe._internal.text.confusables import lookalike

__all__ = ["UNICODE", "View", "fold", "readings", "views"]

UNICODE = unicodedata.unidata_version
"""Version of the Unicode tables that folding uses."""

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")

# Marks that decorate: diacritics, Cyrillic, Hebrew and Arabic points, symbols, half marks, variation selectors.
_DECORATION = re.compile(
    r"[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    r"\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)
# Letters by category, nothing to the eye: Hangul fillers, Khmer inherent vowels, Mongolian selectors.
_BLANK = set("\u115f\u1160\u3164\uffa0\u17b4\u17b5\u180b\u180c\u180d\u180f")
_SPACES = {"\u2800", "\u2028", "\u2029", "\x85"}  # braille blank, line and paragraph separators, next line

_SYMBOL = re.compile(r"[@$!|€£¥¢]")
_SYMBOLS = re.compile(
    r"(?<=[^\W_])[@$!|€£¥¢]+(?=[^\W_])"
    r"|(?<!\w)[@$€£](?=[^\W\d_])|(?<=[^\W\d_])\$+(?!\w)"
)
_SYMBOL_LETTERS = str.maketrans("@$!|€£¥¢", "asilelyc")

_LEET = (str.maketrans("0123456789", "oizeasgtbg"), str.maketrans("0123456789", "olzeasgtbg"))  # 1 is i, or l
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
# Characters that fold to themselves, or to their lower case, whatever stands beside them, and look like nothing else.
_ORDINARY = re.compile(r"[\t\n -~\u3001\u3002\u300c\u300d\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]+")
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"[0-9]")


@dataclass(frozen=True, slots=True)
class View:
    """One reading of a whole text."""

    name: str
    plain: str
    """The folded text."""
    skeleton: str
    """The same with look-alike letters as Latin ones; as long as ``plain``."""
    offsets: array[int] | None
    """Index in the original of each character; None where they are the same."""
    size: int
    """Length of the original."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the part of the original that ``plain[start:end]`` was made from, dropped characters included."""
        if self.offsets is None:
            return start, end
        first = self.offsets[start]
        after = self.offsets[end] if end < len(self.offsets) else self.size
        return first, max(after, self.offsets[end - 1] + 1)


def views(text: str) -> tuple[View, ...]:
    """Return the folded text, and whatever else ``text`` may be read as."""
    if (text.isascii() and (text.isprintable() or not _CONTROLS.search(text))) or _ORDINARY.fullmatch(text):
        lower = text.lower()
        found = [View("plain", lower, lower, None, len(text))]
    else:
        found = [_folded(text, "plain", gap="")]
        spaced = _folded(text, "spaced", gap=" ")
        if spaced.plain != found[0].plain:
            found.append(spaced)
    if _SYMBOL.search(found[0].plain) and _SYMBOLS.search(found[0].plain):
        found.append(_spelled_out(found[0]))
    return tuple(found)


def fold(text: str) -> str:
    """Return the folded text, in which terms and texts are compared; folding it again changes nothing."""
    return views(text)[0].plain


def readings(word: str, skeleton: str) -> dict[str, str]:
    """Return how one folded word may be read: each reading with the name of what it takes to read it so.

    The word itself comes first. Words that mix letters and digits stay whole and are also read with the digits as
    letters, so that ``35mm`` and ``c3po`` match what is listed under these names.
    """
    found = {word: "plain"}
    if skeleton == word and word.isalpha() and not _REPEATED.search(word):
        return found  # nearly every word
    if skeleton != word:
        found[skeleton] = "look-alikes"
    for base in tuple(found):
        if _DIGIT.search(base) and _LETTER.search(base):
            for table in _LEET:
                found.setdefault(base.translate(table), "digits")
    for base in tuple(found):
        if _REPEATED.search(base):
            found.setdefault(_REPEATED.sub(r"\1", base), "repetition")
            found.setdefault(_REPEATED.sub(r"\1\1", base), "repetition")
    return found


def _spelled_out(view: View) -> View:
    def letters(text: str) -> str:
        return _SYMBOLS.sub(lambda match: match[0].translate(_SYMBOL_LETTERS), text)

    return replace(view, name="symbols", plain=letters(view.plain), skeleton=letters(view.skeleton))


def _folded(text: str, name: str, *, gap: str) -> View:
    """Fold character by character; ``gap`` stands for what is invisible."""
    plain: list[str] = []
    skeleton: list[str] = []
    offsets = array("I")
    index = -1
    while (index := index + 1) < len(text):
        if ordinary := _ORDINARY.match(text, index):
            plain += ordinary[0].lower()
            skeleton += ordinary[0].lower()
            offsets.extend(range(index, ordinary.end()))
            index = ordinary.end() - 1
            continue
        character = text[index]
        folded, read_as = _character(character)
        if not folded and gap and not _DECORATION.match(character):
            folded = read_as = gap
        for letter, read in zip(folded, read_as, strict=True):
            if plain and not letter.isascii() and _attaches(letter):
                if plain[-1].isascii() and _LETTER.match(plain[-1]):
                    continue  # a sign of another script on a Latin letter decorates it
                if len(joined := unicodedata.normalize("NFC", plain[-1] + letter)) == 1:
                    plain[-1] = skeleton[-1] = joined
                    continue
            plain.append(letter)
            skeleton.append(read)
            offsets.append(index)
    return View(name, "".join(plain), "".join(skeleton), offsets, len(text))


def _attaches(letter: str) -> bool:
    """Say whether a character belongs to the one before: signs and marks, Hangul vowels and finals."""
    return unicodedata.category(letter)[0] == "M" or "\u1161" <= letter <= "\u11ff"


@functools.lru_cache(maxsize=8192)
def _character(character: str) -> tuple[str, str]:
    """Return the folded form of one character and how it is read, of equal length; empty when it is dropped."""
    if character in _SPACES:
        return " ", " "
    if character in _BLANK or _is_invisible(character):
        return "", ""
    folded = character
    while (again := _once(folded)) != folded:
        folded = again
    read = lookalike(character)
    if read is not None and len(folded) == 1:
        # Letters in circles, squares and flags are letters in every view: they have no other meaning in a word.
        return (folded, read) if folded.isalnum() else (read, read)
    return folded, "".join(lookalike(letter) or letter for letter in folded)


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    return category == "Cf" or (category == "Cc" and character not in "\t\n\v\f\r")


def _once(text: str) -> str:
    parts = _DECORATION.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", parts).casefold()
