"""The tables of the manifest repository. In the clear is only what a search needs; the rest is sealed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe._internal.database import Schema
from sdsafe.core.ids import AssetId
from sdsafe.core.softbinding import BindingKind, SoftBinding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from sqlite3 import Connection

    from sdsafe.errors import SdsafeError

__all__ = ["SCHEMA", "StoredRow", "Tables"]

SCHEMA = Schema(
    application_id=0x5D5AFE02,
    version=1,
    statements=(
        """CREATE TABLE records (
            number INTEGER PRIMARY KEY AUTOINCREMENT, asset_id BLOB NOT NULL UNIQUE, asset_sha256 TEXT NOT NULL,
            media_type TEXT NOT NULL, recorded_at TEXT NOT NULL, record_sha256 TEXT NOT NULL,
            session TEXT NOT NULL, delivered_at TEXT, record BLOB NOT NULL, manifest BLOB NOT NULL)""",
        "CREATE INDEX records_undelivered ON records (number) WHERE delivered_at IS NULL",
        # Numbers are never reused, so a reader's cache needs only what is above the last one it saw.
        """CREATE TABLE bindings (
            number INTEGER PRIMARY KEY AUTOINCREMENT, record INTEGER NOT NULL REFERENCES records (number),
            kind TEXT NOT NULL, alg TEXT NOT NULL, value BLOB NOT NULL)""",
        "CREATE INDEX bindings_value ON bindings (kind, alg, value)",
        "CREATE INDEX bindings_record ON bindings (record)",
    ),
)

_COLUMNS = "asset_id, asset_sha256, media_type, recorded_at, record_sha256, session, delivered_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """What the repository shows of a record without opening it."""

    asset_id: AssetId
    asset_sha256: str
    media_type: str
    recorded_at: str
    record_sha256: str
    """Of the sealed private record: what the ledger entry binds."""
    session: str
    delivered_at: str | None


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables inside one transaction. What is misshapen is ``repository.damaged``."""

    connection: Connection
    damaged: Callable[[str], SdsafeError]

    def add(self, row: StoredRow, record: bytes, manifest: bytes, bindings: tuple[SoftBinding, ...]) -> None:
        """Store a row with its two sealed blobs and its bindings."""
        number = self.connection.execute(
            f"INSERT INTO records ({_COLUMNS}, record, manifest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
            (
                row.asset_id.value,
                row.asset_sha256,
                row.media_type,
                row.recorded_at,
                row.record_sha256,
                row.session,
                row.delivered_at,
                record,
                manifest,
            ),
        ).lastrowid
        self.connection.executemany(
            "INSERT INTO bindings (record, kind, alg, value) VALUES (?, ?, ?, ?)",
            [(number, binding.kind, binding.alg, binding.value) for binding in bindings],
        )

    def remove(self, asset_id: AssetId) -> None:
        """Remove a record and its bindings; a no-op for unknown ids."""
        number = self.number(asset_id)
        self.connection.execute("DELETE FROM bindings WHERE record = ?", (number,))
        self.connection.execute("DELETE FROM records WHERE number = ?", (number,))

    def number(self, asset_id: AssetId) -> int | None:
        """Return the number of a record; None for unknown ids."""
        query = "SELECT number FROM records WHERE asset_id = ?"
        found = self.connection.execute(query, (asset_id.value,)).fetchone()
        return int(found[0]) if found else None

    def row(self, number: int) -> StoredRow | None:
        """Return a row; None if it is gone."""
        query = f"SELECT {_COLUMNS} FROM records WHERE number = ?"  # noqa: S608 - constant
        found = self.connection.execute(query, (number,)).fetchone()
        return self._row(found) if found else None

    def rows(self, above: int, limit: int, *, undelivered: bool = False) -> list[tuple[int, StoredRow]]:
        """Return up to ``limit`` numbered rows above a number, oldest first."""
        condition = "AND delivered_at IS NULL" if undelivered else ""
        query = f"SELECT number, {_COLUMNS} FROM records WHERE number > ? {condition} ORDER BY number LIMIT ?"  # noqa: S608 - constant
        return [(found[0], self._row(found[1:])) for found in self.connection.execute(query, (above, limit))]

    def blob(self, number: int, column: str) -> bytes:
        """Return the sealed ``record`` or ``manifest``."""
        query = {
            "record": "SELECT record FROM records WHERE number = ?",
            "manifest": "SELECT manifest FROM records WHERE number = ?",
        }[column]
        found = self.connection.execute(query, (number,)).fetchone()
        if found is None or not isinstance(found[0], bytes):
            raise self.damaged(f"a sealed {column} cannot be read")
        return found[0]

    def bindings(self, number: int) -> tuple[SoftBinding, ...]:
        """Return the soft bindings of a record, as stored."""
        query = "SELECT kind, alg, value FROM bindings WHERE record = ? ORDER BY number"
        return tuple(self._binding(found) for found in self.connection.execute(query, (number,)))

    def bound_to(self, binding: SoftBinding) -> list[int]:
        """Return the numbers of records with exactly this binding, newest first."""
        query = "SELECT DISTINCT record FROM bindings WHERE kind = ? AND alg = ? AND value = ? ORDER BY record DESC"
        found = self.connection.execute(query, (binding.kind, binding.alg, binding.value))
        return [record for (record,) in found]

    def record_bound_by(self, number: int) -> int | None:
        """Return the record that a binding belongs to; None if it is gone."""
        found = self.connection.execute("SELECT record FROM bindings WHERE number = ?", (number,)).fetchone()
        return int(found[0]) if found else None

    def fingerprints(self, alg: str, length: int, above: int) -> Iterator[tuple[int, bytes]]:
        """Yield (binding number, value) of fingerprints of one algorithm and length above a number, in order."""
        # The plus signs keep SQLite on the table itself: an index would read all of them to find the few new ones.
        query = (
            "SELECT number, value FROM bindings WHERE number > ? AND +kind = ? AND +alg = ? AND length(value) = ?"
            " ORDER BY number"
        )
        yield from self.connection.execute(query, (above, BindingKind.FINGERPRINT, alg, length))

    def last_binding(self) -> int:
        """Return the largest number a binding has ever had."""
        found = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'bindings'").fetchone()
        return int(found[0]) if found else 0

    def deliver(self, asset_id: AssetId, when: str) -> bool:
        """Note the first delivery; say whether the id is known."""
        query = "UPDATE records SET delivered_at = coalesce(delivered_at, ?) WHERE asset_id = ?"
        return self.connection.execute(query, (when, asset_id.value)).rowcount > 0

    def _row(self, found: tuple[object, ...]) -> StoredRow:
        match found:
            case (
                bytes(asset_id),
                str(asset_sha256),
                str(media_type),
                str(recorded_at),
                str(record_sha256),
                str(session),
                (str() | None) as delivered_at,
            ) if len(asset_id) == 8:  # noqa: PLR2004 - the length of an asset id
                return StoredRow(
                    asset_id=AssetId(asset_id),
                    asset_sha256=asset_sha256,
                    media_type=media_type,
                    recorded_at=recorded_at,
                    record_sha256=record_sha256,
                    session=session,
                    delivered_at=delivered_at,
                )
            case _:
                raise self.damaged("a record cannot be read")

    def _binding(self, found: tuple[object, ...]) -> SoftBinding:
        match found:
            case (("watermark" | "fingerprint") as kind, str(alg), bytes(value)):
                return SoftBinding(alg=alg, value=value, kind=BindingKind(kind))
            case _:
                raise self.damaged("a soft binding cannot be read")
