"""The packs of marketplaces and the registry's facts about them say the same."""

from __future__ import annotations

import math
import re
from functools import cache

import pytest

from sdsafe.core.context import AssetFacts, JudgementContext
from sdsafe.core.decisions import Decision, Effect
from sdsafe.core.findings import Stage
from sdsafe.core.request import GenerationRequest, ModelRef
from sdsafe.gates.policy.cases import judge_prompt
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import available_packs, load_policies
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.loading import load_registry
from sdsafe.gates.registry.use import DeclaredUse

MARKETPLACES = load_registry().marketplaces
REFUSING = ["getty", "shutterstock", "alamy", "pond5", "depositphotos"]
TAKING = ["adobe-stock", "123rf", "magnific", "dreamstime"]
WITHOUT_PACK = {"vecteezy", "wirestock", "etsy", "amazon-kdp"}
"""Nothing firm enough for a pack could be read about them."""
PACKS = REFUSING + TAKING
HARMLESS = GenerationRequest(prompt="a lighthouse at night", model=ModelRef(repo="builtin:scenes"))


@cache
def _policy(name: str) -> PackPolicy:
    return PackPolicy(load_policies([name]))


def _ahead(name: str, *, megapixels: float = 12.0, media_type: str = "image/jpeg") -> Decision:
    side = math.sqrt(megapixels * 1_000_000)
    asset = AssetFacts(media_type=media_type, width=math.floor(side), height=math.floor(side))
    return _policy(name).preview(Stage.EXPORT, JudgementContext(request=HARMLESS, asset=asset), ())


def _fired(decision: Decision) -> set[str]:
    return {rule.rule for rule in decision.fired}


def test_every_marketplace_that_we_know_has_its_pack() -> None:
    assert set(PACKS) | WITHOUT_PACK == set(MARKETPLACES)
    assert set(PACKS) <= set(available_packs())
    assert not WITHOUT_PACK & set(available_packs())
    assert all(MARKETPLACES[name].verified != "primary" for name in WITHOUT_PACK)


@pytest.mark.parametrize("name", REFUSING)
def test_a_marketplace_that_refuses_is_refused_before_anything_is_made(name: str) -> None:
    assert MARKETPLACES[name].accepts_ai == "no"
    ahead = judge_prompt(load_policies([name]), JudgementContext(request=HARMLESS)).ahead
    assert ahead.effect is Effect.DENY
    assert [rule.rule for rule in ahead.leading] == ["ai-not-accepted"]


@pytest.mark.parametrize("name", REFUSING)
def test_the_refusal_says_since_when_and_by_which_page(name: str) -> None:
    (rule,) = [rule for rule in load_policies([name]).packs[-1].pack.rules if rule.effect == "deny"]
    assert rule.sources
    assert re.search(r"since|in force when read", rule.because)
    assert MARKETPLACES[name].verified in rule.citation
    assert re.search(r"20\d\d-\d\d-\d\d", rule.citation)
    if re.fullmatch(r"20\d\d-\d\d-\d\d", MARKETPLACES[name].since):
        assert rule.since == MARKETPLACES[name].since


@pytest.mark.parametrize("name", PACKS)
def test_pack_and_registry_come_to_the_same_about_a_harmless_picture(name: str) -> None:
    use = DeclaredUse(use=f"marketplace:{name}")
    registry = LicenceGate(load_registry()).decide(HARMLESS, use)
    of_market = [rule.effect for rule in registry.fired if rule.rule.startswith("marketplace.")]
    pack = _ahead(name).effect
    if of_market:
        assert pack is max(of_market)
    else:
        assert pack <= Effect.ANNOTATE


@pytest.mark.parametrize("name", PACKS)
def test_what_is_known_from_others_never_allows(name: str) -> None:
    if MARKETPLACES[name].verified != "primary":
        assert _ahead(name).effect >= Effect.REVIEW


@pytest.mark.parametrize("name", TAKING)
def test_sizes_and_formats_are_those_of_the_registry(name: str) -> None:
    facts = MARKETPLACES[name].technical
    assert facts is not None
    assert facts.min_megapixels is not None
    least = float(facts.min_megapixels)
    assert "size" not in _fired(_ahead(name, megapixels=least * 1.01))
    assert "size" in _fired(_ahead(name, megapixels=least * 0.99))
    if facts.max_megapixels is not None:
        most = float(facts.max_megapixels)
        assert "size" not in _fired(_ahead(name, megapixels=most * 0.99))
        assert "size" in _fired(_ahead(name, megapixels=most * 1.01))
    for media_type in ("image/jpeg", "image/png"):
        taken = not facts.formats or media_type in facts.formats
        assert ("format" in _fired(_ahead(name, media_type=media_type))) is not taken


@pytest.mark.parametrize("name", PACKS)
def test_every_page_of_the_registry_is_named_in_the_pack(name: str) -> None:
    pages = {page for rule in load_policies([name]).packs[-1].pack.rules for page in rule.sources}
    assert {source.url for source in MARKETPLACES[name].sources if source.url} <= pages


@pytest.mark.parametrize("name", PACKS)
def test_the_notice_says_when_its_sources_were_read_and_how_sure_they_are(name: str) -> None:
    notice = (load_policies([name]).packs[-1].folder / "NOTICE").read_text(encoding="utf-8")
    assert re.search(r"[Rr]ead\s+2026-\d\d-\d\d", notice)
    assert f"verified: {MARKETPLACES[name].verified}" in " ".join(notice.split())


def test_a_living_artist_is_refused_for_adobe_stock_and_noted_by_baseline_with_the_characters() -> None:
    request = GenerationRequest(prompt="a harbour in the evening by Gerhard Richter")
    context = JudgementContext(request=request)
    stock = judge_prompt(load_policies(["adobe-stock"]), context)
    assert stock.decision.effect is Effect.DENY
    assert [rule.rule for rule in stock.decision.leading] == ["artist-living"]
    assert stock.marked(["artist-living"]) == ("Gerhard Richter",)
    baseline = judge_prompt(load_policies(["baseline"]), context)
    assert baseline.decision.effect is Effect.ANNOTATE
    assert baseline.decision.allows
    assert baseline.marked() == ("Gerhard Richter",)


def test_the_registry_forbids_no_category_for_adobe_stock_that_the_pack_does_not_ask_for() -> None:
    forbidden = MARKETPLACES["adobe-stock"].forbidden_in
    assert forbidden is not None
    asked = {
        "artist": "artist-living",
        "real-person": "real-person",
        "fictional-character": "fictional-character",
        "copyrighted-work": "after-a-work",
        "government-agency": "government-agency",
        "third-party-ip": "third-party-ip",
        "newsworthy-event": "newsworthy-event",
    }
    assert set(forbidden.categories) == set(asked)
    assert set(asked.values()) <= {rule.id for rule in load_policies(["adobe-stock"]).packs[-1].pack.rules}
