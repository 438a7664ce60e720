"""Holds a signer's log against the ledger of releases: what was signed and never released was signed for somebody else."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sdsafe.core.receipts import EntryKind

if TYPE_CHECKING:
    from sdsafe.core.receipts import LedgerEntry
    from sdsafe.records.ledger.log import SqliteLedger

__all__ = ["Fate", "fate"]


class Fate(StrEnum):
    """What the ledger of releases says of a signature."""

    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    """Recorded, but its delivery was not confirmed."""
    UNKNOWN = "unknown"
    """Not in the ledger: a pipeline that died before it could record it, or somebody who has no ledger."""


def fate(signed: LedgerEntry, ledger: SqliteLedger | None) -> Fate:
    """Return what became of exactly the file that was signed.

    Args:
        signed: An entry of the signer's log.
        ledger: Of the pipeline; None: there is none.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    receipt = None if ledger is None else ledger.prove(signed.asset_sha256)
    if receipt is None or receipt.entry.asset_id != signed.asset_id:
        return Fate.UNKNOWN
    return Fate.WITHDRAWN if receipt.entry.kind is EntryKind.WITHDRAWN else Fate.RELEASED
