"""Terms that match anywhere in a text, also within words: for scripts without spaces, and for lists that ask for it.

Two engines find the same places: ``ahocorasick_rs`` where it is installed (the only module that imports it), and a
search by first characters in pure Python. Every overlapping match is reported.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["InsideTerms"]

_HEAD = 3  # characters that the pure search looks up first
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # no UTF-8 for them, which the other engine works in
_FEW = 32  # below so many terms the pure search is as fast on prompts


class _Engine(Protocol):
    def find(self, text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]: ...


class InsideTerms:
    """An index of folded terms. False when it is empty."""

    def __init__(self, terms: Iterable[tuple[str, int]], *, pure: bool = False) -> None:
        """Index terms, each with the number to report.

        Args:
            terms: Folded terms, none of them empty, and their numbers.
            pure: Use the pure engine even where the other is installed.
        """
        found: dict[str, tuple[int, ...]] = {}
        for term, index in terms:
            found[term] = (*found.get(term, ()), index)
        self._size = len(found)
        self.has_ascii = any(term.isascii() for term in found)
        self._engine: _Engine = (not pure and len(found) >= _FEW and _automaton(found)) or _ByHead(found)

    def __bool__(self) -> bool:
        return self._size > 0

    def find(self, text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Yield start, end and numbers of every term in ``text``, in no certain order."""
        return self._engine.find(text)


class _ByHead:
    """Looks at every place for the lengths of the terms that begin with the next characters."""

    def __init__(self, terms: Mapping[str, tuple[int, ...]]) -> None:
        self._terms = terms
        lengths: dict[str, set[int]] = {}
        for term in terms:
            lengths.setdefault(term[:_HEAD], set()).add(len(term))
        self._lengths = {head: tuple(sorted(found)) for head, found in lengths.items()}
        self._heads = sorted({len(head) for head in lengths})

    def find(self, text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        terms, lengths = self._terms, self._lengths
        for size in self._heads:
            for start in range(len(text) - size + 1):
                for length in lengths.get(text[start : start + size], ()):
                    # Beyond the end a slice is shorter than asked for, and may be a shorter term.
                    if start + length <= len(text) and (ids := terms.get(text[start : start + length])):
                        yield start, start + length, ids


class _Automaton:
    """An Aho-Corasick automaton in Rust; it works without holding the interpreter."""

    def __init__(self, module: Any, terms: Mapping[str, tuple[int, ...]]) -> None:
        self._ids = tuple(terms.values())
        self._matcher = module.AhoCorasick(list(terms), matchkind=module.MATCHKIND_STANDARD, store_patterns=False)

    def find(self, text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        if not text.isascii():
            text = _SURROGATE.sub("\ufffd", text)
        for which, start, end in self._matcher.find_matches_as_indexes(text, overlapping=True):
            yield start, end, self._ids[which]


def _automaton(terms: Mapping[str, tuple[int, ...]]) -> _Engine | None:
    """Return the fast engine; None where it is not installed or a term is not valid Unicode."""
    if any(_SURROGATE.search(term) for term in terms if not term.isascii()):
        return None
    try:
        module = import_module("ahocorasick_rs")
    except ImportError:
        return None
    return _Automaton(module, terms)
