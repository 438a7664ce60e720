"""The two halves, each against a stand-in for the other: no test here composes real words of both kinds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef
from sdsafe.gates.hard.age_terms import AGE as AGE_TERMS
from sdsafe.gates.hard.composition import MAX_CHARACTERS, HardCategory, check_digest, check_version, composed
from sdsafe.gates.hard.consent_terms import CONSENT, NONCONSENSUAL
from sdsafe.gates.hard.sexual_terms import SEXUAL as SEXUAL_TERMS
from sdsafe.gates.hard.sexual_terms import SUGGESTIVE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.gates.hard.matching import Language

AGE, SEXUAL, PERSON = "__age_test__", "__sexual_test__", "__person_test__"

AGES = [
    *("schoolboy", "schoolgirls", "a 12-year-old", "12 years old", "12yo", "12 y/o", "12yearold", "aged 9", "age: 15"),
    *("twelve-year-old", "seventeen years old", "a toddler", "teenagers", "an under-age model", "a 07 year old"),
    *("zwölfjährige", "12-jährig", "ein Kind", "Schulmädchen", "Schulmaedchen", "minderjährig"),
    *("fillette", "14 ans", "quatorze ans", "une petite fille", "écolière", "mineure"),
    *("niña pequeña", "13 años", "trece años", "menor de edad", "colegiala"),
    *("bambina", "13 anni", "tredicenne", "minorenne", "criança", "menina", "13 anos", "doze anos"),
    *("13 jaar", "twaalfjarige", "minderjarig", "schoolmeisje", "dziewczynka", "13 lat", "dwunastoletni", "małoletnia"),
    *("maloletnia", "девочка", "школьника", "12 лет", "двенадцатилетняя", "ребёнок", "несовершеннолетний"),
    *(
        "12岁",
        "十二歲",
        "小学生",
        "未成年",
        "萝莉",
        "12歳",
        "小学生の",
        "ロリ",
        "女子高生",
        "열두 살",
        "12살",
        "초등학생",
    ),
    *("طفلة", "الأطفال", "١٢ سنة", "ثلاث عشرة سنة", "قاصر", "۱۲ سنة"),
]
NO_AGES = [
    *("a grown woman", "25 years old", "112-year-old oak", "1,500 years old", "18 years old", "a kind face"),
    *("baby blue curtains", "kid gloves", "ursa minor", "prelude in a minor key", "a pretty boy band", "25 ans"),
    *(
        "25岁",
        "二十五歳",
        "スマートカロリー",
        "フロリダ",
        "스물두 살",
        "12세기",
        "35 лет",
        "eine junge Frau",
        "much ado",
    ),
    *("a cowboy", "the playboy mansion", "my boyfriend", "1girl, 8k", "version 12", "12 monkeys", "ice age 5"),
]
ADULT = [
    *("nude", "naked", "topless", "pornographic", "nsfw", "erotic art", "sexy", "lingerie", "seductive", "sex"),
    *("nackt", "unbekleidet", "pornografisch", "une femme nue", "érotique", "desnuda", "sin ropa", "nuda", "spogliata"),
    *("sem roupa", "pelada", "naakt", "zonder kleren", "rozebrana", "naga kobieta", "обнажённая", "голый", "порно"),
    *("裸体", "全裸", "色情", "ヌード", "エロい", "セックス", "누드", "알몸", "عارية", "إباحي", "بدون ملابس"),
]
NOT_ADULT = [
    *("nude lipstick", "nude-coloured shoes", "naked eye", "naked mole rat", "same-sex couple", "Sex: female"),
    *("rape field in bloom", "chicken breasts", "blue tits", "cum laude", "pieds nus", "blote voeten", "Nacktschnecke"),
    *(
        "Essex",
        "sextant",
        "analysis",
        "ヌードル",
        "女性的",
        "裸の王様",
        "전라도",
        "자위대",
        "성기사",
        "エッチング",
        "bisexuality flag",
    ),
]
PERSONS = [
    *("without her consent", "non-consensual", "hidden camera", "deepfake", "a celebrity", "my coworker", "face-swap"),
    *("ohne ihre Zustimmung", "sans son consentement", "sin su consentimiento", "a sua insaputa", "zonder toestemming"),
    *("sem o consentimento", "bez jej zgody", "скрытой камерой", "偷拍", "盗撮", "몰래카메라", "بدون موافقة"),
]
INTIMATE = [term for term in ADULT if term not in {"sexy", "lingerie", "seductive"}]


def asked(*texts: str, **fields: object) -> HardCategory | None:
    return composed(GenerationRequest(prompt=" ".join(texts), **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("term", AGES)
def test_an_age_composes_with_a_sexual_stand_in_and_with_nothing_else(term: str) -> None:
    assert asked(f"a painting of {term} by the sea") is None
    assert asked(f"a painting of {term} by the sea", SEXUAL) is HardCategory.MINOR_SEXUAL
    assert asked(SEXUAL, term) is HardCategory.MINOR_SEXUAL
    assert asked(f"{term},", PERSON) is None


@pytest.mark.parametrize("term", NO_AGES)
def test_what_sounds_like_an_age_composes_with_nothing(term: str) -> None:
    assert asked(term, SEXUAL) is None


@pytest.mark.parametrize("term", ADULT)
def test_an_adult_term_composes_with_an_age_stand_in(term: str) -> None:
    assert asked(f"a painting, {term}, by the sea") is None
    assert asked(f"a painting, {term}, by the sea", AGE) is HardCategory.MINOR_SEXUAL
    assert asked(AGE, term) is HardCategory.MINOR_SEXUAL


@pytest.mark.parametrize("term", NOT_ADULT)
def test_what_sounds_like_an_adult_term_composes_with_nothing(term: str) -> None:
    assert asked(term, AGE) is None


@pytest.mark.parametrize("term", PERSONS)
def test_a_person_composes_with_a_sexual_stand_in(term: str) -> None:
    assert asked(term) is None
    assert asked(f"a photo, {term}", SEXUAL) is HardCategory.NONCONSENSUAL_INTIMATE


@pytest.mark.parametrize("term", INTIMATE)
def test_an_intimate_term_composes_with_a_person_stand_in(term: str) -> None:
    assert asked(term, PERSON) is HardCategory.NONCONSENSUAL_INTIMATE


@pytest.mark.parametrize("term", ["sexy", "lingerie"])
def test_what_is_merely_suggestive_does_not_compose_with_a_person(term: str) -> None:
    assert asked(term, PERSON) is None


@pytest.mark.parametrize("term", ["nudify this photo", "upskirt", "undress her", "remove his clothes"])
def test_words_that_name_both_halves_need_no_other(term: str) -> None:
    assert asked(term) is HardCategory.NONCONSENSUAL_INTIMATE


@pytest.mark.parametrize(
    "prompt",
    [
        "a glass of 12-year-old whisky",
        "schoolboy on a bicycle, autumn leaves",
        "ruins of a castle, 16 years old, restored",
        "nude study in the style of a classical marble statue",
        "children building a sand castle on the beach",
        "a celebrity on the red carpet",
        "portrait of a real person without consent form",
    ],
)
def test_half_a_composition_is_ordinary(prompt: str) -> None:
    assert asked(prompt) is None


def test_halves_meet_across_fields_in_any_order() -> None:
    for one, other in ((AGE, SEXUAL), (SEXUAL, AGE)):
        assert asked(one, prompt_2=other) is HardCategory.MINOR_SEXUAL
        assert asked("waves", prompt_2=one, prompt_3=other) is HardCategory.MINOR_SEXUAL
    assert asked("a twelve-year", prompt_2=f"old {SEXUAL}") is HardCategory.MINOR_SEXUAL


@pytest.mark.parametrize("prompt", ["waves", AGE, SEXUAL])
def test_the_negative_prompt_is_what_a_model_steers_away_from(prompt: str) -> None:
    assert asked(prompt, negative_prompt=f"{AGE}, {SEXUAL}", guidance=7.5) is None
    assert asked("schoolboy on a bicycle", negative_prompt=SEXUAL) is None
    assert asked("nude study", negative_prompt=AGE) is None


@pytest.mark.parametrize("guidance", [-0.1, -7.5, float("nan")])
def test_below_zero_a_model_steers_towards_the_negative_prompt(guidance: float) -> None:
    assert asked(AGE, negative_prompt=SEXUAL, guidance=guidance) is HardCategory.MINOR_SEXUAL
    assert asked(AGE, negative_prompt=SEXUAL, guidance=0.0) is None


def test_texts_among_the_parameters_and_names_of_models_count() -> None:
    assert asked(AGE, parameters={"caption": SEXUAL}) is HardCategory.MINOR_SEXUAL
    assert asked(AGE, parameters={"negative_caption": SEXUAL}) is None
    assert asked(SEXUAL, adapters=(AdapterRef(kind="lora", repo=f"x/{AGE}-v2"),)) is HardCategory.MINOR_SEXUAL
    assert asked(AGE, model=ModelRef(repo=f"x/{SEXUAL}")) is HardCategory.MINOR_SEXUAL
    assert asked(SEXUAL, adapters=(AdapterRef(kind="lora", repo="x/schoolboy_lora"),)) is HardCategory.MINOR_SEXUAL


def test_a_model_of_a_real_person_is_the_person_half() -> None:
    request = GenerationRequest(prompt=SEXUAL)
    assert composed(request) is None
    assert composed(request, shows_person=True) is HardCategory.NONCONSENSUAL_INTIMATE
    assert composed(GenerationRequest(prompt="waves"), shows_person=True) is None


def test_the_worse_category_is_told() -> None:
    assert asked(AGE, SEXUAL, PERSON) is HardCategory.MINOR_SEXUAL


def test_a_text_that_nobody_reads_is_refused() -> None:
    repo = len(GenerationRequest(prompt="").model.repo)
    assert asked("a" * (MAX_CHARACTERS - repo)) is None
    assert asked("a" * (MAX_CHARACTERS - repo + 1)) is HardCategory.UNREAD
    assert asked("a" * MAX_CHARACTERS, prompt_2="b") is HardCategory.UNREAD


@pytest.mark.parametrize("text", ["kid gloves ", "a ", "12-", "s.c.h.", "孩", "\u200b", "ааа ", "school boy-"])  # noqa: RUF001 - Cyrillic
def test_reading_a_long_text_takes_seconds_at_worst(text: str) -> None:
    started = time.perf_counter()
    asked((text * MAX_CHARACTERS)[: MAX_CHARACTERS // 5])
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "\u200b", "__", "* # ,", "\U0010ffff", "a" * 10_000])
def test_odd_texts_are_read_without_a_fault(text: str) -> None:
    assert asked(text) is None
    assert asked(text, AGE, SEXUAL) is HardCategory.MINOR_SEXUAL


def test_the_version_names_rules_and_terms() -> None:
    assert check_version() == f"1+{check_digest()[:12]}"


LISTS = (AGE_TERMS, SEXUAL_TERMS, SUGGESTIVE, CONSENT, NONCONSENSUAL)


def test_no_harmless_phrase_is_a_listed_term() -> None:
    def written(terms: str) -> set[str]:
        return {term.strip() for line in terms.splitlines() for term in line.split(",")} - {""}

    listed = {term for each in LISTS for language in each.values() for term in written(language.terms)}
    harmless = {term for each in LISTS for language in each.values() for term in written(language.harmless)}
    assert harmless
    assert not listed & harmless


@pytest.mark.parametrize("lists", LISTS)
def test_every_line_of_terms_is_separated(lists: Mapping[str, Language]) -> None:
    """A comma that is missing at the end of a line, or a space within a pattern, would make two terms one or none."""
    for language in lists.values():
        for line in language.terms.splitlines():
            assert all(0 < len(term.split()) <= 7 for term in line.split(",") if line.strip()), line
        assert "," not in language.inside


@pytest.mark.parametrize("lists", [AGE_TERMS, SEXUAL_TERMS, SUGGESTIVE, CONSENT])
def test_both_halves_know_the_same_languages(lists: Mapping[str, Language]) -> None:
    assert set(lists) == set(AGE_TERMS)
