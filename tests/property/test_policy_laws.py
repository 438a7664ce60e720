"""Laws of the prompt gate: noise does not change a decision, unknown is never a permission, packs only add."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sdsafe._internal.text.normalize import fold, views
from sdsafe.core.decisions import Effect
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Stage
from sdsafe.core.request import GenerationRequest
from sdsafe.errors import PolicyFormatError
from sdsafe.gates.policy._strict import build
from sdsafe.gates.policy._yaml import read_yaml
from sdsafe.gates.policy.cases import judge_prompt
from sdsafe.gates.policy.categories import BUILTIN, TERMS, Category
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.lexicon import Entry, Lexicon
from sdsafe.gates.policy.loader import LoadedPack, LoadedPolicies, load_policies
from sdsafe.gates.policy.model import Pack
from sdsafe.gates.policy.obfuscation import find_obfuscation

if TYPE_CHECKING:
    from collections.abc import Callable

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Characters of every kind that folding treats in its own way, besides arbitrary ones.
ODD = "\u200b\u00ad\u0301\u0336\u202e\ufe0f\U000e0041\u3099\u093f\u1161\u11ab\u0410\u0435\u03bfßİŉﬁ\U0001d58bⒶ🅰️$@1 \n\0_.-aAzZ가護"
texts = st.text(st.one_of(st.sampled_from(ODD), st.characters()), max_size=40)


@few
@given(texts)
def test_folding_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@few
@given(texts, st.data())
def test_every_view_maps_back_into_the_original(text: str, data: st.DataObject) -> None:
    for view in views(text):
        assert len(view.plain) == len(view.skeleton)
        assume(view.plain)
        start = data.draw(st.integers(0, len(view.plain) - 1))
        end = data.draw(st.integers(start + 1, len(view.plain)))
        first, after = view.span(start, end)
        assert 0 <= first < after <= len(text)


@few
@given(texts, st.lists(st.text("ab1é護", min_size=1, max_size=4), min_size=1, max_size=6))
def test_matches_lie_in_the_text_and_read_as_their_term(text: str, terms: list[str]) -> None:
    for hit in Lexicon(Entry(term, "c", "p") for term in terms).find(text + " " + terms[0]):
        assert 0 <= hit.start < hit.end <= len(text) + 1 + len(terms[0])
    assert any(hit.entry.term == terms[0] for hit in Lexicon([Entry(terms[0], "c", "p")]).find(f"{text} {terms[0]}"))


@few
@given(texts)
def test_obfuscation_points_into_the_text(text: str) -> None:
    assert all(0 <= each.start < each.end <= len(text) for each in find_obfuscation(text))
    assert list(find_obfuscation(fold(text).encode("ascii", "ignore").decode())) == []


ZERO_WIDTH = st.sampled_from(["\u200b", "\u200d", "\u2060", "\u00ad", "\ufeff", "\u034f", "\U000e0061"])
HOMOGLYPHS = str.maketrans(
    "aceopsxyikAEOPC", "\u0430\u0441\u0435\u043e\u0440\u0455\u0445\u0443\u0456\u043a\u0410\u0415\u041e\u0420\u0421"
)
FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("A"), ord("z") + 1) if chr(code).isalpha()}
SEPARATORS = st.sampled_from([" ", "  ", "-", "_", ". ", "\n", "\u00a0", " / ", "\t"])
WORDS = ["house", "garden", "stone", "winter", "boat", "paper"]
LISTED = ["fake passport", "counterfeit banknote", "revenge porn", "forged identity card", "fake ballot"]


@functools.cache
def baseline() -> LoadedPolicies:
    return load_policies(["baseline"])


@st.composite
def disguised(draw: st.DrawFn, text: str) -> str:
    """Draw ``text`` with its case, letters and spaces disguised, alone or together."""
    pieces = []
    for character in text:
        if character == " ":
            pieces.append(draw(SEPARATORS))
            continue
        kind = draw(st.sampled_from(["as is", "as is", "upper", "look-alike", "full width", "zero width", "mark"]))
        changed = {
            "upper": character.upper(),
            "look-alike": character.translate(HOMOGLYPHS),
            "full width": character.translate(FULL_WIDTH),
            "zero width": character + draw(ZERO_WIDTH),
            "mark": character + "\u0336",
        }.get(kind, character)
        pieces.append(changed)
    return "".join(pieces)


def _effect(prompt: str) -> Effect:
    return judge_prompt(baseline(), GenerationRequest(prompt=prompt)).decision.effect


@few
@given(st.sampled_from(LISTED).flatmap(disguised), st.sampled_from(WORDS), st.sampled_from(WORDS))
def test_no_disguise_turns_a_refusal_into_anything_else(term: str, before: str, after: str) -> None:
    assert _effect(f"{before} {term} {after}") is Effect.DENY


@few
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join).flatmap(disguised))
def test_disguise_alone_is_at_most_annotated(prompt: str) -> None:
    assert _effect(prompt) <= Effect.ANNOTATE


@few
@given(texts)
def test_any_text_gets_a_decision(prompt: str) -> None:
    judged = judge_prompt(baseline(), GenerationRequest(prompt=prompt, negative_prompt=prompt))
    assert judged.result.status is CheckStatus.OK
    assert judged.decision.policy
    judged.marked()


# Rules over two term categories and one score, and results of which some are broken.
LEAVES = st.sampled_from(
    ({"found": "a"}, {"found": "b"}, {"found": "s", "at_least": 0.5}, {"found": "s", "at_least": 0.9}, {"always": True})
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"any": tuple(each)}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"all": tuple(each)}),
        inner.map(lambda each: {"not": each}),
    ),
    max_leaves=5,
)
RULES = st.lists(
    st.tuples(CONDITIONS, st.sampled_from([effect.label for effect in Effect]), st.sampled_from(["deny", "review"])),
    max_size=4,
)
FINDINGS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "s", "other"]), st.sampled_from([None, 0.0, 0.5, 0.7, 0.9, 1.0, float("nan")])
    ),
    max_size=4,
)
KNOWN = {**BUILTIN, "a": TERMS, "b": TERMS, "s": Category(stage=Stage.PROMPT, scored=True)}


def _policies(*packs: list[tuple[object, str, str]]) -> LoadedPolicies:
    loaded = []
    for number, rules in enumerate(packs):
        value = {
            "format": "sdsafe.policy/1",
            "id": f"p{number}",
            "version": "1.0.0",
            "title": "t",
            "description": "d",
            "terms": ({"category": "a", "terms": ("x",)},),
            "rules": tuple(
                {"id": f"r{i}", "stage": "prompt", "when": when, "effect": effect, "on_error": on_error, "because": "b"}
                for i, (when, effect, on_error) in enumerate(rules)
            ),
        }
        pack = build(Pack, value, "test")
        loaded.append(LoadedPack(pack=pack, ref=pack.ref(), folder=None, categories=KNOWN))  # type: ignore[arg-type]
    return LoadedPolicies(packs=tuple(loaded))


def _judged(loaded: LoadedPolicies, findings: list[tuple[str, float | None]], *, looked: bool = True) -> Effect:
    result = CheckResult(
        check="lexicon",
        version=loaded.lexicon_version if looked else "0",
        status=CheckStatus.OK,
        stage=Stage.PROMPT,
        findings=tuple(
            Finding(
                code="t", severity=Severity.INFORMATIONAL, stage=Stage.PROMPT, source="t", source_version="1",
                category=category, score=score,
            )
            for category, score in findings
        ),
    )  # fmt: skip
    return PackPolicy(loaded).judge(Stage.PROMPT, GenerationRequest(prompt=""), [result]).effect


@few
@given(RULES, RULES, FINDINGS)
def test_adding_a_rule_or_a_pack_never_lowers_the_effect(
    some: list[tuple[object, str, str]], more: list[tuple[object, str, str]], findings: list[tuple[str, float | None]]
) -> None:
    alone = _judged(_policies(some), findings)
    assert _judged(_policies([*some, *more]), findings) >= alone
    assert _judged(_policies(some, more), findings) >= alone


@few
@given(RULES, RULES, FINDINGS)
def test_packs_compose_in_any_order(
    some: list[tuple[object, str, str]], more: list[tuple[object, str, str]], findings: list[tuple[str, float | None]]
) -> None:
    assert _judged(_policies(some, more), findings) is _judged(_policies(more, some), findings)


@few
@given(CONDITIONS, st.sampled_from(["deny", "review"]), FINDINGS)
def test_knowing_less_never_turns_a_refusal_into_a_permission(
    when: object, on_error: str, findings: list[tuple[str, float | None]]
) -> None:
    """Take away that somebody looked for the terms: what was refused stays refused."""
    policies = _policies([(when, "deny", on_error)])
    if _judged(policies, findings) is Effect.DENY:
        assert _judged(policies, findings, looked=False) >= Effect.REVIEW


@few
@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    error = _refusal(lambda: read_yaml(data, "f"))
    assert error is None or error.file == "f"


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@few
@given(st.data())
def test_any_change_of_a_shipped_pack_loads_or_is_refused_with_its_place(data: st.DataObject) -> None:
    pack = load_policies(["baseline"]).packs[-1]
    tree = read_yaml((pack.folder / "policy.yaml").read_bytes(), "f")
    node: object = tree
    while True:
        assert isinstance(node, dict)
        key = data.draw(st.sampled_from(sorted(node)))
        inner = node[key]
        if isinstance(inner, tuple) and inner and isinstance(inner[0], dict) and data.draw(st.booleans()):
            node = data.draw(st.sampled_from([each for each in inner if isinstance(each, dict)]))
            continue
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            node = inner
            continue
        break
    if data.draw(st.booleans()):
        node[key] = data.draw(VALUES)
    else:
        node[key + "x"] = node.pop(key)
    error = _refusal(lambda: build(Pack, tree, "f").ref())
    assert error is None or (error.file == "f" and error.expected and error.found)


def _refusal(attempt: Callable[[], object]) -> PolicyFormatError | None:
    """Return the one error that may come of it; any other passes through and fails the test."""
    try:
        attempt()
    except PolicyFormatError as error:
        return error
    return None
