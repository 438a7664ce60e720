"""A key is renewed: files of the old and of the new one hold side by side, for those to whom both are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.provenance.signing.local import FileSigner
from sdsafe.provenance.trust.probe import TrustProbe
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.states import Asset

REQUEST = GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


def _released(places: Places, signer: FileSigner) -> Asset:
    (outcome,) = fake_pipeline(places, signer=signer).run(REQUEST)
    assert isinstance(outcome, Recorded)
    return outcome.asset


def _state(asset: Asset, *roots: Path) -> ManifestState:
    seen = ManifestProbe().examine(asset, Evidence())
    policy = TrustPolicy(anchors={ListKind.MANIFEST: tuple(root.read_bytes() for root in roots)})
    return TrustProbe(policy).examine(asset, seen).manifest


def test_files_of_both_keys_are_trusted_where_both_roots_are_listed(places: Places) -> None:
    """As the guide on certificates has it: the old root is kept beside the new one, and both are given out."""
    folder = places.keys
    init_development(folder, name="Example", password=None, force=False)
    before = _released(places, FileSigner.configure(places, {}))
    renewed = init_development(folder, name="Example", password=None, force=True)
    after = _released(places, FileSigner.configure(places, {}))
    assert renewed.kept_root is not None
    old, new = folder / renewed.kept_root, folder / "root.pem"
    assert [_state(each, old, new) for each in (before, after)] == [ManifestState.TRUSTED] * 2
    assert [_state(each, new) for each in (before, after)] == [ManifestState.VALID, ManifestState.TRUSTED]
    assert [_state(each, old) for each in (before, after)] == [ManifestState.TRUSTED, ManifestState.VALID]


def test_two_keys_sign_side_by_side(places: Places, tmp_path: Path) -> None:
    """While machines change over one by one: each names its own key, and the state folder is that of both."""
    init_development(tmp_path / "a", name="Example", password=None, force=False)
    init_development(tmp_path / "b", name="Example", password=None, force=False)
    assets = [_released(places, FileSigner.configure(places, {"path": str(tmp_path / name)})) for name in "ab"]
    roots = [tmp_path / name / "root.pem" for name in "ab"]
    assert [_state(each, *roots) for each in assets] == [ManifestState.TRUSTED] * 2
