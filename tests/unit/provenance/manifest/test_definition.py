from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.canonical import canonical_json
from sdsafe.core.decisions import Decision, Effect
from sdsafe.core.disclosure import prompt_commitment
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Stage
from sdsafe.core.ids import AssetId
from sdsafe.core.request import AdapterRef, GenerationRequest, InputImage, ModelRef, PromptDisclosure, Task
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.core.states import NoiseMark
from sdsafe.errors import ManifestError
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.document import MAX_DOCUMENT_BYTES, ManifestDefinition

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.states import Encoded

SECRETS = ("zeppelin", "marshland", "xylophone", "watercolour")


def _defined(encoded: Encoded) -> ManifestDefinition:
    return define(encoded, generator="sdsafe", version="0.1.0", when="2026-11-22T07:00:00Z", title="x.png")


def _document(encoded: Encoded) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_defined(encoded).to_json())
    return document


def _data(document: dict[str, Any], label: str) -> dict[str, Any]:
    (assertion,) = [a for a in document["assertions"] if a["label"] == label]
    data: dict[str, Any] = assertion["data"]
    return data


def test_every_statement_of_ours_is_created_not_gathered(encoded: Encoded) -> None:
    document = _document(encoded)
    assert [a["label"] for a in document["assertions"]] == [
        "c2pa.actions.v2",
        "c2pa.ai-disclosure",
        "org.sdsafe.generation",
    ]
    assert all(a["created"] is True for a in document["assertions"])
    assert document["assertions"][2]["kind"] == "Json"


def test_claim_generator_names_the_version_of_the_specification(encoded: Encoded) -> None:
    assert _document(encoded)["claim_generator_info"] == [
        {"name": "sdsafe", "version": "0.1.0", "specVersion": "2.4.0"}
    ]


def test_actions_say_created_by_a_trained_model_then_marked(encoded: Encoded) -> None:
    actions = _data(_document(encoded), "c2pa.actions.v2")
    assert actions["allActionsIncluded"] is True
    created, marked = actions["actions"]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"] == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert created["softwareAgent"] == {"name": "sdsafe", "version": "0.1.0"}
    assert created["parameters"]["ingredientIds"] == ["model", "prompt"]
    assert created["parameters"]["org.sdsafe.seed"] == 9007199254740991
    assert created["parameters"]["org.sdsafe.guidance"] == "7.5"
    assert all("." in name for name in created["parameters"] if name != "ingredientIds")
    assert marked["action"] == "c2pa.watermarked.unbound"
    assert "digitalSourceType" not in marked


def test_what_policy_changed_is_an_edit(make_encoded: Callable[..., Encoded]) -> None:
    document = _document(make_encoded(cleared={"actions": ("blur",)}))
    names = [a["action"] for a in _data(document, "c2pa.actions.v2")["actions"]]
    assert names == ["c2pa.created", "c2pa.edited", "c2pa.watermarked.unbound"]
    edited = _data(document, "c2pa.actions.v2")["actions"][1]
    assert edited["digitalSourceType"].endswith("/algorithmicallyEnhanced")
    assert _data(document, "org.sdsafe.generation")["edits"] == ["blur"]


def test_model_and_prompt_went_in(encoded: Encoded) -> None:
    model, prompt = _document(encoded)["ingredients"]
    assert model == {
        "label": "model",
        "title": "owner/model",
        "format": "multipart/mixed",
        "relationship": "inputTo",
        "instance_id": "hf:owner/model@0123abcd",
        "data_types": [
            {"type": "c2pa.types.generator"},
            {"type": "c2pa.types.model.pytorch", "version": "2.13.0"},
        ],
        "informational_URI": "https://huggingface.co/owner/model",
    }
    assert prompt["relationship"] == "inputTo"
    assert prompt["data"]["identifier"] in _defined(encoded).resources


def test_the_disclosure_names_the_exact_model(encoded: Encoded) -> None:
    disclosure = _data(_document(encoded), "c2pa.ai-disclosure")
    assert disclosure["modelIdentifier"] == "pkg:huggingface/owner/model@0123abcd"
    assert disclosure["contentProfile"] == {"humanOversightLevel": "prompt_guided"}


@pytest.mark.parametrize("repo", ["builtin:tiny", "local:my-model"])
def test_a_model_that_is_not_on_the_hub_gets_no_address(
    make_encoded: Callable[..., Encoded], request_: GenerationRequest, repo: str
) -> None:
    encoded = make_encoded(
        request=replace(request_, model=ModelRef(repo=repo)), execution={"model": ModelRef(repo=repo, digest="aa")}
    )
    document = _document(encoded)
    assert "informational_URI" not in document["ingredients"][0]
    assert document["ingredients"][0]["instance_id"] == f"{repo}@aa"
    assert _data(document, "c2pa.ai-disclosure")["modelIdentifier"] == f"{repo}@aa"


def test_generation_says_what_ran(encoded: Encoded) -> None:
    generation = _data(_document(encoded), "org.sdsafe.generation")
    assert generation["version"] == 1
    assert generation["asset_id"] == "0001020304050607"
    assert generation["pixels_sha256"] == encoded.marked.cleared.generated.pixels_sha256
    assert generation["size"] == {"width": 64, "height": 64}
    assert generation["model"]["digest"] == "cd" * 32
    assert generation["model"]["license"] == "apache-2.0"
    assert generation["model"]["files"] == [
        {"name": "unet/diffusion_pytorch_model.safetensors", "size": 12345, "sha256": "ef" * 32}
    ]
    scheduler = {"name": "EulerDiscreteScheduler", "asked": "EulerDiscreteScheduler", "config_sha256": "12" * 32}
    assert generation["scheduler"] == scheduler
    assert generation["environment"]["libraries"] == {"diffusers": "0.42.1", "torch": "2.13.0"}
    assert generation["parameters"] == {"clip_skip": 2, "eta": "0.25", "style_text": "watercolour"}
    assert generation["policies"] == [{"id": "baseline", "version": "1.2.0", "digest": "ab" * 32}]
    (rule,) = generation["decisions"]["prompt"]["rules"]
    assert rule["rule"] == "baseline.note"
    assert rule["citation"] == "Example Act, article 5"
    assert generation["checks"][1]["findings"][0]["score"] == "0.0125"
    assert generation["watermark"] == {"alg": "dwtDctSvd", "version": "1"}
    assert generation["fingerprints"] == [{"alg": "phash", "value": "0f" * 32}]
    assert "unchecked" not in generation


def test_the_noise_says_what_it_carries_or_why_nothing(make_encoded: Callable[..., Encoded]) -> None:
    def said(**fields: Any) -> Any:
        mark = NoiseMark(alg="org.example.noise.1", version="1", **fields)
        return _data(_document(make_encoded(execution={"noise_mark": mark})), "org.sdsafe.generation")["noise_mark"]

    named = {"alg": "org.example.noise.1", "version": "1"}
    assert said(key_id="00112233", shape=(1, 4, 64, 64)) == {**named, "key_id": "00112233", "shape": "1x4x64x64"}
    later = said(key_id="00112233", shape=(1, 256, 64), asset_id=AssetId(bytes(8)))
    assert later["asset_id"] == "00" * 8
    assert said(why_not="it begins with a picture") == {**named, "not_applied": "it begins with a picture"}
    assert "noise_mark" not in _data(_document(make_encoded()), "org.sdsafe.generation")


def test_size_is_that_of_the_pixels_not_of_the_wish(make_encoded: Callable[..., Encoded]) -> None:
    generation = _data(_document(make_encoded(size=48)), "org.sdsafe.generation")
    assert generation["size"] == {"width": 48, "height": 48}


def test_generation_is_canonical_json(encoded: Encoded) -> None:
    canonical_json(_data(_document(encoded), "org.sdsafe.generation"))


def test_unchecked_is_signed(make_encoded: Callable[..., Encoded]) -> None:
    generation = _data(_document(make_encoded(cleared={"unchecked": True, "checks": ()})), "org.sdsafe.generation")
    assert generation["unchecked"] is True


def test_a_check_that_could_not_look_is_named(make_encoded: Callable[..., Encoded]) -> None:
    check = CheckResult(
        check="c", version="2", status=CheckStatus.UNAVAILABLE, stage=Stage.OUTPUT, detail="secret detail"
    )
    text = _defined(make_encoded(cleared={"checks": (check,)})).to_json()
    assert '"status":"unavailable"' in text
    assert "secret detail" not in text


def test_adapters_are_recorded(make_encoded: Callable[..., Encoded], request_: GenerationRequest) -> None:
    asked = AdapterRef(kind="lora", repo="a/b", weight=0.8)
    ran = replace(asked, file="c.safetensors", digest="00")
    encoded = make_encoded(request=replace(request_, adapters=(asked,)), execution={"adapters": (ran,)})
    document = _document(encoded)
    assert _data(document, "org.sdsafe.generation")["adapters"] == [
        {"kind": "lora", "id": "a/b", "file": "c.safetensors", "weight": "0.8", "digest": "00"}
    ]
    (ingredient,) = [each for each in document["ingredients"] if each["label"] == "adapter-1"]
    assert ingredient["relationship"] == "inputTo"
    assert ingredient["instance_id"] == "hf:a/b@00"


def test_commit_shows_the_commitment_and_nothing_else(
    make_encoded: Callable[..., Encoded], request_: GenerationRequest
) -> None:
    encoded = make_encoded(disclosure=PromptDisclosure.COMMIT)
    generation = _data(_document(encoded), "org.sdsafe.generation")
    salt = encoded.marked.cleared.generated.admitted.opening.salt
    assert generation["prompt"]["disclosure"] == "commit"
    assert generation["prompt"]["commitment"] == prompt_commitment(request_, salt)
    assert salt.hex() not in _defined(encoded).to_json()
    ingredients = _document(encoded)["ingredients"]
    assert [i["label"] for i in ingredients] == ["model", "prompt"]
    assert "data" not in ingredients[1]


def test_omit_shows_neither(make_encoded: Callable[..., Encoded]) -> None:
    document = _document(make_encoded(disclosure=PromptDisclosure.OMIT))
    assert _data(document, "org.sdsafe.generation")["prompt"] == {"disclosure": "omit"}
    assert [i["label"] for i in document["ingredients"]] == ["model"]
    created = _data(document, "c2pa.actions.v2")["actions"][0]
    assert created["parameters"]["ingredientIds"] == ["model"]


@pytest.mark.parametrize("mode", [PromptDisclosure.ENCRYPTED, PromptDisclosure.COMMIT, PromptDisclosure.OMIT])
def test_nothing_gives_the_prompt_away(make_encoded: Callable[..., Encoded], mode: PromptDisclosure) -> None:
    encoded = make_encoded(
        disclosure=mode, cleared={"decision": Decision(effect=Effect.ALLOW, policy=(), errors=("saw zeppelin",))}
    )
    defined = _defined(encoded)
    text = defined.to_json()
    assert not [word for word in SECRETS if word in text]
    assert defined.resources == {}
    assert _data(json.loads(text), "org.sdsafe.generation")["parameters_withheld"] == ["style_text"]


def test_full_shows_texts_and_explanations(encoded: Encoded) -> None:
    text = _defined(encoded).to_json()
    assert all(word in text for word in SECRETS)
    assert "the term 'zeppelin' is listed" in text
    assert '"start"' not in text


def test_numpy_scores_are_written_as_plain_numbers(make_encoded: Callable[..., Encoded]) -> None:
    finding = Finding(
        code="x",
        severity=Severity.INFORMATIONAL,
        stage=Stage.OUTPUT,
        source="c",
        source_version="1",
        score=np.float64(0.5),
    )
    check = CheckResult(check="c", version="1", status=CheckStatus.OK, stage=Stage.OUTPUT, findings=(finding,))
    generation = _data(_document(make_encoded(cleared={"checks": (check,)})), "org.sdsafe.generation")
    assert generation["checks"][1]["findings"][0]["score"] == "0.5"


def test_an_edit_is_not_declared_a_creation(make_encoded: Callable[..., Encoded], request_: GenerationRequest) -> None:
    picture = InputImage(
        role="image", pixels=np.zeros((8, 8, 3), np.uint8), sha256="00", media_type="image/png", data=b""
    )
    for request in (replace(request_, task=Task.TRANSFORM), replace(request_, inputs=(picture,))):
        with pytest.raises(ManifestError) as caught:
            _defined(make_encoded(request=request))
        assert caught.value.code == "manifest.task"


@pytest.mark.parametrize("text", ["half a \ud800 pair", "\udcff"])
def test_text_that_is_not_unicode_is_refused(
    make_encoded: Callable[..., Encoded], request_: GenerationRequest, text: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        _defined(make_encoded(request=replace(request_, prompt=text)))
    assert caught.value.code == "manifest.value"
    assert text not in str(caught.value)


def test_a_prompt_too_long_for_a_manifest_is_refused_with_a_way_out(
    make_encoded: Callable[..., Encoded], request_: GenerationRequest
) -> None:
    request = replace(request_, prompt="a" * MAX_DOCUMENT_BYTES)
    with pytest.raises(ManifestError) as caught:
        _defined(make_encoded(request=request))
    assert caught.value.code == "manifest.too-large"
    assert "--prompt-disclosure" in caught.value.hint
    _defined(make_encoded(request=request, disclosure=PromptDisclosure.COMMIT))


@pytest.mark.parametrize("value", [1.5, [1, 2], 1 << 53, b"bytes", {"a": {"b": [0.1]}}, "\ud800", {"\ud800": 1}])
def test_values_that_do_not_come_back_are_refused(value: object) -> None:
    with pytest.raises(ManifestError) as caught:
        ManifestDefinition(document={"key": value})
    assert caught.value.code == "manifest.value"


def test_values_that_come_back_are_taken() -> None:
    document = {"a": None, "b": [True, False], "c": [{"d": (1 << 53) - 1}], "e": ["x", 1], "f": []}
    assert json.loads(ManifestDefinition(document=document).to_json()) == document


def test_a_listed_mark_is_bound_and_its_value_leads_back(encoded: Encoded) -> None:
    mark = SoftBinding(alg="com.adobe.trustmark.P", value=bytes.fromhex("019aff007f575859"), kind=BindingKind.WATERMARK)
    document = _document(replace(encoded, marked=replace(encoded.marked, watermark=mark)))
    assert _data(document, "c2pa.actions.v2")["actions"][-1]["action"] == "c2pa.watermarked.bound"
    value = "2*" + f"{0x019AFF007F575859:064b}" + "1010"
    assert _data(document, "c2pa.soft-binding") == {
        "alg": "com.adobe.trustmark.P",
        "blocks": [{"scope": {}, "value": value}],
    }
