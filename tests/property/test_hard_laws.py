"""Laws of the hard layer: noise does not hide a half, order and field do not matter, nothing that is added lowers it.

Real words of one kind only ever meet the neutral stand-in of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Stage
from sdsafe.core.request import GenerationRequest
from sdsafe.gates.hard.composition import HardCategory, composed

if TYPE_CHECKING:
    from collections.abc import Callable

AGES = (
    "schoolboy",
    "toddler",
    "teenager",
    "twelve-year-old",
    "underage",
    "minderjährig",
    "adolescente",
    "школьница",
    "小学生",
)
ADULT = (
    "pornographic",
    "naked",
    "topless",
    "erotic",
    "unbekleidet",
    "desnuda",
    "обнажённая",
    "セックス",
    "색정 포르노",
)
FILLER = (
    "a wide view of the old harbour",
    "soft light, 35mm, f/1.8",
    "(masterpiece:1.2), [blurred]",
    "海と空",
    "{a|b}",
)

_LOOKALIKE = str.maketrans("aceopxy", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443")
_LEET = str.maketrans("oieastb", "0134578")


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _threefold(text: str) -> str:
    return "".join(c * 3 if c in "aeo" else c for c in text)


NOISES: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.title,
    _full_width,
    _threefold,
    "\u200b".join,
    lambda text: "\u0301".join(text) + "\u0301",
    "\U000e0041".join,
    lambda text: text.translate(_LOOKALIKE),
    lambda text: text.translate(_LEET),
    lambda text: "\u2060".join(text.translate(_LOOKALIKE)),
)
SPACINGS: tuple[Callable[[str], str], ...] = (
    " ".join,
    ".".join,
    "-".join,
    "_".join,
    " . ".join,
    lambda text: f"{text[:3]}-{text[3:]}",
    lambda text: f"{text[:4]}.{text[4:]}",
)
ONE_WORD = ("schoolboy", "toddler", "teenager", "underage", "adolescente")
ONE_ADULT_WORD = ("pornographic", "naked", "topless", "unbekleidet", "desnuda")


def _asked(*texts: str) -> HardCategory | None:
    prompt, *rest = texts
    return composed(GenerationRequest(prompt=prompt, prompt_2=rest[0] if rest else None))


pairs = st.one_of(
    st.tuples(st.sampled_from(AGES), st.just("__sexual_test__")),
    st.tuples(st.sampled_from(ADULT), st.just("__age_test__")),
)
spaced_pairs = st.one_of(
    st.tuples(st.sampled_from(ONE_WORD), st.just("__sexual_test__")),
    st.tuples(st.sampled_from(ONE_ADULT_WORD), st.just("__age_test__")),
)


@settings(max_examples=150, deadline=None)
@given(pairs, st.sampled_from(NOISES), st.sampled_from(FILLER), st.booleans(), st.booleans())
def test_noise_does_not_hide_a_half(
    pair: tuple[str, str], noise: Callable[[str], str], filler: str, first: bool, apart: bool
) -> None:
    half, stand_in = pair
    texts = (f"{filler}, {noise(half)} {filler}", stand_in)
    texts = texts if first else texts[::-1]
    assert _asked(*(texts if apart else [" ".join(texts)])) is HardCategory.MINOR_SEXUAL


@settings(max_examples=100, deadline=None)
@given(spaced_pairs, st.sampled_from(SPACINGS), st.sampled_from(FILLER))
def test_separators_within_a_word_do_not_hide_it(
    pair: tuple[str, str], spacing: Callable[[str], str], filler: str
) -> None:
    half, stand_in = pair
    assert _asked(f"{filler}, {spacing(half)}, {stand_in}") is HardCategory.MINOR_SEXUAL


@settings(max_examples=60, deadline=None)
@given(pairs, st.text(max_size=200), st.text(max_size=200))
def test_no_other_text_lowers_it(pair: tuple[str, str], before: str, after: str) -> None:
    half, stand_in = pair
    assert _asked(f"{before}\n{half}\n{after}", stand_in) is HardCategory.MINOR_SEXUAL


findings = st.builds(
    Finding,
    code=st.just("x"),
    severity=st.just(Severity.SUCCESS),
    stage=st.just(Stage.PROMPT),
    source=st.just("x"),
    source_version=st.just("1"),
    category=st.sampled_from(["adult", "real_person", "allowed", "__sexual_test__", "nudity", None]),
    score=st.one_of(st.none(), st.floats(0, 1)),
)


@settings(max_examples=60, deadline=None)
@given(pairs, st.lists(findings, max_size=4))
def test_no_finding_of_any_check_lowers_it(pair: tuple[str, str], found: list[Finding]) -> None:
    result = CheckResult(check="x", version="1", status=CheckStatus.OK, stage=Stage.PROMPT, findings=tuple(found))
    assert composed(GenerationRequest(prompt=" ".join(pair)), [result]) is HardCategory.MINOR_SEXUAL


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_reading_is_total(text: str) -> None:
    composed(GenerationRequest(prompt=text))
