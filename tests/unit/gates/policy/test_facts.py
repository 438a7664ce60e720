"""The vocabulary of conditions: every fact that may be named can be known, and what is known may be named."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_type_hints

import pytest

from sdsafe.core.context import AssetFacts, JudgementContext
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Span, Stage
from sdsafe.core.organisation import Organisation
from sdsafe.core.request import TEXT_FIELDS, AdapterRef, GenerationRequest, ModelRef, Size
from sdsafe.gates.policy.categories import BUILTIN, TERMS, Category
from sdsafe.gates.policy.facts import FACTS, LICENCE_FACTS, category_of, declared, known, why_missing
from sdsafe.gates.policy.seen import Seen
from sdsafe.gates.registry.effective import LicenceFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

STAGES = (Stage.PROMPT, Stage.INPUT, Stage.OUTPUT, Stage.EXPORT)
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "bool": bool,
    "int": int,
    "double": float,
    "string": str,
    "list": (list, tuple),
}
LICENCE: Mapping[str, object] = {
    name: {"bool": True, "int": 1_000_000, "string": "allowed", "list": ["a"]}[kind]
    for name, kind in LICENCE_FACTS.items()
}
SOUND = tuple(name for name in BUILTIN if name.startswith("sound_"))
CATEGORIES = {
    **BUILTIN,
    "rain": TERMS,
    "logo": Category(stage=Stage.OUTPUT, scored=False, check="logos"),
    "pose": Category(stage=Stage.INPUT, scored=False, check="poses"),
    "mood": Category(stage=Stage.PROMPT, scored=True),
}
FULL = JudgementContext(
    request=GenerationRequest(
        prompt="a",
        prompt_2="b",
        prompt_3="c",
        negative_prompt="d",
        model=ModelRef(repo="x/y", revision="1", pipeline="P", license="mit"),
        adapters=(AdapterRef(kind="lora", repo="x/z"),),
        size=Size(width=512, height=768),
        steps=4,
        guidance=7,
        intended_use="marketplace:getty",
    ),
    organisation=Organisation(revenue_usd=1, monthly_users=2, territories=("EU",)),
    licence=LICENCE,
    asset=AssetFacts(media_type="image/png", width=512, height=768),
)
BARE = JudgementContext(request=GenerationRequest(prompt=""))


def _finding(category: str, score: float | None = None) -> Finding:
    return Finding(
        code="t",
        severity=Severity.INFORMATIONAL,
        stage=Stage.PROMPT,
        source="t",
        source_version="1",
        category=category,
        score=score,
        span=Span(field="prompt", start=0, end=1),
    )


def _seen(*findings: Finding, checks: tuple[str, ...] = ("lexicon", "logos", "poses", "input-provenance")) -> Seen:
    results = [
        CheckResult(check=name, version="1", status=CheckStatus.OK, stage=Stage.PROMPT, findings=findings * (not index))
        for index, name in enumerate(checks)
    ]
    return Seen(results, "1")


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_declared_can_be_known_and_what_is_known_is_declared(stage: Stage) -> None:
    scores = (_finding("nudity", 0.5), _finding("mood", 1), *(_finding(each, 0) for each in SOUND))
    values = known(stage, FULL, _seen(*scores), CATEGORIES)
    types = declared(stage, CATEGORIES)
    # Thresholds are facts of whoever judges, not of the request.
    assert {name for name in types if not name.startswith("threshold.")} == values.keys()
    for name, value in values.items():
        assert isinstance(value, KINDS[types[name]]), name
        assert isinstance(value, bool) is (types[name] == "bool"), name


def test_facts_about_licences_are_those_of_the_registry() -> None:
    hints = get_type_hints(LicenceFacts)
    named = {bool: "bool", int: "int", str: "string", list[str]: "list"}
    assert {name: named[kind] for name, kind in hints.items()} == dict(LICENCE_FACTS)


def test_what_nobody_said_is_missing_and_not_zero() -> None:
    values = known(Stage.EXPORT, BARE, _seen(checks=()), CATEGORIES)
    assert set(values) == {"request.prompt", "request.task", "request.count", "request.inputs", "request.adapters", "model.repo"}  # fmt: skip
    half = JudgementContext(request=BARE.request, licence={"known": False}, asset=AssetFacts(width=3))
    assert set(known(Stage.EXPORT, half, _seen(checks=()), {})) - set(values) == {"licence.known", "asset.width"}


@pytest.mark.parametrize(("use", "kind", "marketplace"), [("private", "private", None), ("marketplace:x", "marketplace", "x"), (None, None, None)])  # fmt: skip
def test_the_declared_use(use: str | None, kind: str | None, marketplace: str | None) -> None:
    context = JudgementContext(request=GenerationRequest(prompt="", intended_use=use))
    values = known(Stage.PROMPT, context, _seen(), {})
    assert (values.get("use.kind"), values.get("use.marketplace")) == (kind, marketplace)


class TestCategories:
    def test_silence_is_no_only_from_who_looked(self) -> None:
        assert known(Stage.PROMPT, BARE, _seen(), CATEGORIES)["found.rain"] is False
        assert "found.rain" not in known(Stage.PROMPT, BARE, _seen(checks=("other",)), CATEGORIES)
        values = known(Stage.PROMPT, BARE, _seen(_finding("rain"), checks=("other",)), CATEGORIES)
        assert values["found.rain"] is True
        assert values["found_in.prompt.rain"] is True
        assert "found_in.negative_prompt.rain" not in values

    @pytest.mark.parametrize("broken", [None, float("nan"), float("inf"), -0.1, 1.1, True])
    def test_one_number_that_is_none_makes_the_score_unknown(self, broken: float | None) -> None:
        both = (_finding("nudity", 0.9), _finding("nudity", broken))
        assert "score.nudity" not in known(Stage.OUTPUT, BARE, _seen(*both), CATEGORIES)
        assert known(Stage.OUTPUT, BARE, _seen(both[0]), CATEGORIES)["score.nudity"] == 0.9

    @pytest.mark.parametrize(
        ("stage", "named"),
        [
            (Stage.PROMPT, {"obfuscation", "rain", "mood"}),
            (Stage.INPUT, {"pose", "logo", "nudity", "input_manifest_invalid", "input_use_not_allowed"}),
            (Stage.OUTPUT, {"logo", "nudity", *SOUND}),
            (Stage.EXPORT, set(CATEGORIES)),
        ],
    )
    def test_rules_ask_about_what_can_be_seen_at_their_stage(self, stage: Stage, named: set[str]) -> None:
        assert {about[0] for name in declared(stage, CATEGORIES) if (about := category_of(name))} == named

    def test_every_absence_has_a_reason_in_words(self) -> None:
        for name in declared(Stage.EXPORT, CATEGORIES):
            assert len(why_missing(name, CATEGORIES)) > 10
        assert why_missing("found_in.prompt.rain", CATEGORIES) == "lexicon did not look for rain with these packs"
        assert why_missing("score.mood", CATEGORIES) == "no check measured mood"
        assert why_missing("use.kind", CATEGORIES) == "use.kind is not known"


def test_facts_name_no_field_that_requests_do_not_have() -> None:
    assert {f"request.{name}" for name in TEXT_FIELDS} <= FACTS.keys()
    assert not any(name.split(".")[0] == "asset" for name in FACTS)
