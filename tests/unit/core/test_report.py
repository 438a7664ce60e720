from __future__ import annotations

from itertools import product

import pytest

from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, LedgerState, ManifestState, Report, SoftState, Verdict, decide, verdict_table

# From the most to the least that a report can show. "Invalid" is last: contradiction outweighs ignorance.
_RANK = [Verdict.TRUSTED, Verdict.VALID, Verdict.RECOVERED, Verdict.UNKNOWN, Verdict.INVALID]


def _rank(verdict: Verdict) -> int:
    return _RANK.index(verdict)


def test_is_total() -> None:
    rows = list(verdict_table())
    assert len(rows) == len(ManifestState) * len(SoftState) * len(LedgerState)
    assert {verdict for *_, verdict in rows} == set(Verdict)


@pytest.mark.parametrize(("manifest", "ledger"), list(product(ManifestState, LedgerState)))
def test_a_contradicting_soft_binding_never_improves(manifest: ManifestState, ledger: LedgerState) -> None:
    for other in (SoftState.NOT_CHECKED, SoftState.NOT_DETECTED, SoftState.MATCH):
        assert _rank(decide(manifest, SoftState.MISMATCH, ledger)) >= _rank(decide(manifest, other, ledger))


@pytest.mark.parametrize(("manifest", "soft"), list(product(ManifestState, SoftState)))
def test_a_contradicting_ledger_never_improves(manifest: ManifestState, soft: SoftState) -> None:
    for other in LedgerState:
        assert _rank(decide(manifest, soft, LedgerState.INCONSISTENT)) >= _rank(decide(manifest, soft, other))


@pytest.mark.parametrize(("soft", "ledger"), list(product(SoftState, LedgerState)))
def test_a_broken_manifest_is_never_better_than_none(soft: SoftState, ledger: LedgerState) -> None:
    for broken in (ManifestState.INVALID, ManifestState.WELL_FORMED):
        assert decide(broken, soft, ledger) is Verdict.INVALID


def test_only_a_trusted_signer_gives_trusted() -> None:
    assert {m for m, _, _, v in verdict_table() if v is Verdict.TRUSTED} == {ManifestState.TRUSTED}


def test_recovery_needs_a_match_and_no_denial_by_the_ledger() -> None:
    rows = {(m, s, led) for m, s, led, v in verdict_table() if v is Verdict.RECOVERED}
    assert rows == {
        (ManifestState.ABSENT, SoftState.MATCH, LedgerState.INCLUDED),
        (ManifestState.ABSENT, SoftState.MATCH, LedgerState.NOT_CHECKED),
    }


def test_a_report_is_not_a_boolean() -> None:
    report = Report(
        asset_digest="0" * 64,
        media_type="image/png",
        evidence=Evidence(),
        verdict=Verdict.UNKNOWN,
        verified_at="",
        tool="",
    )
    with pytest.raises(TypeError, match="verdict"):
        bool(report)


def test_evidence_only_grows() -> None:
    finding = Finding(code="a", severity=Severity.SUCCESS, stage=Stage.VERIFY, source="s", source_version="1")
    grown = Evidence().noting([finding], not_checked=["x"]).noting(not_checked=["y"])
    assert grown.findings == (finding,)
    assert grown.not_checked == ("x", "y")
