"""The step that judges who signed: against the auditor's own anchors, and against those of the right kind only."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.clock import now
from sdsafe._internal.versions import version
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.provenance.trust.evaluate import ChainResult, evaluate
from sdsafe.provenance.trust.lists import parse_anchors
from sdsafe.provenance.trust.revocation import revocation_faults
from sdsafe.provenance.trust.stapling import Status, stapled_statuses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sdsafe.core.report import ManifestSummary
    from sdsafe.core.states import Asset

__all__ = ["TrustProbe"]

_EXPIRY = {"expired", "not-yet-valid"}
_PURPOSE, _REVOKED = "extended-key-usage", "revoked"


class TrustProbe:
    """Lifts *valid* to *trusted* when the signer's chain ends in an anchor of the manifest list."""

    name = "trust"

    def __init__(
        self,
        policy: TrustPolicy,
        *,
        at: datetime | None = None,
        revoked: Iterable[x509.CertificateRevocationList] = (),
    ) -> None:
        """Keep the anchors for signers; those for time-stamps and identities are not looked at.

        Args:
            policy: What the auditor accepts.
            at: Time of validation (aware); default: now. A proven time of signing goes before it.
            revoked: Lists of certificates that were taken back.

        Raises:
            ConfigurationError: An anchor is not the certificate of an authority.
        """
        self._anchors = tuple(
            x509.load_pem_x509_certificate(block).public_bytes(Encoding.DER)
            for pem in policy.anchors.get(ListKind.MANIFEST, ())
            for block in parse_anchors(pem, "trust policy")
        )
        self._at = at
        self._revoked = tuple(revoked)

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:  # noqa: ARG002 - the slot's signature
        """Judge the signer of an intact manifest; anything else is passed on unchanged."""
        summary = seen.summary
        if seen.manifest is not ManifestState.VALID or summary is None:
            return seen
        seen = seen.noting(self._stapled(summary))
        if against := (*self._taken_back(summary), *self._misused(summary)):
            return replace(seen, manifest=ManifestState.INVALID).noting(against)
        if not self._anchors:
            note = "signer unknown: no manifest trust list configured"
            return seen.noting(
                [self._finding("signingCredential.untrusted", Severity.INFORMATIONAL, note)],
                not_checked=[f"trust: {note}"],
            )
        result = evaluate(summary.certificate_chain, self._anchors, at=self._moment(summary))
        if not result.trusted:
            return seen.noting(self._refusals(result))
        explanation = f"the signer's chain ends in {result.anchor!r}, which is on the manifest trust list"
        return replace(seen, manifest=ManifestState.TRUSTED, summary=replace(summary, trust_list=result.anchor)).noting(
            [self._finding("signingCredential.trusted", Severity.SUCCESS, explanation)]
        )

    def _stapled(self, summary: ManifestSummary) -> Iterator[Finding]:
        """Yield what was stapled and is no objection."""
        for status in self._statuses(summary):
            if status.word != _REVOKED:
                severity = Severity.SUCCESS if status.word == "notRevoked" else Severity.INFORMATIONAL
                yield self._finding(f"signingCredential.ocsp.{status.word}", severity, status.says)

    def _statuses(self, summary: ManifestSummary) -> Iterator[Status]:
        return stapled_statuses(summary.certificate_chain, self._anchors, summary.stapled, self._moment(summary))

    def _taken_back(self, summary: ManifestSummary) -> Iterator[Finding]:
        moment = self._moment(summary)
        for status in self._statuses(summary):
            if status.word == _REVOKED:
                yield self._finding("signingCredential.ocsp.revoked", Severity.FAILURE, status.says, rule=_REVOKED)
        for fault in revocation_faults(summary.certificate_chain, self._anchors, self._revoked, moment):
            yield self._finding("signingCredential.revoked", Severity.FAILURE, fault.says, rule=fault.rule)

    def _misused(self, summary: ManifestSummary) -> Iterator[Finding]:
        """Yield a failure for a certificate that is for other purposes, whoever vouches for it (C2PA 2.4, 14.5.1).

        The C2PA library takes one for time-stamping or OCSP alone as a signer's (measured with 0.91.3).
        """
        leaf = evaluate(summary.certificate_chain[:1], (), at=self._moment(summary))
        for fault in leaf.leaf_faults:
            if fault.rule == _PURPOSE:
                says = f"the signer's certificate: {fault.says}"
                yield self._finding("signingCredential.invalid", Severity.FAILURE, says, rule=fault.rule)

    def _refusals(self, result: ChainResult) -> Iterator[Finding]:
        for fault in result.leaf_faults:
            code = "signingCredential.expired" if fault.rule in _EXPIRY else "signingCredential.invalid"
            yield self._finding(code, Severity.FAILURE, f"the signer's certificate: {fault.says}", rule=fault.rule)
        for fault in result.path_faults:
            yield self._finding("signingCredential.untrusted", Severity.FAILURE, fault.says, rule=fault.rule)

    def _finding(self, code: str, severity: Severity, explanation: str, rule: str | None = None) -> Finding:
        return Finding(
            code=code,
            severity=severity,
            stage=Stage.VERIFY,
            source=self.name,
            source_version=version("sdsafe"),
            explanation=explanation,
            data={} if rule is None else {"rule": rule},
        )

    def _moment(self, summary: ManifestSummary) -> datetime:
        """Return the proven time of signing, else that of validation."""
        if summary.signature_time is not None:
            return datetime.fromisoformat(summary.signature_time)
        return self._at or now()
