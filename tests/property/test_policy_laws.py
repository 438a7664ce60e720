"""Laws of the prompt gate: noise does not change a decision, unknown is never a permission, packs only add."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sdsafe._internal.documents import read_yaml
from sdsafe._internal.strict import build
from sdsafe._internal.text.normalize import fold, views
from sdsafe.core.context import JudgementContext
from sdsafe.core.decisions import Decision, Effect
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Stage
from sdsafe.core.request import GenerationRequest
from sdsafe.errors import PolicyFormatError
from sdsafe.gates.policy.cases import judge_prompt
from sdsafe.gates.policy.categories import BUILTIN, TERMS, Category
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.lexicon import Entry, Lexicon
from sdsafe.gates.policy.loader import LoadedPack, LoadedPolicies, available_packs, load_policies
from sdsafe.gates.policy.model import Pack
from sdsafe.gates.policy.obfuscation import find_obfuscation
from sdsafe.gates.policy.references import compile_rules

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


def _context(prompt: str, **fields: str) -> JudgementContext:
    return JudgementContext(request=GenerationRequest(prompt=prompt, **fields))  # type: ignore[arg-type]


def _effect(prompt: str) -> Effect:
    return judge_prompt(baseline(), _context(prompt)).decision.effect


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
    judged = judge_prompt(baseline(), _context(prompt, negative_prompt=prompt))
    assert [each.status for each in judged.results] == [CheckStatus.OK]
    assert judged.decision.policy
    judged.marked()


# Rules over two term categories and one score, and results of which some are broken.
LEAVES = st.sampled_from(
    ("found.a", "found.b", "found_in.prompt.a", "score.s >= 0.5", "score.s > 0.9", "has(score.s)", "has(use.kind)",
     'use.kind == "private"', "request.count / request.inputs > 1", "true")
)  # fmt: skip
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"({' || '.join(each)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"({' && '.join(each)})"),
        inner.map(lambda each: f"!({each})"),
        st.tuples(inner, inner, inner).map(lambda each: "({} ? {} : {})".format(*each)),
    ),
    max_leaves=5,
).filter(lambda text: "." in text or text == "true")
Drawn = tuple[str, str, str]
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


DUTIES = ({"code": "watermark"}, {"code": "iptc"})


def _policies(*packs: list[Drawn]) -> LoadedPolicies:
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
                {
                    "id": f"r{i}",
                    "stage": "prompt",
                    "when": when,
                    "effect": effect,
                    "on_error": on_error,
                    "because": "b",
                    "obligations": DUTIES[: i % 3],
                }
                for i, (when, effect, on_error) in enumerate(rules)
            ),
        }
        pack = build(Pack, value, "test")
        conditions = compile_rules(pack, KNOWN, "test")
        loaded.append(LoadedPack(pack=pack, ref=pack.ref(), folder=Path(), categories=KNOWN, conditions=conditions))
    return LoadedPolicies(packs=tuple(loaded))


def _decided(loaded: LoadedPolicies, findings: list[tuple[str, float | None]], *, looked: bool = True) -> Decision:
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
    return PackPolicy(loaded).judge(Stage.PROMPT, _context(""), [result])


def _judged(loaded: LoadedPolicies, findings: list[tuple[str, float | None]], *, looked: bool = True) -> Effect:
    return _decided(loaded, findings, looked=looked).effect


@few
@given(RULES, RULES, FINDINGS)
def test_adding_a_rule_or_a_pack_never_lowers_the_effect(
    some: list[Drawn], more: list[Drawn], findings: list[tuple[str, float | None]]
) -> None:
    alone = _decided(_policies(some), findings)
    for together in (_policies([*some, *more]), _policies(some, more), _policies(more, some)):
        assert _judged(together, findings) >= alone.effect
    both = _decided(_policies(some, more), findings)
    assert {duty.code for duty in alone.obligations} <= {duty.code for duty in both.obligations}


@few
@given(RULES, CONDITIONS, st.integers(0, 4), FINDINGS)
def test_adding_a_deny_rule_never_turns_a_refusal_into_a_permission(
    rules: list[Drawn], when: str, place: int, findings: list[tuple[str, float | None]]
) -> None:
    if not _decided(_policies(rules), findings).allows:
        assert not _decided(_policies([*rules[:place], (when, "deny", "deny"), *rules[place:]]), findings).allows


# Each reads a fact that is missing in every judgement of this file, or fails by itself.
ERRORS = st.sampled_from(
    ("use.kind == 'private'", "organisation.revenue_usd > 1", "licence.known", "request.count / request.inputs == 1",
     "'EU' in organisation.territories", "request.negative_prompt.contains('a')",
     "score.s > 0.5 || has(use.kind)")
)  # fmt: skip


@few
@given(
    RULES, ERRORS, st.sampled_from([effect.label for effect in Effect]), st.sampled_from(["deny", "review"]), st.data()
)
def test_an_error_in_any_rule_never_turns_into_a_permission(
    rules: list[Drawn], when: str, effect: str, on_error: str, data: st.DataObject
) -> None:
    findings = data.draw(FINDINGS.filter(lambda each: all(category != "s" for category, _ in each)))
    place = data.draw(st.integers(0, len(rules)))
    decision = _decided(_policies([*rules[:place], (when, effect, on_error), *rules[place:]]), findings)
    assert not decision.allows
    assert decision.effect >= Effect.parse(on_error)
    assert f"p0.r{place}: " in " ".join(decision.errors)


@few
@given(RULES, RULES, RULES, FINDINGS)
def test_packs_compose_in_any_order(
    some: list[Drawn], more: list[Drawn], most: list[Drawn], findings: list[tuple[str, float | None]]
) -> None:
    packs = _policies(some, more, most).packs
    decided = []
    for order in itertools.permutations(packs):
        loaded = LoadedPolicies(packs=order)
        decision = _decided(loaded, findings)
        fired = {(rule.policy, rule.rule, rule.effect, rule.because, rule.findings) for rule in decision.fired}
        decided.append((decision.effect, {duty.code for duty in decision.obligations}, fired, set(decision.errors)))
    assert all(each == decided[0] for each in decided)


@few
@given(CONDITIONS, st.sampled_from(["deny", "review"]), FINDINGS)
def test_knowing_less_never_turns_a_refusal_into_a_permission(
    when: str, on_error: str, findings: list[tuple[str, float | None]]
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


class _Dumper(yaml.SafeDumper):
    """Quotes every text: which plain texts are numbers is another matter in YAML 1.1, which PyYAML writes."""


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def _render(pack: Pack) -> str:
    """Write a pack as a person would: what was not said is left out."""
    plain = json.loads(json.dumps(pack.model_dump(by_alias=True, exclude_defaults=True)))
    text: str = yaml.dump(plain, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return text


@pytest.mark.parametrize("name", available_packs())
def test_a_shipped_pack_that_is_written_out_reads_as_itself(name: str) -> None:
    path = load_policies([name]).packs[-1].folder / "policy.yaml"
    pack = build(Pack, read_yaml(path.read_bytes(), "f"), "f")
    again = build(Pack, read_yaml(_render(pack).encode(), "f"), "f")
    assert again == pack
    assert again.ref() == pack.ref()


LINES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TERM = st.one_of(
    LINES,
    st.fixed_dictionaries(
        {"term": LINES}, optional={"aliases": st.lists(LINES, max_size=2).map(tuple), "born": st.integers(-3000, 3000)}
    ),
)


@few
@given(RULES, st.lists(TERM, min_size=1, max_size=3), LINES, LINES)
def test_a_pack_that_is_written_out_reads_as_itself(
    rules: list[Drawn], terms: list[object], title: str, description: str
) -> None:
    (loaded,) = _policies(rules).packs
    value = {
        **loaded.pack.model_dump(by_alias=True, exclude_defaults=True),
        "title": title,
        "description": description,
        "terms": ({"category": "a", "terms": tuple(terms)},),
    }
    pack = build(Pack, value, "f")
    again = build(Pack, read_yaml(_render(pack).encode(), "f"), "f")
    assert again == pack
    assert again.ref() == pack.ref()


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
