"""Reading, merging and finding: what does not fit is refused with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe._internal.documents import MAX_BYTES, read_yaml
from sdsafe.core.decisions import Effect
from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef
from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.loading import load_registry, load_regulations, user_registry
from sdsafe.gates.registry.use import DeclaredUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.gates.registry.records import Registry

HEAD = "schema: sdsafe.registry/1\n"
SOURCES = "  sources: [{note: a test, accessed: 2026-11-23}]\n  verified: primary\n"


def model(name: str, repo: str, licence: str = "apache-2.0", more: str = "", kind: str = "base") -> str:
    return f'- id: {name}\n  name: {name}\n  kind: {kind}\n  repos: ["{repo}"]\n  licence: {licence}\n{more}{SOURCES}'


def effect(registry: Registry, repo: str, use: str = "commercial", digest: str | None = None) -> Effect:
    request = GenerationRequest(prompt="x", model=ModelRef(repo=repo, digest=digest))
    return LicenceGate(registry).assess_request(request, DeclaredUse(use=use)).effect


def test_the_shipped_data_are_whole(registry: Registry) -> None:
    assert len(registry.licences) >= 15
    assert len(registry.records) >= 25
    for licence in registry.licences.values():
        assert all(source.accessed for source in licence.sources)
    assert {"getty", "adobe-stock", "123rf", "magnific"} <= set(registry.marketplaces)
    assert {each.id for each in load_regulations().regulations} >= {"eu-ai-act-50-2", "us-ca-sb942", "cn-aigc"}


def test_every_primary_licence_of_a_model_maker_names_the_text_that_was_read(registry: Registry) -> None:
    for licence in registry.licences.values():
        if licence.verified == "primary" and licence.sources[0].repo:
            assert licence.sources[0].commit
            assert licence.sources[0].sha256_prefix


def test_hub_names_are_matched_whatever_their_case_and_revision(registry: Registry) -> None:
    found = registry.find(ModelRef(repo="Black-Forest-Labs/flux.1-DEV@main"))
    assert found.record is not None
    assert found.record.id == "flux1-dev"


@pytest.mark.parametrize(
    "repo", ["local:FLUX.1-dev", "evil/FLUX.1-schnell", "black-forest-labs/FLUX.1-schnell-x", "builtin:tiny2", ""]
)
def test_a_similar_name_is_not_the_model(registry: Registry, repo: str) -> None:
    assert registry.find(ModelRef(repo=repo)).identity == "unknown"


def test_the_longest_pattern_counts(registry: Registry) -> None:
    found = registry.find(ModelRef(repo="black-forest-labs/FLUX.1-Krea-dev"))
    assert found.record is not None
    assert found.record.id == "flux1-krea-dev"


def test_a_later_model_whose_name_fits_a_pattern_is_not_allowed_by_it(registry: Registry) -> None:
    assert effect(registry, "Qwen/Qwen-Image") is Effect.ALLOW
    assert registry.find(ModelRef(repo="Qwen/Qwen-Image-9-Max")).identity == "pattern"
    assert effect(registry, "Qwen/Qwen-Image-9-Max") is Effect.REVIEW
    assert effect(registry, "black-forest-labs/FLUX.1-dev-onnx") is Effect.DENY


def test_a_user_can_add_a_model(load: Callable[..., Registry]) -> None:
    registry = load(HEAD + "models:\n" + model("mine", "local:mine"))
    assert effect(registry, "local:mine") is Effect.ALLOW


def test_files_count_before_names(load: Callable[..., Registry]) -> None:
    digest = "a" * 64
    registry = load(HEAD + "models:\n" + model("mine", "local:mine", more=f'  digests: ["{digest}"]\n'))
    assert effect(registry, "local:renamed", digest=digest) is Effect.ALLOW
    assert effect(registry, "local:mine", digest="b" * 64) is Effect.REVIEW


@pytest.mark.parametrize(
    "repo", ["black-forest-labs/FLUX.1-dev", "black-forest-labs/FLUX.1-dev-x", "BLACK-forest-labs/F*"]
)
def test_known_models_are_not_overruled_in_silence(load: Callable[..., Registry], repo: str) -> None:
    with pytest.raises(PolicyFormatError) as caught:
        load(HEAD + "models:\n" + model("mine", repo))
    assert caught.value.key == "models.mine.repos"
    assert "replaces: " in caught.value.hint


def test_an_overruling_that_says_so_counts_and_changes_the_digest(
    load: Callable[..., Registry], registry: Registry
) -> None:
    more = "  replaces: flux1-dev\n  because: agreement of 2026-10-01\n"
    changed = load(HEAD + "models:\n" + model("mine", "black-forest-labs/FLUX.1-dev", more=more))
    assert effect(changed, "black-forest-labs/FLUX.1-dev") is Effect.ALLOW
    assert changed.digest != registry.digest


def test_a_user_cannot_overrule_the_organisation(load: Callable[..., Registry]) -> None:
    site = (
        HEAD
        + "models:\n"
        + model(
            "stable-diffusion-xl",
            "stabilityai/stable-diffusion-xl-base-1.0",
            "sai-nc-research",
            "  replaces: stable-diffusion-xl\n  because: house rule\n",
        )
    )
    user = (
        HEAD
        + "models:\n"
        + model(
            "mine",
            "stabilityai/stable-diffusion-xl-base-1.0",
            more="  replaces: stable-diffusion-xl\n  because: I want to\n",
        )
    )
    assert effect(load(HEAD, site), "stabilityai/stable-diffusion-xl-base-1.0") is Effect.DENY
    with pytest.raises(PolicyFormatError, match="organisation"):
        load(user, site)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("schema: sdsafe.registry/2\n", "schema"),
        (HEAD + "model: []\n", "model"),
        (HEAD + "models:\n" + model("mine", "local:mine", "no-such-licence"), "mine.licence"),
        (HEAD + "models:\n" + model("mine", "local:mine", more="  verfied: primary\n"), "models[0].verfied"),
        (HEAD + "models:\n" + model("mine", "*"), "models[0].repos[0]"),
        (HEAD + "models:\n" + model("mine", "owner/*"), "models[0].repos[0]"),
        (HEAD + "models:\n" + model("mine", "local:a", more="  visibility: private\n"), "models[0]"),
        (HEAD + "models:\n" + model("mine", "local:a", more="  depicts_person: 1\n"), "models[0].depicts_person"),
        (HEAD + "models:\n" + model("mine", "local:a", more="  derived_from: [nothing]\n"), "mine.derived_from"),
        (HEAD + "models:\n" + model("tiny", "local:a"), "models.tiny"),
        (HEAD + "restrictions: {CSAM: {says: nothing, enforced: none}}\n", "restrictions.CSAM"),
        (HEAD + "schema: twice\n", ""),
        (HEAD + "models: &a []\n", ""),
        (HEAD + "models: !!python/name:os.system []\n", ""),
        ("- a list\n", ""),
        ("models: [\n", ""),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(load: Callable[..., Registry], text: str, key: str) -> None:
    with pytest.raises(PolicyFormatError) as caught:
        load(text)
    assert key in caught.value.key
    assert caught.value.expected
    assert caught.value.found


def test_a_huge_file_ends_quickly() -> None:
    with pytest.raises(PolicyFormatError, match="bytes"):
        read_yaml(b"a: " + b"x" * MAX_BYTES, "big.yaml")
    with pytest.raises(PolicyFormatError):
        read_yaml(b"[" * 4000, "deep.yaml")


def test_a_registry_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "registry.yaml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_registry(user=tmp_path / "registry.yaml", site=tmp_path / "none.yaml")


def test_the_registry_lies_beside_the_settings(tmp_path: Path) -> None:
    assert user_registry({"HOME": str(tmp_path)}) == tmp_path / ".config" / "sdsafe" / "registry.yaml"
    assert user_registry({"SDSAFE_CONFIG": str(tmp_path / "s.toml")}) == tmp_path / "registry.yaml"


def test_a_merge_that_drops_the_terms_of_its_base_is_refused(load: Callable[..., Registry]) -> None:
    free = load(HEAD + "models:\n" + model("m", "local:m", more="  derived_from: [stable-diffusion-1]\n", kind="merge"))
    assert effect(free, "local:m", "private") is Effect.DENY
    kept = model("m", "local:m", "creativeml-openrail-m", "  derived_from: [stable-diffusion-1]\n", "merge")
    assert effect(load(HEAD + "models:\n" + kept), "local:m") is Effect.ALLOW


def test_dropped_terms_are_found_through_generations_and_limits(load: Callable[..., Registry]) -> None:
    text = HEAD + "models:\n"
    text += model("a", "local:a", "krea-2-community", "  derived_from: [krea-2]\n", "merge")
    text += model("b", "local:b", "mit", "  derived_from: [a]\n", "merge")
    registry = load(text)
    answer = LicenceGate(registry).assess_request(
        GenerationRequest(prompt="x", model=ModelRef(repo="local:b")), DeclaredUse(use="private")
    )
    assert answer.effect is Effect.DENY
    assert "annual_revenue_usd >= 1000000" in answer.reasons[0].says


def test_what_was_made_of_an_unknown_model_is_unknown(load: Callable[..., Registry]) -> None:
    text = HEAD + "models:\n" + model("a", "local:a", "null")
    text += model("b", "local:b", more="  derived_from: [a]\n", kind="merge")
    assert effect(load(text), "local:b") is Effect.DENY


def test_circles_of_derivation_end(load: Callable[..., Registry]) -> None:
    text = HEAD + "models:\n" + model("a", "local:a", more="  derived_from: [b]\n")
    text += model("b", "local:b", more="  derived_from: [a]\n")
    assert effect(load(text), "local:b") is Effect.ALLOW


def test_a_private_model_appears_under_its_alias_alone(load: Callable[..., Registry]) -> None:
    more = "  visibility: private\n  alias: house\n  depicts_person: true\n"
    registry = load(HEAD + "models:\n" + model("secret", "local:secret", "null", more))
    gate = LicenceGate(registry)
    ref = ModelRef(repo="local:secret", revision="1", digest="c" * 64)
    public = gate.public(ref)
    assert public == ModelRef(repo="private:house")
    answer = gate.assess_request(GenerationRequest(prompt="x", model=ref), DeclaredUse(use="commercial"))
    assert all("local:secret" not in each.says for each in answer.reasons)
    assert any(each.code == "model.depicts-person" for each in answer.reasons)
    assert gate.public(ModelRef(repo="builtin:tiny")) == ModelRef(repo="builtin:tiny")


def test_facts_leave_out_what_is_not_known(registry: Registry) -> None:
    gate = LicenceGate(registry)
    sdxl = gate.effective(ModelRef(repo="stabilityai/stable-diffusion-xl-base-1.0")).facts()
    assert sdxl["commercial"] == "allowed"
    assert "revenue_limit_usd" not in sdxl
    both = gate.effective(ModelRef(repo="krea/Krea-2-Raw"), [AdapterRef(kind="lora", repo="a/b")]).facts()
    assert both["revenue_limit_usd"] == 1_000_000
    assert both["commercial"] == "unknown"
    assert both["known"] is False


def test_another_text_under_the_same_name_is_not_the_licence_that_was_read(load: Callable[..., Registry]) -> None:
    read = model("a", "local:a", "kolors", '  licence_text: "2b87ec9c6a70a612"\n')
    other = model("b", "local:b", "creativeml-openrail-m", '  licence_text: "0000000000000000"\n')
    registry = load(HEAD + "models:\n" + read + other)
    assert registry.find(ModelRef(repo="local:a")).verified == "primary"
    found = registry.find(ModelRef(repo="local:b"))
    assert found.verified == "secondary"
    assert "text" in found.conflict
    assert effect(registry, "local:b") is Effect.REVIEW


def test_shipped_models_are_bound_to_texts_that_were_read(registry: Registry) -> None:
    bound = [each for each in registry.records if each.licence_text]
    assert len(bound) >= 8
    for record in bound:
        licence = registry.licences[record.licence or ""]
        assert licence.is_text(record.licence_text or "")
