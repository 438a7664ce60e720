"""The door to SQLite: what comes into being when, and what leaves as which error."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe._internal.database import Database, Schema
from sdsafe.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = Schema(application_id=7, version=1, statements=("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)",))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(path=tmp_path / "a?b#c %41" / "x.sqlite", schema=SCHEMA, error=LedgerError, area="ledger")


def rows(database: Database) -> list[tuple[object, ...]]:
    with database.reading() as connection:
        return [] if connection is None else connection.execute("SELECT * FROM t ORDER BY a").fetchall()


def test_reading_creates_nothing_and_writing_everything(database: Database) -> None:
    with database.reading() as connection:
        assert connection is None
    assert not database.path.parent.exists()
    with database.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1, 'one')")
    assert rows(database) == [(1, "one")]
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(database.path.parent.stat().st_mode) == 0o700


def test_a_file_that_a_crash_left_empty_counts_as_none(database: Database) -> None:
    database.path.parent.mkdir()
    database.path.write_bytes(b"")
    assert rows(database) == []
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("VACUUM")  # a header, and no table yet
    assert rows(database) == []
    with database.writing():
        pass
    with database.reading() as connection:
        assert connection is not None


def insert_twice(database: Database) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1, 'one')")
        connection.execute("INSERT INTO t VALUES (1, 'again')")


def insert_and_stop(database: Database) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1, 'one')")
        raise KeyboardInterrupt


def insert_while_reading(database: Database) -> None:
    with database.reading() as connection:
        assert connection is not None
        connection.execute("INSERT INTO t VALUES (2, 'two')")


def test_an_exception_rolls_back_and_passes_through(database: Database) -> None:
    with pytest.raises(KeyboardInterrupt):
        insert_and_stop(database)
    assert rows(database) == []
    with pytest.raises(LedgerError) as caught:
        insert_twice(database)
    assert caught.value.code == "ledger.failed"
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    assert rows(database) == []


def test_a_reader_cannot_write(database: Database) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1, 'one')")
    with pytest.raises(LedgerError):
        insert_while_reading(database)
    with pytest.raises(LedgerError) as caught:
        insert_twice(replace(database, read_only=True))
    assert caught.value.code == "ledger.read-only"
    assert rows(database) == [(1, "one")]


def test_creation_that_fails_leaves_no_half_made_tables(database: Database) -> None:
    def fail(_connection: sqlite3.Connection) -> None:
        raise LedgerError("no key", code="ledger.key")

    with pytest.raises(LedgerError), replace(database, populate=fail).writing():
        pass
    assert rows(database) == []
    with database.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1, 'one')")
    assert rows(database) == [(1, "one")]


def test_threads_may_share_it(database: Database) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 5):
            with database.writing() as connection:
                connection.execute("INSERT INTO t VALUES (?, 'x')", (number,))

    threads = [threading.Thread(target=work, args=(10 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(database)) == 20


def test_errors_never_name_the_path(database: Database) -> None:
    database.path.parent.write_bytes(b"a file where a folder should be")
    with pytest.raises(LedgerError) as caught, database.writing():
        pass
    assert caught.value.code == "ledger.unreachable"
    assert str(database.path.parent) not in f"{caught.value} {caught.value.hint}"
