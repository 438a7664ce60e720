"""Laws of the lexicon: its two engines agree, a reference agrees with both, and no disguise hides a term."""

from __future__ import annotations

import functools
import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sdsafe._internal.text import normalize
from sdsafe._internal.text.normalize import fold, views
from sdsafe._internal.text.words import Words, words_of
from sdsafe.gates.policy import lexicon
from sdsafe.gates.policy._inside import InsideTerms
from sdsafe.gates.policy._misspelling import SHORTEST, one_edit_apart
from sdsafe.gates.policy.lexicon import Entry, Lexicon
from sdsafe.gates.policy.terms import read_shared

few = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SMALL = st.text("ab護照가1 ", min_size=1, max_size=5).filter(lambda text: any(map(str.isalnum, text)))
PADDING = [(f"龘{chr(0x4E00 + n)}", -n) for n in range(1, 40)]  # enough for the fast engine to be chosen


@few
@given(st.lists(SMALL.map(str.strip), min_size=1, max_size=8), st.text("ab護照가1 .\ud800\U0001f600", max_size=30))
def test_both_engines_find_the_same_inside(terms: list[str], text: str) -> None:
    numbered = [*((term, index) for index, term in enumerate(terms)), *PADDING]
    found = [sorted(InsideTerms(numbered, pure=pure).find(text)) for pure in (True, False)]
    assert found[0] == found[1]
    by_hand = sorted(
        (start, start + len(term)) for term in set(terms) for start in range(len(text)) if text.startswith(term, start)
    )
    assert sorted((start, end) for start, end, _ in found[0]) == by_hand


@few
@given(
    st.lists(SMALL, min_size=1, max_size=6), st.booleans(), st.text("aAb護 照가1-._\u200b\u0430\ud800$", max_size=40)
)
def test_a_lexicon_finds_the_same_with_either_engine(terms: list[str], inside: bool, text: str) -> None:
    entries = [Entry(term, "c", "p", inside) for term in terms]
    entries += [Entry(term, "other", "p") for term, _ in PADDING]
    assert Lexicon(entries).find(text) == Lexicon(entries, pure=True).find(text)


@few
@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=12), st.data())
def test_words_are_found_exactly_where_they_stand(words: list[str], data: st.DataObject) -> None:
    """Against the obvious way: compare every run of words with every term; no run of single letters here."""
    words = [word * 2 if len(word) == 1 else word for word in words]
    terms = data.draw(st.lists(st.lists(st.sampled_from(words), min_size=1, max_size=3).map(" ".join), max_size=4))
    text = " ".join(words)
    expected = {
        (first, first + len(term.split()), term)
        for term in terms
        for first in range(len(words))
        if words[first : first + len(term.split())] == term.split()
    }
    bounds = Words(views(text)[0]).bounds
    found = {
        (hit.start, hit.end, hit.entry.term)
        for hit in Lexicon(Entry(term, term, "p") for term in terms).find(text)
        if hit.reading == "plain"
    }
    assert found == {(bounds(first)[0], bounds(after - 1)[1], term) for first, after, term in expected}


@few
@given(
    st.lists(st.text("ab1", min_size=1, max_size=5), min_size=1, max_size=6),
    st.lists(
        st.sampled_from(["a", "b", "ab", "aab", "b1a", "4b", "-", "_", "__", ".", " ", "'", "\u0430", "\u200b"]),
        max_size=20,
    ),
)
def test_leaving_out_readings_that_nobody_looks_for_changes_nothing(terms: list[str], pieces: list[str]) -> None:
    entries = [Entry(term, term, "p") for term in terms]
    quick = Lexicon(entries).find("".join(pieces))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexicon, "Words", lambda view, _: Words(view))
        assert Lexicon(entries).find("".join(pieces)) == quick


@few
@given(st.text(max_size=60))
def test_words_lie_where_their_bounds_say(text: str) -> None:
    for view in views(text):
        words = Words(view)
        assert words.plain == words_of(view.plain)
        assert [view.plain[slice(*words.bounds(index))] for index in range(len(words.plain))] == words.plain
        for first, others in words.others.items():
            assert all(first < other.after <= len(words.plain) for other in others)


@few
@given(st.text(st.one_of(st.characters(), st.sampled_from("aA1 .が護가\u3099\u0301\u11ab\u200b\n\0")), max_size=40))
def test_the_short_way_of_folding_gives_what_the_long_one_does(text: str) -> None:
    quick = views(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normalize, "_ORDINARY", re.compile(r"(?!)"))
        slow = views(text)
    assert [(view.name, view.plain, view.skeleton) for view in quick] == [
        (view.name, view.plain, view.skeleton) for view in slow
    ]
    places = [[view.span(at, at + 1) for at in range(len(view.plain))] for view in quick]
    assert places == [[view.span(at, at + 1) for at in range(len(view.plain))] for view in slow]


def squeezed(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)


@few
@given(st.sampled_from(["Montgolfier", "Wolfgang", "Lovelace"]), st.data())
def test_one_edit_is_tolerated_and_two_are_not(term: str, data: st.DataObject) -> None:
    tolerant = Lexicon([Entry(term, "c", "p", tolerant=True)])

    def edit(word: str) -> str:
        at, letter = data.draw(st.integers(1, len(word) - 2)), data.draw(st.sampled_from("bcdqxz"))
        return data.draw(
            st.sampled_from(
                [
                    word[:at] + word[at + 1 :],
                    word[:at] + letter + word[at:],
                    word[:at] + letter + word[at + 1 :],
                    word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                ]
            )
        )

    once = edit(fold(term))
    assert tolerant.find(f"the {once} here")
    twice = edit(once)
    # Letters repeated at will are another reading, and no misspelling.
    assume(not re.search(r"(.)\1\1", twice) and squeezed(twice) != squeezed(fold(term)))
    near = twice == fold(term) or one_edit_apart(twice, fold(term))
    assert bool(tolerant.find(f"the {twice} here")) == near
    assert len(term) >= SHORTEST


ZERO_WIDTH = ["\u200b", "\u200d", "\u2060", "\u00ad", "\ufeff", "\u034f", "\U000e0061", "\u202e"]
HOMOGLYPHS = str.maketrans("aceopsxyi", "\u0430\u0441\u0435\u043e\u0440\u0455\u0445\u0443\u0456")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("A"), ord("z") + 1) if chr(code).isalpha()}
SEPARATORS = [" ", "  ", "-", "_", ". ", "\n", "\u00a0", " / ", "\t", "\u2010", ", "]
WITHIN = ["-", ".", "_", "*", "\u2019", "~"]
NAMES = ["Greg Rutkowski", "Pablo Picasso", "Mickey Mouse", "Reuters", "Angela Merkel", "Hurricane Katrina"]


@functools.cache
def names() -> Lexicon:
    categories = ("artist_living", "artist_dead", "fictional_character", "agency", "real_person", "news_event")
    return Lexicon(Entry(text, name, "shared") for name in categories for text in read_shared(name).spellings())


@st.composite
def disguised(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a listed name and a way to write it: one kind of noise for letters, one for the spaces, one within words."""
    name = draw(st.sampled_from(NAMES))
    kinds = st.sampled_from(["as is", "upper", "lower", "look-alike", "full width", "zero width", "mark"])
    within = draw(st.sampled_from(["", *WITHIN]))
    cut = draw(st.integers(2, 4))  # letters before the sign within a word
    pieces = []
    for word in name.split():
        letters = []
        for index, letter in enumerate(word):
            changed = {
                "upper": letter.upper(),
                "lower": letter.lower(),
                "look-alike": letter.translate(HOMOGLYPHS),
                "full width": letter.translate(FULL_WIDTH),
                "zero width": letter + draw(st.sampled_from(ZERO_WIDTH)),
                "mark": letter + "\u0336",
            }.get(draw(kinds), letter)
            letters.append(changed + (within if index == cut and index < len(word) - 1 else ""))
        pieces.append("".join(letters))
    return name, draw(st.sampled_from(SEPARATORS)).join(pieces)


@few
@given(disguised())
def test_no_disguise_hides_a_name(case: tuple[str, str]) -> None:
    name, text = case
    plain = {hit.entry.category for hit in names().find(f"a house, {name} and a garden")}
    assert plain
    assert {hit.entry.category for hit in names().find(f"a house, {text} and a garden")} >= plain
