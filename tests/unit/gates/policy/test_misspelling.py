from __future__ import annotations

import pytest

from sdsafe.gates.policy._misspelling import one_edit_apart
from sdsafe.gates.policy.lexicon import Entry, Lexicon


def _tolerant(*terms: str) -> Lexicon:
    return Lexicon(Entry(term, "c", "p", tolerant=True) for term in terms)


NAMES = _tolerant("Montgolfier", "Grace Hopper", "Ada Lovelace", "Gauss")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a mongolfier balloon", ["mongolfier"]),
        ("a Montgolfiere balloon", ["Montgolfiere"]),
        ("a Montgolfeir balloon", ["Montgolfeir"]),
        ("a Montgalfier balloon", ["Montgalfier"]),
        ("grace hoper at work", ["grace hoper"]),
        ("Grase Hopper, Ada Lovelase", ["Grase Hopper", "Ada Lovelase"]),
        ("Ada Loveland", []),  # two letters
        ("Bda Lovelace", []),  # the first letter
        ("Eda Lovelace", []),
        ("Adam Lovelace", []),  # a word of three letters has to be right
        ("grase hoper", []),  # one mistake in all
        ("gaus", []),  # too short a term
        ("montgolfier", ["montgolfier"]),
        ("Montg0lfier", ["Montg0lfier"]),  # a digit is another trick, and found by that one
        ("a montgolfiers' picnic", ["montgolfiers"]),
    ],
)
def test_one_wrong_letter_is_tolerated(text: str, found: list[str]) -> None:
    assert [text[hit.start : hit.end] for hit in NAMES.find(text)] == found


def test_the_reading_says_so() -> None:
    assert [hit.reading for hit in NAMES.find("montgolfier mongolfier")] == ["plain", "misspelling"]


def test_nothing_is_tolerated_unless_the_list_says_so() -> None:
    assert Lexicon([Entry("Montgolfier", "c", "p")]).find("mongolfier") == []


def test_a_listed_word_is_nobodys_misspelling() -> None:
    lexicon = Lexicon([Entry("Montgolfier", "a", "p", tolerant=True), Entry("Montgolfiel", "b", "p")])
    assert [hit.entry.category for hit in lexicon.find("montgolfiel")] == ["b"]


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("abcd", "abcd", False),
        ("abcd", "abd", True),
        ("abcd", "xabcd", True),
        ("abcd", "abcde", True),
        ("abcd", "abdc", True),
        ("abcd", "bacd", True),
        ("abcd", "abxd", True),
        ("abcd", "badc", False),
        ("abcd", "cbad", False),
        ("abcd", "ab", False),
        ("", "a", True),
    ],
)
def test_one_edit(one: str, other: str, apart: bool) -> None:
    assert one_edit_apart(one, other) is apart
    assert one_edit_apart(other, one) is apart
