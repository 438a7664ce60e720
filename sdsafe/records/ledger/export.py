"""Export: three plain files from which anybody can check the log without our code.

``entries.jsonl``     one entry a line; a line's bytes, without the newline, are what its leaf hash is taken of
``checkpoint.txt``    the signed note over exactly these entries
``public-key.pem``    the log's public key
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sdsafe._internal import atomic
from sdsafe.errors import AssetError, LedgerError
from sdsafe.records.ledger import checkpoint as checkpoints
from sdsafe.records.ledger import key as keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sdsafe.core.receipts import Checkpoint
    from sdsafe.records.ledger.log import SqliteLedger

__all__ = ["CHECKPOINT", "ENTRIES", "PUBLIC_KEY", "export"]

ENTRIES = "entries.jsonl"
CHECKPOINT = "checkpoint.txt"
PUBLIC_KEY = "public-key.pem"


def export(ledger: SqliteLedger, folder: Path) -> Checkpoint:
    """Write the log into a new folder and return the checkpoint that covers it.

    Raises:
        AssetError: The folder exists, or cannot be written; nothing is left of it then.
        LedgerError: There is no log, or it cannot be read.
    """
    head, key = ledger.checkpoint(), ledger.public_key
    if head is None or key is None:
        raise LedgerError("there is no ledger", code="ledger.absent", hint="Nothing has been released here yet.")
    _make(folder)
    try:
        atomic.write_new(folder / ENTRIES, _lines(ledger, head))
        atomic.write_new(folder / PUBLIC_KEY, keys.public_pem(key))
        atomic.write_new(folder / CHECKPOINT, checkpoints.render_note(head, key).encode())
    except BaseException:
        _unmake(folder)
        raise
    return head


def _lines(ledger: SqliteLedger, head: Checkpoint) -> Iterator[bytes]:
    for logged in ledger.entries(0, head.tree_size):
        yield logged.body + b"\n"


def _make(folder: Path) -> None:
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise AssetError(
            f"{folder.name} exists already", code="asset.exists", hint="Name a folder that does not exist yet."
        ) from error
    except OSError as error:
        raise AssetError(
            f"{folder.name}: cannot be made: {error.strerror}", code="asset.unwritable", hint="Check the path."
        ) from error


def _unmake(folder: Path) -> None:
    with suppress(OSError):
        for name in (ENTRIES, PUBLIC_KEY, CHECKPOINT):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
