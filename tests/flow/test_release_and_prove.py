"""The main job, end to end: a checked, marked, signed picture, and the proof of where it comes from."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import c2pa
import encypher_c2pa
import numpy as np
import pytest
from PIL import Image

from sdsafe.api import open_pipeline, open_validator, save_to
from sdsafe.core.report import LedgerState, ManifestState, SoftState, Verdict
from sdsafe.core.states import Asset, Recorded, Refused
from sdsafe.core.trust import Require
from sdsafe.errors import AssetError, ConfigurationError, VerificationError
from sdsafe.pipeline import UnsafeNoOutputCheck

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.request import GenerationRequest
    from sdsafe.pipeline import Pipeline
    from sdsafe.settings import Settings

pytestmark = [pytest.mark.weights, pytest.mark.slow]


@pytest.fixture(scope="module")
def released(pipeline: Pipeline, request_: GenerationRequest) -> Recorded:
    (outcome,) = pipeline.run(request_)
    assert isinstance(outcome, Recorded), outcome
    return outcome


def _stripped(asset: Asset) -> Asset:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(asset.data)).save(buffer, "PNG")
    return Asset(data=buffer.getvalue(), media_type="image/png")


def _reader(data: bytes, root: Path | None = None) -> c2pa.Reader:
    trust: dict[str, object] = {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}
    if root is not None:
        trust["anchors"] = [{"trust_anchors": root.read_text(), "trust_uri": "urn:test", "trust_kind": "manifest"}]
    context = c2pa.Context.from_dict({"trust": trust, "verify": {"remote_manifest_fetch": False}})
    return c2pa.Reader("image/png", io.BytesIO(data), context=context)


def test_verdict_is_trusted_with_the_root_and_valid_without(settings: Settings, released: Recorded, root: Path) -> None:
    trusted = open_validator(settings, trust=[root]).verify(released.asset)
    assert trusted.verdict is Verdict.TRUSTED
    assert trusted.evidence.ledger is LedgerState.INCLUDED
    valid = open_validator(settings).verify(released.asset)
    assert valid.verdict is Verdict.VALID
    assert valid.evidence.summary is not None
    assert valid.evidence.summary.trust_list is None
    assert any("signer" in note or "trust list" in note for note in valid.evidence.not_checked)


def test_valid_is_not_enough_where_trusted_is_required(settings: Settings, released: Recorded) -> None:
    with pytest.raises(VerificationError) as caught:
        open_validator(settings, require=Require.TRUSTED).verify(released.asset)
    assert caught.value.report.verdict is Verdict.VALID


def test_the_mark_agrees_with_the_manifest(settings: Settings, released: Recorded, root: Path) -> None:
    report = open_validator(settings, trust=[root], check_watermark=True).inspect(released.asset)
    assert report.evidence.soft is SoftState.MATCH


def test_a_stranger_reads_model_seed_and_prompt_with_the_library_alone(released: Recorded, root: Path) -> None:
    assert _reader(released.asset.data).get_validation_state() == "Valid"
    reader = _reader(released.asset.data, root)
    assert reader.get_validation_state() == "Trusted"
    store = json.loads(reader.json())
    assertions = {a["label"]: a["data"] for a in store["manifests"][store["active_manifest"]]["assertions"]}
    generation = assertions["org.sdsafe.generation"]
    assert generation["seed"] == released.seed == 7
    assert generation["model"]["id"] == "builtin:tiny"
    assert generation["pixels_sha256"] == released.generated.pixels_sha256
    assert "a red house on green hills" in json.dumps(generation)


def test_a_second_validator_agrees(released: Recorded, root: Path) -> None:
    data, anchor = released.asset.data, root.read_text()
    trusted = encypher_c2pa.verify(data, "image/png", trust_pem=anchor, no_default_trust=True, telemetry=False)
    assert trusted["validation_state"] == "Trusted"
    alone = encypher_c2pa.verify(data, "image/png", no_default_trust=True, telemetry=False)
    assert alone["validation_state"] == "Valid"


def test_same_request_and_seed_same_pixels_other_asset(
    pipeline: Pipeline, request_: GenerationRequest, released: Recorded
) -> None:
    (again,) = pipeline.run(request_)
    assert isinstance(again, Recorded)
    assert again.generated.pixels_sha256 == released.generated.pixels_sha256
    assert again.asset_id != released.asset_id
    assert again.asset.data != released.asset.data


def test_each_image_of_a_request_has_its_own_seed_and_id(pipeline: Pipeline, request_: GenerationRequest) -> None:
    outcomes = pipeline.run(replace(request_, count=2, seed=7))
    first, second = (o for o in outcomes if isinstance(o, Recorded))
    assert (first.seed, second.seed) == (7, 8)
    assert first.asset_id != second.asset_id
    assert first.generated.pixels_sha256 != second.generated.pixels_sha256


def test_a_stripped_picture_is_recovered(settings: Settings, released: Recorded) -> None:
    report = open_validator(settings).inspect(_stripped(released.asset))
    assert report.verdict is Verdict.RECOVERED
    summary = report.evidence.summary
    assert summary is not None
    assert summary.recovered
    assert summary.asset_id == str(released.asset_id)
    assert summary.prompt == "a red house on green hills"


def test_a_recompressed_picture_is_recovered_by_its_looks(settings: Settings, released: Recorded) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(released.asset.data)).convert("RGB").save(buffer, "JPEG", quality=40)
    report = open_validator(settings).inspect(Asset(data=buffer.getvalue(), media_type="image/jpeg"))
    assert report.verdict is Verdict.RECOVERED


def test_an_unrelated_picture_is_unknown(settings: Settings, released: Recorded) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (300, 280, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    report = open_validator(settings).inspect(Asset(data=buffer.getvalue(), media_type="image/png"))
    assert report.verdict is Verdict.UNKNOWN
    assert report.evidence.manifest is ManifestState.ABSENT


def test_a_changed_pixel_is_invalid(settings: Settings, released: Recorded) -> None:
    data = bytearray(released.asset.data)
    position = data.rindex(b"IDAT") + 40
    data[position] ^= 1
    report = open_validator(settings).inspect(Asset(data=bytes(data), media_type="image/png"))
    assert report.verdict is Verdict.INVALID


def test_an_auditor_without_our_records_sees_the_same_manifest(
    settings: Settings, released: Recorded, root: Path, tmp_path: Path
) -> None:
    elsewhere = replace(settings, places=replace(settings.places, state=tmp_path / "empty"))
    report = open_validator(elsewhere, trust=[root]).verify(released.asset)
    assert report.verdict is Verdict.TRUSTED
    assert report.evidence.ledger is LedgerState.NOT_CHECKED
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_a_listed_term_is_refused_before_anything_is_generated(
    pipeline: Pipeline, request_: GenerationRequest, field: str
) -> None:
    texts = {"prompt": "a calm sea", field: "a calm sea sdsafe-canary-refuse-me today"}
    (outcome,) = pipeline.run(replace(request_, **texts))  # type: ignore[arg-type]
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.prompt"
    assert outcome.seed is None
    spans = [f.span for check in outcome.checks for f in check.findings if f.span]
    assert any(
        span.field == field and texts[field][span.start : span.end] == "sdsafe-canary-refuse-me" for span in spans
    )
    assert outcome.decision.leading


def test_no_weights_means_no_release(settings: Settings, request_: GenerationRequest, tmp_path: Path) -> None:
    bare = replace(settings, places=replace(settings.places, cache=tmp_path / "cache"))
    (outcome,) = open_pipeline(bare).run(request_)
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.output"
    assert outcome.checks[0].status == "unavailable"
    assert "sdsafe models pull" in outcome.checks[0].detail


def test_unsafe_mode_releases_and_says_so(settings: Settings, request_: GenerationRequest, tmp_path: Path) -> None:
    bare = replace(settings, places=replace(settings.places, cache=tmp_path / "cache"))
    (outcome,) = open_pipeline(bare, unsafe=UnsafeNoOutputCheck()).run(request_)
    assert isinstance(outcome, Recorded)
    report = open_validator(settings).inspect(outcome.asset)
    assert report.evidence.summary is not None
    assert report.evidence.summary.generation["unchecked"] is True


@pytest.mark.parametrize("empty", ["prompt_checks", "output_checks", "policies", "fingerprinters"])
def test_an_empty_list_is_not_a_configuration(settings: Settings, empty: str) -> None:
    with pytest.raises(ConfigurationError):
        open_pipeline(replace(settings, **{empty: ()}))  # type: ignore[arg-type]


def test_a_failed_delivery_is_withdrawn(
    settings: Settings, pipeline: Pipeline, request_: GenerationRequest, tmp_path: Path
) -> None:
    from sdsafe.records.ledger.log import SqliteLedger

    taken = tmp_path / "taken.png"
    taken.write_bytes(b"mine")
    with pytest.raises(AssetError):
        pipeline.run(request_, deliver=save_to(taken))
    assert taken.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [taken]
    ledger = SqliteLedger.open_existing(settings.places)
    assert ledger is not None
    *_, released, withdrawn = (logged.entry for logged in ledger.entries())
    assert (released.kind, withdrawn.kind) == ("released", "withdrawn")
    assert released.asset_id == withdrawn.asset_id
