"""What would become of a request: it says what the pipeline would say, and keeps nothing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.decisions import Effect
from sdsafe.core.organisation import Organisation
from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef, Size
from sdsafe.errors import ConfigurationError, PluginError
from sdsafe.forecast import foresee, licence_facts
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

PACK = """\
format: sdsafe.policy/1
id: house
version: 1.0.0
title: House rules
description: For tests of forecasts.
rules:
  - {id: large, stage: export, when: asset.width >= 1024, effect: deny, because: it would be too large}
  - {id: blurred, stage: output, when: score.nudity > 0.1, effect: deny, because: it is not what we make}
  - {id: steps, stage: prompt, when: request.steps > 60, effect: review, because: it takes too long}
  - id: labelled
    stage: export
    when: use.kind == "commercial"
    effect: annotate
    obligations: [{code: aigc_label}]
    because: customers are told
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "packs" / "house").mkdir(parents=True)
    (tmp_path / "packs" / "house" / "policy.yaml").write_text(PACK, encoding="utf-8")
    env = {"HOME": str(tmp_path), "SDSAFE_HOME": str(tmp_path / "state")}
    folders = (tmp_path / "packs",)
    policies = ("baseline", "house")
    return Settings.load(
        env, site=tmp_path / "none.toml", policies=policies, policy_folders=folders, intended_use="private"
    )


def ask(**values: object) -> GenerationRequest:
    return GenerationRequest(**{"prompt": "a lighthouse", "model": ModelRef(repo="builtin:scenes"), **values})  # type: ignore[arg-type]


def fired(request: GenerationRequest, settings: Settings) -> set[str]:
    return {rule.rule for rule in foresee(request, settings).decision.leading}


def test_what_the_model_would_choose_counts(settings: Settings) -> None:
    seen = foresee(ask(), settings)
    assert seen.decision.allows
    assert seen.request.size is not None
    assert seen.request.seed is None
    assert fired(ask(size=Size(width=1024, height=512)), settings) == {"large"}
    assert fired(ask(steps=61), settings) == {"steps"}


def test_what_has_to_wait_is_named(settings: Settings) -> None:
    waiting = [each.partition(":")[0] for each in foresee(ask(), settings).decision.undecided]
    assert {"house.blurred", "baseline.nudity"} <= set(waiting)
    assert "house.large" not in waiting


def test_of_a_model_that_is_not_here_the_file_has_to_wait(settings: Settings) -> None:
    seen = foresee(ask(model=ModelRef(repo="stabilityai/stable-diffusion-xl-base-1.0")), settings)
    waiting = {each.partition(":")[0] for each in seen.decision.undecided}
    assert {"house.large", "house.steps"} <= waiting
    assert seen.decision.errors == ()


def test_licences_are_asked_and_say_what_to_do(settings: Settings) -> None:
    flux = ask(model=ModelRef(repo="black-forest-labs/FLUX.1-dev"))
    denied = foresee(replace(flux, intended_use="commercial"), settings).decision
    assert denied.effect is Effect.DENY
    assert any("4(a)(i)" in rule.citation for rule in denied.leading)
    undeclared = foresee(flux, replace(settings, intended_use=None))
    assert not undeclared.decision.allows
    assert "--use" in undeclared.hint


@pytest.mark.parametrize(("revenue", "effect"), [(1_000_000, Effect.REVIEW), (1_000_001, Effect.DENY)])
def test_facts_about_the_organisation_count(settings: Settings, revenue: int, effect: Effect) -> None:
    request = ask(model=ModelRef(repo="stabilityai/stable-diffusion-3.5-large"), intended_use="commercial")
    house = replace(settings, organisation=Organisation(revenue_usd=revenue))
    assert foresee(request, house).decision.effect is effect


def test_an_adapter_of_unknown_licence(settings: Settings) -> None:
    request = ask(
        model=ModelRef(repo="stable-diffusion-v1-5/stable-diffusion-v1-5"),
        adapters=(AdapterRef(kind="lora", repo="someone/a-lora"),),
    )
    assert foresee(replace(request, intended_use="commercial"), settings).decision.effect is Effect.DENY
    assert foresee(replace(request, intended_use="private"), settings).decision.effect is Effect.ANNOTATE


def test_an_obligation_that_cannot_be_met_here_is_told(settings: Settings) -> None:
    request = ask(intended_use="commercial")
    seen = foresee(request, settings)
    assert seen.decision.allows
    assert "aigc_label" in seen.obstacle
    assert "organisation" in seen.hint
    named = replace(settings, organisation=Organisation(name="Toys Ltd"))
    assert foresee(request, named).obstacle == ""


def test_the_hard_layer_speaks_first_and_nothing_is_kept(settings: Settings, tmp_path: Path) -> None:
    seen = foresee(ask(prompt="a schoolboy __sexual_test__"), settings)
    assert [rule.policy for rule in seen.decision.leading] == ["hard"]
    assert seen.checks == ()
    assert not (tmp_path / "state").exists()


def test_the_pack_of_a_declared_marketplace_has_to_judge(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="judged by its pack"):
        foresee(ask(intended_use="marketplace:adobe-stock"), settings)


def test_signed_packs_are_demanded_here_too(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="no key is trusted"):
        foresee(ask(), replace(settings, require_signed_packs=True))


def test_the_lexicon_takes_no_options(settings: Settings) -> None:
    with pytest.raises(PluginError, match="takes no options"):
        foresee(ask(), replace(settings, options={"lexicon": {"policies": ["baseline"]}}))


def test_facts_about_licences_are_those_of_the_registry() -> None:
    facts = licence_facts()(ask(model=ModelRef(repo="black-forest-labs/FLUX.1-dev")))
    assert facts["commercial"] == "forbidden"


def test_it_needs_no_torch() -> None:
    code = (
        "import sys\nfrom sdsafe.core.request import *\nfrom sdsafe.forecast import foresee\n"
        "from sdsafe.settings import Settings\n"
        "foresee(GenerationRequest(prompt='a', model=ModelRef(repo='builtin:scenes')), Settings.load())\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
