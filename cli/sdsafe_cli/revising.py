"""What commands share that give a released file a further manifest: the record of before, the ledger, the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.records.repository.record import PrivateRecord
    from sdsafe.revision import Revision
    from sdsafe.settings import Settings

__all__ = ["at_hand", "deliver"]


def at_hand(settings: Settings, asset_id: str | None) -> PrivateRecord | None:
    """Return the private record of an asset; None where it is not here, or was erased."""
    from sdsafe.core.ids import AssetId
    from sdsafe.errors import RepositoryError
    from sdsafe.records.repository.sqlite import SqliteRepository

    repository = SqliteRepository.open_existing(settings.places)
    if repository is None or asset_id is None:
        return None
    try:
        return repository.opening(AssetId.parse(asset_id))
    except (RepositoryError, ValueError):
        return None


def deliver(settings: Settings, revision: Revision, output: Path, *, force: bool) -> int | None:
    """Tell the ledger, then write the file; return the index of the entry, None where the ledger knows no such asset."""
    from sdsafe import plugins
    from sdsafe._internal import atomic
    from sdsafe.errors import AssetError
    from sdsafe.records.ledger.log import SqliteLedger
    from sdsafe.revision import note_revision

    if output.exists() and not force:
        raise AssetError(f"{output}: exists already", code="asset.exists", hint="Choose another name, or give --force.")
    here = settings.ledger != "sqlite" or SqliteLedger.open_existing(settings.places) is not None
    ledger = (
        plugins.load("sdsafe.ledgers", settings.ledger, settings.places, settings.options_for(settings.ledger))
        if here
        else None
    )
    receipt = note_revision(ledger, revision)
    (atomic.replace if force else atomic.write_new)(output, revision.after.data)
    return None if receipt is None else receipt.log_index
