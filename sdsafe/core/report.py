"""Evidence, verdict and report: what was seen, and what follows from it.

``decide()`` is total over the product of the three states; its table in the docs is printed from the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn, assert_never

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sdsafe.core.findings import Finding
    from sdsafe.core.receipts import Receipt

__all__ = [
    "Evidence",
    "LedgerState",
    "ManifestState",
    "ManifestSummary",
    "Report",
    "SoftMatch",
    "SoftState",
    "Verdict",
    "decide",
    "verdict_table",
]


class ManifestState(StrEnum):
    """How far the manifest in the file got; each state includes the ones above it."""

    ABSENT = "absent"
    INVALID = "invalid"
    WELL_FORMED = "well_formed"
    VALID = "valid"
    TRUSTED = "trusted"


class SoftState(StrEnum):
    """What soft bindings say."""

    NOT_CHECKED = "not_checked"
    NOT_DETECTED = "not_detected"
    MATCH = "match"
    MISMATCH = "mismatch"


class LedgerState(StrEnum):
    """What the ledger says."""

    NOT_CHECKED = "not_checked"
    NOT_FOUND = "not_found"
    INCLUDED = "included"
    INCONSISTENT = "inconsistent"


class Verdict(StrEnum):
    """The one word of a report. None of them says that a picture is *true*."""

    TRUSTED = "trusted"
    VALID = "valid"
    RECOVERED = "recovered"
    INVALID = "invalid"
    UNKNOWN = "unknown"


def decide(manifest: ManifestState, soft: SoftState, ledger: LedgerState) -> Verdict:
    """Return the verdict for three states.

    1. A broken manifest or an inconsistent ledger contradicts: *invalid*.
    2. A soft binding that points elsewhere contradicts an intact manifest: *invalid*. Without a manifest it
       proves nothing either way (a crop, or a copied mark): *unknown*.
    3. An intact manifest is *trusted* or *valid*, as its signer is.
    4. Without one, a soft binding that leads to a recorded manifest is *recovered*, unless the ledger was
       asked and does not know that asset.
    5. Everything else is *unknown*, which says nothing about authenticity.
    """
    if ledger is LedgerState.INCONSISTENT:
        return Verdict.INVALID
    match manifest:
        case ManifestState.INVALID | ManifestState.WELL_FORMED:
            return Verdict.INVALID
        case ManifestState.VALID | ManifestState.TRUSTED:
            if soft is SoftState.MISMATCH:
                return Verdict.INVALID
            return Verdict.TRUSTED if manifest is ManifestState.TRUSTED else Verdict.VALID
        case ManifestState.ABSENT:
            if soft is SoftState.MATCH and ledger is not LedgerState.NOT_FOUND:
                return Verdict.RECOVERED
            return Verdict.UNKNOWN
    assert_never(manifest)


def verdict_table() -> Iterator[tuple[ManifestState, SoftState, LedgerState, Verdict]]:
    """Yield every row of ``decide``, in the order of the enumerations."""
    for manifest, soft, ledger in product(ManifestState, SoftState, LedgerState):
        yield manifest, soft, ledger, decide(manifest, soft, ledger)


def _empty() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSummary:
    """What a manifest says, as far as a report shows it."""

    label: str
    """Label of the active manifest, ``urn:c2pa:...``."""
    claim_generator: str
    signer: str
    """Common name, organisation; empty when the certificate has neither."""
    issuer: str
    signature_time: str | None
    """RFC 3339, proven by a timestamp; None when nothing proves the time."""
    trust_list: str | None
    """Name of the anchor that the signer's chain ends in; None when in none."""
    certificate_chain: tuple[bytes, ...] = field(default=(), repr=False)
    """DER, leaf first, as embedded in the signature."""
    stapled: tuple[bytes, ...] = field(default=(), repr=False)
    """DER, what the signer stapled on the status of its certificate (OCSP); no signature covers that it is there."""
    asset_id: str | None = None
    """From ``org.sdsafe.generation``; None for manifests of others."""
    generation: Mapping[str, object] = field(default_factory=_empty)
    """The whole ``org.sdsafe.generation`` assertion; empty for manifests of others."""
    prompt: str | None = None
    actions: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    """Digital source types that its actions name, in order."""
    refused_uses: tuple[str, ...] = ()
    """Uses that its training and data mining assertion does not allow."""
    stamped_at: str | None = None
    """RFC 3339, of a time-stamp that holds, whoever made it; it proves the time only to whoever trusts the authority."""
    recovered: bool = False
    """True when it came from a repository, not from the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftMatch:
    """One soft binding that was followed to a stored manifest."""

    alg: str
    asset_id: str
    distance: float | None
    """Normalised distance of fingerprints, 0 to 1; None for marks, which match exactly."""
    p_value: float | None
    recorded_at: str
    manifest_store: bytes = field(repr=False)
    """The stored manifest that the binding led to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the probes have seen so far. A probe returns what it was given, plus its own."""

    manifest: ManifestState = ManifestState.ABSENT
    soft: SoftState = SoftState.NOT_CHECKED
    ledger: LedgerState = LedgerState.NOT_CHECKED
    summary: ManifestSummary | None = None
    matches: tuple[SoftMatch, ...] = ()
    receipt: Receipt | None = None
    findings: tuple[Finding, ...] = ()
    not_checked: tuple[str, ...] = ()
    """What was left out and why, in plain words."""

    def noting(self, findings: Iterable[Finding] = (), *, not_checked: Iterable[str] = ()) -> Evidence:
        """Return this evidence with findings and omissions appended; nothing is ever removed."""
        return replace(
            self,
            findings=(*self.findings, *findings),
            not_checked=(*self.not_checked, *not_checked),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What ``inspect()`` returns: the evidence, the verdict and the circumstances."""

    asset_digest: str
    """SHA-256 of the file bytes."""
    media_type: str
    evidence: Evidence
    verdict: Verdict
    verified_at: str
    tool: str
    """Name and version of the validator."""

    def __bool__(self) -> NoReturn:
        """Refuse: a report is not a yes or a no. Read ``verdict``."""
        msg = "a Report is not true or false: compare report.verdict"
        raise TypeError(msg)
