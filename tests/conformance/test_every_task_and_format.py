"""All 31 checks of the rubric, and two validators, for every task in every format that is written."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest

from sdsafe import plugins
from sdsafe._internal import images
from sdsafe.api import read_input
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, ModelRef, Size, Task
from sdsafe.core.states import Recorded
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.generation.keeping import Keeper
from sdsafe.provenance.manifest._c2pa import read
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.pipeline import Pipeline

pytestmark = pytest.mark.slow

TINY = ModelRef(repo="builtin:tiny")
TASKS: dict[Task, dict[str, Any]] = {
    Task.GENERATE: {"size": Size(width=256, height=256)},
    Task.TRANSFORM: {"parameters": {"strength": 0.7}},
    Task.VARY: {"parameters": {"strength": 0.7}},
    Task.INPAINT: {},
    Task.OUTPAINT: {"parameters": {"pad_right": 64}},
    Task.UPSCALE: {},
    Task.RESTORE: {"parameters": {"boxes": "32,32,64,64"}},
    Task.SIGN: {},
}


@pytest.fixture(scope="module")
def open_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Task], Pipeline]:
    state = tmp_path_factory.mktemp("every")
    places = Places(state=state, cache=state / "cache")
    mark = plugins.load("sdsafe.watermarkers", "lattice", places)
    made = fake_pipeline(places, generator=DiffusersGenerator(device="cpu", threads=1), watermarker=mark)
    kept = fake_pipeline(places, generator=Keeper(), watermarker=mark)
    return lambda task: kept if task is Task.SIGN else made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, a mask, and a network that gives back what it is given."""
    onnx = pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "in.png").write_bytes(images.encode(sample_picture(1)))
    mask = np.zeros((256, 256, 3), np.uint8)
    mask[64:160, 64:192] = 255
    (folder / "mask.png").write_bytes(images.encode(mask))
    shape = [1, 3, "h", "w"]
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "same", ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "same.onnx")
    return folder


def _request(task: Task, media_type: str, folder: Path) -> GenerationRequest:
    inputs = () if task is Task.GENERATE else (read_input(folder / "in.png"),)
    if task is Task.INPAINT:
        inputs = (*inputs, read_input(folder / "mask.png", "mask"))
    by_model = task not in {Task.UPSCALE, Task.SIGN, Task.RESTORE}
    given: dict[str, Any] = {"model": TINY, "steps": 2, "prompt": "a red house"} if by_model else {"prompt": ""}
    if task is Task.RESTORE:
        given["model"] = ModelRef(repo=str(folder / "same.onnx"), license="apache-2.0")
    return GenerationRequest(
        task=task, seed=7, inputs=inputs, media_type=media_type, intended_use="private", **given, **TASKS[task]
    )


@pytest.mark.parametrize("media_type", sorted(images.ENCODABLE))
@pytest.mark.parametrize("task", TASKS)
def test_it_is_conformant_and_two_validators_agree(
    task: Task, media_type: str, open_for: Callable[[Task], Pipeline], folder: Path
) -> None:
    (outcome,) = open_for(task).run(_request(task, media_type, folder))
    assert isinstance(outcome, Recorded), outcome
    data = outcome.asset.data
    results = conformance(read(outcome.asset).manifest)
    assert len(results) == 31
    assert [each.check.id for each in results if not each.passed] == []
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader(media_type, io.BytesIO(data), context=context) as reader:
        assert reader.get_validation_state() == "Valid", json.loads(reader.json()).get("validation_results")
    second = encypher_c2pa.verify(data, media_type, no_default_trust=True, telemetry=False)
    assert second["validation_state"] == "Valid", second
