"""Request files: read strictly, and written from what a manifest says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef, Size, Task
from sdsafe.errors import RequestError
from sdsafe.requests import SCHEMA, Stated, document_of, read_request, require_inputs, to_json

GENERATION: dict[str, Any] = {
    "task": "generate",
    "prompt": {"disclosure": "full", "texts": {"prompt": "a \N{ROCKET} \u2028 house", "negative_prompt": "1e5"}},
    "model": {"id": "builtin:tiny", "revision": "ab" * 32, "digest": "cd" * 32, "files": []},
    "adapters": [{"kind": "lora", "id": "a/b", "file": "c.safetensors", "weight": "0.1", "digest": "ef" * 32}],
    "seed": 2**53 - 1,
    "size": {"width": 64, "height": 96},
    "steps": 2,
    "guidance": "0.1",
    "scheduler": {"name": "DPMSolverMultistepScheduler", "asked": "dpmpp-karras", "config_sha256": "00"},
    "parameters": {"eta": "0.30000000000000004", "clip_skip": 2},
    "inputs": [{"role": "control", "sha256": "12" * 32, "media_type": "image/png"}],
}


def test_what_a_manifest_says_is_read_back_exactly() -> None:
    stated = read_request(to_json(document_of(GENERATION)).encode(), "x.json")
    request = GenerationRequest(**stated.fields)
    assert request.task is Task.GENERATE
    assert dict(request.texts()) == GENERATION["prompt"]["texts"]
    assert request.model == ModelRef(repo="builtin:tiny", revision="ab" * 32, digest="cd" * 32)
    assert request.adapters == (
        AdapterRef(kind="lora", repo="a/b", file="c.safetensors", weight=0.1, digest="ef" * 32),
    )
    assert (request.seed, request.size, request.steps) == (2**53 - 1, Size(width=64, height=96), 2)
    assert (request.guidance, request.scheduler) == (0.1, "dpmpp-karras")
    assert request.parameters == {"eta": 0.30000000000000004, "clip_skip": 2}
    assert stated.inputs == (("control", "12" * 32),)
    assert stated.unstated == ()


def test_yaml_and_json_say_the_same() -> None:
    as_yaml = "schema: sdsafe.request/1\nprompt: a house\nsteps: 2\nparameters: {eta: 0.5}\n"
    as_json = json.dumps({"schema": SCHEMA, "prompt": "a house", "steps": 2, "parameters": {"eta": 0.5}})
    assert read_request(as_yaml.encode(), "x") == read_request(as_json.encode(), "x")


def test_what_is_withheld_is_named_until_it_is_stated() -> None:
    secret = {**GENERATION, "prompt": {"disclosure": "omit"}, "parameters_withheld": ["style"]}
    document = document_of(secret)
    assert document["withheld"] == ["prompt", "parameters.style"]
    assert "prompt" not in document
    assert read_request(to_json(document).encode(), "x").unstated == ("prompt", "parameters.style")
    document["prompt"] = "a house"
    assert read_request(to_json(document).encode(), "x").unstated == ("parameters.style",)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"noise_mark": {"alg": "gaussian-shading", "key_id": "k"}}, "carries its id"),
        ({"task": "sign"}, "made elsewhere"),
        ({"task": "dream"}, "not say enough"),
        ({"prompt": None}, "not say enough"),
        ({"guidance": "much"}, "not say enough"),
        ({"size": "64x64"}, "not say enough"),
    ],
)
def test_what_cannot_be_asked_again_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(RequestError, match=says) as caught:
        document_of({**GENERATION, **change})
    assert caught.value.code == "request.file"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prompt: a house", "schema"),
        ("schema: sdsafe.request/2", "schema"),
        ("schema: sdsafe.request/1\nstep: 2", r"step.*steps"),
        ("schema: sdsafe.request/1\nsteps: two", "steps"),
        ("schema: sdsafe.request/1\nsteps: true", "steps"),
        ("schema: sdsafe.request/1\nsize: 64", "size"),
        ("schema: sdsafe.request/1\nsize: 0x64", "size"),
        ("schema: sdsafe.request/1\nmodel: builtin:tiny", "model"),
        ("schema: sdsafe.request/1\nmodel: {id: x, digest: 00}", r"model\.digest"),
        ("schema: sdsafe.request/1\nparameters: {eta: [1]}", "eta"),
        ("schema: sdsafe.request/1\ninputs: [{role: image}]", r"inputs\[0\]\.sha256"),
        ("schema: sdsafe.request/1\nprompt: &a x", "anchor"),
        ("[1, 2", "YAML"),
        ('{"schema": "sdsafe.request/1", "schema": "sdsafe.request/1"}', "twice"),
        ('{"schema": "sdsafe.request/1", "guidance": NaN}', "NaN"),
        ('{"schema": ', "JSON"),
        ("{" * 100_000, "JSON"),
        ("", "mapping"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(RequestError, match=rf"(?s)x\.yaml.*{says}") as caught:
        read_request(text.encode(), "x.yaml")
    assert caught.value.code == "request.file"
    assert caught.value.hint


def test_other_pictures_than_those_named_are_refused() -> None:
    from sdsafe.core.request import InputImage
    from sdsafe.testing.samples import sample_picture

    given = InputImage(role="image", pixels=sample_picture(), sha256="00" * 32, media_type="image/png", data=b"")
    require_inputs(Stated(fields={}, inputs=(("image", "00" * 32),)), (given,))
    require_inputs(Stated(fields={}), (given,))
    with pytest.raises(RequestError, match="not the picture that the request file names"):
        require_inputs(Stated(fields={}, inputs=(("image", "01" * 32),)), (given,))
