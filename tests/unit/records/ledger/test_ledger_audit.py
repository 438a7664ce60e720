"""An audit sees every change, and what it cannot see alone it sees with a kept checkpoint.

Each case is also put to the checker that shares no code with us.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.places import Places
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.errors import AssetError, LedgerError
from sdsafe.records.ledger import checkpoint
from sdsafe.records.ledger import key as ledger_key
from sdsafe.records.ledger.audit import AuditReport, audit
from sdsafe.records.ledger.export import export
from sdsafe.records.ledger.log import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.receipts import Checkpoint


@pytest.fixture
def filled(places: Places, make_entry: Callable[..., LedgerEntry]) -> SqliteLedger:
    ledger = SqliteLedger(places)
    ledger.append_all([make_entry(number) for number in range(3)])
    ledger.append_all([make_entry(number) for number in range(3, 7)])
    ledger.append(make_entry(2, EntryKind.WITHDRAWN))
    ledger.append(make_entry(3, EntryKind.ERASED))
    return ledger


def edit(places: Places, *statements: str) -> None:
    with closing(sqlite3.connect(places.state / "ledger.sqlite")) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def codes(report: AuditReport) -> set[str]:
    return {finding.code for finding in report.findings}


def stranger(root: Path, *arguments: Path) -> subprocess.CompletedProcess[str]:
    """Run the independent checker."""
    script = root / "tests" / "conformance" / "ledger_checker.py"
    command = [sys.executable, "-I", str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def kept_head(ledger: SqliteLedger) -> Checkpoint:
    head = ledger.checkpoint()
    assert head is not None
    return head


def test_a_sound_log_has_nothing_to_report(filled: SqliteLedger) -> None:
    report = audit(filled, since=kept_head(filled), key=filled.public_key)
    assert report.consistent
    assert report.findings == ()
    assert (report.size, report.checkpoints) == (9, 5)
    assert report.root_hash == report.checkpoint.root_hash
    assert report.compared_with == report.checkpoint


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE entries SET body = CAST(replace(body, 'annotate', 'a quokka') AS BLOB) WHERE idx = 3", "ledger.entry"),
        ("UPDATE entries SET body = (SELECT body FROM entries WHERE idx = 1) WHERE idx = 3", "ledger.root-mismatch"),
        ("UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 3", "ledger.entry-mismatch"),
        ("UPDATE entries SET asset_id = zeroblob(8) WHERE idx = 3", "ledger.entry-mismatch"),
        ("UPDATE entries SET asset_sha256 = zeroblob(32) WHERE idx = 3", "ledger.entry-mismatch"),
        ("UPDATE entries SET kind = 'erased' WHERE idx = 3", "ledger.entry-mismatch"),
        ("UPDATE entries SET idx = idx + 100 WHERE idx = 3", "ledger.entry-missing"),
        ("DELETE FROM entries WHERE idx = 3", "ledger.entry-missing"),
        ("DELETE FROM entries WHERE idx = 8", "ledger.uncovered"),
        ("UPDATE entries SET body = 7 WHERE idx = 3", "ledger.unreadable"),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 2 AND idx = 0", "ledger.node-mismatch"),
        ("DELETE FROM nodes WHERE level = 2 AND idx = 0", "ledger.unreadable"),
        ("INSERT INTO nodes VALUES (9, 9, zeroblob(32))", "ledger.node-count"),
        ("UPDATE checkpoints SET root_hash = zeroblob(32) WHERE tree_size = 3", "ledger.root-mismatch"),
        ("UPDATE checkpoints SET timestamp = '2020-01-01T00:00:00Z' WHERE tree_size = 3", "ledger.checkpoint"),
        ("UPDATE checkpoints SET signature = zeroblob(64) WHERE tree_size = 9", "ledger.checkpoint"),
        ("UPDATE checkpoints SET tree_size = 90 WHERE tree_size = 9", "ledger.uncovered"),
        ("DELETE FROM checkpoints WHERE tree_size = 9", "ledger.uncovered"),
        (
            "UPDATE entries SET asset_id = (SELECT asset_id FROM entries WHERE idx = 4) WHERE idx = 3",
            "ledger.duplicate",
        ),
    ],
)
def test_every_change_is_found(places: Places, filled: SqliteLedger, statement: str, code: str) -> None:
    edit(places, statement)
    report = audit(filled)
    assert not report.consistent
    assert code in codes(report)


def rewritten(places: Places, tmp_path: Path, entries: list[LedgerEntry]) -> SqliteLedger:
    """Start the log anew with the same key: what its owner could do."""
    forged = Places(state=tmp_path / "forged", cache=places.cache)
    forged.state.mkdir(mode=0o700)
    shutil.copy2(places.state / "ledger-key.pem", forged.state / "ledger-key.pem")
    ledger = SqliteLedger(forged)
    ledger.append_all(entries)
    return ledger


def test_a_rollback_is_seen_only_with_a_kept_checkpoint(
    places: Places, tmp_path: Path, filled: SqliteLedger, repository_root: Path
) -> None:
    kept = kept_head(filled)
    export(filled, tmp_path / "before")
    back = rewritten(places, tmp_path, [logged.entry for logged in filled.entries(0, 6)])
    assert audit(back).consistent
    report = audit(back, since=kept)
    assert codes(report) == {"ledger.rollback"}
    export(back, tmp_path / "after")
    assert stranger(repository_root, tmp_path / "after").returncode == 0
    answer = stranger(repository_root, tmp_path / "after", tmp_path / "before" / "checkpoint.txt")
    assert (answer.returncode, "rolled back" in answer.stderr) == (1, True)


def test_a_fork_is_seen_only_with_a_kept_checkpoint(
    places: Places, tmp_path: Path, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry], repository_root: Path
) -> None:
    kept = kept_head(filled)
    export(filled, tmp_path / "before")
    changed = [
        replace(logged.entry, effect="allow") if logged.index == 4 else logged.entry for logged in filled.entries()
    ]
    fork = rewritten(places, tmp_path, [*changed, make_entry(20)])
    assert audit(fork).consistent
    assert codes(audit(fork, since=kept)) == {"ledger.fork"}
    export(fork, tmp_path / "after")
    answer = stranger(repository_root, tmp_path / "after", tmp_path / "before" / "checkpoint.txt")
    assert (answer.returncode, "forked" in answer.stderr) == (1, True)


def test_a_log_under_another_key_is_seen_by_who_knows_the_key(
    tmp_path: Path, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    other = SqliteLedger(Places(state=tmp_path / "other", cache=tmp_path))
    other.append(make_entry(1))
    assert "ledger.foreign-key" in codes(audit(other, key=filled.public_key))
    assert "ledger.foreign-checkpoint" in codes(audit(other, since=kept_head(filled)))


def test_a_kept_checkpoint_with_a_forged_signature_is_seen(filled: SqliteLedger) -> None:
    forged = replace(kept_head(filled), timestamp="2020-01-01T00:00:00Z")
    assert codes(audit(filled, since=forged)) == {"ledger.checkpoint"}


def test_findings_are_cut_off_but_say_so(
    places: Places, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry]
) -> None:
    filled.append_all([make_entry(number) for number in range(100, 300)])
    edit(places, "UPDATE entries SET leaf_hash = zeroblob(32)")
    report = audit(filled)
    assert len(report.findings) == 101
    assert report.findings[-1].code == "ledger.more"


def test_an_empty_log_can_be_audited_and_exported(places: Places, tmp_path: Path, repository_root: Path) -> None:
    ledger = SqliteLedger(places)
    with pytest.raises(LedgerError) as caught:
        export(ledger, tmp_path / "export")
    assert caught.value.code == "ledger.absent"
    with ledger._database.writing():
        pass
    report = audit(ledger)
    assert (report.consistent, report.size, report.checkpoints) == (True, 0, 1)
    export(ledger, tmp_path / "export")
    assert stranger(repository_root, tmp_path / "export").stdout == "0 entries hold\n"


def test_an_export_holds_for_a_stranger(
    tmp_path: Path, filled: SqliteLedger, make_entry: Callable[..., LedgerEntry], repository_root: Path
) -> None:
    head = export(filled, tmp_path / "old")
    filled.append_all([make_entry(number) for number in range(30, 40)])
    export(filled, tmp_path / "new")
    answer = stranger(repository_root, tmp_path / "new", tmp_path / "old" / "checkpoint.txt")
    assert (answer.returncode, answer.stdout) == (0, "19 entries hold\n")
    assert checkpoint.parse_note((tmp_path / "old" / "checkpoint.txt").read_text()) == head
    key = ledger_key.public_from_pem((tmp_path / "old" / "public-key.pem").read_bytes())
    checkpoint.verify(head, key)


@pytest.mark.parametrize("name", ["entries.jsonl", "checkpoint.txt", "public-key.pem"])
def test_a_stranger_sees_changes_to_an_export(
    tmp_path: Path, filled: SqliteLedger, name: str, repository_root: Path
) -> None:
    export(filled, tmp_path / "export")
    path = tmp_path / "export" / name
    data = path.read_bytes()
    for place in range(40, len(data) - 2, len(data) // 6):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert stranger(repository_root, tmp_path / "export").returncode != 0
    path.write_bytes(data)
    assert stranger(repository_root, tmp_path / "export").returncode == 0


def test_the_checker_is_short_and_imports_nothing_of_ours(repository_root: Path) -> None:
    text = (repository_root / "tests" / "conformance" / "ledger_checker.py").read_text()
    code = text.split('"""', 2)[2].strip().splitlines()
    assert len(code) <= 60
    assert not [line for line in code if "import" in line and ("sdsafe" in line or "cryptography" in line)]


def test_an_export_never_overwrites_and_cleans_up_after_itself(
    places: Places, tmp_path: Path, filled: SqliteLedger
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(AssetError) as caught:
        export(filled, tmp_path / "there")
    assert caught.value.code == "asset.exists"
    with pytest.raises(AssetError):
        export(filled, tmp_path / "missing" / "export")
    edit(places, "UPDATE entries SET body = x'00' WHERE idx = 5")
    with pytest.raises(LedgerError):
        export(filled, tmp_path / "export")
    assert not (tmp_path / "export").exists()
