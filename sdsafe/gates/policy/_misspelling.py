"""Short curated terms with one wrong, missing, added or swapped letter: the names that people misspell.

It is meant for lists of a few hundred names. What keeps ordinary words out: a term counts from eight letters, the
first letter of the word must be right, a word of less than four letters must be right altogether, all other words
of the term must be right, and a word that is itself listed is nobody's misspelling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["MOST_TERMS", "SHORTEST", "Misspelt", "one_edit_apart"]

MOST_TERMS = 5_000
"""Terms and aliases that a list with tolerance may have: each more makes a chance match likelier."""

SHORTEST = 8
"""Letters that a term needs before a misspelling of it counts."""

_SHORTEST_WORD = 4
_HEAD, _TAIL = 4, 3  # an edit within the first four of eight letters leaves the last three alone


class Misspelt:
    """An index of terms, each a row of folded words. False when it is empty."""

    def __init__(self) -> None:
        self._by_head: dict[str, list[tuple[str, int]]] = {}  # terms of one word; one of both ends is right
        self._by_tail: dict[str, list[tuple[str, int]]] = {}
        self._by_word: dict[str, list[tuple[int, tuple[str, ...], int]]] = {}  # where a right word places a term

    def __bool__(self) -> bool:
        return bool(self._by_head or self._by_word)

    def add(self, words: Sequence[str], index: int) -> None:
        """Add a term; one too short to be misspelt is left out."""
        if sum(map(len, words)) < SHORTEST:
            return
        if len(words) == 1:
            self._by_head.setdefault(words[0][:_HEAD], []).append((words[0], index))
            self._by_tail.setdefault(words[0][-_TAIL:], []).append((words[0], index))
            return
        for place, word in enumerate(words):
            self._by_word.setdefault(word, []).append((place, tuple(words), index))

    def find(self, words: Sequence[str], listed: Collection[str]) -> Iterator[tuple[int, int, int]]:
        """Yield first word, last word and number of each misspelt term.

        Args:
            words: The folded words of a text.
            listed: Words that are terms, or begin one.
        """
        none: tuple[()] = ()
        by_word = self._by_word
        for at, word in enumerate(words):
            if len(word) >= SHORTEST - 1:
                heads, tails = self._by_head.get(word[:_HEAD], none), self._by_tail.get(word[-_TAIL:], none)
                if (heads or tails) and word not in listed:
                    near = {*heads, *tails}
                    yield from ((at, at, index) for term, index in sorted(near) if _misspells(word, term))
            for place, term, index in by_word.get(word, none):
                first = at - place
                if first >= 0 and self._one_wrong(words[first : first + len(term)], term, place):
                    yield first, first + len(term) - 1, index

    @staticmethod
    def _one_wrong(words: Sequence[str], term: tuple[str, ...], place: int) -> bool:
        if len(words) < len(term):
            return False
        wrong = [number for number, word in enumerate(term) if words[number] != word]
        if len(wrong) != 1:
            return False
        leading = 0 if wrong[0] else 1  # the first right word reports it, so that nobody does twice
        return place == leading and _misspells(words[wrong[0]], term[wrong[0]])


def one_edit_apart(one: str, other: str) -> bool:
    """Say whether one letter added, dropped, replaced, or swapped with its neighbour makes one into the other."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    swapped = short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    return swapped or short[at + 1 :] == long[at + 1 :]


def _misspells(word: str, term: str) -> bool:
    return (
        len(term) >= _SHORTEST_WORD
        and word[0] == term[0]
        and word.isalpha()
        and term.isalpha()
        and one_edit_apart(word, term)
    )
