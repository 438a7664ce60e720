"""The repository finds, opens, erases, and holds through restarts, crowds, kills and damage."""

from __future__ import annotations

import hashlib
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

from sdsafe.core.ids import AssetId
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.errors import PluginError, RepositoryError
from sdsafe.protocols import Configurable
from sdsafe.records.repository import sqlite
from sdsafe.records.repository.sqlite import SqliteRepository

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sdsafe.core.places import Places
    from sdsafe.core.states import Signed

    MakeSigned = Callable[..., Signed]

_FORK = multiprocessing.get_context("fork")


@pytest.fixture
def repository(places: Places) -> SqliteRepository:
    return SqliteRepository(places)


def id_of(signed: Signed) -> AssetId:
    return signed.encoded.marked.cleared.generated.asset_id


def mark(signed: Signed) -> SoftBinding:
    return signed.encoded.marked.watermark


def look(value: bytes, alg: str = "phash") -> SoftBinding:
    return SoftBinding(alg=alg, value=value, kind=BindingKind.FINGERPRINT)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(RepositoryError) as caught:
        action()
    assert caught.value.hint
    return caught.value.code


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_exists_before_the_first_put(places: Places, make_signed: MakeSigned) -> None:
    repository = SqliteRepository.configure(places, {})
    assert isinstance(repository, Configurable)
    assert SqliteRepository.open_existing(places) is None
    asset_id = id_of(make_signed())
    assert not repository.has(asset_id)
    assert list(repository.find(mark(make_signed()))) == []
    assert list(repository.list_records()) == []
    assert (repository.erased(), repository.undelivered()) == ((), ())
    repository.discard(asset_id)
    for action in (repository.opening, repository.erase):
        assert code_of(partial(action, asset_id)) == "repository.unknown"
    assert not places.state.exists()


def test_what_was_put_is_found_by_mark_and_opened_by_id(
    places: Places, repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    signed = make_signed()
    digest = repository.put(signed)
    repository.put(make_signed(2))
    again = SqliteRepository(places)
    (stored,) = again.find(mark(signed))
    assert stored.asset_id == id_of(signed)
    assert stored.manifest_store == signed.manifest_store
    assert stored.asset_sha256 == hashlib.sha256(signed.asset.data).hexdigest()
    assert (stored.media_type, stored.distance) == ("image/png", None)
    assert stored.bindings == (mark(signed), *signed.encoded.fingerprints)
    record = again.opening(id_of(signed))
    assert record.texts["prompt"] == "a quokka on a zeppelin"
    assert record.recorded_at == stored.recorded_at
    first, second = again.list_records()
    assert (first.asset_id, first.record_sha256, first.erased) == (id_of(signed), digest, False)
    assert second.asset_id == id_of(make_signed(2))
    with closing(sqlite3.connect(places.state / "repository.sqlite")) as connection:
        (sealed,) = connection.execute("SELECT record FROM records LIMIT 1").fetchone()
    assert hashlib.sha256(sealed).hexdigest() == digest


def test_files_are_private(places: Places, repository: SqliteRepository, make_signed: MakeSigned) -> None:
    repository.put(make_signed())
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (places.state, *places.state.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_an_id_is_taken_once_even_after_erasure(repository: SqliteRepository, make_signed: MakeSigned) -> None:
    signed = make_signed()
    repository.put(signed)
    assert repository.has(id_of(signed))
    assert code_of(lambda: repository.put(signed)) == "repository.exists"
    assert repository.opening(id_of(signed)).texts["prompt"]
    repository.erase(id_of(signed))
    assert repository.has(id_of(signed))
    assert code_of(lambda: repository.put(signed)) == "repository.exists"


def test_what_was_discarded_was_never_there(repository: SqliteRepository, make_signed: MakeSigned) -> None:
    signed = make_signed()
    repository.put(signed)
    repository.put(make_signed(2))
    repository.discard(id_of(signed))
    assert not repository.has(id_of(signed))
    assert list(repository.find(mark(signed))) == []
    assert repository.erased() == ()
    assert code_of(lambda: repository.opening(id_of(signed))) == "repository.unknown"
    repository.put(signed)
    assert repository.opening(id_of(signed)).texts["prompt"]


def test_marks_match_exactly_and_by_algorithm(repository: SqliteRepository, make_signed: MakeSigned) -> None:
    signed = make_signed()
    repository.put(signed)
    assert list(repository.find(replace(mark(signed), alg="other"))) == []
    assert list(repository.find(replace(mark(signed), value=bytes(8)), within=1.0)) == []
    assert list(repository.find(replace(mark(signed), kind=BindingKind.FINGERPRINT), within=0.0)) == []
    assert list(repository.find(replace(mark(signed), value=b""))) == []


def test_fingerprints_are_found_nearest_first_and_as_they_come(
    repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    base = bytearray(32)
    for number, bits in ((1, 9), (2, 0), (3, 31), (4, 32), (5, 200)):
        value = int.to_bytes((1 << bits) - 1, 32, "big")
        repository.put(make_signed(number, fingerprint=value))
    found = list(repository.find(look(bytes(base)), within=31 / 256))
    assert [stored.asset_id for stored in found] == [id_of(make_signed(number)) for number in (2, 1, 3)]
    assert [stored.distance for stored in found] == [0, 9 / 256, 31 / 256]
    assert [stored.distance for stored in repository.find(look(bytes(base)))] == [0]
    repository.put(make_signed(6, fingerprint=int.to_bytes(1, 32, "big")))
    repository.discard(id_of(make_signed(2)))
    repository.erase(id_of(make_signed(1)))
    found = list(repository.find(look(bytes(base)), within=31 / 256))
    assert [stored.asset_id for stored in found] == [id_of(make_signed(number)) for number in (6, 3)]
    assert list(repository.find(look(bytes(16)), within=1.0)) == []
    assert list(repository.find(look(bytes(32), alg="other"), within=1.0)) == []
    assert list(repository.find(look(b""), within=1.0)) == []


def test_what_another_process_put_is_found_at_once(
    places: Places, repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    other = SqliteRepository(places)
    for number in range(1, 4):
        repository.put(make_signed(number))
        value = make_signed(number).encoded.fingerprints[0]
        assert [stored.asset_id for stored in other.find(value)] == [id_of(make_signed(number))]


def test_a_file_put_back_to_an_earlier_state_is_read_anew(
    places: Places, repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    repository.put(make_signed(1))
    earlier = (places.state / "repository.sqlite").read_bytes()
    repository.put(make_signed(2))
    assert list(repository.find(make_signed(2).encoded.fingerprints[0]))
    (places.state / "repository.sqlite").write_bytes(earlier)
    assert list(repository.find(make_signed(2).encoded.fingerprints[0])) == []
    assert list(repository.find(make_signed(1).encoded.fingerprints[0]))


def test_a_changed_record_and_a_lost_key_are_told_apart_from_an_erased_one(
    places: Places, repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    for number in (1, 2, 3):
        repository.put(make_signed(number))
    repository.erase(id_of(make_signed(3)))
    with closing(sqlite3.connect(places.state / "repository.sqlite")) as connection, connection:
        connection.execute("UPDATE records SET manifest = (SELECT manifest FROM records WHERE number = 2)")
        connection.execute("UPDATE records SET record = zeroblob(100) WHERE number = 1")
    with closing(sqlite3.connect(places.state / "record-keys.sqlite")) as connection, connection:
        connection.execute("DELETE FROM keys WHERE asset_id = ?", (id_of(make_signed(2)).value,))
    find = repository.find
    assert code_of(lambda: list(find(mark(make_signed(1))))) == "repository.damaged"
    assert code_of(lambda: list(find(mark(make_signed(2))))) == "repository.damaged"
    assert code_of(lambda: repository.opening(id_of(make_signed(1)))) == "repository.newer"
    assert code_of(lambda: repository.opening(id_of(make_signed(2)))) == "repository.damaged"
    assert code_of(lambda: repository.opening(id_of(make_signed(3)))) == "repository.erased"
    assert repository.erased() == (id_of(make_signed(3)),)


def test_without_its_keys_the_repository_takes_nothing_new(
    places: Places, repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    repository.put(make_signed(1))
    (places.state / "record-keys.sqlite").unlink()
    assert code_of(lambda: repository.put(make_signed(2))) == "repository.damaged"
    assert code_of(lambda: repository.opening(id_of(make_signed(1)))) == "repository.damaged"
    assert not (places.state / "record-keys.sqlite").exists()


def test_delivery_is_noted_once(repository: SqliteRepository, make_signed: MakeSigned) -> None:
    signed = make_signed()
    repository.put(signed)
    assert [info.delivered_at for info in repository.list_records()] == [None]
    assert repository.undelivered() == ()  # this very process has it under way
    repository.mark_delivered(id_of(signed))
    (first,) = repository.list_records()
    assert first.delivered_at is not None
    repository.mark_delivered(id_of(signed))
    assert list(repository.list_records()) == [first]
    assert code_of(lambda: repository.mark_delivered(AssetId(bytes(8)))) == "repository.unknown"


def _put_many(places: Places, signed: list[Signed]) -> None:
    repository = SqliteRepository(places)
    for each in signed:
        repository.put(each)
        repository.mark_delivered(id_of(each))


def test_processes_that_start_and_put_together_lose_nothing(places: Places, make_signed: MakeSigned) -> None:
    batches = [[make_signed(100 * i + j) for j in range(8)] for i in range(4)]
    crowd = [_FORK.Process(target=_put_many, args=(places, batch)) for batch in batches]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join()
    assert [process.exitcode for process in crowd] == [0] * 4
    repository = SqliteRepository(places)
    for batch in batches:
        for signed in batch:
            assert repository.opening(id_of(signed)).seed == signed.encoded.marked.cleared.generated.seed
    assert repository.undelivered() == ()


def _act_and_die(places: Places, point: str, signed: Signed) -> None:
    def reach(_point: str) -> None:
        if _point == point:
            os.kill(os.getpid(), signal.SIGKILL)

    sqlite._reach = reach
    repository = SqliteRepository(places)
    if ".put." in point:
        repository.put(signed)
    elif ".discard." in point:
        repository.discard(id_of(signed))
    elif ".erase." in point:
        repository.erase(id_of(signed))
    else:
        repository.mark_delivered(id_of(signed))


@pytest.mark.parametrize("point", sqlite.FAULT_POINTS)
def test_a_kill_leaves_a_whole_record_or_none(places: Places, make_signed: MakeSigned, point: str) -> None:
    signed, repository = make_signed(), SqliteRepository(places)
    repository.put(make_signed(9))
    if ".put." not in point:
        repository.put(signed)
    process = _FORK.Process(target=_act_and_die, args=(places, point, signed))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    if ".put." in point:
        stored = point == "repository.put.committed"
        assert repository.has(id_of(signed)) == stored
        assert repository.undelivered() == ((id_of(signed),) if stored else ())
        repository.discard(id_of(signed))
        repository.put(signed)
        assert repository.opening(id_of(signed)).texts["prompt"]
    elif ".discard." in point:
        assert repository.has(id_of(signed)) == (point != "repository.discard.committed")
        repository.discard(id_of(signed))
        assert not repository.has(id_of(signed))
    elif ".erase." in point:
        assert (id_of(signed) in repository.erased()) == (point == "repository.erase.committed")
        repository.erase(id_of(signed))
        assert repository.erased() == (id_of(signed),)
    else:
        info = {each.asset_id: each for each in repository.list_records()}[id_of(signed)]
        assert (info.delivered_at is not None) == (point == "repository.deliver.committed")
        repository.mark_delivered(id_of(signed))
    assert repository.opening(id_of(make_signed(9))).seed == 9


def test_an_auditor_opens_for_reading_and_changes_nothing(
    places: Places,
    repository: SqliteRepository,
    make_signed: MakeSigned,
    unprivileged: Callable[[], AbstractContextManager[None]],
) -> None:
    signed = make_signed()
    repository.put(signed)
    before = contents(places.state)
    for acting in (nullcontext, unprivileged):
        with acting():
            reader = SqliteRepository.open_existing(places)
            assert reader is not None
            assert [stored.asset_id for stored in reader.find(mark(signed))] == [id_of(signed)]
            for change in (reader.put, reader.erase, reader.mark_delivered, reader.discard):
                argument = make_signed(2) if change == reader.put else id_of(signed)
                assert code_of(partial(change, argument)) == "repository.read-only"  # type: ignore[arg-type]
    assert contents(places.state) == before


def test_a_folder_that_cannot_be_written_is_said_so(
    places: Places,
    repository: SqliteRepository,
    make_signed: MakeSigned,
    unprivileged: Callable[[], AbstractContextManager[None]],
) -> None:
    repository.put(make_signed())
    with unprivileged():
        codes = {code_of(lambda: SqliteRepository(places).put(make_signed(2)))}
        codes.add(code_of(lambda: SqliteRepository(places).mark_delivered(id_of(make_signed()))))
    assert codes <= {"repository.read-only", "repository.unreachable"}
    repository.put(make_signed(2))


def test_locks_full_disks_and_foreign_files_are_said_so(
    places: Places, repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    repository.put(make_signed())
    impatient = SqliteRepository.configure(places, {"timeout": 0.05})
    for name in ("repository.sqlite", "record-keys.sqlite"):
        with closing(sqlite3.connect(places.state / name, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert code_of(lambda: impatient.put(make_signed(2))) == "repository.locked"
    full = replace(repository._database, pragmas=(*repository._database.pragmas, "max_page_count = 1"))
    repository._database, roomy = full, repository._database
    assert code_of(lambda: repository.put(make_signed(2, store=bytes(100_000)))) == "repository.disk-full"
    repository._database = roomy
    assert not repository.has(id_of(make_signed(2)))
    repository.put(make_signed(2))
    for name in ("repository.sqlite", "record-keys.sqlite"):
        whole = (places.state / name).read_bytes()
        for content in (b"no database at all, but long enough to be looked at" * 20, whole[:5000]):
            (places.state / name).write_bytes(content)
            assert code_of(lambda: repository.put(make_signed(3))) == "repository.damaged"
        (places.state / name).write_bytes(whole)
    repository.put(make_signed(3))


def test_a_repository_of_a_newer_version_is_left_alone(
    places: Places, repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    repository.put(make_signed())
    with closing(sqlite3.connect(places.state / "repository.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert code_of(lambda: repository.put(make_signed(2))) == "repository.newer"
    assert code_of(lambda: SqliteRepository.open_existing(places)) == "repository.newer"


def test_damage_anywhere_is_a_repository_error(
    places: Places, repository: SqliteRepository, make_signed: MakeSigned
) -> None:
    for number in range(3):
        repository.put(make_signed(number))
    for name in ("repository.sqlite", "record-keys.sqlite"):
        path = places.state / name
        whole = path.read_bytes()
        for start in range(0, len(whole), 1009):
            path.write_bytes(whole[:start] + bytes(b ^ 0xA5 for b in whole[start : start + 16]) + whole[start + 16 :])
            fresh = SqliteRepository(places)
            for action in (
                lambda fresh=fresh: list(fresh.find(mark(make_signed(1)))),
                lambda fresh=fresh: list(fresh.find(look(bytes(32)), within=1.0)),
                lambda fresh=fresh: fresh.opening(id_of(make_signed(1))),
                lambda fresh=fresh: list(fresh.list_records()),
                lambda fresh=fresh: fresh.undelivered(),
            ):
                with suppress(RepositoryError):
                    action()
            path.write_bytes(whole)


@pytest.mark.parametrize("options", [{"timout": 1}, {"timeout": "1"}, {"timeout": True}])
def test_options_with_mistakes_are_refused(places: Places, options: dict[str, object]) -> None:
    with pytest.raises(PluginError):
        SqliteRepository.configure(places, options)
