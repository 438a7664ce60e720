"""Says which halves of a composition a text names, in any way that the lexicon reads too; never where or by which word.

Terms of whole words lie in one dictionary in which every beginning of a term is a key; a scan follows the words of
each view, and whatever else may stand in their place (digits as letters, look-alikes, joined parts, single letters
in a row). Scripts that do not separate words are searched by patterns, also with everything between letters left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Flag
from typing import TYPE_CHECKING

from sdsafe._internal.text.normalize import fold, views
from sdsafe._internal.text.words import UNSEPARATED, Words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sdsafe._internal.text.normalize import View

__all__ = ["Half", "Language", "Matcher"]


class Half(Flag):
    """What a text says. No half decides anything alone."""

    NONE = 0
    AGE = 1
    """Somebody is a minor."""
    SEXUAL = 2
    """Nudity or a sexual act."""
    SUGGESTIVE = 4
    """Meant to arouse."""
    PERSON = 8
    """A real person, or somebody who did not agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The terms of one language.

    In ``terms`` and ``harmless`` commas and line ends separate; ``*`` at the end of a term stands for any ending of
    its last word; ``#`` stands for 0 to 17 in figures and for each of ``numbers``.
    """

    terms: str = ""
    harmless: str = ""
    """Phrases in which a listed word means something else."""
    numbers: str = ""
    """Words for 0 to 17, separated by spaces; a hyphen stands for a space within one."""
    inside: str = ""
    """Regular expressions, separated by white space, that match within words."""


_FIGURES = tuple(dict.fromkeys(f"{number:0{width}}" for number in range(18) for width in (1, 2)))
_SEPARATED = re.compile(r"[,\n]")
_NOT_WORD = re.compile(r"[\W_]+")
_FOREIGN_FIGURE = re.compile(r"(?![0-9])\d")
_SENTINELS = {"__age_test__": Half.AGE, "__sexual_test__": Half.SEXUAL, "__person_test__": Half.PERSON}
_TRIPLE = re.compile(r"([^\W\d_])\1{2,}")
_REPEATED = re.compile(r"([^\W\d_])\1+")
_STEM_HEAD = 3  # letters that every stem has at least
_ARTICLES = ("وال", "بال", "كال", "لل", "ال")
_PIECES = 16  # of one term, so many at most
_LONG = 8  # letters that a term must have to be found in pieces of any length
_HARMLESS = 1 << 8  # not a half: a phrase in which listed words mean something else


class Matcher:
    """A frozen set of terms. Safe to use from several threads."""

    def __init__(self, lists: Iterable[tuple[Mapping[str, Language], Half]]) -> None:
        """Index the terms of ``lists``, each of which stands for its halves."""
        # Every beginning of a term -> the halves of the terms that end there; a stem ends with "*".
        self._keys: dict[str, int] = {}
        self._stem_heads: set[str] = set()
        self._stem_lengths: set[int] = set()
        self._joined: dict[str, int] = {}
        self._patterns: list[tuple[re.Pattern[str], int]] = []
        for languages, half in lists:
            for language in languages.values():
                for term in _expanded(language.terms, language):
                    self._add(term, half.value)
                for term in _expanded(language.harmless, language):
                    self._add(term, _HARMLESS)
                if language.inside.strip():
                    pattern = "|".join(f"(?:{each})" for each in language.inside.split())
                    self._patterns.append((re.compile(pattern), half.value))
        self._lengths = sorted(self._stem_lengths)

    def halves(self, text: str) -> Half:
        """Return every half that ``text`` names."""
        if not text.isascii():
            text = _FOREIGN_FIGURE.sub(lambda figure: str(int(figure[0])), text)
        found = 0
        for view in views(text):
            found |= self._view(view)
        return Half(found)

    def _view(self, view: View) -> int:
        found = 0
        if "__" in view.plain:
            for sentinel, half in _SENTINELS.items():
                found |= half.value if sentinel in view.plain or sentinel in view.skeleton else 0
        if not view.plain.isascii() and UNSEPARATED.search(view.plain):
            found |= self._inside(view.plain)
        words = Words(view)
        found |= self._along(words)
        return found | self._in_pieces(words)

    def _inside(self, plain: str) -> int:
        found = 0
        compact = _NOT_WORD.sub("", plain)
        for pattern, halves in self._patterns:
            if pattern.search(plain) or pattern.search(compact):
                found |= halves
        return found

    def _along(self, words: Words) -> int:
        """Follow the words as far as terms go; what lies wholly within a harmless phrase does not count."""
        plain, others = words.plain, words.others
        keys, heads = self._keys, self._stem_heads
        matches = [
            (range(first, after), halves)
            for first, word in enumerate(plain)
            if word in keys or word[:_STEM_HEAD] in heads or first in others or not word.isascii()
            for after, halves in self._from(words, first)
        ]
        found = reach = 0
        for place, halves in sorted(matches, key=lambda match: (match[0].start, match[1] != _HARMLESS)):
            if halves == _HARMLESS:
                reach = max(reach, place.stop)  # of all phrases that begin here or before
            elif place.stop > reach:
                found |= halves & ~_HARMLESS
        return found

    def _from(self, words: Words, first: int) -> Iterator[tuple[int, int]]:
        """Yield where each term ends that begins at word ``first``, and its halves."""
        todo = [("", first)]
        for key, at in todo:  # grows while it is walked
            if at >= len(words.plain):
                continue
            for word, after in self._choices(words, at):
                longer = f"{key} {word}" if key else word
                if (halves := self._keys.get(longer)) is not None and (longer, after) not in todo:
                    if halves:
                        yield after, halves
                    todo.append((longer, after))
                yield from ((after, halves) for halves in self._stems(longer, len(word)))

    def _stems(self, key: str, last: int) -> Iterator[int]:
        """Yield the halves of every stem that ``key`` goes on with in its last word, of ``last`` letters."""
        before = len(key) - last
        for length in self._lengths:
            if length <= last and (halves := self._keys.get(f"{key[: before + length]}*")):
                yield halves

    def _choices(self, words: Words, at: int) -> Iterator[tuple[str, int]]:
        """Yield the readings of word ``at`` with where each ends; Arabic words also without their article."""
        word = words.plain[at]
        yield word, at + 1
        if not word.isascii():
            for article in _ARTICLES:
                if word.startswith(article):
                    yield word[len(article) :], at + 1
        for other in words.others.get(at, ()):
            yield other.word, other.after
        if _TRIPLE.search(word):
            yield _squeezed(word), at + 1

    def _in_pieces(self, words: Words) -> int:
        """Find long terms that stand in pieces of any length, and any term in single letters; both whole words."""
        found = 0
        rows = {tuple(words.plain)}
        rows.add(tuple(_reading(words, index) for index in range(len(words.plain))))
        for row in rows:
            for first in range(len(row) - 1):
                found |= self._pieces_from(row, first)
        return found

    def _pieces_from(self, row: tuple[str, ...], first: int) -> int:
        found, text = 0, row[first]
        for after in range(first + 1, min(first + _PIECES, len(row))):
            if text not in self._joined:
                break
            text += row[after]
            halves = self._joined.get(text, 0)
            if halves and (len(text) >= _LONG or after + 1 - first == len(text)):
                found |= halves
        return found

    def _add(self, term: str, halves: int) -> None:
        stem = term.endswith("*")
        for folded in dict.fromkeys((fold(term), views(term)[0].skeleton)):
            words = words_of(folded)
            if not words:
                raise ValueError("a term has neither letter nor digit")
            if stem:
                self._stem_lengths.add(len(words[-1]))
                if len(words) == 1:
                    self._stem_heads.add(words[0][:_STEM_HEAD])
            self._index(words, halves, stem=stem)

    def _index(self, words: list[str], halves: int, *, stem: bool) -> None:
        for end in range(1, len(words)):
            self._keys.setdefault(" ".join(words[:end]), 0)
        key = " ".join(words) + ("*" if stem else "")
        self._keys[key] = self._keys.get(key, 0) | halves
        if len(words) == 1 and _REPEATED.search(words[0]):
            squeezed = _squeezed(words[0])
            key = f"{squeezed}*" if stem else squeezed
            self._keys[key] = self._keys.get(key, 0) | halves
            self._stem_lengths.add(len(squeezed))
        joined = "".join(words)
        if halves != _HARMLESS and not joined[0].isdigit():
            for end in range(1, len(joined)):
                self._joined.setdefault(joined[:end], 0)
            self._joined[joined] = self._joined.get(joined, 0) | halves


def _squeezed(word: str) -> str:
    """Return the word with each repeated letter once, marked so that it only meets terms treated likewise."""
    return "~" + _REPEATED.sub(r"\1", word)


def _expanded(terms: str, language: Language) -> Iterator[str]:
    numbers = (*_FIGURES, *(number.replace("-", " ") for number in language.numbers.split()))
    for written in _SEPARATED.split(terms):
        if term := written.strip():
            yield from (term.replace("#", number) for number in numbers) if "#" in term else (term,)


def _reading(words: Words, index: int) -> str:
    """Return the word as letters: look-alikes as Latin ones, and digits as letters where one stands among letters."""
    for other in words.others.get(index, ()):
        if other.after == index + 1:
            return other.word
    return words.skeleton(index)
