"""The packs of marketplaces and the registry's facts about them say the same."""

from __future__ import annotations

import re

import pytest

from sdsafe.core.context import AssetFacts, JudgementContext
from sdsafe.core.decisions import Effect
from sdsafe.core.findings import Stage
from sdsafe.core.request import GenerationRequest
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import available_packs, load_policies
from sdsafe.gates.registry.loading import load_registry

MARKETPLACES = load_registry().marketplaces
REFUSING = ["getty", "shutterstock", "alamy", "pond5", "depositphotos"]
PACKS = sorted(set(MARKETPLACES) & set(available_packs()))
HARMLESS = GenerationRequest(prompt="a lighthouse at night")


def _ahead(name: str) -> Effect:
    asset = AssetFacts(media_type="image/jpeg", width=4000, height=3000)
    context = JudgementContext(request=HARMLESS, asset=asset)
    return PackPolicy(load_policies([name])).preview(Stage.EXPORT, context, ()).effect


@pytest.mark.parametrize("name", REFUSING)
def test_a_marketplace_that_refuses_is_refused_before_anything_is_made(name: str) -> None:
    assert MARKETPLACES[name].accepts_ai == "no"
    assert _ahead(name) is Effect.DENY


@pytest.mark.parametrize("name", REFUSING)
def test_the_refusal_says_since_when_and_by_which_page(name: str) -> None:
    (rule,) = [rule for rule in load_policies([name]).packs[-1].pack.rules if rule.effect == "deny"]
    assert rule.sources
    assert re.search(r"since|in force when read", rule.because)
    assert re.search(r"(primary|secondary)", rule.citation)
    assert re.search(r"20\d\d-\d\d-\d\d", rule.citation)


@pytest.mark.parametrize("name", PACKS)
def test_a_marketplace_that_takes_pictures_is_not_refused_for_a_harmless_one(name: str) -> None:
    assert (_ahead(name) is Effect.DENY) == (MARKETPLACES[name].accepts_ai == "no")


@pytest.mark.parametrize("name", PACKS)
def test_the_notice_names_its_sources_and_when_they_were_read(name: str) -> None:
    notice = (load_policies([name]).packs[-1].folder / "NOTICE").read_text(encoding="utf-8")
    assert notice.startswith(f'Policy pack "{name}" of sdsafe.')
    assert "legal advice" in notice
    assert re.search(r"20\d\d-\d\d", notice)
    assert re.search(r"\b(primary|secondary)\b", notice)
