"""``LedgerProbe``: does the log know this asset, and these very bytes?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from sdsafe.core.digests import sha256_hex
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.ids import AssetId
from sdsafe.core.receipts import EntryKind
from sdsafe.core.report import LedgerState, ManifestState
from sdsafe.errors import LedgerError
from sdsafe.records.ledger import entry as entries
from sdsafe.records.ledger.receipt import verify_receipt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sdsafe.core.receipts import Receipt
    from sdsafe.core.report import Evidence
    from sdsafe.core.states import Asset

__all__ = ["LedgerProbe", "ProvingLedger"]


class ProvingLedger(Protocol):
    """**Protocol:** a log that proves what it holds, and whose signature can be checked."""

    @property
    def public_key(self) -> Ed25519PublicKey | None:
        """The key of its checkpoints; None while the log is empty."""
        ...

    def prove(self, digest: str, /) -> Receipt | None:
        """Return a receipt for the newest entry with this asset id, asset digest or manifest digest."""
        ...


class LedgerProbe:
    """Asks the ledger about the asset that a manifest of ours names.

    1. The asset id is that of the manifest in the file, or of the one a soft binding led to.
    2. An entry with that id must exist, else *not found*.
    3. One with that id must have the digest of this file (manifest in the file) or of the recorded manifest
       (recovered), else *inconsistent* - unless the manifest in the file is itself invalid: its id is then only
       a claim, and what differs is reported, not held against the log.
    4. Its inclusion proof must verify under a checkpoint that the log signed: *included*.
    """

    def __init__(self, ledger: ProvingLedger | None) -> None:
        """Keep the log to ask; None: there is none on this machine."""
        self._ledger = ledger

    @property
    def name(self) -> str:
        """Stable name, used as the source of its findings."""
        return "ledger"

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        """Set the ledger state and the receipt; never raises on bad evidence."""
        if self._ledger is None:
            return seen.noting(not_checked=["ledger: there is none on this machine"])
        asset_id = _asset_id(seen)
        if asset_id is None:
            return seen.noting(not_checked=["ledger: nothing names an asset id to look for"])
        try:
            return self._look_up(self._ledger, asset_id, _digests(asset, seen, asset_id), seen)
        except LedgerError as error:
            finding = _finding("ledger.unreadable", Severity.FAILURE, f"the ledger could not answer: {error}")
            return seen.noting([finding], not_checked=[f"ledger: it could not answer ({error.code})"])

    @staticmethod
    def _look_up(ledger: ProvingLedger, asset_id: str, digests: Iterable[str], seen: Evidence) -> Evidence:
        newest = ledger.prove(asset_id)  # (2)
        if newest is None:
            finding = _finding("ledger.not-found", Severity.INFORMATIONAL, f"no entry for asset {asset_id}")
            return replace(seen.noting([finding]), ledger=LedgerState.NOT_FOUND)
        seen = seen.noting(_history(newest))
        receipt = _matching(ledger, asset_id, digests)  # (3)
        if receipt is None:
            return _contradicted(asset_id, seen)
        _verify(receipt, ledger)  # (4)
        finding = _finding("ledger.included", Severity.SUCCESS, f"entry {receipt.log_index} of log {receipt.log_id}")
        return replace(seen.noting([finding]), ledger=LedgerState.INCLUDED, receipt=receipt)


def _asset_id(seen: Evidence) -> str | None:
    """Return the id in the form the log uses; None when there is none, or what a stranger wrote is no id."""
    if seen.summary is None or seen.summary.asset_id is None:
        return None
    try:
        return str(AssetId.parse(seen.summary.asset_id))
    except ValueError:
        return None


def _digests(asset: Asset, seen: Evidence, asset_id: str) -> list[str]:
    """Return what the entry has to match: the file, or the manifests that soft bindings led to for this id."""
    if seen.summary is not None and seen.summary.recovered:
        return [sha256_hex(match.manifest_store) for match in seen.matches if match.asset_id == asset_id]
    return [sha256_hex(asset.data)]


def _matching(ledger: ProvingLedger, asset_id: str, digests: Iterable[str]) -> Receipt | None:
    for digest in digests:
        receipt = ledger.prove(digest)
        if receipt is not None and receipt.entry.asset_id == asset_id:
            return receipt
    return None


def _contradicted(asset_id: str, seen: Evidence) -> Evidence:
    explanation = f"the entry for asset {asset_id} has another digest"
    finding = _finding("ledger.digest-mismatch", Severity.FAILURE, explanation)
    if seen.manifest in {ManifestState.INVALID, ManifestState.WELL_FORMED}:
        return seen.noting([finding], not_checked=["ledger: the manifest that names the asset is itself invalid"])
    return replace(seen.noting([finding]), ledger=LedgerState.INCONSISTENT)


def _verify(receipt: Receipt, ledger: ProvingLedger) -> None:
    key = ledger.public_key
    if key is None:
        raise LedgerError("the ledger has no public key to check its receipt with", code="ledger.key")
    verify_receipt(receipt, key)


def _history(newest: Receipt) -> Iterable[Finding]:
    """Report what happened to the asset after its release."""
    when = newest.entry.recorded_at
    match newest.entry.kind:
        case EntryKind.RELEASED:
            return
        case EntryKind.WITHDRAWN:
            text = f"withdrawn at {when}: its delivery was not confirmed"
            yield _finding("ledger.withdrawn", Severity.INFORMATIONAL, text)
        case EntryKind.ERASED:
            text = f"its private record was erased at {when}"
            yield _finding("ledger.erased", Severity.INFORMATIONAL, text)
        case EntryKind.REVISED:
            text = f"a file of this asset was given a further manifest at {when}"
            yield _finding("ledger.revised", Severity.INFORMATIONAL, text)
        case EntryKind.SIGNED:
            text = f"signed at {when}, in the log of a signer: whether it was released stands in the ledger"
            yield _finding("ledger.signed-only", Severity.INFORMATIONAL, text)


def _finding(code: str, severity: Severity, explanation: str) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.VERIFY,
        source="ledger",
        source_version=str(entries.FORMAT),
        explanation=explanation,
    )
