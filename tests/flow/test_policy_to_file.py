"""From a pack to a file: what a rule demands is in the bytes, the manifest, the record and the ledger, or there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe import plugins
from sdsafe.core.decisions import Effect
from sdsafe.core.house import House
from sdsafe.core.organisation import Organisation
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded, Refused
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.pipeline import Pipeline, UnsafeNoOutputCheck
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.metadata.embedding import read
from sdsafe.testing.pipeline import fake_licences, fake_parts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.gates.registry.gate import LicenceGate

REQUEST = GenerationRequest(prompt="a calm sea", seed=7, size=Size(width=512, height=512), steps=1)

HEAD = """
format: sdsafe.policy/1
id: house
version: 1.0.0
title: House
description: What the house wants of every picture.
"""
LABELS = (
    HEAD
    + """
rules:
  - id: labels
    stage: export
    when: "true"
    effect: transform
    because: the house labels everything
    citation: House rules, 1
    obligations:
      - {code: visible_label, params: {text: Made by a model, corner: top-left}}
      - {code: iptc}
      - {code: aigc_label}
      - {code: attribution, params: {text: Powered by Example}}
      - {code: min_megapixels, params: {value: 1}}
      - {code: prompt_disclosure, params: {mode: commit}}
      - {code: classifier_or_review}
      - {code: watermark}
      - {code: sign_c2pa}
"""
)
USES = (
    HEAD
    + """
rules:
  - id: not-for-sale
    stage: export
    when: use.kind == "commercial" || use.kind == "marketplace"
    effect: deny
    because: the house sells nothing
    citation: House rules, 2
  - id: small-business
    stage: output
    when: organisation.revenue_usd > 1000000
    effect: deny
    on_error: review
    because: only small businesses
  - id: png-only
    stage: export
    when: asset.media_type != "image/png" || asset.megapixels > 50.0
    effect: deny
    because: the house archives PNG
"""
)
LOOKS = (
    HEAD
    + """
rules:
  - id: nudity
    stage: output
    when: score.nudity >= 0.5
    effect: deny
    because: the house wants every picture looked at
"""
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("policy-flow")
    return Places(state=folder / "state", cache=folder / "cache")


@pytest.fixture(scope="module")
def licences() -> LicenceGate:
    return fake_licences()


@pytest.fixture
def run(places: Places, licences: LicenceGate, tmp_path: Path) -> Callable[..., Any]:
    def go(pack: str, request: GenerationRequest = REQUEST, **others: Any) -> Any:
        folder = tmp_path / "house"
        folder.mkdir(exist_ok=True)
        (folder / "policy.yaml").write_text(pack, encoding="utf-8")
        names = ("baseline", str(folder))
        lexicon = plugins.load("sdsafe.prompt_checks", "lexicon", places, {"policies": names})
        policy = PackPolicy(load_policies(names))
        parts = fake_parts(places, policy=policy, prompt_checks=(lexicon,), licences=licences, **others)
        (outcome,) = Pipeline(parts).run(request)
        return outcome

    return go


def test_everything_that_a_pack_asks_for_is_in_the_file(run: Callable[..., Any]) -> None:
    house = House(organisation=Organisation(name="Example", code="0011"))
    outcome = run(LABELS, replace(REQUEST, size=Size(width=1024, height=1024)), house=house)
    assert isinstance(outcome, Recorded), outcome
    assert len(outcome.signed.discharges) == 9
    assert all(each.ok and each.evidence for each in outcome.signed.discharges)
    declared = read(outcome.asset).metadata
    assert declared is not None
    assert declared.aigc is not None
    assert declared.credit == "Powered by Example"
    assert declared.prompt is None
    seen = ManifestProbe().examine(outcome.asset, Evidence())
    assert seen.manifest is ManifestState.VALID
    assert seen.summary is not None
    stated: Any = seen.summary.generation
    assert stated["prompt"]["disclosure"] == "commit"
    assert b"calm sea" not in outcome.asset.data
    by = {each["code"]: each["demanded_by"] for each in stated["obligations"]}
    assert by["visible_label"] == ["house/labels"]
    assert by["watermark"] == ["baseline/marked-and-signed", "house/labels"]
    (rule,) = [each for each in stated["decisions"]["export"]["rules"] if each["policy"] == "house"]
    assert (rule["effect"], rule["citation"]) == ("transform", "House rules, 1")
    assert dict(outcome.receipt.entry.extra).keys() == {"discharges"}
    assert outcome.receipt.entry.effect == "transform"


def test_what_cannot_be_done_is_refused_before_generation(run: Callable[..., Any]) -> None:
    outcome = run(LABELS)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.stage.value, outcome.seed) == ("refused.obligation", "prompt", None)
    assert "house/labels obliges to aigc_label" in outcome.message
    assert "house/labels obliges to min_megapixels (value: 1): 512x512 has 0.26 megapixels" in outcome.message
    assert "[organisation]" in outcome.hint
    assert "--size" in outcome.hint


@pytest.mark.parametrize(
    ("use", "revenue", "reason", "rule"),
    [
        ("commercial", 5, "refused.export", "not-for-sale"),
        ("private", 1_000_001, "refused.output", "small-business"),
        ("private", None, "refused.output", "small-business"),  # a fact that nobody will supply later
        (None, 5, "refused.export", "not-for-sale"),
    ],
)
def test_what_use_and_organisation_decide_is_decided_before_generation(
    run: Callable[..., Any], use: str | None, revenue: int | None, reason: str, rule: str
) -> None:
    house = House(organisation=Organisation(revenue_usd=revenue))
    outcome = run(USES, replace(REQUEST, intended_use=use), house=house)
    assert isinstance(outcome, Refused)
    assert outcome.reason == reason
    assert rule in {each.rule for each in outcome.decision.leading}
    assert outcome.seed is None  # nothing was generated


def test_with_every_fact_known_it_is_released(run: Callable[..., Any]) -> None:
    house = House(organisation=Organisation(revenue_usd=1_000_000))
    assert isinstance(run(USES, replace(REQUEST, intended_use="private"), house=house), Recorded)


class TestWithoutOutputChecks:
    UNSAFE = UnsafeNoOutputCheck()

    def test_rules_that_need_no_finding_are_judged(self, run: Callable[..., Any]) -> None:
        request = replace(REQUEST, intended_use="private")
        house = House(organisation=Organisation(revenue_usd=2_000_000))
        outcome = run(USES, request, house=house, output_checks=self.UNSAFE)
        assert isinstance(outcome, Refused)
        assert "small-business" in outcome.message

    def test_a_fact_that_is_missing_is_not_excused_by_the_mode(self, run: Callable[..., Any]) -> None:
        outcome = run(USES, replace(REQUEST, intended_use="private"), output_checks=self.UNSAFE)
        assert isinstance(outcome, Refused)

    def test_a_pack_of_your_own_is_left_out_where_it_needs_a_finding(self, run: Callable[..., Any]) -> None:
        outcome = run(LOOKS, output_checks=self.UNSAFE)
        assert isinstance(outcome, Recorded), outcome
        decision = outcome.signed.encoded.marked.cleared.decision
        assert decision.effect is Effect.ANNOTATE
        assert any("nudity" in each for each in decision.undecided)

    def test_a_pack_that_the_organisation_requires_forbids_the_mode(self, run: Callable[..., Any]) -> None:
        house = House(required=frozenset({"house"}))
        outcome = run(LOOKS, output_checks=self.UNSAFE, house=house)
        assert isinstance(outcome, Refused)
        assert outcome.seed is None
        assert "house.nudity" in outcome.message
        assert isinstance(run(LOOKS, house=house), Recorded)
