"""Finds listed terms in a text, however they are written, and says at which characters of the original.

Terms of whole words live in one dictionary of word sequences: every beginning of a term is a key, so that a scan
follows a text word by word as far as some term goes, and an ordinary word costs one look-up. Where a word has
several readings, each is followed. Overlapping matches are all reported: the longest may be harmless.

Scripts that do not separate words (Chinese, Japanese, Thai, Korean with its particles, ...) and lists that ask for
it are matched inside the text, by the first characters of the term. The same way runs of single letters
("s p a c e d") are searched, after they were joined.
"""

from __future__ import annotations

import itertools
import re
import string
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from sdsafe.gates.policy.normalize import fold, readings, views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sdsafe.gates.policy.normalize import View

__all__ = ["LEXICON_VERSION", "Entry", "Hit", "Lexicon"]

LEXICON_VERSION = 1
"""Raised whenever the same terms and the same text may give other matches."""

_ASCII_WORD = re.compile(r"[a-z0-9]+")
# Letters, digits, and the signs that Indic and South-East Asian scripts and kana write words with.
_WORD = re.compile(
    r"(?:[^\W_]|[\u0900-\u0963\u0970-\u0dff\u0e31-\u0e4e\u0eb1-\u0ece\u0f18-\u0fbc\u102b-\u109d\u17b6-\u17d3\u3099\u309a])+"
)
_UNSEPARATED = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff"
    r"\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_DIGITS = re.compile(r"[0-9]")
_MIXED = re.compile(r"[0-9][a-z]|[a-z][0-9]")
_TRIPLES = tuple(letter * 3 for letter in string.ascii_lowercase)

_RUN = 3  # so many single letters in a row are read as one word
_GAP = 3  # so many separators may stand between two of them
_AROUND = 3  # so many words before and after a run are read together with it
_HEAD = 3
_SHORTEST_INSIDE = 4  # of ASCII terms in joined letters; shorter ones are in every other word


class Entry(NamedTuple):
    """One listed term."""

    term: str
    category: str
    pack: str
    inside: bool = False
    """Match also within words."""


class Hit(NamedTuple):
    """A term found at characters ``start`` to ``end`` of the text, and what it took to read it there."""

    entry: Entry
    start: int
    end: int
    reading: str


class _Token(NamedTuple):
    """One word of a view, or several single letters that were joined to one."""

    plain: str
    skeleton: str
    start: int
    end: int


class Lexicon:
    """A frozen set of terms. Safe to use from several threads."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Index the entries; one without a letter or digit is a ``ValueError``."""
        self._entries = tuple(entries)
        self._sequences: dict[str, tuple[int, ...]] = {}
        inside: list[tuple[str, int]] = []
        for index, entry in enumerate(self._entries):
            folded = fold(entry.term)
            words = _words(folded)
            if not words:
                raise ValueError("a term has neither letter nor digit")
            if entry.inside or _UNSEPARATED.search(folded):
                inside.append((" ".join(words), index))
            else:
                self._add(words, index)
                if not folded.isascii():
                    self._add(_words(views(entry.term)[0].skeleton), index)
        self._inside = _Inside(inside)
        self._compact: _Inside | None = None

    def __len__(self) -> int:
        """Return how many terms are listed."""
        return len(self._entries)

    def find(self, text: str) -> list[Hit]:
        """Return every match, each place once, in order of place."""
        found: dict[tuple[int, int, int], Hit] = {}
        for view in views(text):
            for index, start, end, reading in self._scan(view):
                first, after = view.span(start, end)
                name = view.name if reading == "plain" else reading
                found.setdefault((first, after, index), Hit(self._entries[index], first, after, name))
        return [found[key] for key in sorted(found)]

    def _add(self, words: list[str], index: int) -> None:
        key = ""
        for word in words:
            key = f"{key} {word}" if key else word
            self._sequences.setdefault(key, ())
        if index not in self._sequences[key]:
            self._sequences[key] += (index,)

    def _scan(self, view: View) -> Iterator[tuple[int, int, int, str]]:
        plain = view.plain
        if self._inside and (self._inside.has_ascii or not plain.isascii()):
            for text in dict.fromkeys((plain, view.skeleton)):
                for start, end, ids in self._inside.find(text):
                    yield from ((index, start, end, "plain") for index in ids)
        if plain.isascii():
            words = _ASCII_WORD.findall(plain)
            if _reads_one_way(plain, words):
                yield from self._follow(plain, words)
                return
        tokens = _tokens(view)
        yield from self._walk(tokens, _alternatives(tokens))
        if runs := _runs(tokens):
            collapsed = _collapsed(tokens, runs)
            for index, start, end, _ in self._walk(collapsed, _alternatives(collapsed)):
                yield index, start, end, "joined letters"
            for run in runs:
                yield from self._spelled(tokens, run)

    def _follow(self, plain: str, words: list[str]) -> Iterator[tuple[int, int, int, str]]:
        """Do what ``_walk`` does for words with one reading each; most prompts end at the first line."""
        sequences = self._sequences
        if sequences.keys().isdisjoint(words):
            return
        bounds: list[tuple[int, int]] = []
        for first, word in enumerate(words):
            key, last = word, first
            while (ids := sequences.get(key)) is not None:
                if ids:
                    bounds = bounds or [match.span() for match in _ASCII_WORD.finditer(plain)]
                    yield from ((index, bounds[first][0], bounds[last][1], "plain") for index in ids)
                last += 1
                if last == len(words):
                    break
                key = f"{key} {words[last]}"

    def _walk(self, tokens: list[_Token], alternatives: list[dict[str, str]]) -> Iterator[tuple[int, int, int, str]]:
        sequences, last = self._sequences, len(tokens) - 1
        for first, heads in enumerate(alternatives):
            # (position, words so far, how they were read); most texts never push one.
            todo = deque((first, word, how) for word, how in heads.items() if word in sequences)
            while todo:
                at, key, how = todo.popleft()
                for index in sequences[key]:
                    yield index, tokens[first].start, tokens[at].end, how
                if at < last:
                    for word, reading in alternatives[at + 1].items():
                        if (longer := f"{key} {word}") in sequences:
                            todo.append((at + 1, longer, how if reading == "plain" else reading))

    def _spelled(self, tokens: list[_Token], run: range) -> Iterator[tuple[int, int, int, str]]:
        """Find terms in a run of single letters and the words around it, whatever separates them.

        A match begins and ends where a word does, and at least three of its letters (or all of them) stand alone:
        otherwise any two neighbouring words would count as one.
        """
        around = tokens[max(run.start - _AROUND, 0) : run.stop + _AROUND]
        plain, skeleton = "".join(t.plain for t in around), "".join(t.skeleton for t in around)
        starts = dict(zip(itertools.accumulate((len(t.plain) for t in around), initial=0), around, strict=False))
        ends = dict(zip(itertools.accumulate(len(t.plain) for t in around), around, strict=True))
        first = next(at for at, token in starts.items() if token is tokens[run.start])
        for text in readings(plain, skeleton):
            if len(text) != len(plain):
                continue  # a reading that cut letters has lost its place
            for start, end, ids in self._compacted().find(text):
                alone = min(end, first + len(run)) - max(start, first)
                if alone >= min(_RUN, end - start) and start in starts and end in ends:
                    yield from ((index, starts[start].start, ends[end].end, "joined letters") for index in ids)

    def _compacted(self) -> _Inside:
        """Return the terms without their spaces; made when the first text needs it."""
        if self._compact is None:
            terms = (
                ("".join(_words(view)), index)
                for index, entry in enumerate(self._entries)
                for view in {views(entry.term)[0].plain, views(entry.term)[0].skeleton}
            )
            self._compact = _Inside((t, i) for t, i in terms if not t.isascii() or len(t) >= _SHORTEST_INSIDE)
        return self._compact


class _Inside:
    """Terms that match anywhere in a text, found by their first characters."""

    def __init__(self, terms: Iterable[tuple[str, int]]) -> None:
        self._terms: dict[str, tuple[int, ...]] = {}
        lengths: dict[str, set[int]] = {}
        for term, index in terms:
            self._terms[term] = (*self._terms.get(term, ()), index)
            lengths.setdefault(term[:_HEAD], set()).add(len(term))
        self._lengths = {head: tuple(sorted(found)) for head, found in lengths.items()}
        self._heads = sorted({len(head) for head in lengths})
        self.has_ascii = any(term.isascii() for term in self._terms)

    def __bool__(self) -> bool:
        return bool(self._terms)

    def find(self, text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Yield start, end and entries of every term in ``text``."""
        terms, lengths = self._terms, self._lengths
        for size in self._heads:
            for start in range(len(text) - size + 1):
                for length in lengths.get(text[start : start + size], ()):
                    if ids := terms.get(text[start : start + length]):
                        yield start, start + length, ids


def _words(folded: str) -> list[str]:
    return (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)


def _reads_one_way(plain: str, words: list[str]) -> bool:
    """Say that no digit stands beside a letter, no letter three times, and no run of single letters."""
    return (
        [*map(len, words)].count(1) < _RUN
        and not (_DIGITS.search(plain) and _MIXED.search(plain))
        and not any(triple in plain for triple in _TRIPLES)
    )


def _alternatives(tokens: list[_Token]) -> list[dict[str, str]]:
    known: dict[tuple[str, str], dict[str, str]] = {}
    found = []
    for token in tokens:
        key = token.plain, token.skeleton
        if key not in known:
            known[key] = readings(*key)
        found.append(known[key])
    return found


def _tokens(view: View) -> list[_Token]:
    pattern = _ASCII_WORD if view.plain.isascii() else _WORD
    return [
        _Token(match[0], view.skeleton[match.start() : match.end()], *match.span())
        for match in pattern.finditer(view.plain)
    ]


def _runs(tokens: list[_Token]) -> list[range]:
    """Return where single letters stand in a row, close enough to be meant as words."""
    runs = []
    start = 0
    for index in range(1, len(tokens) + 1):
        goes_on = (
            index < len(tokens)
            and len(tokens[index].plain) == len(tokens[index - 1].plain) == 1
            and tokens[index].start - tokens[index - 1].end <= _GAP
        )
        if not goes_on:
            if index - start >= _RUN:
                runs.append(range(start, index))
            start = index
    return runs


def _collapsed(tokens: list[_Token], runs: list[range]) -> list[_Token]:
    """Return the tokens with each run as words; where some of its gaps are wider than others, they separate words."""
    result: list[_Token] = []
    done = 0
    for run in runs:
        result += tokens[done : run.start]
        done = run.stop
        letters = tokens[run.start : run.stop]
        narrow = min(after.start - before.end for before, after in itertools.pairwise(letters))
        word = [letters[0]]
        for letter in letters[1:]:
            if letter.start - word[-1].end > narrow:
                result.append(_together(word))
                word = []
            word.append(letter)
        result.append(_together(word))
    return result + tokens[done:]


def _together(letters: list[_Token]) -> _Token:
    plain, skeleton = "".join(each.plain for each in letters), "".join(each.skeleton for each in letters)
    return _Token(plain, skeleton, letters[0].start, letters[-1].end)
