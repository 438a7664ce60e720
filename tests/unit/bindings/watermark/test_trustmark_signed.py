"""A picture that carries TrustMark, from the pipeline to the validators: what the manifest says, and the way back."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import pytest

from sdsafe import plugins
from sdsafe._internal import images
from sdsafe.api import open_validator
from sdsafe.core.places import Places
from sdsafe.core.report import SoftState, Verdict
from sdsafe.core.states import Asset
from sdsafe.provenance.manifest._c2pa import read
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.settings import Settings
from sdsafe.testing.pipeline import signed_png

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.bindings.watermark.trustmark_networks import NetworkFile


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory, networks: Callable[..., tuple[NetworkFile, NetworkFile]]
) -> Settings:
    encoder, decoder = networks("P")
    state = tmp_path_factory.mktemp("trustmark")
    options = {
        "folder": str(decoder.path.parent),
        "encoder_sha256": encoder.sha256,
        "decoder_sha256": decoder.sha256,
    }
    places = Places(state=state, cache=state / "cache")
    return Settings(places=places, watermarker="trustmark", options={"trustmark": options})


@pytest.fixture(scope="module")
def asset(settings: Settings) -> Asset:
    marker = plugins.load(
        "sdsafe.watermarkers", "trustmark", settings.places, settings.options_for(settings.watermarker)
    )
    data = signed_png(settings.places.state, side=320, watermarker=marker)
    return Asset(data=data, media_type="image/png")


def _manifest(asset: Asset) -> dict[str, Any]:
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader(asset.media_type, io.BytesIO(asset.data), context=context) as reader:
        report = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid", report.get("validation_results")
    active: dict[str, Any] = report["manifests"][report["active_manifest"]]
    return active


def _said(manifest: dict[str, Any], label: str) -> dict[str, Any]:
    data: dict[str, Any] = next(each["data"] for each in manifest["assertions"] if each["label"].startswith(label))
    return data


def test_the_manifest_binds_the_mark(asset: Asset) -> None:
    manifest = _manifest(asset)
    created, marked = _said(manifest, "c2pa.actions")["actions"]
    assert marked["action"] == "c2pa.watermarked.bound"
    bound = _said(manifest, "c2pa.soft-binding")
    asset_id = created["parameters"]["org.sdsafe.asset_id"]
    assert bound["alg"] == "com.adobe.trustmark.P"
    schema, bits = bound["blocks"][0]["value"].split("*")
    assert (schema, len(bits)) == ("2", 68)
    assert f"{int(bits[:64], 2):016x}" == asset_id
    generation = _said(manifest, "org.sdsafe.generation")
    assert generation["watermark"]["alg"] == "com.adobe.trustmark.P"


def test_other_validators_and_the_rubric_accept_it(asset: Asset) -> None:
    second = encypher_c2pa.verify(asset.data, asset.media_type, no_default_trust=True, telemetry=False)
    assert second["validation_state"] == "Valid", second
    assert [each.check.id for each in conformance(read(asset).manifest) if not each.passed] == []


def test_verify_compares_the_mark_when_asked(settings: Settings, asset: Asset) -> None:
    report = open_validator(settings, check_watermark=True).inspect(asset)
    assert report.verdict is Verdict.VALID
    assert report.evidence.soft is SoftState.MATCH


def test_a_stripped_picture_is_recovered_by_its_mark(settings: Settings, asset: Asset) -> None:
    bare = Asset(data=images.encode(images.decode(asset.data)), media_type="image/png")
    report = open_validator(settings).inspect(bare)
    assert report.verdict is Verdict.RECOVERED
    assert {each.code for each in report.evidence.findings} >= {"watermark.recovered"}
    assert any(each.alg == "com.adobe.trustmark.P" for each in report.evidence.matches)


def test_without_the_networks_that_is_said_and_the_looks_recover_it(settings: Settings, asset: Asset) -> None:
    bare = Asset(data=images.encode(images.decode(asset.data)), media_type="image/png")
    report = open_validator(Settings(places=settings.places, watermarker="trustmark")).inspect(bare)
    assert report.verdict is Verdict.RECOVERED
    assert any("decoder_P.onnx" in each for each in report.evidence.not_checked)


def test_a_folder_of_the_user_is_not_in_the_manifest(settings: Settings, asset: Asset, tmp_path: Path) -> None:
    folder = str(settings.options["trustmark"]["folder"])
    assert folder.encode() not in asset.data
    assert tmp_path.name.encode() not in asset.data


def test_whoever_changes_to_it_still_reads_the_built_in_marks_of_before(settings: Settings, tmp_path: Path) -> None:
    places = Places(state=tmp_path / "state", cache=tmp_path / "cache")
    before = signed_png(places.state, watermarker=plugins.load("sdsafe.watermarkers", "lattice", places))
    bare = Asset(data=images.encode(images.decode(before)), media_type="image/png")
    now = Settings(places=places, watermarker="trustmark", options=settings.options)
    report = open_validator(now).inspect(bare)
    assert any(each.alg == "org.sdsafe.lattice.1" for each in report.evidence.matches)
