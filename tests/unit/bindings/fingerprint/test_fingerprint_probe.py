from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.bindings.fingerprint.phash import PhashFingerprinter
from sdsafe.bindings.fingerprint.probe import FingerprintProbe
from sdsafe.bindings.watermark.probe import WatermarkProbe
from sdsafe.core.ids import AssetId
from sdsafe.core.report import Evidence, LedgerState, ManifestState, SoftState, Verdict, decide
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.core.states import Asset
from sdsafe.errors import PluginError, RepositoryError
from sdsafe.testing.fakes import GridFingerprinter, LsbWatermarker, MemoryRepository
from sdsafe.testing.samples import sample_picture, sample_signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.pixels import Pixels

A, B = AssetId(b"asset--A"), AssetId(b"asset--B")
ABSENT = Evidence()
GRID = (GridFingerprinter(),)


def codes(seen: Evidence) -> list[str]:
    return [finding.code for finding in seen.findings]


def verdict(seen: Evidence) -> Verdict:
    return decide(seen.manifest, seen.soft, LedgerState.NOT_CHECKED)


def recompressed(pixels: Pixels) -> Asset:
    """A JPEG of the picture: the LSB mark is gone, the likeness is not."""
    return Asset(data=images.encode(pixels, "image/jpeg", quality=60), media_type="image/jpeg")


def test_the_nearest_recorded_asset_is_found(release: Any) -> None:
    marked, repository = release(sample_picture(1), asset_id=A)
    release(sample_picture(2), asset_id=B, repository=repository)
    seen = FingerprintProbe(GRID, repository).examine(recompressed(marked), ABSENT)
    assert seen.soft is SoftState.MATCH
    assert verdict(seen) is Verdict.RECOVERED
    (match,) = seen.matches
    assert (match.asset_id, match.manifest_store) == (str(A), b"store of asset--A")
    assert match.distance is not None
    assert 0 <= match.distance <= GRID[0].threshold
    assert match.p_value is None


def test_of_two_alike_the_nearest_is_taken_and_both_are_mentioned(release: Any, as_png: Any) -> None:
    picture = sample_picture(1)
    nearly = picture.copy()
    nearly[:40, :40] = 255 - nearly[:40, :40]
    repository = release(nearly, asset_id=B)[1]
    release(picture, asset_id=A, repository=repository)
    seen = FingerprintProbe(GRID, repository).examine(as_png(picture), ABSENT)
    assert seen.matches[0].asset_id == str(A)
    assert "1 other recorded asset" in seen.findings[0].explanation


def test_a_picture_like_none_recorded_is_not_detected(release: Any, as_png: Callable[[Pixels], Asset]) -> None:
    _, repository = release(sample_picture(1), asset_id=A)
    seen = FingerprintProbe(GRID, repository).examine(as_png(sample_picture(9)), ABSENT)
    assert seen.soft is SoftState.NOT_DETECTED
    assert codes(seen) == ["fingerprint.not-detected"]
    assert verdict(seen) is Verdict.UNKNOWN


@pytest.mark.parametrize("manifest", [ManifestState.VALID, ManifestState.TRUSTED])
def test_an_intact_manifest_is_not_looked_behind(manifest: ManifestState, evidence_of: Any) -> None:
    seen = FingerprintProbe(GRID, MemoryRepository()).examine(
        Asset(data=b"", media_type="image/png"), evidence_of(manifest, str(A))
    )
    assert seen.soft is SoftState.NOT_CHECKED
    assert "intact" in seen.not_checked[0]
    assert seen.findings == ()


@pytest.mark.parametrize("soft", [SoftState.MATCH, SoftState.MISMATCH])
def test_what_the_watermark_said_stands(soft: SoftState, release: Any, as_png: Callable[[Pixels], Asset]) -> None:
    marked, repository = release(sample_picture(1), asset_id=A)
    seen = FingerprintProbe(GRID, repository).examine(as_png(marked), Evidence(soft=soft))
    assert seen.soft is soft
    assert seen.matches == ()
    assert len(seen.not_checked) == 1


def test_a_likeness_never_recovers_under_another_id_than_the_mark(
    release: Any, as_png: Callable[[Pixels], Asset]
) -> None:
    picture = sample_picture(1)
    _, repository = release(picture, asset_id=A)
    (remarked,) = LsbWatermarker().embed([picture], [B.value])  # an id that nobody recorded
    asset = as_png(remarked)
    seen = WatermarkProbe([LsbWatermarker], repository, GRID, always=False).examine(asset, ABSENT)
    assert codes(seen) == ["watermark.unrecorded"]
    seen = FingerprintProbe(GRID, repository).examine(asset, seen)
    assert seen.soft is SoftState.MISMATCH
    assert seen.matches == ()
    assert codes(seen)[-1] == "fingerprint.contradicts-watermark"
    assert verdict(seen) is Verdict.UNKNOWN


def test_an_unconfirmed_mark_and_a_likeness_of_the_same_asset_agree(
    release: Any, as_png: Callable[[Pixels], Asset]
) -> None:
    marked, repository = release(sample_picture(1), asset_id=A)
    asset = as_png(marked)
    seen = WatermarkProbe([LsbWatermarker], repository, (), always=False).examine(asset, ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    seen = FingerprintProbe(GRID, repository).examine(asset, seen)
    assert seen.soft is SoftState.MATCH


def test_flat_pictures_match_nothing_although_their_hashes_are_equal(as_png: Callable[[Pixels], Asset]) -> None:
    phash = PhashFingerprinter()
    flat, other = (np.full((256, 256, 3), level, np.uint8) for level in (90, 200))
    assert phash.compute(flat) == phash.compute(other)
    repository = MemoryRepository()
    binding = SoftBinding(alg=phash.alg, value=phash.compute(flat), kind=BindingKind.FINGERPRINT)
    repository.put(sample_signed(flat, asset_id=A, fingerprints=[binding]))
    for picture in (flat, other):
        seen = FingerprintProbe((phash,), repository).examine(as_png(picture), ABSENT)
        assert seen.soft is SoftState.NOT_CHECKED
        assert codes(seen) == ["fingerprint.low-detail"]
        assert "too little detail" in seen.not_checked[0]


def test_low_detail_does_not_erase_what_the_watermark_probe_saw(as_png: Callable[[Pixels], Asset]) -> None:
    flat = np.full((256, 256, 3), 90, np.uint8)
    seen = FingerprintProbe((PhashFingerprinter(),), MemoryRepository()).examine(
        as_png(flat), Evidence(soft=SoftState.NOT_DETECTED)
    )
    assert seen.soft is SoftState.NOT_DETECTED


@pytest.mark.parametrize(("prints", "repository"), [((), MemoryRepository()), (GRID, None)])
def test_missing_parts_are_said(prints: Any, repository: Any, as_png: Callable[[Pixels], Asset]) -> None:
    seen = FingerprintProbe(prints, repository).examine(as_png(sample_picture()), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert len(seen.not_checked) == 1


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\nrubbish"])
def test_an_undecodable_picture_is_a_finding_too(data: bytes) -> None:
    seen = FingerprintProbe(GRID, MemoryRepository()).examine(Asset(data=data, media_type="image/png"), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert codes(seen) == ["fingerprint.unreadable-asset"]


def test_a_damaged_repository_is_not_checked(as_png: Callable[[Pixels], Asset]) -> None:
    class Damaged(MemoryRepository):
        def find(self, *_: object, **__: object) -> Any:
            raise RepositoryError("the index is damaged")

    seen = FingerprintProbe(GRID, Damaged()).examine(as_png(sample_picture()), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert "the index is damaged" in seen.not_checked[0]


def test_a_broken_fingerprinter_is_not_checked(as_png: Callable[[Pixels], Asset]) -> None:
    class Broken(GridFingerprinter):
        def compute(self, *_: object) -> bytes:
            raise PluginError("no module imagehash")

    seen = FingerprintProbe((Broken(),), MemoryRepository()).examine(as_png(sample_picture()), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert "imagehash" in seen.not_checked[0]
