from __future__ import annotations

import sys

import pytest

from sdsafe.gates.policy._inside import InsideTerms
from sdsafe.gates.policy.lexicon import Entry, Lexicon

MANY = [(f"名{chr(0x4E00 + n)}", n) for n in range(40)]


@pytest.mark.parametrize("pure", [True, False])
def test_every_overlapping_match_is_found(pure: bool) -> None:
    terms = InsideTerms([*MANY, ("ab", 100), ("abc", 101), ("b", 102), ("ab", 103)], pure=pure)
    found = sorted((start, end, sorted(ids)) for start, end, ids in terms.find("x\U0001f600abc"))
    assert found == [(2, 4, [100, 103]), (2, 5, [101]), (3, 4, [102])]
    assert terms.has_ascii
    assert terms


@pytest.mark.parametrize("pure", [True, False])
def test_a_term_that_the_text_is_too_short_for_is_not_found(pure: bool) -> None:
    terms = InsideTerms([*MANY, ("ab護", 100), ("ab護c", 101), ("ab護cd", 102)], pure=pure)
    assert [(start, end, ids) for start, end, ids in terms.find("xab護")] == [(1, 4, (100,))]


def test_nothing_is_in_nothing() -> None:
    assert not InsideTerms([])
    assert list(InsideTerms([]).find("abc")) == []


def test_without_the_fast_engine_the_pure_one_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    assert [start for start, _, _ in InsideTerms(MANY).find("一名一二")] == [1]


def test_text_that_is_not_unicode_is_searched_all_the_same() -> None:
    assert [start for start, _, _ in InsideTerms(MANY).find("\ud800名一\udfff")] == [1]
    assert [start for start, _, _ in InsideTerms([*MANY, ("\ud800", 99)]).find("x\ud800")] == [1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12岁", ["12岁"]),
        ("一位12岁的人", ["12岁"]),
        ("112岁", []),
        ("1 12岁", ["12岁"]),
        ("岁12", []),
    ],
)
def test_a_number_is_whole(text: str, found: list[str]) -> None:
    lexicon = Lexicon([Entry("12岁", "c", "p"), Entry("2岁", "c", "p")])
    assert [text[hit.start : hit.end] for hit in lexicon.find(text)] == found


def test_letters_of_scripts_without_spaces_may_stand_apart() -> None:
    lexicon = Lexicon([Entry("宮崎駿", "c", "p"), Entry("สวัสดี", "c", "p")])
    for text in ("宮崎 駿", "宮 崎 駿", "宮崎\u3000駿", "宮崎・駿", "宮-崎_駿", "สวัส ดี"):
        (hit,) = lexicon.find(f"と {text} の")
        assert f"と {text} の"[hit.start : hit.end] == text
    assert lexicon.find("宮崎。駿") == []
