"""Restoring and enlarging through all of the spine: gates, mark, manifest, records; only the output check is a fake."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from sdsafe._internal import images
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence
from sdsafe.core.request import GenerationRequest, ModelRef, Size, Task
from sdsafe.core.states import Asset, Recorded, Refused
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.licence import Source
from sdsafe.gates.registry.loading import load_registry
from sdsafe.gates.registry.records import Record
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.inputs import as_input
from sdsafe.pipeline import Parts, Pipeline
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.manifest.reading import summarise
from sdsafe.provenance.metadata.embedding import embed, read
from sdsafe.provenance.metadata.model import DigitalSourceType, Metadata
from sdsafe.provenance.metadata.probe import MetadataProbe
from sdsafe.testing.fakes import FakeOutputCheck
from sdsafe.testing.pipeline import fake_parts
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from pathlib import Path

PACK = """\
format: sdsafe.policy/1
id: declared
version: 1.0.0
title: t
description: d
rules:
  - {id: declare, because: b, stage: output, when: 'true', effect: allow, obligations: [{code: iptc}]}
"""
PHOTO = images.encode(sample_picture(3, height=256, width=320))


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """The parts of a pipeline whose packs demand metadata."""
    folder = tmp_path / "packs" / "declared"
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(PACK)
    policies = load_policies(["baseline", "declared"], [tmp_path / "packs"])
    places = Places(state=tmp_path / "state", cache=tmp_path / "cache")
    return fake_parts(places, policy=PackPolicy(policies), prompt_checks=(LexiconCheck(policies),))


def with_networks(parts: Parts, *records: Record) -> Pipeline:
    registry = load_registry()
    licences = LicenceGate(replace(registry, records=(*registry.records, *records)))
    return Pipeline(replace(parts, generator=DiffusersGenerator(device="cpu", threads=1), licences=licences))


def run(pipeline: Pipeline, task: Task, data: bytes, **more: Any) -> Any:
    image = as_input(Asset(data=data, media_type=images.sniff(data) or ""), "image")
    (outcome,) = pipeline.run(GenerationRequest(prompt="", task=task, seed=7, inputs=(image,), **more))
    return outcome


def source_type(asset: Asset) -> str | None:
    declared = read(asset).metadata
    assert declared is not None
    return declared.digital_source_type


class TestEnlargingWithoutAModel:
    """Interpolation makes nobody the author of anything: what a model made stays that."""

    def made(self, parts: Parts) -> Recorded:
        request = GenerationRequest(prompt="a red house", seed=3, size=Size(width=256, height=256))
        (made,) = Pipeline(parts).run(request)
        assert isinstance(made, Recorded)
        return made

    def enlarged(self, parts: Parts, data: bytes) -> Recorded:
        outcome = run(with_networks(parts), Task.UPSCALE, data)
        assert isinstance(outcome, Recorded), outcome
        seen = MetadataProbe().examine(outcome.asset, ManifestProbe().examine(outcome.asset, Evidence()))
        assert "metadata.disagrees" not in {each.code for each in seen.findings}
        return outcome

    def test_a_picture_of_a_model_stays_one_however_often(self, parts: Parts) -> None:
        data = self.made(parts).asset.data
        for _ in range(2):
            outcome = self.enlarged(parts, data)
            assert source_type(outcome.asset) == DigitalSourceType.TRAINED
            summary = summarise(_c2pa.read(outcome.asset))
            assert summary is not None
            assert summary.source_types == (DigitalSourceType.TRAINED,)
            data = outcome.asset.data

    def test_also_where_its_manifest_was_removed(self, parts: Parts) -> None:
        stripped = images.encode(images.decode(self.made(parts).asset.data))
        assert source_type(self.enlarged(parts, stripped).asset) == DigitalSourceType.TRAINED

    def test_what_was_edited_with_a_model_stays_that(self, parts: Parts) -> None:
        image = as_input(Asset(data=self.made(parts).asset.data, media_type="image/png"), "image")
        request = GenerationRequest(
            prompt="a boat", seed=3, task=Task.TRANSFORM, inputs=(image,), size=Size(width=256, height=256)
        )
        (edited,) = Pipeline(parts).run(request)
        assert isinstance(edited, Recorded)
        assert source_type(self.enlarged(parts, edited.asset.data).asset) == DigitalSourceType.COMPOSITE_WITH_TRAINED

    def test_what_a_file_merely_says_is_not_washed_off(self, parts: Parts) -> None:
        said = embed(PHOTO, "image/png", Metadata(digital_source_type=DigitalSourceType.TRAINED))
        assert source_type(self.enlarged(parts, said).asset) == DigitalSourceType.TRAINED

    @pytest.mark.parametrize("said", [None, DigitalSourceType.ALGORITHMIC])
    def test_a_photograph_is_enhanced(self, parts: Parts, said: str | None) -> None:
        data = embed(PHOTO, "image/png", Metadata(digital_source_type=said)) if said else PHOTO
        outcome = self.enlarged(parts, data)
        assert source_type(outcome.asset) == DigitalSourceType.ENHANCED
        summary = summarise(_c2pa.read(outcome.asset))
        assert summary is not None
        assert summary.source_types == ()

    def test_what_the_caller_says_of_it_is_dropped(self, parts: Parts) -> None:
        image = replace(
            as_input(Asset(data=PHOTO, media_type="image/png"), "image"), made_by_ai=DigitalSourceType.TRAINED
        )
        (made,) = with_networks(parts).run(GenerationRequest(prompt="", task=Task.UPSCALE, inputs=(image,)))
        assert isinstance(made, Recorded)
        assert source_type(made.asset) == DigitalSourceType.ENHANCED


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Inverts what it is shown."""
    shape: list[str | int | None] = [1, 3, "h", "w"]
    graph = helper.make_graph(
        [helper.make_node("Sub", ["one", "x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "one")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path = tmp_path / "faces.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def known(network: Path, **more: Any) -> Record:
    """What the owner of a network notes down about it."""
    import hashlib

    fields: dict[str, Any] = {
        "id": "faces",
        "name": "faces",
        "kind": "base",
        "digests": (hashlib.sha256(network.read_bytes()).hexdigest(),),
        "licence": "apache-2.0",
        "sources": (Source(note="ours", accessed="2026-11-23"),),
        "verified": "primary",
    }
    return Record(**(fields | more))


def test_a_network_without_a_known_licence_is_refused_and_nothing_runs(parts: Parts, network: Path) -> None:
    network.write_bytes(b"never looked into")
    outcome = run(with_networks(parts), Task.RESTORE, PHOTO, model=ModelRef(repo=str(network)))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.prompt"
    assert "licence of the base local:faces.onnx" in outcome.message
    commercial = run(
        with_networks(parts), Task.RESTORE, PHOTO, model=ModelRef(repo=str(network)), intended_use="commercial"
    )
    assert isinstance(commercial, Refused)


def test_a_declared_licence_counts_as_that_of_any_model(parts: Parts, network: Path) -> None:
    (network.parent / "sdsafe.json").write_text(json.dumps({"license": "apache-2.0"}))
    outcome = run(with_networks(parts), Task.RESTORE, PHOTO, model=ModelRef(repo=str(network)), intended_use="private")
    assert isinstance(outcome, Recorded), outcome
    assert outcome.generated.execution.model.license == "apache-2.0"


def test_what_is_restored_is_marked_signed_and_says_how(parts: Parts, network: Path) -> None:
    request = GenerationRequest(prompt="a red house", seed=3, size=Size(width=256, height=256))
    (parent,) = Pipeline(parts).run(request)
    assert isinstance(parent, Recorded)
    given = {"model": ModelRef(repo=str(network)), "parameters": {"boxes": "40,60,80,64", "strength": 0.5}}
    outcome = run(with_networks(parts, known(network)), Task.RESTORE, parent.asset.data, **given)
    assert isinstance(outcome, Recorded), outcome
    assert source_type(outcome.asset) == DigitalSourceType.COMPOSITE_WITH_TRAINED

    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader("image/png", io.BytesIO(outcome.asset.data), context=context) as reader:
        report = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid", report.get("validation_results")
    second = encypher_c2pa.verify(outcome.asset.data, "image/png", no_default_trust=True, telemetry=False)
    assert second["validation_state"] == "Valid"
    active = report["manifests"][report["active_manifest"]]
    assert len(report["manifests"]) == 2
    assert {each["title"]: each["relationship"] for each in active["ingredients"]} == {
        "input picture": "parentOf",
        "local:faces.onnx": "inputTo",
    }
    types = [t["type"] for each in active["ingredients"] for t in each.get("data_types", ())]
    assert types == ["c2pa.types.generator", "c2pa.types.model.onnx"]

    summary = summarise(_c2pa.read(outcome.asset))
    assert summary is not None
    said: Any = summary.generation
    assert (said["task"], said["model"]["pipeline"], said["parameters"]["boxes"]) == ("restore", "onnx", "40,60,80,64")
    assert said["model"]["digest"] == known(network).digests[0]
    assert said["inputs"][0]["origin"]["asset_id"] == str(parent.asset_id)
    (found,) = parts.watermarker.detect([images.decode(outcome.asset.data)])
    assert found.payload == outcome.asset_id.value


def test_a_private_network_has_an_alias_only(parts: Parts, network: Path) -> None:
    record = known(network, visibility="private", alias="our-faces")
    outcome = run(with_networks(parts, record), Task.RESTORE, PHOTO, model=ModelRef(repo=str(network)))
    assert isinstance(outcome, Recorded), outcome
    assert b"faces.onnx" not in outcome.signed.manifest_store
    assert b"private:our-faces" in outcome.signed.manifest_store


def test_both_gates_look(parts: Parts, network: Path) -> None:
    for stage in ("input", "output"):
        judged = replace(parts, output_checks=(_AtOneGate(stage),))
        outcome = run(with_networks(judged, known(network)), Task.RESTORE, PHOTO, model=ModelRef(repo=str(network)))
        assert isinstance(outcome, Refused), stage
        assert outcome.stage.value == stage


class _AtOneGate(FakeOutputCheck):
    """A check that finds something at one gate only."""

    def __init__(self, gate: str) -> None:
        super().__init__(category="nudity", score=0.0)
        self._gate, self._loud = gate, FakeOutputCheck(category="nudity", score=0.99)

    def check(self, generated: Any, /) -> Any:
        return self._loud.check(generated) if self._gate == "output" else super().check(generated)

    def check_input(self, image: Any, /) -> Any:
        return self._loud.check_input(image) if self._gate == "input" else super().check_input(image)
