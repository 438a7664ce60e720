"""The words of a text, and every other way to read them: what the lexicon walks along.

A text is a row of words. Beside the plain ones it may offer others, each from one word to a later one: a word with
its digits as letters, the look-alike letters as Latin ones, parts that only a sign within a word separates
("pass-port"), single letters that stand in a row ("p a s s p o r t").
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from sdsafe._internal.text.normalize import readings

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from sdsafe._internal.text.normalize import View

__all__ = ["RUN", "UNSEPARATED", "Other", "Words", "words_of"]

RUN = 3
"""So many single letters in a row are read as one word."""

UNSEPARATED = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff"
    r"\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Letters of scripts that write without spaces between words, or hang particles on them."""

# Letters, digits, and the signs that Indic and South-East Asian scripts and kana write words with.
_WORD = re.compile(
    r"(?:[^\W_]|[\u0900-\u0963\u0970-\u0dff\u0e31-\u0e4e\u0eb1-\u0ece\u0f18-\u0fbc\u102b-\u109d\u17b6-\u17d3\u3099\u309a])+"
)
_DIGIT = re.compile(r"[0-9]")
# Splitting after this table is three times as fast as searching for words.
_TO_SPACES = "".join(character if character.isalnum() else " " for character in map(chr, range(128)))
# Sizes of pictures, films and lenses, and ordinals: in nearly every prompt, and nobody's way to write a word.
_MEASURE = re.compile(r"[0-9]+(?:k|mm|cm|px|p|x|d|fps|mp|st|nd|rd|th)")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")

# Signs that people put into words. Commas, slashes, colons and brackets end words in prompts: "(cat:1.2),dog".
_INNER_SIGNS = "-._*~+'\u2019\u2010\u2011\xb7\u2022"
_SIGN = re.compile(rf"[{_INNER_SIGNS}]")  # one by one: a repetition would make the search twice as slow
_SIGNS = set(_INNER_SIGNS)
_UNDERSCORES = 3  # count as one sign
_PARTS = 6  # of one word, so many at most
_GAP = 3  # so many separators may stand between two single letters


class Other(NamedTuple):
    """A word that reaches up to, not including, word ``after``, and what it takes to read it so."""

    word: str
    after: int
    how: str


class Words:
    """The words of one view of a text, with what else may stand at each of them."""

    __slots__ = ("_bounds", "_known", "_plain_ascii", "_same", "_split", "_view", "others", "plain", "runs")

    def __init__(self, view: View, known: Container[str] | None = None) -> None:
        """Take ``view`` apart.

        Args:
            view: One reading of a text.
            known: Words that somebody looks for; others than the plain ones are offered only if they are among them.
        """
        self._view = view
        self._known = known
        simple = view.plain.isascii()
        self._same = view.plain == view.skeleton
        self._plain_ascii = simple and self._same
        self._split: Callable[[str], list[str]] = _split_ascii if simple else _WORD.findall
        self.plain = self._split(view.plain)
        """The folded words, in order."""
        self._bounds: list[tuple[int, int]] = []
        self.others: dict[int, list[Other]] = {}
        """By the word that they begin at."""
        self.runs = self._single_letters()
        """Where single letters stand in a row, close enough to be meant as words."""
        for index in self._odd() if self._plain_ascii else self._not_latin():
            word = self.plain[index]
            for each, how in readings(word, self.skeleton(index)).items():
                if each != word and (known is None or each in known):
                    self.others.setdefault(index, []).append(Other(each, index + 1, how))
        self._join_parts()
        for run in self.runs:
            self._join_run(run)

    def bounds(self, index: int) -> tuple[int, int]:
        """Return the first character of a word and the one after its last; looked up as far as it is asked for."""
        known = self._bounds
        if index >= len(known):
            find, after = self._view.plain.find, known[-1][1] if known else 0
            for word in self.plain[len(known) : index + 1]:  # nothing but separators stands before the next word
                start = find(word, after)
                after = start + len(word)
                known.append((start, after))
        return known[index]

    def skeleton(self, index: int) -> str:
        """Return word ``index`` with look-alike letters as Latin ones."""
        if self._same:
            return self.plain[index]
        start, end = self.bounds(index)
        return self._view.skeleton[start:end]

    def _odd(self) -> list[int]:
        """Return the ASCII words that may read in more than one way; most texts have none."""
        text = self._view.plain
        found: list[int] = []
        if _DIGIT.search(text):
            mixed = [i for i, word in enumerate(self.plain) if not word.isalpha() and not word.isdigit()]
            found += [index for index in mixed if not _MEASURE.fullmatch(self.plain[index])]
        if _has_triple(text):
            found += [i for i, word in enumerate(self.plain) if word.isalpha() and _REPEATED.search(word)]
        return found

    def _not_latin(self) -> Iterator[int]:
        for index, word in enumerate(self.plain):
            if not word.isascii() or not word.isalpha() or _REPEATED.search(word) or self.skeleton(index) != word:
                yield index

    def _join(self, first: int, after: int, how: str) -> None:
        """Add every reading of words ``first`` to ``after`` as one; ``how`` is what it took to join them."""
        plain = "".join(self.plain[first:after])
        skeleton = plain if self._same else "".join(map(self.skeleton, range(first, after)))
        for word in readings(plain, skeleton):
            if self._known is None or word in self._known:
                self.others.setdefault(first, []).append(Other(word, after, how))

    def _join_parts(self) -> None:
        if self._known is not None and self._plain_ascii and not self._worth_joining(self._known):
            return
        joined = self._joints()
        for joint in joined:
            for first in range(joint, max(joint - _PARTS + 1, -1), -1):
                if first != joint and first not in joined:
                    break
                if not self._all_single(first, joint + 2):
                    self._join(first, joint + 2, "separators")

    def _worth_joining(self, known: Container[str]) -> bool:
        """Say of an ASCII text whether two words around a sign make one that is known, or more than two are joined.

        Nearly every prompt has a "high-quality": to find its place in the row of words costs more than all else.
        """
        text = self._view.plain
        spaced = text.translate(_TO_SPACES)
        for start, end in _within_words(text):
            left, right = spaced.rfind(" ", 0, start) + 1, spaced.find(" ", end)
            right = len(text) if right < 0 else right
            if text[left - 1 : left] in _SIGNS or text[right : right + 1] in _SIGNS:
                return True
            joined = text[left:start] + text[end:right]
            if any(word in known for word in readings(joined, joined)):
                return True
        return False

    def _joints(self) -> dict[int, None]:
        """Return the words that one sign, and no space, separates from the next."""
        text = self._view.plain
        joints: dict[int, None] = {}
        index = done = 0
        for start, _ in _within_words(text):
            index += len(self._split(text[done:start]))
            done = start
            joints[index - 1] = None
        return joints

    def _all_single(self, first: int, after: int) -> bool:
        return len(self.plain[after - 1]) == 1 and after - first == sum(map(len, self.plain[first:after]))

    def _single_letters(self) -> list[range]:
        lengths = [*map(len, self.plain)]
        if lengths.count(1) < RUN:
            return []
        runs = []
        start = 0
        for index in range(1, len(lengths) + 1):
            if index < len(lengths) and lengths[index] == lengths[index - 1] == 1 and self._close(index):
                continue
            if index - start >= RUN:
                runs.append(range(start, index))
            start = index
        return runs

    def _close(self, index: int) -> bool:
        return self.bounds(index)[0] - self.bounds(index - 1)[1] <= _GAP

    def _join_run(self, run: range) -> None:
        """Add the run as words; where some of its gaps are wider than others, they separate words."""
        bounds = self.bounds
        narrow = min(bounds(after)[0] - bounds(before)[1] for before, after in itertools.pairwise(run))
        first = run.start
        for index in range(run.start + 1, run.stop + 1):
            if index == run.stop or bounds(index)[0] - bounds(index - 1)[1] > narrow:
                if index - first > 1:
                    self._join(first, index, "joined letters")
                first = index


def _within_words(text: str) -> Iterator[tuple[int, int]]:
    """Yield where one sign stands between two letters or digits."""
    for match in _SIGN.finditer(text):
        start, end = match.span()
        while text[start] == "_" and text[end : end + 1] == "_" and end - start < _UNDERSCORES:
            end += 1
        if start > 0 and end < len(text) and text[start - 1].isalnum() and text[end].isalnum():
            yield start, end


def words_of(folded: str) -> list[str]:
    """Return the words of a folded term."""
    return _split_ascii(folded) if folded.isascii() else _WORD.findall(folded)


def _split_ascii(text: str) -> list[str]:
    return text.translate(_TO_SPACES).split()


def _has_triple(text: str) -> bool:
    """Say whether an ASCII text has a character three times in a row: two neighbours of it equal their next ones."""
    number = int.from_bytes(text.encode("ascii"), "big")
    differences = number ^ (number >> 8)  # five times as fast as a pattern, and most prompts have none
    return b"\0\0" in differences.to_bytes(len(text), "big")
