from __future__ import annotations

import pytest

from sdsafe._internal.text.normalize import fold, readings, views
from sdsafe.gates.policy.obfuscation import find_obfuscation


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Fake Passport", "fake passport"),
        ("\uff26\uff21\uff2b\uff25", "fake"),
        ("ⓕⓐⓚⓔ", "fake"),
        ("\U0001d58b\U0001d586\U0001d590\U0001d58a \U0001d557\U0001d552\U0001d55c\U0001d556", "fake fake"),
        ("🅵🅰️🄺🇪", "fake"),
        ("fa\u200bke fa\u00adke fa\u2060ke fa\U000e0041ke", "fake fake fake fake"),
        ("f\u0336a\u0336k\u0301\u0302\u0303e", "fake"),
        ("\u202efake\u202c", "fake"),
        ("fa\x00k\x1fe", "fake"),
        ("naïve Ångström", "naive angstrom"),
        ("STRASSE Straße", "strasse strasse"),
        ("ガン ｶﾞﾝ カ\u3099ン", "ガン ガン ガン"),
        ("한 \u1112\u1161\u11ab", "한 한"),
        ("पासपोर्ट", "पासपोर्ट"),
        ("a\tb\nc\u00a0d\u2028e", "a\tb\nc d e"),
        ("", ""),
        ("\ud800", "\ud800"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(folded) == folded


@pytest.mark.parametrize("text", ["f\u0430k\u0435", "ｆᴀкε", "ƒåƙë", "ꜰaκ\u04bd"[:3] + "e", "\ua4dd\ua4ee\ua4d7\ua4f0"])
def test_look_alikes_have_the_skeleton_they_are_read_as(text: str) -> None:
    assert views(text)[0].skeleton == "fake"


def test_a_plain_text_has_one_view_without_a_map() -> None:
    (view,) = views("A 35mm photo")
    assert view.offsets is None
    assert view.plain == view.skeleton == "a 35mm photo"


def test_invisible_characters_may_also_separate() -> None:
    assert [(view.name, view.plain) for view in views("fake\u200bpassport")] == [
        ("plain", "fakepassport"),
        ("spaced", "fake passport"),
    ]


def test_symbols_are_letters_inside_words_only() -> None:
    assert [view.plain for view in views("pa$$port @ home!")] == ["pa$$port @ home!", "passport @ home!"]
    assert len(views("100$ for me@home? no: $100!")) == 2  # only me@home reads two ways
    assert len(views("costs $100!")) == 1


def test_spans_cover_what_was_dropped_and_what_became_longer() -> None:
    text = "x Stra\u00adße\u0301 y"
    view = views(text)[0]
    start = view.plain.index("strasse")
    first, after = view.span(start, start + len("strasse"))
    assert text[first:after] == "Stra\u00adße\u0301"
    assert view.span(start + 4, start + 5) == (7, 8)  # half of a sharp s is all of it


class TestReadings:
    @pytest.mark.parametrize("word", ["passport", "35", "good", "паспорт"])
    def test_ordinary_words_read_one_way(self, word: str) -> None:
        assert readings(word, word) == {word: "plain"}

    @pytest.mark.parametrize("word", ["35mm", "4k", "c3po"])
    def test_words_with_digits_stay_whole_first(self, word: str) -> None:
        assert next(iter(readings(word, word))) == word

    def test_digits_are_letters_where_both_are_mixed(self) -> None:
        assert "fake" in readings("f4ke", "f4ke")
        assert {"list", "iist"} <= set(readings("1ist", "1ist"))

    def test_repetitions_are_cut_to_one_and_to_two(self) -> None:
        assert {"pasport", "passport"} <= set(readings("passssport", "passssport"))
        assert "god" not in readings("good", "good")

    def test_combined(self) -> None:
        assert "fake" in readings("f444k\u0435", "f444ke")  # digits repeated, a Cyrillic letter


class TestObfuscation:
    @pytest.mark.parametrize(
        "text",
        [
            "a red house, 35mm",
            "naïve café in Łódź, Ångström",
            "чёрная кошка и red house",
            "family 👨‍👩‍👧‍👦 and flag 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️",
            "5 µm and 10 kΩ, αβγ, Δt",
            "می‌خواهم",  # Persian needs the joiner
            "क्‍ष",
            "שלום \u200fhello\u200e",
            "日本語と English",
            "a\tb\r\nc",
        ],
    )
    def test_ordinary_writing_is_not_mentioned(self, text: str) -> None:
        assert list(find_obfuscation(text)) == []

    @pytest.mark.parametrize(
        ("text", "kind", "marked"),
        [
            ("be\u200bach", "zero-width", "\u200b"),
            ("\u0431\u0435\u2060\u0440\u0435\u0433", "zero-width", "\u2060"),
            ("be\u00adach", "zero-width", "\u00ad"),
            ("a be\u0430ch", "mixed-scripts", "be\u0430ch"),
            ("abc \u202ecba", "direction", "\u202e"),
            ("be\u2067ach", "direction", "\u2067"),
            ("be\x00ach", "control", "\x00"),
            ("hi\U000e0068\U000e0069", "tags", "\U000e0068\U000e0069"),
            ("b\u0336\u0337\u0338each", "stacked-marks", "\u0336\u0337\u0338"),
        ],
    )
    def test_hidden_writing_is_found_where_it_is(self, text: str, kind: str, marked: str) -> None:
        found = [(each.kind, text[each.start : each.end]) for each in find_obfuscation(text)]
        assert (kind, marked) in found
