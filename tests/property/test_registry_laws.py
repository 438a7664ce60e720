"""Laws of licences: combining never loosens, order does not matter, saying less never allows more."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.core.decisions import Effect
from sdsafe.gates.registry.assessment import assess
from sdsafe.gates.registry.effective import Part, combine, dropped_terms
from sdsafe.gates.registry.loading import load_registry
from sdsafe.gates.registry.records import Found, Registry
from sdsafe.gates.registry.use import DeclaredUse


@cache
def registry() -> Registry:
    return load_registry(site=Path("/nonexistent/registry.yaml"))


def part(name: str | None, verified: str = "primary") -> Part:
    if name is None:
        return Part(role="lora", found=Found(repo="someone/unknown", identity="unknown"))
    licence = registry().licences[name]
    return Part(role="lora", found=Found(repo=name, identity="repo", licences=(licence,), verified=verified))  # type: ignore[arg-type]


NAMES = st.sampled_from([*sorted(registry().licences), None])
PARTS = st.lists(st.builds(part, NAMES, st.sampled_from(["primary", "secondary", "memory"])), min_size=1, max_size=4)
AMOUNTS = st.none() | st.sampled_from([0, 999_999, 1_000_000, 1_000_001, 10_000_000, 100_000_001, 300_000_001])
USES = st.builds(
    DeclaredUse,
    use=st.sampled_from(["private", "internal", "commercial", "marketplace:adobe-stock", "marketplace:getty", None]),
    revenue_usd=AMOUNTS,
    monthly_users=AMOUNTS,
    territory=st.none() | st.lists(st.sampled_from(["EU", "US", "GB", "JP", "WORLDWIDE"]), max_size=2).map(tuple),
    attested=st.sampled_from([frozenset[str](), frozenset({"licence:stability-ai-community"})]),
)


def effect(parts: list[Part], use: DeclaredUse) -> Effect:
    return assess(combine(tuple(parts), registry()), use, registry().marketplaces).effect


@given(PARTS, st.builds(part, NAMES), USES)
@settings(max_examples=150, deadline=None)
def test_adding_a_part_never_loosens(parts: list[Part], more: Part, use: DeclaredUse) -> None:
    assert effect([*parts, more], use) >= effect(parts, use)


@given(PARTS, USES, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_order_does_not_matter(parts: list[Part], use: DeclaredUse, chance: object) -> None:
    shuffled = list(parts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert effect(shuffled, use) == effect(parts, use)
    one, other = combine(tuple(parts), registry()), combine(tuple(shuffled), registry())
    assert one.facts() == other.facts()


@given(PARTS, USES)
@settings(max_examples=150, deadline=None)
def test_an_allowed_business_use_rests_on_primary_or_attested_facts(parts: list[Part], use: DeclaredUse) -> None:
    if use.business and effect(parts, use) < Effect.REVIEW:
        for each in parts:
            assert each.found.licences
            (licence,) = each.found.licences
            assert each.verified == "primary" or f"licence:{licence.id}" in use.attested
            assert all(
                amount is not None and not limit.crossed(amount)
                for limit in licence.limits
                for amount in [use.revenue_usd if limit.metric == "annual_revenue_usd" else use.monthly_users]
            )
            assert licence.territory is None or use.territory


@given(PARTS, USES)
@settings(max_examples=150, deadline=None)
def test_leaving_out_a_fact_never_turns_review_into_allow(parts: list[Part], use: DeclaredUse) -> None:
    silent = DeclaredUse(use=use.use, attested=use.attested)
    if use.business and effect(parts, use) >= Effect.REVIEW:
        assert effect(parts, silent) >= Effect.REVIEW


@given(PARTS, USES)
@settings(max_examples=100, deadline=None)
def test_private_is_never_stricter_than_commercial(parts: list[Part], use: DeclaredUse) -> None:
    facts = {"revenue_usd": use.revenue_usd, "monthly_users": use.monthly_users, "territory": use.territory}
    private = DeclaredUse(use="private", **facts)  # type: ignore[arg-type]
    commercial = DeclaredUse(use="commercial", **facts)  # type: ignore[arg-type]
    undeclared = DeclaredUse(**facts)  # type: ignore[arg-type]
    assert effect(parts, private) <= effect(parts, commercial)
    assert (effect(parts, undeclared) >= Effect.REVIEW) == (effect(parts, commercial) >= Effect.REVIEW)


@given(NAMES, NAMES)
@settings(max_examples=60, deadline=None)
def test_a_licence_keeps_itself_and_nobody_drops_from_free_ones(one: str | None, other: str | None) -> None:
    if one is None or other is None:
        return
    declared, base = registry().licences[one], registry().licences[other]
    assert dropped_terms(base, base) == ()
    if base.derivatives.value == "free":
        assert dropped_terms(declared, base) == ()
