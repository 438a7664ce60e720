from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sdsafe._internal import images
from sdsafe.core.digests import sha256_hex
from sdsafe.core.findings import Stage
from sdsafe.core.places import Places
from sdsafe.core.request import InputImage
from sdsafe.errors import PluginError
from sdsafe.provenance.manifest.input_check import InputProvenanceCheck
from sdsafe.provenance.manifest.reading import refused_uses
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from pathlib import Path


def image(data: bytes) -> InputImage:
    return InputImage(
        role="image", pixels=images.decode(data), sha256=sha256_hex(data), media_type="image/png", data=data
    )


def found(data: bytes) -> list[tuple[str, str | None]]:
    findings = list(InputProvenanceCheck().check_input(image(data)))
    assert {each.stage for each in findings} == {Stage.INPUT}
    return [(each.code, each.category) for each in findings]


def test_a_picture_without_a_manifest_states_nothing() -> None:
    assert found(images.encode(sample_picture())) == [("input.manifest.absent", None)]


def test_an_intact_manifest_speaks_against_nothing(signed_png: Path) -> None:
    assert found(signed_png.read_bytes()) == [("input.manifest.valid", None)]


def test_a_manifest_over_other_pixels_is_reported(signed_png: Path) -> None:
    data = bytearray(signed_png.read_bytes())
    data[-40] ^= 1  # inside the last chunk of pixels: its checksum no longer fits
    findings = list(InputProvenanceCheck().check_input(InputImage(
        role="image", pixels=sample_picture(), sha256="0" * 64, media_type="image/png", data=bytes(data),
    )))  # fmt: skip
    assert [each.category for each in findings] == [None, "input_manifest_invalid"]


def manifest(label: str, name: str, use: str) -> dict[str, Any]:
    return {"assertions": {label: {"entries": {name: {"use": use}}}}}


@pytest.mark.parametrize(
    ("document", "uses"),
    [
        (manifest("cawg.training-mining", "cawg.ai_inference", "notAllowed"), ("ai_inference",)),
        (manifest("c2pa.training-mining", "c2pa.ai_generative_training", "notAllowed"), ("ai_generative_training",)),
        (manifest("cawg.training-mining__1", "cawg.ai_inference", "constrained"), ("ai_inference",)),
        (manifest("cawg.training-mining", "cawg.ai_inference", "allowed"), ()),
        (manifest("cawg.training-mining", "cawg.data_mining", "notAllowed"), ()),
        (manifest("org.example.mining", "cawg.ai_inference", "notAllowed"), ()),
        ({"assertions": {"cawg.training-mining": {"entries": ["cawg.ai_inference"]}}}, ()),
        ({"assertions": {"cawg.training-mining": "notAllowed"}}, ()),
        ({"assertions": []}, ()),
        ({}, ()),
    ],
)
def test_what_a_manifest_does_not_allow(document: dict[str, Any], uses: tuple[str, ...]) -> None:
    assert refused_uses(document) == uses


def test_it_takes_no_options(tmp_path: Path) -> None:
    places = Places(state=tmp_path, cache=tmp_path)
    assert InputProvenanceCheck.configure(places, {}).name == "input-provenance"
    with pytest.raises(PluginError, match="speed"):
        InputProvenanceCheck.configure(places, {"speed": 1})
