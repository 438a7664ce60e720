from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.decisions import Obligation
from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef, PromptDisclosure, Task
from sdsafe.errors import MetadataError
from sdsafe.provenance.manifest import container
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.embedding import Declaration, embed, read
from sdsafe.provenance.metadata.model import DataMining, DigitalSourceType, Metadata
from sdsafe.provenance.metadata.statements import (
    OBLIGATIONS,
    Publisher,
    california_gaps,
    declare,
    discharge,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.states import Encoded, Generated

IPTC = Obligation(code="iptc")
LABEL = Obligation(code="aigc_label", params={"provider": "某公司 & Co", "code": "001191110000"})
CREDIT = Obligation(code="attribution", params={"text": "Powered by Stability AI"})
INTENDED = Metadata(ai_system="owner/model", created="2026-11-22T06:59:58Z", identifier="00" * 8)
PUBLISHER = Publisher(
    provider="Example GmbH",
    creators=("A. Person",),
    rights="© 2026 Example GmbH",
    prompt_writer="B. Writer",
    data_mining=DataMining.NO_GENERATIVE_TRAINING,
)


PRODUCER = "001191110000"


@pytest.fixture
def generated(make_encoded: Callable[..., Encoded]) -> Callable[..., Generated]:
    def make(**parts: Any) -> Generated:
        return make_encoded(**parts).marked.cleared.generated

    return make


def test_the_whole_declaration(generated: Callable[..., Generated]) -> None:
    image = generated()
    found = declare(image, producer=PRODUCER, credits=["Powered by Stability AI"], publisher=PUBLISHER)
    assert found == Metadata(
        digital_source_type="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        ai_system="owner/model",
        ai_system_version="0123abcd",
        prompt="a zeppelin over quiet marshland\nnegative_prompt: xylophone",
        prompt_writer="B. Writer",
        creators=("A. Person",),
        rights="© 2026 Example GmbH",
        credit="Powered by Stability AI",
        provider="Example GmbH",
        created="2026-11-22T06:59:58Z",
        identifier="0001020304050607",
        data_mining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-GENAIMLTRAINING",
        aigc=AigcLabel(label="1", content_producer="001191110000", produce_id="0001020304050607"),
    )
    assert california_gaps(found) == ()


@pytest.mark.parametrize("mode", [PromptDisclosure.COMMIT, PromptDisclosure.OMIT])
def test_nothing_of_the_prompt_unless_it_is_disclosed_in_full(
    generated: Callable[..., Generated], encoded: Encoded, mode: PromptDisclosure
) -> None:
    found = declare(generated(disclosure=mode), producer=PRODUCER, publisher=PUBLISHER)
    assert found.prompt is None
    assert found.prompt_writer is None
    data = embed(encoded.asset.data, "image/png", found)
    for word in ("zeppelin", "marshland", "xylophone", "watercolour", "Writer"):
        assert word.encode() not in data


def test_without_obligations_and_publisher_only_what_is_known(generated: Callable[..., Generated]) -> None:
    found = declare(generated())
    assert (found.aigc, found.credit, found.provider, found.creators) == (None, None, None, ())
    assert california_gaps(found) == ("provider_name",)


def test_a_picture_that_went_in_makes_a_composite(
    generated: Callable[..., Generated], request_: GenerationRequest
) -> None:
    found = declare(generated(request=replace(request_, task=Task.INPAINT)))
    assert found.digital_source_type == DigitalSourceType.COMPOSITE_WITH_TRAINED


def test_adapters_are_part_of_the_system_and_a_model_may_have_an_alias(
    generated: Callable[..., Generated], request_: GenerationRequest
) -> None:
    image = generated(request=replace(request_, adapters=(AdapterRef(kind="lora", repo="owner/lora"),)))
    assert declare(image).ai_system == "owner/model + owner/lora"
    aliased = declare(image, model=ModelRef(repo="model-7", digest="ab" * 32))
    assert aliased.ai_system == "model-7 + owner/lora"
    assert aliased.ai_system_version == "ab" * 32


def test_prompts_that_xml_cannot_hold_do_not_stop_a_release(
    generated: Callable[..., Generated], request_: GenerationRequest
) -> None:
    request = replace(
        request_, prompt="a\x00b\x1b\ud800c\ufffe\r\n\u0645\u0631\u062d\u0628\u0627 🦊", negative_prompt=None
    )
    assert declare(generated(request=request)).prompt == "a�b��c�\r\n\u0645\u0631\u062d\u0628\u0627 🦊"


def test_a_credit_is_written_once_and_a_label_needs_a_producer(generated: Callable[..., Generated]) -> None:
    found = declare(generated(), credits=["Powered by Stability AI", "Built with Krea", "", "Powered by Stability AI"])
    assert found.credit == "Powered by Stability AI; Built with Krea"
    with pytest.raises(MetadataError, match="producer") as caught:
        declare(generated(), producer=" ")
    assert caught.value.code == "metadata.value"


def test_every_obligation_is_discharged_from_signed_bytes(
    sign: Callable[..., tuple[Any, bytes]], encoded: Encoded, generated: Callable[..., Generated]
) -> None:
    obligations = (IPTC, LABEL, CREDIT)
    assert {each.code for each in obligations} == OBLIGATIONS
    metadata = declare(generated(), producer=PRODUCER, credits=["Powered by Stability AI"], publisher=PUBLISHER)
    data = embed(encoded.asset.data, "image/png", metadata)
    asset, _ = sign(replace(encoded, asset=replace(encoded.asset, data=data)))
    declared = read(asset)
    assert declared.metadata == metadata
    assert container.without_store(asset.data) == data
    done = [discharge(each, declared, metadata) for each in obligations]
    assert all(each.ok for each in done)
    assert done[0].evidence.endswith("; California's latent disclosure lacks nothing")
    assert [each.evidence.partition(";")[0] for each in done] == [
        "source type, system, time and id read back from PNG iTXt, PNG tEXt",
        "AIGC label read back from PNG iTXt, PNG tEXt",
        "credit line read back from PNG iTXt, PNG tEXt",
    ]
    assert discharge(Obligation(code="aigc_label"), declared, metadata).ok
    nameless = replace(declared, metadata=replace(metadata, provider=None))
    assert discharge(IPTC, nameless, metadata).evidence.endswith("California's latent disclosure lacks provider_name")


@pytest.mark.parametrize(
    ("obligation", "metadata", "gap"),
    [
        (IPTC, Metadata(), "source type, system, time, id"),
        (
            IPTC,
            Metadata(digital_source_type="trainedAlgorithmicMedia", ai_system="x", created="y"),
            "source type, system, time, id",
        ),
        (LABEL, Metadata(), "Label, ContentProducer, ProduceID"),
        (IPTC, replace(INTENDED, digital_source_type=DigitalSourceType.TRAINED, ai_system="other"), "system"),
        (LABEL, Metadata(aigc=AigcLabel(content_producer="other", produce_id="00" * 8)), "ContentProducer"),
        (Obligation(code="aigc_label"), Metadata(aigc=AigcLabel(produce_id="00" * 8)), "ContentProducer"),
        (LABEL, Metadata(aigc=AigcLabel(content_producer="001191110000", produce_id="1")), "ProduceID"),
        (CREDIT, Metadata(), "credit"),
        (CREDIT, Metadata(credit="Powered by others"), "credit"),
        (Obligation(code="attribution"), Metadata(credit="anything"), "credit"),
        (Obligation(code="unheard-of"), Metadata(), "unheard-of"),
    ],
)
def test_what_is_not_declared_is_named(obligation: Obligation, metadata: Metadata, gap: str) -> None:
    done = discharge(obligation, Declaration(metadata=metadata, places=("PNG iTXt",)), INTENDED)
    assert not done.ok
    assert done.evidence == f"not declared: {gap}"


def test_problems_and_silence_discharge_nothing() -> None:
    full = Metadata(credit="Powered by Stability AI")
    doubtful = Declaration(metadata=full, problems=(("metadata.several-packets", "two"),))
    for declared in (Declaration(), doubtful):
        assert not discharge(CREDIT, declared, full).ok
