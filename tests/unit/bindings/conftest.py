from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe._internal import images
from sdsafe.core.report import Evidence, ManifestState, ManifestSummary
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.core.states import Asset
from sdsafe.testing.fakes import GridFingerprinter, LsbWatermarker, MemoryRepository
from sdsafe.testing.samples import sample_signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.ids import AssetId
    from sdsafe.core.pixels import Pixels


@pytest.fixture
def release() -> Callable[..., tuple[Pixels, MemoryRepository]]:
    """Mark a picture, record it with its fingerprint, and return the marked pixels and the repository."""

    def make(
        picture: Pixels, *, asset_id: AssetId, repository: MemoryRepository | None = None, fingerprint: bool = True
    ) -> tuple[Pixels, MemoryRepository]:
        kept = repository or MemoryRepository()
        (marked,) = LsbWatermarker().embed([picture], [asset_id.value])
        grid = GridFingerprinter()
        binding = SoftBinding(alg=grid.alg, value=grid.compute(marked), kind=BindingKind.FINGERPRINT)
        kept.put(
            sample_signed(
                marked,
                asset_id=asset_id,
                fingerprints=[binding] if fingerprint else [],
                manifest_store=b"store of " + asset_id.value,
            )
        )
        return marked, kept

    return make


@pytest.fixture
def as_png() -> Callable[[Pixels], Asset]:
    return lambda pixels: Asset(data=images.encode(pixels), media_type="image/png")


@pytest.fixture
def evidence_of() -> Callable[..., Evidence]:
    """Return evidence with a manifest state, and a summary that names an asset id where one is given."""

    def make(manifest: ManifestState, asset_id: str | None = None) -> Evidence:
        summary = ManifestSummary(
            label="urn:c2pa:test",
            claim_generator="test",
            signer="",
            issuer="",
            signature_time=None,
            trust_list=None,
            asset_id=asset_id,
        )
        return Evidence(manifest=manifest, summary=None if manifest is ManifestState.ABSENT else summary)

    return make
