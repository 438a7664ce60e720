"""One door to SQLite for the rooms that keep records: durable, private, shared by processes, typed errors.

Each operation opens a connection of its own (70 microseconds) and closes it: no handle crosses a thread or a fork,
none stays open, and what another process wrote is always seen. A rollback journal, not a write-ahead log, because
an auditor must be able to read without creating a file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sdsafe.errors import SdsafeError

__all__ = ["Database", "Schema"]

TIMEOUT_S = 30.0
"""How long to wait for another process by default; a commit takes milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a database file holds, and how a reader recognises it."""

    application_id: int
    """Four bytes in the file's header that say whose it is."""
    version: int
    """From 1; a file with a larger one was written by a newer sdsafe and is left alone."""
    statements: tuple[str, ...]


def _nothing(_connection: sqlite3.Connection) -> None:
    """Fill a new database with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database file that comes into being with its first write.

    Every ``sqlite3`` error leaves as ``error`` with a code ``AREA.locked``, ``.read-only``, ``.unreachable``,
    ``.disk-full``, ``.damaged``, ``.newer`` or ``.failed``, and a hint.
    """

    path: Path
    schema: Schema
    error: type[SdsafeError]
    area: str
    """First part of error codes, and the name of the thing in messages."""
    timeout: float = TIMEOUT_S
    read_only: bool = False
    """Refuse to write, and create nothing."""
    pragmas: tuple[str, ...] = ("journal_mode = TRUNCATE", "synchronous = FULL")
    """Set on every writing connection. TRUNCATE is synced, so a commit holds when the power goes."""
    populate: Callable[[sqlite3.Connection], None] = _nothing
    """Called once, in the transaction that creates the tables."""

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Yield a connection inside a read transaction, or None while there is no database yet."""
        with self._translated():
            if not self._has_content():
                yield None
                return
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("BEGIN")
                yield connection if self._is_ready(connection) else None
                connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside the one write transaction; commit at the end, or roll back on any exception."""
        if self.read_only:
            raise self.error(
                f"the {self.area} was opened for reading only",
                code=f"{self.area}.read-only",
                hint="Open it through the settings to write.",
            )
        with self._translated():
            self._create_file()
            with closing(self._connect()) as connection:
                for pragma in self.pragmas:
                    connection.execute(f"PRAGMA {pragma}")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    if not self._is_ready(connection):
                        self._create_tables(connection)
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:  # SQLite itself rolls back when the disk is full
                        connection.execute("ROLLBACK")
                    raise

    def damaged(self, what: str) -> SdsafeError:
        """Return the error for content that cannot be right."""
        return self.error(
            f"the {self.area} is damaged: {what}",
            code=f"{self.area}.damaged",
            hint="Restore the state folder from a backup; `sdsafe ledger audit` says what is wrong.",
        )

    def _has_content(self) -> bool:
        try:
            return self.path.stat().st_size > 0
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _create_file(self) -> None:
        """Make folder and file readable by their owner alone, before SQLite would make them readable by all."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _connect(self) -> sqlite3.Connection:
        # "rw", not "rwc": what is not there stays so. Not "ro": what a crash left half done must be rolled back.
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=self.timeout, isolation_level=None)
        try:
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA trusted_schema = OFF")
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_ready(self, connection: sqlite3.Connection) -> bool:
        """Say whether the tables exist; refuse files that are not ours, or newer than we are."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        if (version, owner) == (0, 0) and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return False
        if owner != self.schema.application_id:
            raise self.damaged(f"{self.path.name} holds something else")
        if version > self.schema.version:
            raise self.error(
                f"the {self.area} has format {version}; this version of sdsafe knows up to {self.schema.version}",
                code=f"{self.area}.newer",
                hint="Use the version of sdsafe that wrote it, or a newer one.",
            )
        return True

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        for statement in self.schema.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self.schema.application_id}")
        connection.execute(f"PRAGMA user_version = {self.schema.version}")
        self.populate(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            primary = (getattr(fault, "sqlite_errorcode", None) or 0) & 0xFF  # the rest of the code is detail
            kind, reason, hint = _REASONS.get(primary, ("failed", type(fault).__name__, "Run `sdsafe doctor`."))
            raise self.error(f"the {self.area} {reason}", code=f"{self.area}.{kind}", hint=hint) from fault
        except UnicodeDecodeError as fault:  # a damaged schema, even inside SQLite's own messages
            raise self.damaged("text in it cannot be read") from fault
        except OSError as fault:
            raise self.error(
                f"the {self.area} cannot be reached: {fault.strerror or type(fault).__name__}",
                code=f"{self.area}.unreachable",
                hint=_STATE_HINT,
            ) from fault


_STATE_HINT = "Check the rights of the state folder (SDSAFE_HOME, else the XDG data folder)."

_REASONS = {
    sqlite3.SQLITE_BUSY: ("locked", "is locked by another process", "Wait until that process is done and run again."),
    sqlite3.SQLITE_LOCKED: ("locked", "is locked", "Wait until the other process is done and run again."),
    sqlite3.SQLITE_READONLY: ("read-only", "cannot be written", _STATE_HINT),
    sqlite3.SQLITE_PERM: ("unreachable", "cannot be opened", _STATE_HINT),
    sqlite3.SQLITE_CANTOPEN: ("unreachable", "cannot be opened", _STATE_HINT),
    sqlite3.SQLITE_FULL: ("disk-full", "cannot grow: the disk is full", "Free some space and run again."),
    sqlite3.SQLITE_IOERR: ("failed", "cannot be read or written: input/output error", "Check the disk."),
    sqlite3.SQLITE_CORRUPT: ("damaged", "file is damaged", "Restore the state folder from a backup."),
    sqlite3.SQLITE_NOTADB: ("damaged", "file is not a database", "Restore the state folder from a backup."),
}
