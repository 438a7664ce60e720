"""What must be shown about licences, case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe.core.decisions import Decision, Effect, PolicyRef, unite
from sdsafe.core.request import GenerationRequest, ModelRef
from sdsafe.errors import RequestError
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.use import DeclaredUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.gates.registry.assessment import Assessment, Reason
    from sdsafe.gates.registry.records import Registry

SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
SD35 = "stabilityai/stable-diffusion-3.5-large"
FLUX = "black-forest-labs/FLUX.1-dev"
HUNYUAN = "Tencent-Hunyuan/HunyuanDiT-v1.2"
KREA = "krea/Krea-2-Turbo"
VOUCHED = ("registration:stability-ai-community", "licence:stability-ai-community")

Assess = "Callable[..., Assessment]"


def reason(assessment: Assessment, code: str) -> Reason:
    return next(each for each in assessment.reasons if each.code == code)


def codes(assessment: Assessment) -> set[str]:
    return {each.code for each in assessment.obligations}


def test_flux_dev_commercial_is_denied_with_the_clause_named(assess: Callable[..., Assessment]) -> None:
    answer = assess(FLUX, use="commercial")
    assert answer.effect is Effect.DENY
    why = reason(answer, "licence.commercial")
    assert why.effect is Effect.DENY
    assert "2(b)" in why.clause
    assert "4(a)(i)" in why.citation
    assert "LICENSE-FLUX1-dev" in why.citation


def test_flux_dev_private_is_annotated_and_keeps_its_safeguards(assess: Callable[..., Assessment]) -> None:
    answer = assess(FLUX, use="private")
    assert answer.effect is Effect.ANNOTATE
    assert {each.code for each in answer.release_obligations} == {"classifier_or_review", "disclosure"}


def test_flux_dev_internal_asks_a_person(assess: Callable[..., Assessment]) -> None:
    assert assess(FLUX, use="internal").effect is Effect.REVIEW


def test_sdxl_commercial_is_allowed_with_its_duties(assess: Callable[..., Assessment]) -> None:
    answer = assess(SDXL, use="commercial")
    assert answer.effect is Effect.ALLOW
    assert {"flow_down", "bind_users", "licence_copy", "retain_notices", "use_restrictions"} <= codes(answer)
    listed = " ".join(str(o.params["codes"]) for o in answer.obligations if o.code == "use_restrictions")
    assert len([code for code in listed.split() if code.startswith("RAIL-")]) == 11
    assert answer.release_obligations == ()


@pytest.mark.parametrize("attested", [(), VOUCHED])
def test_stability_community_differs_at_a_million_and_one(
    assess: Callable[..., Assessment], attested: tuple[str, ...]
) -> None:
    at = assess(SD35, use="commercial", revenue=1_000_000, attested=attested)
    above = assess(SD35, use="commercial", revenue=1_000_001, attested=attested)
    assert at.effect is (Effect.ALLOW if attested else Effect.REVIEW)
    assert above.effect is Effect.DENY
    assert reason(above, "licence.limit").clause == "section III"


def test_krea_is_crossed_at_a_million_already(assess: Callable[..., Assessment]) -> None:
    assert assess(KREA, use="commercial", revenue=999_999).effect is Effect.ALLOW
    assert assess(KREA, use="commercial", revenue=1_000_000).effect is Effect.DENY


def test_a_missing_number_is_not_zero(assess: Callable[..., Assessment]) -> None:
    answer = assess(KREA, use="commercial")
    assert answer.effect is Effect.REVIEW
    assert "not given" in reason(answer, "licence.limit-unknown").says
    assert assess(KREA, use="commercial", revenue=0).effect is Effect.ALLOW


@pytest.mark.parametrize("territory", [("EU",), ("DE",), ("de",), ("US", "FR"), ("WORLDWIDE",)])
@pytest.mark.parametrize("use", ["commercial", "private", None])
def test_hunyuan_for_the_eu_is_denied(
    assess: Callable[..., Assessment], territory: tuple[str, ...], use: str | None
) -> None:
    answer = assess(HUNYUAN, use=use, users=5, territory=territory)
    assert answer.effect is Effect.DENY
    assert "5(c)" in reason(answer, "licence.territory").clause


def test_hunyuan_elsewhere_is_allowed_and_disclosed(assess: Callable[..., Assessment]) -> None:
    answer = assess(HUNYUAN, use="commercial", users=100_000_000, territory=("US",))
    assert answer.effect is Effect.ALLOW
    assert "disclosure" in codes(answer)
    assert assess(HUNYUAN, use="commercial", users=100_000_001, territory=("US",)).effect is Effect.DENY


def test_hunyuan_without_a_territory_is_not_allowed_even_privately(assess: Callable[..., Assessment]) -> None:
    assert assess(HUNYUAN, use="private").effect is Effect.REVIEW
    assert assess(HUNYUAN, use="commercial", users=5, territory=()).effect is Effect.DENY


def test_only_some_hunyuan_texts_exclude_the_united_kingdom(assess: Callable[..., Assessment]) -> None:
    assert assess(HUNYUAN, use="private", territory=("UK",)).effect is Effect.ALLOW
    assert assess("tencent/HunyuanVideo", use="private", territory=("UK",)).effect is Effect.DENY


def test_sd15_with_an_unknown_lora_commercial_is_denied_and_private_annotated(
    assess: Callable[..., Assessment],
) -> None:
    assert assess(SD15, use="commercial").effect is Effect.ALLOW
    commercial = assess(SD15, "someone/a-lora", use="commercial")
    assert commercial.effect is Effect.DENY
    assert reason(commercial, "licence.unknown").part == "someone/a-lora"
    assert assess(SD15, "someone/a-lora", use="private").effect is Effect.ANNOTATE
    assert assess(SD15, "someone/a-lora", use="internal").effect is Effect.REVIEW


def test_an_undeclared_use_passes_only_what_every_use_would(assess: Callable[..., Assessment]) -> None:
    assert assess(SDXL).effect is Effect.ALLOW
    assert assess("builtin:scenes").effect is Effect.ALLOW
    for model in (FLUX, "someone/unknown", SD35):
        answer = assess(model)
        assert answer.effect is Effect.REVIEW
        assert "use.undeclared" in {each.code for each in answer.reasons}


def test_secondary_facts_never_allow_a_business(assess: Callable[..., Assessment]) -> None:
    answer = assess("Wan-AI/Wan2.1-T2V-14B-Diffusers", use="commercial")
    assert answer.effect is Effect.REVIEW
    assert reason(answer, "licence.unverified").verified == "secondary"
    assert assess("Wan-AI/Wan2.2-T2V-A14B-Diffusers", use="commercial").effect is Effect.ALLOW


def test_what_a_model_declares_about_itself_is_not_enough(assess: Callable[..., Assessment]) -> None:
    assert assess("local:mine", use="commercial", declares="Apache-2.0").effect is Effect.REVIEW
    assert assess("local:mine", use="commercial", declares="Our-Own").effect is Effect.DENY
    contradicting = assess(SDXL, use="commercial", declares="sai-nc-community")
    assert contradicting.effect is Effect.DENY
    assert "licence.conflict" in {each.code for each in contradicting.reasons}


def test_declaring_a_permissive_licence_does_not_loosen_the_record(assess: Callable[..., Assessment]) -> None:
    assert assess(FLUX, use="commercial", declares="apache-2.0").effect is Effect.DENY


def test_licences_that_contradict_each_other_count_with_the_stricter(assess: Callable[..., Assessment]) -> None:
    answer = assess("stabilityai/sdxl-turbo", use="commercial", revenue=5, attested=VOUCHED)
    assert answer.effect is Effect.DENY
    assert "licence.conflict" in {each.code for each in answer.reasons}


@pytest.mark.parametrize(
    ("place", "effect"),
    [
        ("getty", Effect.DENY),
        ("shutterstock", Effect.DENY),
        ("alamy", Effect.DENY),
        ("adobe-stock", Effect.ALLOW),
        ("123rf", Effect.ALLOW),
        ("dreamstime", Effect.REVIEW),
        ("vecteezy", Effect.REVIEW),
        ("no-such-place", Effect.REVIEW),
    ],
)
def test_marketplaces(assess: Callable[..., Assessment], place: str, effect: Effect) -> None:
    answer = assess(SDXL, use=f"marketplace:{place}")
    assert answer.effect is effect
    assert assess(FLUX, use=f"marketplace:{place}").effect is Effect.DENY


def test_a_marketplace_that_refuses_is_cited_with_its_page(assess: Callable[..., Assessment]) -> None:
    assert "gettyimages.com" in reason(assess(SDXL, use="marketplace:getty"), "marketplace.refuses").citation


@pytest.mark.parametrize("use", ["comercial", "", "marketplace:", "marketplace:Getty", "PRIVATE"])
def test_a_use_that_does_not_exist_is_refused(use: str) -> None:
    with pytest.raises(RequestError, match="no use"):
        DeclaredUse(use=use)


@pytest.mark.parametrize("code", ["EN", "XX", "Europe", "", "EUU"])
def test_a_territory_that_does_not_exist_is_not_elsewhere(code: str) -> None:
    with pytest.raises(RequestError, match="no territory"):
        DeclaredUse(territory=(code,))


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(RequestError, match="negative"):
        DeclaredUse(revenue_usd=-1)


def test_the_request_states_the_use_and_the_gate_knows_the_organisation(registry: Registry) -> None:
    gate = LicenceGate(registry, DeclaredUse(use="private", revenue_usd=2_000_000))
    commercial = GenerationRequest(prompt="x", model=ModelRef(repo=KREA), intended_use="commercial")
    assert gate.assess_request(commercial).effect is Effect.DENY
    with pytest.raises(RequestError):
        gate.assess_request(GenerationRequest(prompt="x", intended_use="whatever"))


def test_a_decision_unites_with_those_of_packs_and_carries_only_what_a_file_can_show(registry: Registry) -> None:
    gate = LicenceGate(registry)
    request = GenerationRequest(prompt="x", model=ModelRef(repo=FLUX), intended_use="private")
    decision = gate.decide(request)
    assert decision.policy == (gate.ref,)
    assert gate.ref.digest == registry.digest
    assert [each.code for each in decision.obligations] == ["classifier_or_review", "disclosure"]
    pack = Decision(effect=Effect.ALLOW, policy=(PolicyRef(id="p", version="1.0.0", digest="0" * 64),))
    assert unite((pack, decision)).effect is Effect.ANNOTATE
    assert all(rule.citation for rule in decision.fired)
