from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sdsafe.gates.policy.lexicon import Entry, Lexicon


def _lexicon(*terms: str, inside: bool = False) -> Lexicon:
    return Lexicon(Entry(term, "c", "p", inside) for term in terms)


def _found(lexicon: Lexicon, text: str) -> list[tuple[str, str]]:
    return [(hit.entry.term, text[hit.start : hit.end]) for hit in lexicon.find(text)]


TERMS = _lexicon("fake passport", "passport", "porn", "the rapist", "4chan", "假护照", "护照", "паспорт", "Straße")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a Fake   Passport.", [("fake passport", "Fake   Passport"), ("passport", "Passport")]),
        ("fake-passport_1", [("fake passport", "fake-passport"), ("passport", "passport")]),
        ("fake\npassport", [("fake passport", "fake\npassport"), ("passport", "passport")]),
        ("买假护照吗", [("假护照", "假护照"), ("护照", "护照")]),
        ("Паспорт", [("паспорт", "Паспорт")]),
        ("STRASSE", [("Straße", "STRASSE")]),
        ("on 4chan", [("4chan", "4chan")]),
        ("f a k e  p a s s p o r t", [("fake passport", "f a k e  p a s s p o r t"), ("passport", "p a s s p o r t")]),
        ("i.w.a.n.t.p.o.r.n.", [("porn", "p.o.r.n")]),
        ("a f a k e passport", [("fake passport", "f a k e passport"), ("passport", "passport")]),
        ("假 护 照", [("假护照", "假 护 照"), ("护照", "护 照")]),
    ],
)
def test_matches_with_the_characters_of_the_original(text: str, expected: list[tuple[str, str]]) -> None:
    assert _found(TERMS, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "passports",  # a form that is not listed
        "therapist",  # the words of a term, glued
        "the  rapis t",
        "a photo of the unicorn pornstache",
        "fake news about a bus pass port",
        "35mm 4k C3PO",
        "a b c d e f",
        "护 士",
        "... --- ...",
    ],
)
def test_ordinary_texts_match_nothing(text: str) -> None:
    assert _found(TERMS, text) == []


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("fake passport", "plain"),
        ("f\u0430k\u0435 passport", "look-alikes"),
        ("f4ke passport", "digits"),
        ("fake passssport", "repetition"),
        ("fake pa$$port", "symbols"),
        ("fake\u200bpassport", "spaced"),
        ("f a k e passport", "joined letters"),
    ],
)
def test_each_match_says_how_it_was_read(text: str, reading: str) -> None:
    (hit,) = _lexicon("fake passport").find(text)
    assert hit.reading == reading
    assert (hit.start, hit.end) == (0, len(text))


@pytest.mark.parametrize(
    "text",
    [
        "f4k\u0435 p\u200b\u0430ssp\u043ert",
        "\uff26\u0410\u041a\u00ad\uff25 p\u0430$$p0rt",
        "f\u0336aaake PASSS\u200dPORT",
        "\U0001d4ef4\U0001d4f4\U0001d4ee-p@ssp0rt",
    ],
)
def test_tricks_combine(text: str) -> None:
    assert ("fake passport", text) in _found(TERMS, text)


def test_overlapping_terms_are_all_reported() -> None:
    lexicon = _lexicon("a b c", "b c d", "b", "c d")
    assert sorted(term for term, _ in _found(lexicon, "x a-b-c-d")) == ["a b c", "b", "b c d", "c d"]


def test_one_spelling_may_belong_to_two_lists() -> None:
    lexicon = Lexicon([Entry("coat", "a", "p"), Entry("Coat", "b", "q")])
    assert [hit.entry.category for hit in lexicon.find("coat")] == ["a", "b"]


def test_a_place_is_reported_once() -> None:
    assert len(_lexicon("passport").find("p\u00e1ssport")) == 1


def test_substring_lists_match_inside_words() -> None:
    assert _found(_lexicon("port", inside=True), "an important Airport") == [("port", "port"), ("port", "port")]
    assert _found(_lexicon("port", inside=True), "an imp\u043ertant") == [("port", "p\u043ert")]


@pytest.mark.parametrize("term", ["", "...", "\u200b", "😀"])
def test_a_term_that_cannot_match_is_an_error(term: str) -> None:
    with pytest.raises(ValueError, match="neither letter nor digit"):
        _lexicon(term)


def test_an_empty_lexicon_finds_nothing() -> None:
    assert len(Lexicon([])) == 0
    assert Lexicon([]).find("a b c д") == []


def test_threads_share_a_lexicon() -> None:
    lexicon = _lexicon("fake passport")
    text = "f a k e p a s s p o r t"
    with ThreadPoolExecutor(4) as pool:
        assert all(len(found) == 1 for found in pool.map(lexicon.find, [text] * 64))


def test_many_terms_load_and_match_quickly() -> None:
    """Measured with 100,000 terms: 0.35 s to build, 30 us for an ordinary prompt; the limits leave room."""
    rng = np.random.default_rng(0)
    letters = (rng.integers(0, 26, (50_000, 8)) + ord("a")).astype(np.uint8)
    words = [row.tobytes().decode("ascii") for row in letters]
    picks = rng.integers(0, len(words), (100_000, 3)).tolist()
    terms = [" ".join(words[each] for each in pick[: index % 3 + 1]) for index, pick in enumerate(picks)]
    started = time.process_time()
    lexicon = _lexicon(*terms)
    assert time.process_time() - started < 3
    prompt = "a lighthouse on a cliff above the sea at dusk, oil on canvas, muted colours, wide view, " * 3
    started = time.process_time()
    for _ in range(1000):
        assert lexicon.find(prompt) == []
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "piece",
    [
        "a b ",
        "a\u200b",
        "a$a1 ",
        "\u0430b1 ",
        "买假护",
        "a\u0300",
        "क\u093f",
        "aaa",
        "1 a 2",
        "x a b c ",
        "\x00a",
        "fake ",
    ],
)
def test_no_text_of_any_kind_takes_long(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    started = time.process_time()
    TERMS.find(text)
    assert time.process_time() - started < 2
