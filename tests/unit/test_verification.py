from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, LedgerState, ManifestState, SoftState, Verdict
from sdsafe.core.states import Asset
from sdsafe.core.trust import ListKind, Require, TrustPolicy
from sdsafe.errors import ConfigurationError, VerificationError
from sdsafe.verification import accepts, inspect, verify

ASSET = Asset(data=b"bytes", media_type="image/png")
ANCHORED = TrustPolicy(anchors={ListKind.MANIFEST: (b"pem",)})


@dataclass(frozen=True)
class Says:
    """A probe that sets states and leaves a finding."""

    name: str = "says"
    manifest: ManifestState | None = None
    soft: SoftState | None = None
    ledger: LedgerState | None = None

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        states = {k: v for k in ("manifest", "soft", "ledger") if (v := getattr(self, k)) is not None}
        finding = Finding(
            code=self.name, severity=Severity.INFORMATIONAL, stage=Stage.VERIFY, source=self.name, source_version="1"
        )
        return replace(seen, **states).noting([finding])  # type: ignore[arg-type]


@dataclass(frozen=True)
class Breaks:
    name: str = "breaks"

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        raise RuntimeError("a prompt that must not leak")


def test_findings_are_kept_in_the_order_of_the_probes() -> None:
    report = inspect(ASSET, (Says(name="a"), Says(name="b"), Says(name="c")))
    assert [f.code for f in report.evidence.findings] == ["a", "b", "c"]


def test_the_digest_is_that_of_the_file() -> None:
    assert inspect(ASSET, (Says(),)).asset_digest == "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9"


def test_a_probe_that_breaks_is_named_and_the_rest_still_runs() -> None:
    report = inspect(ASSET, (Breaks(), Says(manifest=ManifestState.VALID)))
    assert report.verdict is Verdict.VALID
    assert "probe.failed" in {f.code for f in report.evidence.findings}
    assert any("breaks" in note for note in report.evidence.not_checked)
    assert "leak" not in str(report)


def test_a_manifest_that_cannot_be_read_is_not_absent() -> None:
    assert inspect(ASSET, (Breaks(name="manifest"),)).verdict is Verdict.INVALID


def test_no_probes_is_not_a_report() -> None:
    with pytest.raises(ConfigurationError, match="no probes"):
        inspect(ASSET, ())


@pytest.mark.parametrize(
    ("state", "policy", "verdict"),
    [
        (ManifestState.VALID, ANCHORED, Verdict.VALID),
        (ManifestState.VALID, TrustPolicy(require=Require.TRUSTED), Verdict.VALID),
        (ManifestState.ABSENT, TrustPolicy(), Verdict.UNKNOWN),
        (ManifestState.WELL_FORMED, TrustPolicy(), Verdict.INVALID),
    ],
)
def test_less_than_required_raises_with_the_report(state: ManifestState, policy: TrustPolicy, verdict: Verdict) -> None:
    with pytest.raises(VerificationError) as caught:
        verify(ASSET, (Says(manifest=state),), policy)
    assert caught.value.report.verdict is verdict
    assert caught.value.code == f"verification.{verdict.value}"
    assert caught.value.hint


def test_enough_returns_the_report() -> None:
    probes = (Says(manifest=ManifestState.TRUSTED),)
    assert verify(ASSET, probes, ANCHORED).verdict is Verdict.TRUSTED
    assert verify(ASSET, (Says(manifest=ManifestState.VALID),), TrustPolicy()).verdict is Verdict.VALID


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_intact_manifests_are_ever_accepted(verdict: Verdict) -> None:
    for policy in (TrustPolicy(), ANCHORED, TrustPolicy(require=Require.VALID)):
        if verdict in {Verdict.RECOVERED, Verdict.INVALID, Verdict.UNKNOWN}:
            assert not accepts(verdict, policy)


def test_recovered_needs_a_soft_binding_and_is_not_accepted() -> None:
    probes = (Says(soft=SoftState.MATCH, ledger=LedgerState.INCLUDED),)
    with pytest.raises(VerificationError) as caught:
        verify(ASSET, probes, TrustPolicy())
    assert caught.value.report.verdict is Verdict.RECOVERED
