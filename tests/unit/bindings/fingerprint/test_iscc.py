"""The Image-Code of ISO 24138: like the foundation's own, found again after edits, and listed in the manifest."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest
from PIL import Image

from sdsafe import plugins
from sdsafe._internal import images
from sdsafe.bindings.fingerprint.iscc import IsccFingerprinter
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.softbinding import ISCC, BindingKind, SoftBinding, listed_value
from sdsafe.core.states import Recorded
from sdsafe.errors import AssetError, MissingExtraError
from sdsafe.provenance.manifest._c2pa import read
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.testing.contracts import FingerprinterContract
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from pathlib import Path

CODE = IsccFingerprinter()
iscc_core = pytest.importorskip("iscc_core")


class TestIsccFingerprinter(FingerprinterContract):
    def make(self) -> IsccFingerprinter:
        return IsccFingerprinter()


def _text(image: Any) -> str:
    text = listed_value(SoftBinding(alg=CODE.alg, value=CODE.compute(image), kind=BindingKind.FINGERPRINT))
    assert text is not None
    return text


def test_it_is_the_librarys_code_of_32_gray_values() -> None:
    picture = sample_picture(4)
    gray = Image.fromarray(picture).convert("L").resize((32, 32), Image.Resampling.BICUBIC)
    assert _text(picture) == iscc_core.gen_image_code_v0(np.asarray(gray).ravel().tolist(), bits=256)["iscc"]
    short = iscc_core.gen_image_code_v0(np.asarray(gray).ravel().tolist(), bits=64)["iscc"]
    assert CODE.compute(picture)[2:10] == iscc_core.decode_base32(short.removeprefix("ISCC:"))[2:]


def test_a_uniform_border_is_left_out() -> None:
    picture = sample_picture(5)
    framed = np.pad(picture, ((20, 30), (7, 90), (0, 0)), constant_values=17)
    assert CODE.compute(framed) == CODE.compute(picture)


def test_a_flat_picture_says_nothing() -> None:
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert not CODE.discriminates(flat)
    assert CODE.discriminates(sample_picture(1))
    assert len(CODE.compute(flat)) == 34


def test_edits_stay_near_and_other_pictures_far() -> None:
    pictures = [sample_picture(seed) for seed in range(6)]
    codes = [CODE.compute(each) for each in pictures]
    for picture, code in zip(pictures, codes, strict=True):
        edited = images.decode(images.encode(picture, "image/jpeg", quality=40))
        assert CODE.distance(code, CODE.compute(edited)) <= CODE.threshold
    assert min(CODE.distance(a, b) for a in codes for b in codes if a != b) > CODE.threshold


def test_codes_of_another_kind_are_as_far_as_can_be() -> None:
    code = CODE.compute(sample_picture(2))
    assert CODE.distance(code, b"\0\0" + code[2:]) == 1.0
    assert CODE.distance(code, code[:-1]) == 1.0


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(AssetError):
        CODE.compute(np.zeros((8, 8), np.uint8))  # type: ignore[arg-type]  # on purpose


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iscc_core", None)
    with pytest.raises(MissingExtraError) as caught:
        CODE.compute(sample_picture(3))
    assert "iscc" in caught.value.hint


def test_others_are_not_listed() -> None:
    assert listed_value(SoftBinding(alg="imagehash.phash-16", value=bytes(32), kind=BindingKind.FINGERPRINT)) is None


def test_it_stands_in_the_manifest_and_leads_back_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from sdsafe.api import open_validator
    from sdsafe.core.report import Verdict
    from sdsafe.core.states import Asset
    from sdsafe.settings import Settings

    monkeypatch.setenv("HOME", str(tmp_path))
    places = Places(state=tmp_path / "state", cache=tmp_path / "cache")
    both = tuple(plugins.load("sdsafe.fingerprinters", name, places) for name in ("phash", "iscc"))
    pipeline = fake_pipeline(places, fingerprinters=both)
    (outcome,) = pipeline.run(GenerationRequest(prompt="a red house", seed=7, size=Size(width=256, height=256)))
    assert isinstance(outcome, Recorded), outcome
    data = outcome.asset.data
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader("image/png", io.BytesIO(data), context=context) as reader:
        assert reader.get_validation_state() == "Valid"
        report = json.loads(reader.json())
    assert (
        encypher_c2pa.verify(data, "image/png", no_default_trust=True, telemetry=False)["validation_state"] == "Valid"
    )
    assert [each.check.id for each in conformance(read(outcome.asset).manifest) if not each.passed] == []
    active = report["manifests"][report["active_manifest"]]
    (bound,) = [each["data"] for each in active["assertions"] if each["label"] == "c2pa.soft-binding"]
    assert bound["alg"] == ISCC
    assert bound["blocks"][0]["value"] == _text(images.decode(data))
    stripped = images.encode(images.decode(data), "image/jpeg", quality=40)
    settings = replace(Settings.load({"HOME": str(tmp_path)}), places=places, fingerprinters=("iscc",))
    report_ = open_validator(settings).inspect(Asset(data=stripped, media_type="image/jpeg"))
    assert report_.verdict is Verdict.RECOVERED
    assert report_.evidence.matches[0].alg == ISCC


def test_a_plain_verify_does_not_import_it(signed_png: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom sdsafe.api import inspect\n"
        f"inspect(Path({str(signed_png)!r}))\nassert 'iscc_core' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
