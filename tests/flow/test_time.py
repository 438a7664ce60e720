"""Time-stamps through the whole way: what a pack demands, what an expired certificate is worth, what a failure leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded, Refused
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.errors import SigningError
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.signing.timestamp import HttpStamper
from sdsafe.provenance.trust.probe import TrustProbe
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.states import Asset, Outcome
    from sdsafe.testing.authority import Authority

REQUEST = GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)
NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


def run(places: Places, *authorities: str, stamping: str = "require", **others: Any) -> Outcome:
    stamper = HttpStamper.of(authorities, stamping, timeout_s=0.5) if authorities else None
    (outcome,) = fake_pipeline(places, stamper=stamper, **others).run(REQUEST)
    return outcome


def demanding() -> dict[str, Any]:
    """Return the part of a pipeline that demands a time-stamp: a shipped pack."""
    packs = load_policies(["baseline", "eu-code-of-practice"])
    return {"policy": PackPolicy(packs), "prompt_checks": (LexiconCheck(packs),)}


def examined(asset: Asset, places: Places, *, at: datetime, time_roots: tuple[bytes, ...]) -> ManifestState:
    root = (places.keys / "root.pem").read_bytes()
    seen = ManifestProbe(time_anchors=time_roots, at=at).examine(asset, Evidence())
    return TrustProbe(TrustPolicy(anchors={ListKind.MANIFEST: (root,)}), at=at).examine(asset, seen).manifest


def test_a_release_says_when_it_was_signed(places: Places, time_authority: Authority) -> None:
    outcome = run(places, time_authority.address)
    assert isinstance(outcome, Recorded)
    seen = ManifestProbe(time_anchors=(time_authority.root,)).examine(outcome.asset, Evidence())
    assert seen.manifest is ManifestState.VALID
    assert seen.summary is not None
    assert seen.summary.signature_time == seen.summary.stamped_at is not None
    moment = datetime.fromisoformat(seen.summary.signature_time)
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)


def test_a_time_proves_nothing_to_who_does_not_trust_the_authority(places: Places, time_authority: Authority) -> None:
    outcome = run(places, time_authority.address)
    assert isinstance(outcome, Recorded)
    for anchors in ((), ((places.keys / "root.pem").read_bytes(),)):
        seen = ManifestProbe(time_anchors=anchors).examine(outcome.asset, Evidence())
        assert seen.summary is not None
        assert seen.summary.stamped_at is not None
        assert seen.summary.signature_time is None


def test_an_expired_certificate_is_trusted_with_a_time_and_only_then(places: Places, time_authority: Authority) -> None:
    later = datetime.now(UTC) + timedelta(days=2_000)
    stamped, plain = run(places, time_authority.address), run(places)
    assert isinstance(stamped, Recorded)
    assert isinstance(plain, Recorded)
    roots = (time_authority.root,)
    assert examined(stamped.asset, places, at=later, time_roots=roots) is ManifestState.TRUSTED
    assert examined(plain.asset, places, at=later, time_roots=roots) is ManifestState.INVALID
    assert examined(stamped.asset, places, at=later, time_roots=()) is ManifestState.INVALID


def test_what_has_expired_by_now_held_when_it_is_asked_about(places: Places) -> None:
    outcome = run(places)
    assert isinstance(outcome, Recorded)
    today = datetime.now(UTC)
    assert examined(outcome.asset, places, at=today, time_roots=()) is ManifestState.TRUSTED
    for moment in (today - timedelta(days=2_000), today + timedelta(days=2_000)):
        assert examined(outcome.asset, places, at=moment, time_roots=()) is ManifestState.INVALID


def test_a_pack_that_demands_a_time_gets_one(places: Places, time_authority: Authority) -> None:
    outcome = run(places, time_authority.address, **demanding())
    assert isinstance(outcome, Recorded)
    shown = [each for each in outcome.signed.discharges if each.obligation.code == "sign_c2pa"]
    assert any("time-stamped 20" in each.evidence for each in shown)


def test_without_an_authority_the_pack_refuses_before_anything_is_made(places: Places) -> None:
    outcome = run(places, **demanding())
    assert isinstance(outcome, Refused)
    assert "time-stamp authority" in outcome.message
    assert outcome.asset_id is None


def test_best_effort_is_not_enough_for_the_pack(places: Places) -> None:
    outcome = run(places, NOWHERE, stamping="best_effort", **demanding())
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.obligation"


def test_best_effort_signs_without(places: Places, caplog: pytest.LogCaptureFixture) -> None:
    outcome = run(places, NOWHERE, stamping="best_effort")
    assert isinstance(outcome, Recorded)
    seen = ManifestProbe().examine(outcome.asset, Evidence())
    assert seen.summary is not None
    assert seen.summary.stamped_at is None
    assert "without a time-stamp" in caplog.text


@pytest.mark.parametrize("behaviour", ["fails", "garbage", "hangs", "other"])
def test_where_a_time_is_required_a_failure_leaves_nothing(
    places: Places, time_authority: Authority, behaviour: str
) -> None:
    pipeline = fake_pipeline(places, stamper=HttpStamper.of([time_authority.address], "require", timeout_s=0.5))
    pipeline.run(REQUEST)
    time_authority.behaviour = behaviour
    with pytest.raises(SigningError) as caught:
        pipeline.run(REQUEST)
    assert caught.value.code == "signing.timestamp"
    time_authority.behaviour = "grants"
    assert isinstance(pipeline.run(REQUEST)[0], Recorded)
