"""The tables of the ledger, and typed rows in and out of them.

The triggers stop mistakes, not attackers: whoever can write the file can drop them. What shows an attack is the
signed checkpoint that somebody else kept (``sdsafe ledger audit --since``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe._internal.database import Schema
from sdsafe.core.receipts import Checkpoint, EntryKind, LedgerEntry
from sdsafe.records.ledger import checkpoint as checkpoints
from sdsafe.records.ledger import key as keys
from sdsafe.records.ledger.merkle import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sdsafe.errors import SdsafeError

__all__ = ["SCHEMA", "Row", "Tables"]

_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    # One row per leaf. The digests repeat what is in the body, so that they can be searched.
    """CREATE TABLE entries (
        idx INTEGER PRIMARY KEY, body BLOB NOT NULL, leaf_hash BLOB NOT NULL,
        asset_id BLOB NOT NULL, asset_sha256 BLOB NOT NULL, manifest_sha256 BLOB NOT NULL, kind TEXT NOT NULL)""",
    "CREATE INDEX entries_asset_id ON entries (asset_id)",
    "CREATE INDEX entries_asset_sha256 ON entries (asset_sha256)",
    "CREATE INDEX entries_manifest_sha256 ON entries (manifest_sha256)",
    # Perfect subtrees of two leaves and more; level 0 is entries.leaf_hash.
    "CREATE TABLE nodes (level INTEGER, idx INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, idx)) WITHOUT ROWID",
    """CREATE TABLE checkpoints (
        tree_size INTEGER PRIMARY KEY, root_hash BLOB NOT NULL, timestamp TEXT NOT NULL, signature BLOB NOT NULL)""",
)

# INSERT OR REPLACE deletes without firing a DELETE trigger, so only the next or a new key may be inserted.
_TAKEN = {
    "meta": "EXISTS (SELECT 1 FROM meta WHERE name = NEW.name)",
    "entries": "NEW.idx IS NOT (SELECT coalesce(max(idx), -1) + 1 FROM entries)",
    "nodes": "EXISTS (SELECT 1 FROM nodes WHERE level = NEW.level AND idx = NEW.idx)",
    "checkpoints": "NEW.tree_size <= (SELECT max(tree_size) FROM checkpoints)",
}


def _forbid(table: str, verb: str, condition: str = "TRUE") -> str:
    return (
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} WHEN {condition} "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )


SCHEMA = Schema(
    application_id=0x5D5AFE01,
    version=1,
    statements=(
        *_TABLES,
        *(_forbid(table, verb) for table in _TAKEN for verb in ("UPDATE", "DELETE")),
        *(_forbid(table, "INSERT", condition) for table, condition in _TAKEN.items()),
    ),
)

_ROW = "SELECT idx, body, leaf_hash, asset_id, asset_sha256, manifest_sha256, kind FROM entries "
_CHECKPOINT = "SELECT tree_size, root_hash, timestamp, signature FROM checkpoints "


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of ``entries``, as stored and not yet believed."""

    index: int
    body: bytes
    leaf_hash: bytes
    asset_id: bytes
    asset_sha256: bytes
    manifest_sha256: bytes
    kind: str

    @classmethod
    def of(cls, index: int, entry: LedgerEntry, body: bytes, leaf_hash: bytes) -> Row:
        """Return the row that belongs to an entry."""
        return cls(
            index=index,
            body=body,
            leaf_hash=leaf_hash,
            asset_id=bytes.fromhex(entry.asset_id),
            asset_sha256=bytes.fromhex(entry.asset_sha256),
            manifest_sha256=bytes.fromhex(entry.manifest_sha256),
            kind=entry.kind.value,
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables inside one transaction. What is missing or misshapen is ``ledger.damaged``."""

    connection: Connection
    damaged: Callable[[str], SdsafeError]

    def public_key(self) -> Ed25519PublicKey:
        """Return the key that every checkpoint of this log is signed with."""
        found = self.connection.execute("SELECT value FROM meta WHERE name = 'public_key'").fetchone()
        if found is None or not isinstance(found[0], bytes):
            raise self.damaged("its public key is missing")
        return keys.public_from_der(found[0])

    def begin_log(self, public_key: Ed25519PublicKey, empty: Checkpoint) -> None:
        """Write what a log starts with: its key, and the checkpoint of the empty tree."""
        self.connection.execute("INSERT INTO meta VALUES ('public_key', ?)", (keys.public_der(public_key),))
        self.add_checkpoint(empty)

    def add_row(self, row: Row) -> None:
        """Append a row; its index must be the next one."""
        self.connection.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.index, row.body, row.leaf_hash, row.asset_id, row.asset_sha256, row.manifest_sha256, row.kind),
        )

    def add_node(self, level: int, index: int, value: bytes) -> None:
        """Append the hash of a perfect subtree of level 1 or higher."""
        self.connection.execute("INSERT INTO nodes VALUES (?, ?, ?)", (level, index, value))

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Append a checkpoint; its tree must be larger than that of every stored one."""
        values = (checkpoint.tree_size, checkpoint.root_hash, checkpoint.timestamp, checkpoint.signature)
        self.connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?)", values)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree."""
        if level == 0:
            found = self.connection.execute("SELECT leaf_hash FROM entries WHERE idx = ?", (index,)).fetchone()
        else:
            query = "SELECT hash FROM nodes WHERE level = ? AND idx = ?"
            found = self.connection.execute(query, (level, index)).fetchone()
        if found is None or not isinstance(found[0], bytes) or len(found[0]) != HASH_BYTES:
            raise self.damaged(f"node {level}/{index} is missing")
        return found[0]

    def row(self, index: int) -> Row:
        """Return one row."""
        found = self.connection.execute(_ROW + "WHERE idx = ?", (index,)).fetchone()
        if found is None:
            raise self.damaged(f"entry {index} is missing")
        return self._row(found)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Return the rows with start <= index < stop that are there, in order."""
        query = _ROW + "WHERE idx >= ? AND idx < ? ORDER BY idx"
        return [self._row(found) for found in self.connection.execute(query, (start, stop))]

    def count(self) -> int:
        """Return one more than the largest index."""
        found: int = self.connection.execute("SELECT coalesce(max(idx), -1) + 1 FROM entries").fetchone()[0]
        return found

    def count_nodes(self) -> int:
        """Return how many nodes of level 1 and higher are stored."""
        found: int = self.connection.execute("SELECT count(*) FROM nodes").fetchone()[0]
        return found

    def count_repeated_releases(self) -> int:
        """Return how many ``released`` entries repeat an asset id."""
        query = "SELECT count(*) - count(DISTINCT asset_id) FROM entries WHERE kind = ?"
        found: int = self.connection.execute(query, (EntryKind.RELEASED,)).fetchone()[0]
        return found

    def newest_with_id(self, asset_id: bytes, kind: EntryKind | None = None) -> int | None:
        """Return the index of the newest entry for an asset id, of one kind or of any."""
        query = "SELECT max(idx) FROM entries WHERE asset_id = ? AND kind = coalesce(?, kind)"
        found: int | None = self.connection.execute(query, (asset_id, kind)).fetchone()[0]
        return found

    def newest_with_digest(self, digest: bytes) -> int | None:
        """Return the index of the newest entry whose asset or manifest has this SHA-256."""
        query = "SELECT max(idx) FROM entries WHERE asset_sha256 = ? OR manifest_sha256 = ?"
        found: int | None = self.connection.execute(query, (digest, digest)).fetchone()[0]
        return found

    def newest_checkpoint(self) -> Checkpoint:
        """Return the checkpoint of the largest tree."""
        return self._one_checkpoint(_CHECKPOINT + "ORDER BY tree_size DESC LIMIT 1", 0)

    def first_checkpoint_over(self, index: int) -> Checkpoint:
        """Return the first checkpoint whose tree holds entry ``index``: it says when the entry came in."""
        return self._one_checkpoint(_CHECKPOINT + "WHERE tree_size > ? ORDER BY tree_size LIMIT 1", index)

    def checkpoints(self, above: int, limit: int) -> list[Checkpoint]:
        """Return up to ``limit`` checkpoints of trees larger than ``above``, smallest first."""
        query = _CHECKPOINT + "WHERE tree_size > ? ORDER BY tree_size LIMIT ?"
        key = self.public_key()
        return [self._checkpoint(found, key) for found in self.connection.execute(query, (above, limit))]

    def _one_checkpoint(self, query: str, value: int) -> Checkpoint:
        found = self.connection.execute(query, (value,) if "?" in query else ()).fetchone()
        if found is None:
            raise self.damaged("a checkpoint is missing")
        return self._checkpoint(found, self.public_key())

    def _checkpoint(self, found: tuple[object, ...], key: Ed25519PublicKey) -> Checkpoint:
        match found:
            case (int(size), bytes(root), str(timestamp), bytes(signature)):
                return Checkpoint(
                    origin=checkpoints.origin(key),
                    tree_size=size,
                    root_hash=root,
                    timestamp=timestamp,
                    log_id=checkpoints.log_id(key),
                    signature=signature,
                )
            case _:
                raise self.damaged("a checkpoint cannot be read")

    def _row(self, found: tuple[object, ...]) -> Row:
        match found:
            case (int(index), bytes(body), bytes(leaf), bytes(asset_id), bytes(asset), bytes(manifest), str(kind)):
                return Row(
                    index=index,
                    body=body,
                    leaf_hash=leaf,
                    asset_id=asset_id,
                    asset_sha256=asset,
                    manifest_sha256=manifest,
                    kind=kind,
                )
            case _:
                raise self.damaged("an entry cannot be read")
