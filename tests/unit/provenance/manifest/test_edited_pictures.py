"""What the manifest of an edited picture says, read back by the C2PA library itself."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import c2pa
import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import LANCZOS, InputImage, ModelRef, PromptDisclosure, Task
from sdsafe.core.states import EncodedText
from sdsafe.errors import ManifestError
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Asset, Encoded
    from sdsafe.protocols import Signer

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
TASKS = (Task.TRANSFORM, Task.VARY, Task.INPAINT, Task.OUTPAINT, Task.RESTORE, Task.UPSCALE)
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def given(role: str, data: bytes) -> InputImage:
    return InputImage(
        role=role,
        pixels=images.decode(data),
        sha256=hashlib.sha256(data).hexdigest(),
        media_type="image/png",
        data=data,
    )


def mask() -> bytes:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[8:20, 16:48] = 255
    return images.encode(pixels)


@pytest.fixture
def sign(make_encoded: Callable[..., Encoded], request_: GenerationRequest, signer: Signer) -> Callable[..., Asset]:
    def make(task: Task, parent: bytes | None = None, asked: dict[str, Any] | None = None, **more: Any) -> Asset:
        inputs = (
            []
            if task is Task.GENERATE
            else [given("image", parent or images.encode(sample_picture(1, height=64, width=64)))]
        )
        if task is Task.INPAINT:
            inputs.append(given("mask", mask()))
        fields: dict[str, Any] = {"task": task, "inputs": tuple(inputs)}
        if task is Task.UPSCALE:
            fields |= {
                "model": ModelRef(repo=LANCZOS),
                "prompt": "",
                "negative_prompt": None,
                "parameters": {"scale": 2},
                "steps": None,
                "guidance": None,
            }
        encoded = make_encoded(request=replace(request_, **(fields | (asked or {}))), **more)
        definition = define(encoded, generator="sdsafe", version="0.1.0", when="2026-11-23T07:00:00Z", title="x.png")
        data, _ = _c2pa.sign(encoded.asset, definition, signer)
        return replace(encoded.asset, data=data)

    return make


def read(asset: Asset) -> dict[str, Any]:
    """Return the library's own report on the active manifest, with the number of manifests."""
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader("image/png", io.BytesIO(asset.data), context=context) as reader:
        report: dict[str, Any] = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid", report["validation_results"]
    assert ManifestProbe().examine(asset, Evidence()).manifest is ManifestState.VALID
    return report | {"active": report["manifests"][report["active_manifest"]]}


def done(active: dict[str, Any]) -> list[dict[str, Any]]:
    (found,) = [a["data"]["actions"] for a in active["assertions"] if a["label"].startswith("c2pa.actions")]
    actions: list[dict[str, Any]] = found
    return actions


def labels_of(active: dict[str, Any]) -> set[str]:
    return {a["label"] for a in active["assertions"]}


def relations(active: dict[str, Any]) -> dict[str, str]:
    return {each["title"]: each["relationship"] for each in active["ingredients"]}


@pytest.mark.parametrize(
    ("task", "actions", "sources", "image"),
    [
        (Task.TRANSFORM, ["c2pa.opened", "c2pa.edited"], [None, COMPOSITE], "parentOf"),
        (Task.VARY, ["c2pa.opened", "c2pa.edited"], [None, COMPOSITE], "parentOf"),
        (Task.INPAINT, ["c2pa.opened", "c2pa.edited"], [None, COMPOSITE], "parentOf"),
        (Task.OUTPAINT, ["c2pa.created", "c2pa.placed"], [COMPOSITE, None], "componentOf"),
        (Task.RESTORE, ["c2pa.opened", "c2pa.edited"], [None, COMPOSITE], "parentOf"),
        (Task.UPSCALE, ["c2pa.opened", "c2pa.resized.proportional"], [None, None], "parentOf"),
    ],
)
def test_every_task_has_its_actions_and_its_picture(
    sign: Callable[..., Asset], task: Task, actions: list[str], sources: list[str | None], image: str
) -> None:
    active = read(sign(task))["active"]
    taken = done(active)
    assert [a["action"] for a in taken] == [*actions, "c2pa.watermarked.unbound"]
    assert [a.get("digitalSourceType") for a in taken[:2]] == sources
    related = relations(active)
    assert related.pop("input picture") == image
    expected = {} if task is Task.UPSCALE else {"owner/model": "inputTo", "prompt": "inputTo"}
    assert related == expected | ({"mask": "inputTo"} if task is Task.INPAINT else {})
    # Some readers look at the first ingredient only.
    assert active["ingredients"][0]["title"] == "input picture"


def test_opened_and_placed_lead_to_the_picture(sign: Callable[..., Asset]) -> None:
    for task, at in ((Task.TRANSFORM, 0), (Task.OUTPAINT, 1), (Task.UPSCALE, 0)):
        action = done(read(sign(task))["active"])[at]
        assert action["parameters"]["ingredients"], task


def test_a_chain_keeps_every_manifest(sign: Callable[..., Asset]) -> None:
    asset = sign(Task.GENERATE)
    for count, task in enumerate(TASKS, start=2):
        asset = sign(task, asset.data)
        report = read(asset)
        assert len(report["manifests"]) == count
        parent = next(each for each in report["active"]["ingredients"] if each["title"] == "input picture")
        assert parent["active_manifest"] in report["manifests"]


def test_inpainting_says_where(sign: Callable[..., Asset]) -> None:
    edited = done(read(sign(Task.INPAINT))["active"])[1]
    (region,) = edited["changes"][0]["region"]
    shape = region["shape"]
    assert (shape["origin"], shape["width"], shape["height"]) == ({"x": 16.0, "y": 8.0}, 32.0, 12.0)


def test_restoring_says_in_which_boxes(sign: Callable[..., Asset]) -> None:
    boxes = {"strength": 0.5, "boxes": "4,8,16,24;30,0,10,12", "range": "-1..1"}
    asset = sign(Task.RESTORE, asked={"parameters": boxes}, disclosure=PromptDisclosure.OMIT)
    active = read(asset)["active"]
    shapes = [each["shape"] for each in done(active)[1]["changes"][0]["region"]]
    assert [(s["origin"], s["width"], s["height"]) for s in shapes] == [
        ({"x": 4.0, "y": 8.0}, 16.0, 24.0),
        ({"x": 30.0, "y": 0.0}, 10.0, 12.0),
    ]
    summary = ManifestProbe().examine(asset, Evidence()).summary
    assert summary is not None
    assert summary.generation["parameters"] == {**boxes, "strength": "0.5"}  # figures are no secret; texts are
    whole = done(read(sign(Task.RESTORE, asked={"parameters": {"strength": 1.0}}))["active"])[1]
    assert "changes" not in whole
    words = sign(Task.RESTORE, asked={"parameters": {"range": "a face"}}, disclosure=PromptDisclosure.OMIT)
    summary = ManifestProbe().examine(words, Evidence()).summary
    assert summary is not None
    assert (summary.generation["parameters"], summary.generation["parameters_withheld"]) == ({}, ["range"])


def test_enlarging_with_a_model_is_an_edit(sign: Callable[..., Asset]) -> None:
    model = ModelRef(repo="local:x4.onnx", digest="ab" * 32, revision="ab" * 32)
    active = read(sign(Task.UPSCALE, asked={"model": model}))["active"]
    taken = done(active)
    assert [a["action"] for a in taken[:3]] == ["c2pa.opened", "c2pa.edited", "c2pa.resized.proportional"]
    assert [a.get("digitalSourceType") for a in taken[:3]] == [None, COMPOSITE, None]
    assert "c2pa.ai-disclosure" in labels_of(active)


def test_what_a_model_made_stays_that_when_it_is_resized(sign: Callable[..., Asset]) -> None:
    picture = replace(given("image", images.encode(sample_picture(1, height=64, width=64))), made_by_ai=TRAINED)
    resized = done(read(sign(Task.UPSCALE, asked={"inputs": (picture,)}))["active"])[1]
    assert (resized["action"], resized["digitalSourceType"]) == ("c2pa.resized.proportional", TRAINED)


def test_no_model_no_disclosure_of_one(sign: Callable[..., Asset]) -> None:
    active = read(sign(Task.UPSCALE))["active"]
    assert "c2pa.ai-disclosure" not in labels_of(active)
    assert "org.sdsafe.seed" not in done(active)[1]["parameters"]
    assert "c2pa.ai-disclosure" in labels_of(read(sign(Task.TRANSFORM))["active"])


def test_the_prompt_is_read_back_from_its_ingredient(sign: Callable[..., Asset]) -> None:
    for task in (Task.GENERATE, Task.TRANSFORM):
        summary = ManifestProbe().examine(sign(task), Evidence()).summary
        assert summary is not None
        assert summary.prompt == "a zeppelin over quiet marshland"


def test_an_empty_prompt_is_no_ingredient(
    make_encoded: Callable[..., Encoded], request_: GenerationRequest, signer: Signer
) -> None:
    request = replace(request_, task=Task.VARY, prompt="", inputs=(given("image", mask()),))
    encoded = make_encoded(request=request)
    definition = define(encoded, generator="sdsafe", version="0.1.0", when="2026-11-23T07:00:00Z", title="x.png")
    data, _ = _c2pa.sign(encoded.asset, definition, signer)
    assert set(relations(read(replace(encoded.asset, data=data))["active"])) == {"input picture", "owner/model"}


def test_the_assertion_of_ours_names_what_went_in(sign: Callable[..., Asset]) -> None:
    active = read(sign(Task.INPAINT))["active"]
    (said,) = [a["data"] for a in active["assertions"] if a["label"] == "org.sdsafe.generation"]
    assert [(each["role"], each["size"]) for each in said["inputs"]] == [
        ("image", {"width": 64, "height": 64}),
        ("mask", {"width": 64, "height": 64}),
    ]


def test_a_task_with_the_wrong_pictures_is_not_signed(
    make_encoded: Callable[..., Encoded], request_: GenerationRequest
) -> None:
    picture = given("image", mask())
    for task, inputs in (
        (Task.GENERATE, (picture,)),
        (Task.TRANSFORM, ()),
        (Task.INPAINT, (picture,)),
        (Task.TRANSFORM, (replace(picture, role="control"),)),
        (Task.RESTORE, ()),
    ):
        encoded = make_encoded(request=replace(request_, task=task, inputs=inputs))
        with pytest.raises(ManifestError) as caught:
            define(encoded, generator="sdsafe", version="0.1.0", when="2026-11-23T07:00:00Z", title="x.png")
        assert caught.value.code == "manifest.task"


def test_what_the_model_read_is_shown_as_the_prompt_is(make_encoded: Callable[..., Encoded]) -> None:
    read_of = EncodedText(name="prompt", encoder="tokenizer", tokens=90, limit=75, text="a zeppelin over qui")
    whole = EncodedText(name="negative_prompt", encoder="tokenizer", tokens=3, limit=75, text="xylophone")
    for mode in PromptDisclosure:
        encoded = make_encoded(disclosure=mode, execution={"encoded": (read_of, whole)})
        text = define(encoded, generator="sdsafe", version="0.1.0", when="2026-11-23T07:00:00Z", title="x").to_json()
        assert ('over qui"' in text) is (mode is PromptDisclosure.FULL)
        assert text.count('"encoder"') == (1 if mode is PromptDisclosure.FULL else 0)
