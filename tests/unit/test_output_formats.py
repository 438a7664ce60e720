"""Every format that is written: signed, marked, and the same picture to a stranger."""

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
from sdsafe.api import read_asset, save_to
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState, SoftState, Verdict
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded
from sdsafe.errors import AssetError, RequestError
from sdsafe.provenance.manifest import container
from sdsafe.provenance.manifest._c2pa import read
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.pipeline import Pipeline

TYPES = sorted(images.ENCODABLE)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture(scope="module")
def pipeline(state: Path) -> Pipeline:
    places = Places(state=state, cache=state / "cache")
    return fake_pipeline(places, watermarker=plugins.load("sdsafe.watermarkers", "lattice", places))


def _ask(**fields: Any) -> GenerationRequest:
    return GenerationRequest(prompt="a red house", seed=7, size=Size(width=256, height=256), **fields)


@pytest.fixture(scope="module")
def released(pipeline: Pipeline) -> dict[str, Recorded]:
    made = {}
    for media_type in TYPES:
        (outcome,) = pipeline.run(_ask(media_type=media_type))
        assert isinstance(outcome, Recorded), outcome
        made[media_type] = outcome
    return made


@pytest.mark.parametrize("media_type", TYPES)
def test_two_validators_accept_it(released: dict[str, Recorded], media_type: str) -> None:
    data = released[media_type].asset.data
    assert images.sniff(data) == media_type == released[media_type].asset.media_type
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader(media_type, io.BytesIO(data), context=context) as reader:
        assert reader.get_validation_state() == "Valid", json.loads(reader.json()).get("validation_results")
    second = encypher_c2pa.verify(data, media_type, no_default_trust=True, telemetry=False)
    assert second["validation_state"] == "Valid", second


@pytest.mark.parametrize("media_type", TYPES)
def test_it_is_conformant(released: dict[str, Recorded], media_type: str) -> None:
    results = conformance(read(released[media_type].asset).manifest)
    assert len(results) == 31
    assert [each.check.id for each in results if not each.passed] == []


@pytest.mark.parametrize("media_type", TYPES)
def test_it_verifies_with_its_mark(
    released: dict[str, Recorded], media_type: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from sdsafe.api import open_validator
    from sdsafe.settings import Settings

    monkeypatch.setenv("HOME", str(state))
    places = Places(state=state, cache=state / "cache")
    settings = replace(Settings.load({"HOME": str(state)}), places=places)
    report = open_validator(settings, check_watermark=True).verify(released[media_type].asset)
    assert report.verdict is Verdict.VALID
    assert report.evidence.soft is SoftState.MATCH


def test_lossless_formats_hold_the_same_pixels_and_lossy_ones_nearly(released: dict[str, Recorded]) -> None:
    """One request and seed, another id in each: they differ by the mark, and by what the format loses."""
    made = {media_type: images.decode(each.asset.data).astype(int) for media_type, each in released.items()}
    for media_type, pixels in made.items():
        assert np.abs(pixels - made["image/png"]).mean() < 6, media_type
    assert len({each.generated.pixels_sha256 for each in released.values()}) == 1


@pytest.mark.parametrize("media_type", [each for each in TYPES if each not in images.LOSSLESS])
def test_quality_counts(pipeline: Pipeline, media_type: str) -> None:
    sizes = []
    for quality in (70, 100):
        (outcome,) = pipeline.run(_ask(media_type=media_type, quality=quality))
        assert isinstance(outcome, Recorded), outcome
        sizes.append(len(outcome.asset.data))
    assert sizes[0] < sizes[1]


def test_a_mark_that_does_not_survive_the_file_is_no_release(pipeline: Pipeline) -> None:
    """dwtDctSvd does not live through a JPEG of quality 1, nor would the picture."""
    with pytest.raises((AssetError, Exception), match=r"does not (read back|decode)") as caught:
        pipeline.run(_ask(media_type="image/jpeg", quality=1))
    assert caught.value.code in {"watermark.readback", "asset.readback"}  # type: ignore[attr-defined]  # ours


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"media_type": "image/gif"}, "cannot be written"),
        ({"media_type": "audio/wav"}, "cannot be written"),
        ({"quality": 90}, "has no quality"),
        ({"media_type": "image/jpeg", "quality": 0}, "1 to 100"),
        ({"media_type": "image/jpeg", "quality": 101}, "1 to 100"),
        ({"media_type": "image/jpeg", "quality": True}, "1 to 100"),
        ({"media_type": "image/jpeg", "quality": 90.0}, "1 to 100"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_made(
    pipeline: Pipeline, fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(RequestError, match=says) as caught:
        pipeline.run(_ask(**fields))
    assert caught.value.code == "request.format"


@pytest.mark.parametrize("media_type", container.REMOVABLE_TYPES)
def test_a_store_is_taken_out_byte_for_byte(released: dict[str, Recorded], media_type: str) -> None:
    if media_type == "audio/wav":
        pytest.skip("sounds have tests of their own")
    signed = released[media_type].asset.data
    plain = container.without_store(signed)
    assert len(plain) < len(signed)
    assert container.without_store(plain) == plain
    assert not read(type(released[media_type].asset)(data=plain, media_type=media_type)).present
    assert (images.decode(plain) == images.decode(signed)).all()


@pytest.mark.parametrize("data", [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xeb", b"\xff\xd8\xff\xeb\x00\x00JP" * 9])
def test_a_broken_jpeg_ends(data: bytes) -> None:
    assert len(container.without_store(data)) <= len(data)


@pytest.mark.parametrize("media_type", TYPES)
def test_a_manifest_beside_the_file_covers_every_byte(pipeline: Pipeline, media_type: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{media_type.removeprefix('image/')}"
    (outcome,) = pipeline.run(_ask(media_type=media_type, sidecar=True), deliver=save_to(path))
    assert isinstance(outcome, Recorded), outcome
    data, store = path.read_bytes(), (tmp_path / "x.c2pa").read_bytes()
    assert data == outcome.asset.data == container.without_store(data)
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader(media_type, io.BytesIO(data), store, context=context) as reader:
        assert reader.get_validation_state() == "Valid", json.loads(reader.json()).get("validation_results")
    assert _state(path) is ManifestState.VALID
    for at in (len(data) // 2, len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert _state(path) is not ManifestState.VALID
    path.write_bytes(data + b"\0")
    assert _state(path) is not ManifestState.VALID


def _state(path: Path, manifest: Path | None = None) -> ManifestState:
    return ManifestProbe().examine(read_asset(path, manifest), Evidence()).manifest


def test_a_sidecar_is_read_as_strictly_as_a_store_within(pipeline: Pipeline, tmp_path: Path) -> None:
    path, beside = tmp_path / "x.png", tmp_path / "x.c2pa"
    pipeline.run(_ask(sidecar=True), deliver=save_to(path))
    store = beside.read_bytes()
    for changed in (store[:-9], store[:200] + bytes([store[200] ^ 1]) + store[201:], store + b"\0" * 8, b"", b"x" * 99):
        beside.write_bytes(changed)
        assert _state(path) is not ManifestState.VALID
    beside.unlink()
    assert _state(path) is ManifestState.ABSENT
    elsewhere = tmp_path / "elsewhere.bin"
    elsewhere.write_bytes(store)
    assert _state(path, elsewhere) is ManifestState.VALID
    with pytest.raises(AssetError, match="cannot be read"):
        read_asset(path, tmp_path / "nowhere")


def test_a_manifest_in_the_file_goes_before_one_beside_it(pipeline: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    pipeline.run(_ask(), deliver=save_to(path))
    (tmp_path / "x.c2pa").write_bytes(b"of something else")
    seen = ManifestProbe().examine(read_asset(path), Evidence())
    assert seen.manifest is ManifestState.VALID
    assert any(each.startswith("sidecar: not looked at") for each in seen.not_checked)


def test_where_the_file_cannot_be_written_no_store_stays(pipeline: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"mine")
    with pytest.raises(AssetError):
        pipeline.run(_ask(sidecar=True), deliver=save_to(path))
    assert path.read_bytes() == b"mine"
    assert not (tmp_path / "x.c2pa").exists()
