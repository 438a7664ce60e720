"""The keys of sealed records, in a file of their own, and how one is forgotten without a trace.

Three things keep a forgotten key from surviving in the file: it is overwritten in place by zeros of the same length,
so that no cell moves; rows are appended in order and never deleted, so that no page is rebuilt around them; and
``secure_delete`` zeroes what SQLite frees all the same. The rollback journal, which held the old page, is deleted.
Copies that others made (backups, snapshots, the disk's own spare blocks) are out of reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe._internal.database import TIMEOUT_S, Database, Schema
from sdsafe.errors import RepositoryError
from sdsafe.records.sealing.vault import KEY_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.ids import AssetId

__all__ = ["Keyring"]

_SCHEMA = Schema(
    application_id=0x5D5AFE03,
    version=1,
    statements=(
        "CREATE TABLE keys (number INTEGER PRIMARY KEY AUTOINCREMENT, asset_id BLOB NOT NULL, key BLOB NOT NULL)",
        "CREATE UNIQUE INDEX keys_asset_id ON keys (asset_id)",
    ),
)

_FORGOTTEN = bytes(KEY_BYTES)


class Keyring:
    """Keys by asset id. A forgotten key is not a missing one: the first was asked for, the second is a loss."""

    def __init__(self, path: Path, *, timeout: float = TIMEOUT_S, read_only: bool = False) -> None:
        """Note where the file is; it comes into being with the first key."""
        self._database = Database(
            path=path,
            schema=_SCHEMA,
            error=RepositoryError,
            area="repository",
            timeout=timeout,
            read_only=read_only,
            # EXTRA syncs the folder too: a deleted journal must not come back with the old page when power goes.
            pragmas=("journal_mode = DELETE", "synchronous = EXTRA", "secure_delete = ON"),
        )

    def exists(self) -> bool:
        """Say whether there is a keyring at all."""
        with self._database.reading() as connection:
            return connection is not None

    def put(self, asset_id: AssetId, key: bytes) -> None:
        """Keep a key durably, in place of a forgotten or orphaned one with the same id."""
        with self._database.writing() as connection:
            known = connection.execute("UPDATE keys SET key = ? WHERE asset_id = ?", (key, asset_id.value)).rowcount
            if not known:
                connection.execute("INSERT INTO keys (asset_id, key) VALUES (?, ?)", (asset_id.value, key))

    def get(self, asset_id: AssetId) -> bytes | None:
        """Return a key; None if it was forgotten.

        Raises:
            RepositoryError: ``repository.damaged``: the key should be here and is not.
        """
        found = None
        with self._database.reading() as connection:
            if connection is not None:
                query = "SELECT key FROM keys WHERE asset_id = ?"
                found = connection.execute(query, (asset_id.value,)).fetchone()
        if found is None or not isinstance(found[0], bytes) or len(found[0]) != KEY_BYTES:
            raise RepositoryError(
                f"the key of asset {asset_id} is missing: its record can be neither read nor called erased",
                code="repository.damaged",
                hint=f"Restore {self._database.path.name} from a backup taken together with the repository.",
            )
        return None if found[0] == _FORGOTTEN else found[0]

    def forget(self, asset_id: AssetId) -> None:
        """Overwrite a key by zeros, durably; a no-op for unknown ids."""
        if not self.exists():
            return
        with self._database.writing() as connection:
            connection.execute("UPDATE keys SET key = ? WHERE asset_id = ?", (_FORGOTTEN, asset_id.value))

    def forgotten(self) -> set[bytes]:
        """Return the ids of all forgotten keys."""
        with self._database.reading() as connection:
            if connection is None:
                return set()
            query = "SELECT asset_id FROM keys WHERE key = ?"
            return {asset_id for (asset_id,) in connection.execute(query, (_FORGOTTEN,))}
