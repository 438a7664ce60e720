"""Puts records and ledger in order after a crash: no entry without its record, no record without its entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sdsafe._internal.clock import rfc3339
from sdsafe.core.receipts import EntryKind

if TYPE_CHECKING:
    from sdsafe.core.ids import AssetId
    from sdsafe.core.receipts import LedgerEntry
    from sdsafe.protocols import Ledger, ManifestRepository

__all__ = ["Swept", "settle", "sweep", "withdraw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep found and did."""

    discarded: tuple[AssetId, ...]
    """Stored, but the process died before the ledger entry: the record was taken back."""
    withdrawn: tuple[AssetId, ...]
    """Entered, but the process died before delivery was confirmed: a ``withdrawn`` entry was appended."""


def sweep(ledger: Ledger, repository: ManifestRepository) -> Swept:
    """Deal with what processes that are no longer alive left half done.

    What a living process has under way is left alone; the repository knows which that is.
    """
    discarded: list[AssetId] = []
    withdrawn: list[AssetId] = []
    for asset_id in repository.undelivered():
        (withdrawn if settle(asset_id, ledger, repository) else discarded).append(asset_id)
    return Swept(discarded=tuple(discarded), withdrawn=tuple(withdrawn))


def settle(asset_id: AssetId, ledger: Ledger, repository: ManifestRepository) -> bool:
    """Withdraw an asset that has a ledger entry (True), or take back the record of one that has none (False).

    The ledger is asked: an append that raised may have been durable all the same.
    """
    receipt = ledger.prove(str(asset_id))
    if receipt is None:
        repository.discard(asset_id)
        return False
    withdraw(asset_id, receipt.entry, ledger, repository)
    return True


def withdraw(asset_id: AssetId, entry: LedgerEntry, ledger: Ledger, repository: ManifestRepository) -> None:
    """Append that the asset of ``entry`` was not delivered, unless the ledger already says so."""
    if entry.kind is EntryKind.RELEASED:
        ledger.append(replace(entry, kind=EntryKind.WITHDRAWN, recorded_at=rfc3339()))
    repository.mark_delivered(asset_id)
