"""What a refusal for licence reasons says about the way out."""

from __future__ import annotations

import pytest

from sdsafe.core.decisions import Effect
from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.loading import load_registry
from sdsafe.gates.registry.use import DeclaredUse


@pytest.fixture(scope="module")
def gate() -> LicenceGate:
    return LicenceGate(load_registry())


def _request(repo: str, **others: object) -> GenerationRequest:
    return GenerationRequest(prompt="", model=ModelRef(repo=repo), **others)  # type: ignore[arg-type]


def test_what_is_allowed_needs_no_advice(gate: LicenceGate) -> None:
    assert gate.decide(_request("builtin:scenes")).effect is Effect.ALLOW
    assert gate.hint(_request("builtin:scenes")) == ""


def test_an_undeclared_use_is_answered_with_what_each_use_would_bring(gate: LicenceGate) -> None:
    hint = gate.hint(_request("local:somewhere"))
    assert hint.index("--use private would be allowed, with a note") < hint.index("--use internal would need a person")
    assert "--use commercial would be refused" in hint
    assert "intended_use" in hint


def test_an_adapter_of_unknown_licence_is_as_unknown_as_its_base(gate: LicenceGate) -> None:
    request = _request(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", adapters=(AdapterRef(kind="lora", repo="someone/a-lora"),)
    )
    assert "--use commercial would be refused" in gate.hint(request)


@pytest.mark.parametrize(
    ("repo", "use", "says"),
    [
        ("stabilityai/stable-diffusion-3.5-large", DeclaredUse(use="commercial"), "revenue_usd"),
        ("local:somewhere", DeclaredUse(use="commercial"), "registry.yaml"),
        ("Tencent-Hunyuan/HunyuanDiT-v1.2", DeclaredUse(use="commercial", monthly_users=1), "territories"),
        ("Kwai-Kolors/Kolors-diffusers", DeclaredUse(use="commercial"), "--attest registration:"),
    ],
)
def test_a_declared_use_is_answered_with_the_fact_that_is_missing(
    gate: LicenceGate, repo: str, use: DeclaredUse, says: str
) -> None:
    assert not gate.assess_request(_request(repo), use).allows
    assert says in gate.hint(_request(repo), use)


def test_duties_that_the_file_shows_come_with_the_licence_that_brings_them(gate: LicenceGate) -> None:
    decision = gate.decide(_request("black-forest-labs/FLUX.1-dev"), DeclaredUse(use="private"))
    brought = {o.code: rule for rule in decision.fired for o in rule.obligations}
    assert {"classifier_or_review", "disclosure"} == {o.code for o in decision.obligations} == set(brought)
    assert "2(e)(i)" in brought["classifier_or_review"].citation
    assert brought["classifier_or_review"].rule.startswith("duty.flux")
