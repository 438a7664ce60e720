"""Finds listed terms in a text, however they are written, and says at which characters of the original.

Terms of whole words live in one dictionary of word sequences: every beginning of a term is a key, so that a scan
follows a text word by word as far as some term goes, and an ordinary word costs one look-up. Where a word has
several readings, each is followed. Overlapping matches are all reported: the longest may be harmless.

Scripts that do not separate words (Chinese, Japanese, Thai, Korean with its particles, ...) and lists that ask for
it are matched inside the text, also across spaces and dots between such letters. Runs of single letters
("s p a c e d") are searched after they were joined. Misspellings are found for lists that ask for it.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from sdsafe._internal.text.normalize import fold, readings, views
from sdsafe._internal.text.words import RUN, UNSEPARATED, Words, words_of
from sdsafe.gates.policy._inside import InsideTerms
from sdsafe.gates.policy._misspelling import Misspelt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sdsafe._internal.text.normalize import View

__all__ = ["LEXICON_VERSION", "Entry", "Hit", "Lexicon"]

LEXICON_VERSION = 2
"""Raised whenever the same terms and the same text may give other matches."""

_AROUND = 3  # so many words before and after a run are read together with it
_SHORTEST_JOINED = 4  # of ASCII terms in joined letters; shorter ones are in every other word
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LETTER = UNSEPARATED.pattern
_GAP = re.compile(rf"(?<={_LETTER})[\s\-._*~|/+\u30fb\u00b7\u2022\u2027]+(?={_LETTER})")


class Entry(NamedTuple):
    """One listed term."""

    term: str
    category: str
    pack: str
    inside: bool = False
    """Match also within words."""
    tolerant: bool = False
    """Match also with one letter wrong."""
    note: str = ""
    """What a person should know of it."""


class Hit(NamedTuple):
    """A term found at characters ``start`` to ``end`` of the text, and what it took to read it there."""

    entry: Entry
    start: int
    end: int
    reading: str


class Lexicon:
    """A frozen set of terms. Safe to use from several threads."""

    def __init__(self, entries: Iterable[Entry], *, pure: bool = False) -> None:
        """Index the entries; one without a letter or digit is a ``ValueError``.

        Args:
            entries: The terms.
            pure: Do not use the optional fast engine for terms inside words; what is found is the same.
        """
        self._entries = tuple(entries)
        # Every beginning of a term: None, or the number of the entry that ends there, or several.
        self._sequences: dict[str, int | tuple[int, ...] | None] = {}
        self._words: set[str] = set()
        self._misspelt = Misspelt()
        inside: list[tuple[str, int]] = []
        for index, entry in enumerate(self._entries):
            folded, words = _folded_words(entry.term)
            if not words:
                raise ValueError("a term has neither letter nor digit")
            if entry.inside or UNSEPARATED.search(folded):
                inside.append((" ".join(words), index))
                continue
            self._add(words, index)
            if entry.tolerant:
                self._misspelt.add(words, index)
            if not folded.isascii():
                self._add(words_of(views(entry.term)[0].skeleton), index)
        self._inside = InsideTerms(inside, pure=pure)
        self._inside_joined = InsideTerms(((term.replace(" ", ""), index) for term, index in inside), pure=pure)
        self._lengths = sorted(set(map(len, self._words)))

    def __len__(self) -> int:
        """Return how many terms are listed."""
        return len(self._entries)

    def find(self, text: str) -> list[Hit]:
        """Return every match in order of place: for each category and pack, each place once."""
        found: dict[tuple[int, int, str, str], Hit] = {}
        for view in views(text):
            for index, start, end, reading in self._scan(view):
                first, after = view.span(start, end)
                name = view.name if reading == "plain" else reading
                entry = self._entries[index]
                found.setdefault((first, after, entry.category, entry.pack), Hit(entry, first, after, name))
        return [found[key] for key in sorted(found)]

    def _add(self, words: list[str], index: int) -> None:
        sequences = self._sequences
        key = ""
        for word in words:
            key = f"{key} {word}" if key else word
            sequences.setdefault(key, None)
            self._words.add(word)
        there = sequences[key]
        if there is None:
            sequences[key] = index
        elif index not in (numbers := _numbers(there)):
            sequences[key] = (*numbers, index)

    def _scan(self, view: View) -> Iterator[tuple[int, int, int, str]]:
        if self._inside and (self._inside.has_ascii or not view.plain.isascii()):
            yield from self._within(view)
        words = Words(view, self._words)
        yield from self._along(words)
        if self._misspelt:
            for first, last, index in self._misspelt.find(words.plain, self._sequences):
                yield index, words.bounds(first)[0], words.bounds(last)[1], "misspelling"
        for run in words.runs:
            yield from self._spelled(words, run)

    def _along(self, words: Words) -> Iterator[tuple[int, int, int, str]]:
        """Follow the words, and whatever else may stand in their place, as far as terms go."""
        sequences, plain, others = self._sequences, words.plain, words.others
        firsts = [index for index, word in enumerate(plain) if word in sequences]
        for first in sorted({*firsts, *others}) if others else firsts:
            if not others:
                yield from self._follow(words, first)
                continue
            todo = [(plain[first], first + 1, "plain"), *others.get(first, ())]
            seen = set()
            for key, after, how in todo:  # grows while it is walked
                if key not in sequences or (key, after) in seen:
                    continue
                seen.add((key, after))
                for index in _numbers(sequences[key]):
                    yield index, words.bounds(first)[0], words.bounds(after - 1)[1], how
                if after < len(plain):
                    todo.append((f"{key} {plain[after]}", after + 1, how))
                    todo += [(f"{key} {word}", end, reading) for word, end, reading in others.get(after, ())]

    def _follow(self, words: Words, first: int) -> Iterator[tuple[int, int, int, str]]:
        """Do what ``_along`` does from one word where every word has one reading, as in most texts."""
        sequences, plain = self._sequences, words.plain
        key = plain[first]
        for after in range(first + 1, len(plain) + 1):
            if key not in sequences:
                return
            if (there := sequences[key]) is not None:
                start, end = words.bounds(first)[0], words.bounds(after - 1)[1]
                yield from ((index, start, end, "plain") for index in _numbers(there))
            if after < len(plain):
                key = f"{key} {plain[after]}"

    def _within(self, view: View) -> Iterator[tuple[int, int, int, str]]:
        for text in dict.fromkeys((view.plain, view.skeleton)):
            for start, end, ids in self._inside.find(text):
                if not _splits_number(text, start, end):
                    yield from ((index, start, end, "plain") for index in ids)
        if view.plain.isascii() or not _GAP.search(view.plain):
            return
        kept: list[int] = []
        done = 0
        for gap in _GAP.finditer(view.plain):
            kept += range(done, gap.start())
            done = gap.end()
        kept += range(done, len(view.plain))
        joined = "".join(view.plain[index] for index in kept)
        for start, end, ids in self._inside_joined.find(joined):
            first, after = kept[start], kept[end - 1] + 1
            if after - first > end - start and not _splits_number(joined, start, end):
                yield from ((index, first, after, "separators") for index in ids)

    def _spelled(self, words: Words, run: range) -> Iterator[tuple[int, int, int, str]]:
        """Find terms in a run of single letters and the words around it, whatever separates them.

        A match begins and ends where a word does, and at least three of its letters (or all of them) stand alone:
        otherwise any two neighbouring words would count as one.
        """
        around = range(max(run.start - _AROUND, 0), min(run.stop + _AROUND, len(words.plain)))
        plain, skeleton = ("".join(map(read, around)) for read in (words.plain.__getitem__, words.skeleton))
        edges = [0, *itertools.accumulate(len(words.plain[index]) for index in around)]
        starts = dict(zip(edges, around, strict=False))
        ends = dict(zip(edges[1:], around, strict=True))
        alone_from = edges[run.start - around.start]
        for text in readings(plain, skeleton):
            if len(text) != len(plain):
                continue  # a reading that cut letters has lost its place
            found = itertools.chain(self._joined(text, starts), self._inside_joined.find(text))
            for start, end, ids in found:
                alone = min(end, alone_from + len(run)) - max(start, alone_from)
                long_enough = end - start >= _SHORTEST_JOINED or not text[start:end].isascii()
                if start in starts and end in ends and long_enough and alone >= min(RUN, end - start):
                    first, after = words.bounds(starts[start])[0], words.bounds(ends[end])[1]
                    yield from ((index, first, after, "joined letters") for index in ids)

    def _joined(self, text: str, starts: Iterable[int]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Yield the terms that stand without their spaces at one of ``starts``."""
        sequences, lengths = self._sequences, self._lengths
        for start in starts:
            todo = [(start, "")]
            for at, key in todo:  # grows while it is walked
                for length in lengths:
                    if at + length > len(text):
                        break
                    longer = f"{key} {text[at : at + length]}" if key else text[at : at + length]
                    if longer in sequences:
                        todo.append((at + length, longer))
                        if (there := sequences[longer]) is not None:
                            yield start, at + length, _numbers(there)


def _numbers(there: int | tuple[int, ...] | None) -> tuple[int, ...]:
    if there is None:
        return ()
    return (there,) if isinstance(there, int) else there


def _splits_number(text: str, start: int, end: int) -> bool:
    """Say whether a match begins or ends within a number: a listed "1岁" is not in "21岁"."""
    before, after = text[max(start - 1, 0) : start + 1], text[end - 1 : end + 1]
    return (len(before) > 1 and before.isdecimal()) or (len(after) > 1 and after.isdecimal())


def _folded_words(term: str) -> tuple[str, list[str]]:
    """Return the folded term and its words; the same as for a text, without the detours that texts need."""
    folded = term.lower() if term.isascii() and not _CONTROL.search(term) else fold(term)
    return folded, words_of(folded)
