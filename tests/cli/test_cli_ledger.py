"""``sdsafe ledger`` and ``sdsafe records``, as a shell sees them: exit code, standard output, standard error."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sdsafe.core.places import Places
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.records.ledger.log import SqliteLedger
from sdsafe.records.repository.sqlite import SqliteRepository
from sdsafe.testing.samples import sample_signed
from sdsafe_cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.states import Signed


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SDSAFE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SDSAFE_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def sdsafe(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        return Answer(int(ended.value.code or 0), out, err)

    return call


def entry(number: int) -> LedgerEntry:
    return LedgerEntry(
        kind=EntryKind.RELEASED,
        asset_id=f"{number:016x}",
        asset_sha256=f"{number:064x}",
        manifest_sha256=f"{number + 1000:064x}",
        policy_digests=("ab" * 32,),
        effect="allow",
        record_sha256=f"{number + 2000:064x}",
        recorded_at="2026-11-22T07:00:00Z",
    )


@pytest.fixture
def ledger(places: Places) -> SqliteLedger:
    log = SqliteLedger(places)
    log.append_all([entry(number) for number in range(30)])
    return log


@pytest.fixture
def released(places: Places, ledger: SqliteLedger) -> Signed:
    """One asset, recorded as the pipeline does it."""
    signed = sample_signed()
    repository = SqliteRepository(places)
    digest = repository.put(signed)
    asset_id = signed.encoded.marked.cleared.generated.asset_id
    ledger.append(replace(entry(77), asset_id=str(asset_id), record_sha256=digest))
    repository.mark_delivered(asset_id)
    return signed


def id_of(signed: Signed) -> str:
    return str(signed.encoded.marked.cleared.generated.asset_id)


@pytest.mark.parametrize("arguments", [("show",), ("prove", "ab" * 8), ("audit",), ("export", "x"), ("checkpoint",)])
def test_without_a_ledger_every_command_says_so_and_creates_nothing(
    sdsafe: Callable[..., Answer], places: Places, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    answer = sdsafe("ledger", *arguments)
    assert (answer.code, answer.out) == (1, "")
    assert "there is no ledger" in answer.err
    assert not places.state.exists()


def test_show_lists_the_newest(sdsafe: Callable[..., Answer], ledger: SqliteLedger) -> None:
    answer = sdsafe("ledger", "show", "--last", 3)
    lines = answer.out.splitlines()
    assert answer.code == 0
    assert [line.split("\t")[0] for line in lines] == ["#", "27", "28", "29"]
    assert lines[-1].split("\t")[2] == f"{29:016x}"
    document = json.loads(sdsafe("ledger", "show", "--json").out)
    assert (document["schema"], document["size"]) == ("sdsafe.ledger.show/1", 30)
    assert [row["index"] for row in document["entries"]] == list(range(10, 30))
    assert document["entries"][0]["kind"] == "released"


def test_prove_takes_an_id_a_digest_or_a_file(
    sdsafe: Callable[..., Answer], ledger: SqliteLedger, tmp_path: Path
) -> None:
    for what in (f"{7:016X}", f"{7:064x}", f"{1007:064x}"):
        answer = sdsafe("ledger", "prove", what, "--json")
        document = json.loads(answer.out)
        assert (answer.code, document["log_index"]) == (0, 7)
        assert document["inclusion_proof"]["tree_size"] == 30
    assert "#7 of 30, released" in sdsafe("ledger", "prove", f"{7:016x}").out
    (tmp_path / "a.png").write_bytes(b"unknown to the ledger")
    answer = sdsafe("ledger", "prove", tmp_path / "a.png")
    assert (answer.code, answer.out) == (5, "")
    assert "no entry" in answer.err
    assert sdsafe("ledger", "prove", "neither").code == 2


def test_audit_tells_a_sound_log_from_a_damaged_one(
    sdsafe: Callable[..., Answer], ledger: SqliteLedger, places: Places
) -> None:
    answer = sdsafe("ledger", "audit")
    assert (answer.code, answer.out.startswith("consistent: 30 entries")) == (0, True)
    assert "--since" in answer.err
    with closing(sqlite3.connect(places.state / "ledger.sqlite")) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET kind = 'erased' WHERE idx = 4")
    answer = sdsafe("ledger", "audit", "--json")
    assert answer.code == 4
    document = json.loads(answer.out)
    assert document["consistent"] is False
    assert [finding["code"] for finding in document["findings"]] == ["ledger.entry-mismatch"]
    assert sdsafe("ledger", "audit").out.startswith("INCONSISTENT")


def test_a_kept_checkpoint_shows_a_rollback(
    sdsafe: Callable[..., Answer], ledger: SqliteLedger, places: Places, tmp_path: Path
) -> None:
    shutil.copy2(places.state / "ledger.sqlite", tmp_path / "earlier.sqlite")
    ledger.append(entry(50))
    note = tmp_path / "kept.txt"
    assert sdsafe("ledger", "checkpoint", "-o", note).code == 0
    assert sdsafe("ledger", "checkpoint").out == note.read_text(encoding="utf-8")
    assert sdsafe("ledger", "checkpoint", "-o", note).code == 1
    assert sdsafe("ledger", "checkpoint", "-o", note, "--force").code == 0
    assert sdsafe("ledger", "audit", "--since", note).code == 0
    shutil.copy2(tmp_path / "earlier.sqlite", places.state / "ledger.sqlite")
    assert sdsafe("ledger", "audit").code == 0
    answer = sdsafe("ledger", "audit", "--since", note)
    assert (answer.code, "ledger.rollback" in answer.out) == (4, True)
    note.write_bytes(b"\xff not a checkpoint")
    assert (sdsafe("ledger", "audit", "--since", note).code, sdsafe("ledger", "audit", "--since", "no").code) == (1, 2)


def test_an_export_holds_for_a_stranger_and_its_key_for_an_audit(
    sdsafe: Callable[..., Answer], ledger: SqliteLedger, tmp_path: Path, repository_root: Path
) -> None:
    assert sdsafe("ledger", "export", tmp_path / "export").code == 0
    checker = repository_root / "tests" / "conformance" / "ledger_checker.py"
    command = [sys.executable, "-I", str(checker), str(tmp_path / "export")]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "30 entries hold\n"
    assert sdsafe("ledger", "audit", "--key", tmp_path / "export" / "public-key.pem").code == 0
    assert sdsafe("ledger", "audit", "--key", tmp_path / "export" / "entries.jsonl").code == 1
    assert sdsafe("ledger", "export", tmp_path / "export").code == 1


def test_records_are_listed_and_opened(sdsafe: Callable[..., Answer], released: Signed) -> None:
    answer = sdsafe("records", "list")
    assert answer.out.splitlines()[1].split("\t")[0] == id_of(released)
    assert answer.out.splitlines()[1].split("\t")[-1] == "kept"
    prompt = released.encoded.marked.cleared.generated.admitted.request.prompt
    assert prompt not in answer.out
    assert prompt in sdsafe("records", "show", id_of(released)).out
    document = json.loads(sdsafe("records", "show", id_of(released), "--json").out)
    assert document["texts"]["prompt"] == prompt
    assert set(document["decisions"]) >= {"prompt", "output"}


def test_an_erasure_is_asked_for_done_and_noted_once(
    sdsafe: Callable[..., Answer], released: Signed, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = released.encoded.marked.cleared.generated.admitted.request.prompt
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _text: "n")
    assert sdsafe("records", "erase", id_of(released)).code == 1
    assert prompt in sdsafe("records", "show", id_of(released)).out
    assert sdsafe("records", "erase", id_of(released), "--yes").code == 0
    answer = sdsafe("records", "show", id_of(released))
    assert (answer.code, answer.out, "was erased" in answer.err) == (1, "", True)
    assert "erased" in sdsafe("records", "list").out
    document = json.loads(sdsafe("records", "erase", id_of(released), "--yes", "--json").out)
    assert document == {
        "schema": "sdsafe.records.erase/1",
        "asset_id": id_of(released),
        "erased": True,
        "log_index": 31,
    }
    assert [logged.entry.kind for logged in ledger.entries(30)] == [EntryKind.RELEASED, EntryKind.ERASED]
    assert sdsafe("ledger", "prove", id_of(released)).out.startswith("entry       #31 of 32, erased")


def test_an_erasure_cut_off_before_the_ledger_is_finished_by_repeating_it(
    sdsafe: Callable[..., Answer], released: Signed, ledger: SqliteLedger, places: Places
) -> None:
    (places.state / "ledger-key.pem").rename(places.state / "away")
    answer = sdsafe("records", "erase", id_of(released), "--yes")
    assert (answer.code, "ledger key is missing" in answer.err) == (1, True)
    assert len(list(ledger.entries())) == 31
    (places.state / "away").rename(places.state / "ledger-key.pem")
    assert sdsafe("records", "erase", id_of(released), "--yes").code == 0
    assert [logged.entry.kind for logged in ledger.entries(31)] == [EntryKind.ERASED]


def test_ids_that_are_unknown_or_no_ids_are_refused(sdsafe: Callable[..., Answer], released: Signed) -> None:
    for verb in ("show", "erase"):
        assert (sdsafe("records", verb, "ab" * 8).code, sdsafe("records", verb, "no id").code) == (1, 2)


def test_another_ledger_or_repository_is_not_mistaken_for_ours(
    sdsafe: Callable[..., Answer], places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('ledger = "other"\nrepository = "other"\n', encoding="utf-8")
    monkeypatch.setenv("SDSAFE_CONFIG", str(settings))
    for arguments in (("ledger", "show"), ("records", "list")):
        answer = sdsafe(*arguments)
        assert (answer.code, "'other'" in answer.err) == (1, True)
