"""``inspect()`` reports everything and never raises on bad evidence; ``verify()`` raises.

Verification is the mirror of the pipeline. The steps, in order:

1. read the manifest in the file (``ManifestProbe``),
2. judge its signer against the auditor's anchors (``TrustProbe``),
3. report what the file declares in XMP, IPTC and AIGC, which moves no verdict (``MetadataProbe``),
4. look for the watermark (``WatermarkProbe``) and
5. for the fingerprint (``FingerprintProbe``) where the manifest does not speak for itself,
6. read the manifest that a soft binding led to (``RecoveryProbe``),
7. ask the ledger (``LedgerProbe``), and
8. ``decide()``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sdsafe._internal.clock import rfc3339
from sdsafe._internal.versions import version
from sdsafe.core.digests import sha256_hex
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, ManifestState, Report, Verdict, decide
from sdsafe.core.trust import Require, TrustPolicy
from sdsafe.errors import ConfigurationError, VerificationError

if TYPE_CHECKING:
    from sdsafe.core.states import Asset
    from sdsafe.protocols import Probe

__all__ = ["Validator", "accepts", "inspect", "verify"]


def inspect(asset: Asset, probes: tuple[Probe, ...]) -> Report:
    """Run every probe in order and return what they saw. Bad evidence is a finding, never an exception.

    Raises:
        ConfigurationError: No probes were given; nothing looked at is not a report.
    """
    if not probes:
        raise ConfigurationError("no probes: nothing would be looked at", hint="Use sdsafe.open_validator().")
    seen = Evidence()
    for probe in probes:
        seen = _guarded(probe, asset, seen)
    return Report(
        asset_digest=sha256_hex(asset.data),
        media_type=asset.media_type,
        evidence=seen,
        verdict=decide(seen.manifest, seen.soft, seen.ledger),
        verified_at=rfc3339(),
        tool=f"sdsafe/{version('sdsafe')}",
    )


def accepts(verdict: Verdict, policy: TrustPolicy) -> bool:
    """Say whether a verdict is at least what the policy requires."""
    if policy.least is Require.TRUSTED:
        return verdict is Verdict.TRUSTED
    return verdict in (Verdict.TRUSTED, Verdict.VALID)


def verify(asset: Asset, probes: tuple[Probe, ...], policy: TrustPolicy) -> Report:
    """Return the report if it shows what the policy requires.

    Raises:
        VerificationError: It does not; the error carries the report.
    """
    report = inspect(asset, probes)
    if not accepts(report.verdict, policy):
        raise VerificationError(
            f"verdict is {report.verdict.value}, required is {policy.least.value}",
            report=report,
            hint=_HINTS[report.verdict],
        )
    return report


_HINTS = {
    Verdict.TRUSTED: "",
    Verdict.VALID: "The file is intact but its signer is on none of your lists: pass --trust, or --require valid.",
    Verdict.RECOVERED: "The manifest was stripped; a recorded one was found. That does not bind these very bytes.",
    Verdict.INVALID: "Evidence contradicts. It does not say why: any change to the bytes has this effect.",
    Verdict.UNKNOWN: "No evidence was found. That says nothing about where the picture comes from.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """Probes and a trust policy, ready to use on any number of assets."""

    probes: tuple[Probe, ...]
    policy: TrustPolicy

    def inspect(self, asset: Asset) -> Report:
        """Report everything; see ``inspect``."""
        return inspect(asset, self.probes)

    def verify(self, asset: Asset) -> Report:
        """Return the report or raise ``VerificationError``; see ``verify``."""
        return verify(asset, self.probes, self.policy)


def _guarded(probe: Probe, asset: Asset, seen: Evidence) -> Evidence:
    """Run a probe; a fault inside it is recorded, and a manifest it may have left unread counts as invalid."""
    try:
        return probe.examine(asset, seen)
    except Exception as fault:  # noqa: BLE001 - inspect() never raises on evidence, whatever a probe does
        finding = Finding(
            code="probe.failed",
            severity=Severity.FAILURE,
            stage=Stage.VERIFY,
            source=probe.name,
            source_version=version("sdsafe"),
            explanation=f"{probe.name} failed: {type(fault).__name__}",
        )
        noted = seen.noting([finding], not_checked=[f"{probe.name}: it failed ({type(fault).__name__})"])
        return noted if probe.name != "manifest" else _unread(noted)


def _unread(seen: Evidence) -> Evidence:
    return replace(seen, manifest=ManifestState.INVALID)
