"""A mark can be copied onto another picture; what then counts is that nothing is recovered from it."""

from __future__ import annotations

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.bindings.fingerprint.phash import PhashFingerprinter
from sdsafe.bindings.watermark.lattice import LatticeWatermarker
from sdsafe.bindings.watermark.probe import WatermarkProbe
from sdsafe.core.ids import AssetId
from sdsafe.core.report import Evidence, SoftState
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.core.states import Asset
from sdsafe.testing.fakes import MemoryRepository
from sdsafe.testing.samples import sample_signed

ASSET = AssetId(b"\x11\x22\x33\x44\x55\x66\x77\x88")


def test_a_copied_mark_reads_and_recovers_nothing() -> None:
    data = pytest.importorskip("skimage.data")
    owner, victim = (np.ascontiguousarray(each[..., :3]) for each in (data.astronaut(), data.immunohistochemistry()))
    marker, phash = LatticeWatermarker(bytes(range(32))), PhashFingerprinter()
    (marked,) = marker.embed([owner], [ASSET.value])
    repository = MemoryRepository()
    binding = SoftBinding(alg=phash.alg, value=phash.compute(marked), kind=BindingKind.FINGERPRINT)
    recorded = sample_signed(marked, asset_id=ASSET, watermark_alg=marker.alg, fingerprints=[binding])
    repository.put(recorded)
    forged = np.clip(victim.astype(int) + marked - owner, 0, 255).astype(np.uint8)
    assert marker.detect([forged])[0].payload == ASSET.value  # the check bits do not stop a copy ...

    probe = WatermarkProbe([lambda: marker], repository, [phash], always=False)
    seen = probe.examine(Asset(data=images.encode(forged), media_type="image/png", name="forged.png"), Evidence())
    assert seen.soft is SoftState.MISMATCH  # ... the fingerprint does
    assert not seen.matches
    own = probe.examine(Asset(data=images.encode(marked), media_type="image/png", name="own.png"), Evidence())
    assert own.soft is SoftState.MATCH
