"""The ledger holds through restarts, crowds, kills, full disks and other people's files."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.errors import LedgerError, PluginError
from sdsafe.protocols import Configurable
from sdsafe.records.ledger import key as ledger_key
from sdsafe.records.ledger import log
from sdsafe.records.ledger.audit import audit
from sdsafe.records.ledger.log import SqliteLedger
from sdsafe.records.ledger.merkle import verify_consistency
from sdsafe.records.ledger.receipt import verify_receipt

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection
    from pathlib import Path

    from sdsafe.core.places import Places

_FORK = multiprocessing.get_context("fork")


@pytest.fixture
def ledger(places: Places) -> SqliteLedger:
    return SqliteLedger(places)


@pytest.fixture
def filled(ledger: SqliteLedger, make_entry: Callable[..., LedgerEntry]) -> SqliteLedger:
    for number in range(5):
        ledger.append(make_entry(number))
    return ledger


def edit(places: Places, *statements: str) -> None:
    """Change the file as somebody would who drops the triggers first."""
    with closing(sqlite3.connect(places.state / "ledger.sqlite")) as connection, connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(LedgerError) as caught:
        action()
    assert caught.value.hint
    return caught.value.code


def test_nothing_exists_before_the_first_append(places: Places) -> None:
    ledger = SqliteLedger.configure(places, {})
    assert isinstance(ledger, Configurable)
    assert SqliteLedger.open_existing(places) is None
    assert ledger.prove("ab" * 8) is None
    assert ledger.checkpoint() is None
    assert ledger.public_key is None
    assert list(ledger.entries()) == []
    assert not places.state.exists()
    with pytest.raises(LedgerError):
        audit(ledger)


def test_the_first_append_makes_private_files_and_a_receipt_that_verifies(
    places: Places, ledger: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    receipt = ledger.append(make_entry())
    assert receipt.log_index == 0
    assert receipt.entry == make_entry()
    assert ledger.public_key is not None
    verify_receipt(receipt, ledger.public_key)
    assert stat.S_IMODE(places.state.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in places.state.iterdir()} == {
        "ledger.sqlite": 0o600,
        "ledger.sqlite-journal": 0o600,
        "ledger-key.pem": 0o600,
    }


def test_every_part_of_a_receipt_matters(filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]) -> None:
    receipt, key = filled.prove(make_entry(2).asset_id), filled.public_key
    assert receipt is not None
    assert key is not None
    verify_receipt(receipt, key)
    proof = receipt.inclusion_proof
    for wrong in (
        replace(receipt, entry=make_entry(3)),
        replace(receipt, body=receipt.body + b" "),
        replace(receipt, log_index=3),
        replace(receipt, log_id="ab" * 32),
        replace(receipt, inclusion_proof=replace(proof, log_index=3)),
        replace(receipt, inclusion_proof=replace(proof, tree_size=6)),
        replace(receipt, inclusion_proof=replace(proof, hashes=proof.hashes[:-1])),
        replace(receipt, checkpoint=replace(receipt.checkpoint, timestamp="2020-01-01T00:00:00Z")),
    ):
        with pytest.raises(LedgerError):
            verify_receipt(wrong, key)


def test_proofs_are_found_by_id_and_by_either_digest_newest_first(
    filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    entry = make_entry(2)
    withdrawn = make_entry(2, EntryKind.WITHDRAWN)
    for digest in (entry.asset_id, entry.asset_sha256, entry.manifest_sha256):
        receipt = filled.prove(digest)
        assert receipt is not None
        assert (receipt.log_index, receipt.entry) == (2, entry)
    filled.append(withdrawn)
    newest = filled.prove(entry.asset_sha256)
    assert newest is not None
    assert newest.entry == withdrawn
    assert filled.prove("00" * 32) is None
    assert filled.prove("00" * 8) is None
    for bad in ("", "ab", "AB" * 8, "zz" * 32):
        assert code_of(partial(filled.prove, bad)) == "ledger.bad-digest"


def test_a_batch_is_appended_whole_or_not_at_all(filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]) -> None:
    before = filled.checkpoint()
    assert filled.append_all([]) == []
    assert code_of(lambda: filled.append_all([make_entry(8), make_entry(2)])) == "ledger.duplicate"
    assert code_of(lambda: filled.append_all([make_entry(9), make_entry(9)])) == "ledger.duplicate"
    assert code_of(lambda: filled.append_all([make_entry(7), make_entry(6, effect="a text")])) == "ledger.entry"
    assert filled.checkpoint() == before
    receipts = filled.append_all([make_entry(number) for number in range(10, 1300)])
    assert [receipt.log_index for receipt in receipts] == list(range(5, 1295))
    assert len({receipt.checkpoint.signature for receipt in receipts}) == 1
    assert [logged.index for logged in filled.entries(3)] == list(range(3, 1295))
    assert [logged.index for logged in filled.entries(3, 6)] == [3, 4, 5]
    assert audit(filled).consistent


def test_consistency_is_proven_from_every_earlier_size(
    filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    old = filled.checkpoint()
    filled.append(make_entry(5))
    assert old is not None
    proof = filled.consistency(5)
    head = proof.checkpoint
    verify_consistency(5, 6, proof.hashes, old.root_hash, head.root_hash)
    for size in (-1, 7):
        assert code_of(partial(filled.consistency, size)) == "ledger.no-such-size"


def test_a_clock_that_jumps_back_changes_no_order(
    places: Places, make_entry: Callable[..., LedgerEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = SqliteLedger(places)
    for number, year in enumerate((2026, 2020, 2030)):
        monkeypatch.setattr(log, "rfc3339", lambda year=year: f"{year}-01-01T00:00:00Z")
        assert ledger.append(make_entry(number)).integrated_time == f"{year}-01-01T00:00:00Z"
    assert [logged.entry for logged in ledger.entries()] == [make_entry(number) for number in range(3)]
    report = audit(ledger)
    assert report.consistent
    assert [finding.code for finding in report.findings] == ["ledger.clock"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET kind = 'erased' WHERE idx = 1",
        "DELETE FROM entries WHERE idx = 4",
        (
            "INSERT OR REPLACE INTO entries SELECT 1, body, leaf_hash, asset_id, asset_sha256, manifest_sha256, kind"
            " FROM entries WHERE idx = 2"
        ),
        (
            "INSERT INTO entries SELECT 7, body, leaf_hash, asset_id, asset_sha256, manifest_sha256, kind"
            " FROM entries WHERE idx = 2"
        ),
        "UPDATE nodes SET hash = zeroblob(32)",
        "DELETE FROM nodes",
        "INSERT OR REPLACE INTO nodes SELECT level, idx, zeroblob(32) FROM nodes",
        "UPDATE checkpoints SET signature = zeroblob(64)",
        "DELETE FROM checkpoints WHERE tree_size = 3",
        "INSERT OR REPLACE INTO checkpoints SELECT tree_size, zeroblob(32), timestamp, signature FROM checkpoints",
        "UPDATE meta SET value = zeroblob(32)",
        "DELETE FROM meta",
        "INSERT OR REPLACE INTO meta SELECT name, zeroblob(32) FROM meta",
    ],
)
def test_the_file_itself_refuses_to_be_rewritten(places: Places, filled: SqliteLedger, statement: str) -> None:
    with (
        closing(sqlite3.connect(places.state / "ledger.sqlite")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement)
    assert audit(filled).consistent


def test_an_auditor_opens_for_reading_and_creates_nothing(
    places: Places,
    filled: SqliteLedger,
    make_entry: Callable[..., LedgerEntry],
    unprivileged: Callable[[], AbstractContextManager[None]],
) -> None:
    (places.state / "ledger-key.pem").unlink()
    (places.state / "ledger.sqlite-journal").unlink()
    before = contents(places.state)
    for acting in (nullcontext, unprivileged):
        with acting():
            reader = SqliteLedger.open_existing(places)
            assert reader is not None
            assert reader.prove(make_entry(1).asset_id) is not None
            assert audit(reader).consistent
            assert code_of(partial(reader.append, make_entry(9))) == "ledger.read-only"
    assert contents(places.state) == before


def test_a_folder_that_cannot_be_written_is_said_so(
    places: Places,
    filled: SqliteLedger,
    make_entry: Callable[..., LedgerEntry],
    unprivileged: Callable[[], AbstractContextManager[None]],
) -> None:
    with unprivileged():
        assert code_of(lambda: SqliteLedger(places).append(make_entry(9))) in {
            "ledger.read-only",
            "ledger.unreachable",
        }
    assert filled.append(make_entry(9)).log_index == 5


def test_a_state_folder_that_is_a_file_is_said_so(places: Places, make_entry: Callable[..., LedgerEntry]) -> None:
    places.state.write_bytes(b"")
    assert code_of(lambda: SqliteLedger(places).append(make_entry())) == "ledger.unreachable"
    assert SqliteLedger.open_existing(places) is None


def test_a_lock_that_lasts_is_said_so(
    places: Places, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    impatient = SqliteLedger.configure(places, {"timeout": 0.05})
    with closing(sqlite3.connect(places.state / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert code_of(lambda: impatient.append(make_entry(9))) == "ledger.locked"
        assert code_of(impatient.checkpoint) == "ledger.locked"
    assert impatient.append(make_entry(9)).log_index == 5


def test_a_full_disk_appends_nothing(
    places: Places, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    before = filled.checkpoint()
    full = replace(filled._database, pragmas=(*filled._database.pragmas, "max_page_count = 1"))
    filled._database, roomy = full, filled._database
    many = [make_entry(number) for number in range(10, 200)]
    assert code_of(lambda: filled.append_all(many)) == "ledger.disk-full"
    filled._database = roomy
    assert filled.checkpoint() == before
    assert len(filled.append_all(many)) == 190
    assert audit(filled).consistent


@pytest.mark.parametrize(
    "content", [b"no database, but longer than the header of one" * 10, b"SQLite format 3\0" * 300]
)
def test_a_file_that_is_no_database_is_said_so(
    places: Places, make_entry: Callable[..., LedgerEntry], content: bytes
) -> None:
    places.state.mkdir()
    (places.state / "ledger.sqlite").write_bytes(content)
    assert code_of(lambda: SqliteLedger(places).append(make_entry())) == "ledger.damaged"
    assert code_of(lambda: SqliteLedger.open_existing(places)) == "ledger.damaged"
    assert (places.state / "ledger.sqlite").read_bytes() == content


def test_a_database_of_somebody_else_is_left_alone(places: Places, make_entry: Callable[..., LedgerEntry]) -> None:
    places.state.mkdir()
    with closing(sqlite3.connect(places.state / "ledger.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE entries (a)")
    before = contents(places.state)
    assert code_of(lambda: SqliteLedger(places).append(make_entry())) == "ledger.damaged"
    assert code_of(lambda: SqliteLedger.open_existing(places)) == "ledger.damaged"
    assert contents(places.state)["ledger.sqlite"] == before["ledger.sqlite"]


def test_a_ledger_of_a_newer_version_is_left_alone(
    places: Places, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    edit(places, "PRAGMA user_version = 2")
    assert code_of(lambda: filled.append(make_entry(9))) == "ledger.newer"
    assert code_of(lambda: SqliteLedger.open_existing(places)) == "ledger.newer"


def test_damage_anywhere_is_a_ledger_error_or_an_audit_finding(
    places: Places, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    path = places.state / "ledger.sqlite"
    whole = path.read_bytes()
    for start in range(0, len(whole), 1009):
        path.write_bytes(whole[:start] + bytes(b ^ 0xA5 for b in whole[start : start + 16]) + whole[start + 16 :])
        for action in (
            lambda: filled.prove(make_entry(2).asset_id),
            lambda: list(filled.entries()),
            lambda: audit(filled),
            lambda: filled.append(make_entry(50)),
        ):
            with suppress(LedgerError):
                action()
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 2",
        "DELETE FROM nodes WHERE level = 2",
        "UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 4",
        "DELETE FROM entries WHERE idx = 4",
        "UPDATE checkpoints SET root_hash = zeroblob(32) WHERE tree_size = 5",
        "DELETE FROM checkpoints WHERE tree_size = 5",
        "UPDATE checkpoints SET signature = 'text' WHERE tree_size = 5",
        "UPDATE checkpoints SET tree_size = 9 WHERE tree_size = 5",
        "DELETE FROM meta",
        "UPDATE meta SET value = 'text'",
    ],
)
def test_nobody_appends_to_a_log_that_contradicts_its_checkpoint(
    places: Places, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry], statement: str
) -> None:
    edit(places, statement)
    code = code_of(lambda: filled.append(make_entry(9)))
    assert code in {"ledger.damaged", "ledger.checkpoint", "ledger.key"}


def test_a_damaged_branch_gives_no_proof(
    places: Places, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    edit(places, "UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 0")
    assert code_of(lambda: filled.prove(make_entry(2).asset_id)) == "ledger.damaged"
    edit(places, "UPDATE entries SET body = x'00' WHERE idx = 1")
    assert code_of(lambda: filled.prove(make_entry(1).asset_id)) == "ledger.damaged"


def test_without_its_key_the_log_can_be_read_but_not_written(
    places: Places, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    key = places.state / "ledger-key.pem"
    own = key.read_bytes()
    key.unlink()
    fresh = SqliteLedger(places)
    assert fresh.prove(make_entry(1).asset_id) is not None
    assert code_of(lambda: fresh.append(make_entry(9))) == "ledger.key"
    assert not key.exists()
    ledger_key.make(key)
    assert code_of(lambda: SqliteLedger(places).append(make_entry(9))) == "ledger.key"
    key.write_bytes(own)
    assert SqliteLedger(places).append(make_entry(9)).log_index == 5


@pytest.mark.parametrize("options", [{"timout": 1}, {"timeout": "1"}, {"timeout": True}])
def test_options_with_mistakes_are_refused(places: Places, options: dict[str, object]) -> None:
    with pytest.raises(PluginError):
        SqliteLedger.configure(places, options)


def _append_many(places: Places, entries: list[LedgerEntry]) -> None:
    ledger = SqliteLedger(places)
    for entry in entries:
        ledger.append(entry)


def test_processes_that_start_and_append_together_make_one_log(
    places: Places, make_entry: Callable[..., LedgerEntry]
) -> None:
    crowd = [
        _FORK.Process(target=_append_many, args=(places, [make_entry(100 * i + j) for j in range(10)]))
        for i in range(4)
    ]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join()
    assert [process.exitcode for process in crowd] == [0] * 4
    ledger = SqliteLedger(places)
    report = audit(ledger)
    assert report.consistent
    assert report.size == 40
    assert {logged.entry.asset_id for logged in ledger.entries()} == {
        make_entry(100 * i + j).asset_id for i in range(4) for j in range(10)
    }


def _append_and_tell(places: Places, entries: list[LedgerEntry], pipe: Connection) -> None:
    ledger = SqliteLedger(places)
    for entry in entries:
        pipe.send(ledger.append(entry).log_index)


def test_kills_at_any_moment_lose_nothing_that_was_acknowledged(
    places: Places, make_entry: Callable[..., LedgerEntry]
) -> None:
    ledger, size = SqliteLedger(places), 0
    for attempt in range(6):
        here, there = _FORK.Pipe(duplex=False)
        entries = [make_entry(1000 * attempt + number) for number in range(500)]
        process = _FORK.Process(target=_append_and_tell, args=(places, entries, there))
        process.start()
        there.close()
        told = [here.recv() for _ in range(1 + 2 * attempt)]
        process.kill()
        with suppress(EOFError):
            while True:
                told.append(here.recv())
        process.join()
        report = audit(ledger)
        assert report.consistent
        assert told == list(range(size, size + len(told)))
        assert report.size in {size + len(told), size + len(told) + 1}  # one more may have been on its way
        size = report.size


def _append_and_die(places: Places, entry: LedgerEntry, point: str) -> None:
    def reach(_point: str) -> None:
        if _point == point:
            os.kill(os.getpid(), signal.SIGKILL)

    log._reach = reach
    SqliteLedger(places).append(entry)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("point", log.FAULT_POINTS)
def test_a_kill_leaves_the_entry_or_nothing(
    places: Places, make_entry: Callable[..., LedgerEntry], point: str, fresh: bool
) -> None:
    ledger, start = SqliteLedger(places), 0
    if not fresh:
        ledger.append(make_entry(0))
        start = 1
    process = _FORK.Process(target=_append_and_die, args=(places, make_entry(1), point))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    there = ledger.prove(make_entry(1).asset_id) is not None
    assert there == (point == "ledger.append.committed")
    assert ledger.append(make_entry(2)).log_index == start + there
    assert audit(ledger).consistent
