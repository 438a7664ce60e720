"""Pictures that were made elsewhere: the same gates, their own manifest carried on, and whose word is whose."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest
from PIL import Image

from sdsafe import plugins
from sdsafe._internal import images
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, Task
from sdsafe.core.statement import Statement
from sdsafe.core.states import Asset, Recorded, Refused
from sdsafe.errors import RequestError, SdsafeError
from sdsafe.generation.keeping import Keeper
from sdsafe.inputs import as_input
from sdsafe.pipeline import Pipeline
from sdsafe.provenance.manifest._c2pa import read
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.testing.pipeline import fake_parts
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from pathlib import Path

WORD = Statement(source_type="digitalCapture", title="A harbour", creators=("Ada Example",))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    state = tmp_path_factory.mktemp("as-is")
    places = Places(state=state, cache=state / "cache")
    mark = plugins.load("sdsafe.watermarkers", "lattice", places)
    return Pipeline(fake_parts(places, generator=Keeper(), watermarker=mark))


def _photo(media_type: str = "image/jpeg", seed: int = 3) -> bytes:
    """A picture with what cameras write beside it."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Example Camera"
    Image.fromarray(sample_picture(seed)).save(buffer, media_type.removeprefix("image/").upper(), exif=exif.tobytes())
    return buffer.getvalue()


def _ask(data: bytes, media_type: str, **fields: Any) -> GenerationRequest:
    picture = as_input(Asset(data=data, media_type=images.sniff(data) or ""), "image")
    return GenerationRequest(prompt="", task=Task.SIGN, inputs=(picture,), media_type=media_type, **fields)


def _signed(pipeline: Pipeline, data: bytes, media_type: str, **fields: Any) -> Asset:
    (outcome,) = pipeline.run(_ask(data, media_type, **fields))
    assert isinstance(outcome, Recorded), outcome
    return outcome.asset


def _manifest(asset: Asset) -> dict[str, Any]:
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader(asset.media_type, io.BytesIO(asset.data), context=context) as reader:
        report = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid", report.get("validation_results")
    second = encypher_c2pa.verify(asset.data, asset.media_type, no_default_trust=True, telemetry=False)
    assert second["validation_state"] == "Valid", second
    assert [each.check.id for each in conformance(read(asset).manifest) if not each.passed] == []
    active: dict[str, Any] = report["manifests"][report["active_manifest"]]
    return {**active, "count": len(report["manifests"])}


def _actions(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [a for each in manifest["assertions"] if "actions" in each["data"] for a in each["data"]["actions"]]


def test_a_photo_is_marked_and_said_to_be_opened_not_created(pipeline: Pipeline) -> None:
    manifest = _manifest(_signed(pipeline, _photo(), "image/jpeg", statement=WORD))
    assert [each["action"] for each in _actions(manifest)] == ["c2pa.opened", "c2pa.watermarked.unbound"]
    assert all("digitalSourceType" not in each for each in _actions(manifest))
    assert not any(each["label"].startswith("c2pa.ai-disclosure") for each in manifest["assertions"])
    (parent,) = manifest["ingredients"]
    assert parent["relationship"] == "parentOf"
    said = next(each["data"] for each in manifest["assertions"] if each["label"] == "cawg.metadata")
    assert said["dc:creator"] == ["Ada Example"]
    assert said["Iptc4xmpExt:DigitalSourceType"].endswith("/digitalCapture")
    generation = next(each["data"] for each in manifest["assertions"] if each["label"] == "org.sdsafe.generation")
    assert (generation["task"], generation["model"]["id"]) == ("sign", "builtin:as-is")


def test_the_word_of_others_is_gathered_not_created(pipeline: Pipeline) -> None:
    claim = read(_signed(pipeline, _photo(), "image/jpeg", statement=WORD)).manifest["claim.v2"]
    assert isinstance(claim, dict)
    created = [each["url"].rsplit("/", 1)[1] for each in claim["created_assertions"]]
    gathered = [each["url"].rsplit("/", 1)[1] for each in claim["gathered_assertions"]]
    assert "cawg.metadata" in gathered
    assert "cawg.metadata" not in created
    assert "org.sdsafe.generation" in created


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/webp"])
def test_without_a_mark_every_byte_but_the_manifest_stays(pipeline: Pipeline, media_type: str) -> None:
    from sdsafe.provenance.manifest import container

    data = _photo(media_type)
    asset = _signed(pipeline, data, media_type, marked=False)
    assert container.without_store(asset.data) == data
    assert b"Example Camera" in asset.data
    manifest = _manifest(asset)
    assert [each["action"] for each in _actions(manifest)] == ["c2pa.opened"]
    generation = next(each["data"] for each in manifest["assertions"] if each["label"] == "org.sdsafe.generation")
    assert generation["watermark"] == {"not_applied": "no watermark was applied: that was asked for"}


def test_a_signed_file_is_converted_with_its_manifest_as_the_parent(pipeline: Pipeline) -> None:
    first = _signed(pipeline, _photo(seed=8), "image/jpeg", marked=False)  # one that the repository does not know
    second = _signed(pipeline, first.data, "image/png", marked=False)
    manifest = _manifest(second)
    assert [each["action"] for each in _actions(manifest)] == ["c2pa.opened", "c2pa.converted"]
    assert manifest["count"] == 2
    assert (images.decode(second.data) == images.decode(first.data)).all()


def test_a_parent_that_does_not_hold_is_refused(pipeline: Pipeline) -> None:
    signed = _signed(pipeline, _photo("image/png"), "image/png").data
    at = len(signed) - 200
    broken = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
    with pytest.raises(SdsafeError) as caught:
        pipeline.run(_ask(broken, "image/png"))
    assert caught.value.code in {"request.input-invalid", "asset.truncated"}


def test_the_gates_look_at_it(tmp_path: Path) -> None:
    from sdsafe.testing.fakes import FakeOutputCheck

    places = Places(state=tmp_path, cache=tmp_path / "cache")
    strict = Pipeline(
        fake_parts(places, generator=Keeper(), output_checks=(FakeOutputCheck(category="nudity", score=0.99),))
    )
    (outcome,) = strict.run(_ask(_photo(), "image/jpeg"))
    assert isinstance(outcome, Refused)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"prompt": "a house"}, "no use for prompt"),
        ({"steps": 3}, "no use for steps"),
        ({"count": 2}, "no use for count"),
        ({"parameters": {"strength": 0.5}}, "no use for parameters"),
        ({"inputs": ()}, "one picture"),
        ({"task": Task.GENERATE, "inputs": ()}, "nothing is made here"),
        ({"media_type": "image/gif"}, "cannot be written"),
    ],
)
def test_what_has_no_meaning_is_refused(pipeline: Pipeline, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        pipeline.run(replace(_ask(_photo(), "image/jpeg"), **fields))


@pytest.mark.parametrize("fields", [{"marked": False}, {"statement": WORD}])
def test_what_is_made_here_is_marked_and_nobody_elses_word(tmp_path: Path, fields: dict[str, Any]) -> None:
    places = Places(state=tmp_path, cache=tmp_path / "cache")
    with pytest.raises(RequestError, match="what is made here") as caught:
        Pipeline(fake_parts(places)).run(GenerationRequest(prompt="a house", **fields))
    assert caught.value.code == "request.format"


@pytest.mark.parametrize(
    "wrong",
    [{"source_type": "photo"}, {"title": ""}, {"title": "a\nb"}, {"creators": ("x" * 301,)}, {"creators": ("a",) * 21}],
)
def test_a_statement_says_something_sayable(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        Statement(**wrong)
    assert caught.value.code == "request.statement"


def test_a_picture_too_small_for_a_mark_is_signed_without(pipeline: Pipeline) -> None:
    small = images.encode(np.full((32, 32, 3), 90, np.uint8))
    with pytest.raises(SdsafeError) as caught:
        pipeline.run(_ask(small, "image/png"))
    assert caught.value.code == "watermark.too-small"
    asset = _signed(pipeline, small, "image/png", marked=False)
    assert ManifestProbe().examine(asset, Evidence()).manifest is ManifestState.VALID


def test_signing_needs_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "photo.jpg").write_bytes(_photo())
    code = (
        "import sys\nfrom pathlib import Path\nfrom sdsafe import plugins\nfrom sdsafe.core.places import Places\n"
        "from sdsafe.api import read_input\nfrom sdsafe.core.request import GenerationRequest, Task\n"
        "from sdsafe.generation.keeping import Keeper\nfrom sdsafe.testing.pipeline import fake_pipeline\n"
        f"folder = Path({str(tmp_path)!r})\nplaces = Places(state=folder / 's', cache=folder / 'c')\n"
        "mark = plugins.load('sdsafe.watermarkers', 'lattice', places)\n"
        "request = GenerationRequest(prompt='', task=Task.SIGN, inputs=(read_input(folder / 'photo.jpg'),))\n"
        "(outcome,) = fake_pipeline(places, generator=Keeper(), watermarker=mark).run(request)\n"
        "assert outcome.asset.data, outcome\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class TestSidecars:
    """Pictures whose manifest stands beside them go in with it."""

    def _beside(self, pipeline: Pipeline, seed: int) -> Asset:
        return _signed(pipeline, _photo("image/png", seed=seed), "image/png", marked=False, sidecar=True)

    def _again(self, asset: Asset) -> GenerationRequest:
        return GenerationRequest(
            prompt="", task=Task.SIGN, inputs=(as_input(asset, "image"),), media_type="image/png", marked=False
        )

    def test_it_is_carried_on_as_the_parent(self, tmp_path: Path) -> None:
        first = self._beside(Pipeline(fake_parts(Places(state=tmp_path / "a", cache=tmp_path), generator=Keeper())), 21)
        assert first.sidecar is not None
        elsewhere = Pipeline(fake_parts(Places(state=tmp_path / "b", cache=tmp_path), generator=Keeper()))
        (outcome,) = elsewhere.run(self._again(first))
        assert isinstance(outcome, Recorded), outcome
        manifest = _manifest(outcome.asset)
        assert manifest["count"] == 2
        assert manifest["ingredients"][0]["relationship"] == "parentOf"

    def test_one_that_does_not_hold_is_refused(self, pipeline: Pipeline) -> None:
        first = self._beside(pipeline, 22)
        other = replace(first, data=images.encode(sample_picture(23)))
        with pytest.raises(RequestError) as caught:
            pipeline.run(self._again(other))
        assert caught.value.code == "request.input-invalid"
