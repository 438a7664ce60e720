"""Killed anywhere, out of disk, forbidden to write, with a clock set back, two at once: nothing comes apart.

Held after every kill, before anything is put in order: no released file without a ledger entry, no entry without its
record, no half file, an audit that finds nothing. Held after the next start: every record has its entry, and every
entry its file or a withdrawal.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe import diagnosis
from sdsafe._internal import atomic, clock, images
from sdsafe.api import open_pipeline, save_to
from sdsafe.core.digests import sha256_hex
from sdsafe.core.places import Places
from sdsafe.core.receipts import EntryKind
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded
from sdsafe.errors import AssetError, SigningError
from sdsafe.pipeline import Pipeline, UnsafeNoOutputCheck
from sdsafe.provenance.signing import local
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.records.ledger.audit import audit
from sdsafe.records.ledger.log import SqliteLedger
from sdsafe.records.repository.sqlite import SqliteRepository
from sdsafe.settings import Settings
from sdsafe.testing.fakes import LsbWatermarker
from sdsafe.testing.pipeline import fake_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("_worker.py")
RANDOM_KILLS, PARTS = 200, 4
NOBODY = 65534


def _points() -> list[str]:
    spec = spec_from_file_location("_robustness_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    # The signer apart is another process: its own tests kill it there.
    return [each for each in module.fault_points() if not each.startswith("signer.")]


class Worker:
    """The process that forks; see ``_worker.py``."""

    def __init__(self, scratch: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), str(scratch)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == {"ready": True}

    def ask(self, **job: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job, default=str) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        return self._answer()

    def do(self, **job: object) -> dict[str, Any]:
        self.ask(**job)
        return self._answer()

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said


@dataclass(frozen=True)
class Site:
    """A state folder with a credential, and a folder that pictures are written to."""

    state: Path
    out: Path

    @property
    def job(self) -> dict[str, object]:
        return {"state": self.state, "out": self.out}

    @property
    def places(self) -> Places:
        return Places(state=self.state, cache=self.state / "cache")

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.out.iterdir()}


@pytest.fixture(scope="module")
def credential(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("credential") / "keys"
    init_development(folder, name="kill test", password=None, force=False)
    return folder


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    running = Worker(tmp_path_factory.mktemp("worker"))
    yield running
    running.end()


@pytest.fixture
def site(credential: Path) -> Iterator[Site]:
    # In memory where there is such a folder: a kill does not ask what the disk has, and syncing costs the most.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield _site(Path(folder), credential)


def _site(folder: Path, credential: Path) -> Site:
    made = Site(state=folder / "state", out=folder / "out")
    made.state.mkdir(exist_ok=True)
    made.out.mkdir(exist_ok=True)
    shutil.copytree(credential, made.places.keys)
    return made


def _assert_whole(site: Site, *, files: dict[str, bytes] | None = None) -> None:
    """What holds at any moment, before anything is put in order."""
    ledger, repository = SqliteLedger.open_existing(site.places), SqliteRepository(site.places)
    for name, data in (site.files if files is None else files).items():
        # Killed between naming and renaming, replacing a file leaves a second name; of a whole, recorded file.
        assert name.endswith(".png") or (name.startswith(".r") and name.endswith(".tmp")), name
        assert images.decode(data).shape == (64, 64, 3)
        assert ledger is not None
        receipt = ledger.prove(sha256_hex(data))
        assert receipt is not None, f"{name} was released without a ledger entry"
    if ledger is None:
        return
    records = {str(info.asset_id): info for info in repository.list_records()}
    for logged in ledger.entries():
        record = records.get(logged.entry.asset_id)
        assert record is not None, "an entry without its record"
        assert record.record_sha256 == logged.entry.record_sha256
        if not record.erased:
            assert repository.opening(record.asset_id).asset_id == logged.entry.asset_id
    assert audit(ledger).findings == ()


def _assert_in_order(site: Site) -> None:
    """What holds besides once the next run has begun."""
    _assert_whole(site)
    ledger, repository = SqliteLedger.open_existing(site.places), SqliteRepository(site.places)
    assert ledger is not None
    assert repository.undelivered() == ()
    entries = [logged.entry for logged in ledger.entries()]
    released = {entry.asset_id: entry.asset_sha256 for entry in entries if entry.kind is EntryKind.RELEASED}
    withdrawn = [entry.asset_id for entry in entries if entry.kind is EntryKind.WITHDRAWN]
    assert len(withdrawn) == len(set(withdrawn))
    assert {str(info.asset_id) for info in repository.list_records()} == set(released)
    written = {sha256_hex(data) for data in site.files.values()}
    for asset_id, digest in released.items():
        assert digest in written or asset_id in withdrawn


@pytest.mark.parametrize("first", [True, False], ids=["first-run", "later-run"])
@pytest.mark.parametrize("point", _points())
def test_a_kill_at_any_named_point(worker: Worker, site: Site, point: str, *, first: bool) -> None:
    if not first:
        assert len(worker.do(**site.job, do="release", name="before")["released"]) == 1
    for do in ("release", "replace", "fail", "erase"):
        answer = worker.do(**site.job, do=do, name=do, kill_at=point)
        if answer["killed"]:
            break
    else:
        pytest.fail(f"nothing here reaches {point}: add what does to _worker.py")
    _assert_whole(site)
    after = worker.do(**site.job, do="release", name="after")
    assert len(after["released"]) == 1, after
    _assert_whole(site)
    settled = worker.do(**site.job, do="sweep")
    assert (settled["discarded"], settled["withdrawn"]) == (0, 0)


def test_a_kill_while_putting_things_in_order(worker: Worker, site: Site) -> None:
    for crash in ("ledger.append.committed", "repository.put.committed"):
        for point in ("repository.discard.key-forgotten", "ledger.append.written", "repository.deliver.written"):
            worker.do(**site.job, do="release", name="cut", kill_at=crash)
            worker.do(**site.job, do="sweep", kill_at=point)
            _assert_whole(site)
            assert "error" not in worker.do(**site.job, do="sweep")
            _assert_in_order(site)


@pytest.mark.parametrize("part", range(PARTS))
def test_kills_at_random_moments(worker: Worker, site: Site, part: int) -> None:
    rng = np.random.default_rng(part)
    started = time.perf_counter()
    assert "error" not in worker.do(**site.job, do="release", name="warm", count=3)
    usual = time.perf_counter() - started
    killed = 0
    for index in range(8 * RANDOM_KILLS // PARTS):  # most are cut off; on a machine whose load changes, fewer
        way = "replace" if index % 4 == 0 else "release"
        before = {path.name for path in site.out.iterdir()}
        delay = float(rng.uniform(0, 0.8 * usual))
        started = time.perf_counter()
        answer = worker.do(**site.job, do=way, name=f"r{index:03}", count=3, kill_after=delay)
        assert "error" not in answer, answer
        killed += answer["killed"]
        if not answer["killed"]:  # the first run may have been slow because the machine was busy
            usual = min(usual, time.perf_counter() - started)
        # All of the ledger is looked at every thirtieth time, otherwise what has come.
        if index % 30 == 29:
            _assert_whole(site)
        else:
            _assert_new(site, before)
        if killed == RANDOM_KILLS // PARTS:
            break
    assert killed == RANDOM_KILLS // PARTS
    assert "error" not in worker.do(**site.job, do="sweep")
    _assert_in_order(site)
    assert len([name for name in site.files if not name.endswith(".png")]) < 5


def _assert_new(site: Site, before: set[str]) -> None:
    ledger, repository = SqliteLedger.open_existing(site.places), SqliteRepository(site.places)
    assert ledger is not None
    for name in {path.name for path in site.out.iterdir()} - before:
        assert ledger.prove(sha256_hex((site.out / name).read_bytes())) is not None, name
    head = ledger.checkpoint()
    assert head is not None
    for logged in ledger.entries(max(0, head.tree_size - 6)):
        assert repository.has(_id(logged.entry.asset_id))


def _id(text: str) -> Any:
    from sdsafe.core.ids import AssetId

    return AssetId.parse(text)


def test_the_next_pipeline_withdraws_and_says_so(worker: Worker, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    worker.do(**site.job, do="release", name="cut", kill_at="ledger.append.committed")
    worker.do(**site.job, do="sweep", kill_at="ledger.append.begun")
    settings = Settings.load({"HOME": str(site.state)}, site=site.state / "none.toml", places=site.places)
    open_pipeline(settings, unsafe=UnsafeNoOutputCheck())
    assert "1 assets of a run that was cut off were withdrawn" in caplog.text
    _assert_in_order(site)
    examined = next(each for each in diagnosis.diagnose(settings) if each.name == "ledger")
    assert examined.ok, examined


def test_two_processes_share_a_state_folder(worker: Worker, site: Site, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = Worker(tmp_path / "second")
    try:
        for each, name in ((worker, "one"), (second, "two")):
            each.ask(**site.job, do="release", name=name, count=8)
        answers = [worker.answer(), second.answer()]
    finally:
        second.end()
    assert [len(answer.get("released", ())) for answer in answers] == [8, 8], answers
    assert len({asset_id for answer in answers for asset_id in answer["released"]}) == 16
    assert len(site.files) == 16
    _assert_in_order(site)
    ledger = SqliteLedger.open_existing(site.places)
    assert ledger is not None
    assert [logged.entry.kind for logged in ledger.entries()] == [EntryKind.RELEASED] * 16


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("no mount command here")
    mounting = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounting.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run([umount, str(folder)], check=True)


def test_a_full_disk_under_the_records(worker: Worker, tmp_path: Path, credential: Path) -> None:
    with _small_disk(tmp_path / "disk", "512k") as disk:
        site = Site(state=disk / "state", out=tmp_path / "out")
        site.state.mkdir()
        site.out.mkdir()
        shutil.copytree(credential, site.places.keys)
        for room in (8192, 40_000, 90_000, 150_000, 0):
            filler = disk / "filler"
            free = shutil.disk_usage(disk).free
            filler.write_bytes(b"x" * max(0, free - room))
            answer = worker.do(**site.job, do="release", name=f"full-{room}", count=20)
            filler.unlink()
            assert answer.get("error", "none") != "untyped", answer
            assert "error" in answer or room > 100_000, answer
            _assert_whole(site)
        answer = worker.do(**site.job, do="release", name="room-again")
        assert len(answer["released"]) == 1, answer
        _assert_in_order(site)


def test_a_full_disk_under_the_pictures(worker: Worker, tmp_path: Path, credential: Path) -> None:
    with _small_disk(tmp_path / "disk", "256k") as disk:
        site = Site(state=tmp_path / "state", out=disk)
        site.state.mkdir()
        shutil.copytree(credential, site.places.keys)
        answer = worker.do(**site.job, do="release", name="full", count=40)
        assert (answer["error"], answer["type"]) == ("asset.no-space", "AssetError")
        assert 0 < len(site.files) < 40
        _assert_in_order(site)


def test_a_full_disk_that_is_only_played(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = fake_parts(site.places, watermarker=LsbWatermarker())
    Pipeline(parts).run(_request(), deliver=save_to(site.out / "before.png"))

    def full(_fd: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_write", full)
        with pytest.raises(AssetError) as caught:
            Pipeline(parts).run(_request(), deliver=save_to(site.out / "a.png"))
    assert caught.value.code == "asset.no-space"
    assert list(site.files) == ["before.png"]
    _assert_in_order(site)


@contextmanager
def _open_folder() -> Iterator[Path]:
    """A folder that another user can walk through, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="sdsafe-kills-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("denied", ["state", "out"])
def test_a_folder_that_cannot_be_written(worker: Worker, credential: Path, denied: str) -> None:
    uid = NOBODY if os.getuid() == 0 else None
    with _open_folder() as folder:
        site = _site(folder, credential)
        for path in (folder, *folder.rglob("*")):
            if uid is not None:
                os.chown(path, uid, uid)
        locked = site.state if denied == "state" else site.out
        locked.chmod(0o555)
        answer = worker.do(**site.job, do="release", name="no", uid=uid)
        expected = {"state": ("repository.unreachable", "RepositoryError"), "out": ("asset.denied", "AssetError")}
        assert (answer["error"], answer["type"]) == expected[denied]
        assert site.files == {}
        locked.chmod(0o755)
        _assert_whole(site)
        answer = worker.do(**site.job, do="release", name="yes", uid=uid)
        assert len(answer["released"]) == 1, answer
        _assert_in_order(site)


def _request() -> GenerationRequest:
    return GenerationRequest(prompt="waves", seed=7, size=Size(width=64, height=64), steps=1)


class TestClock:
    def test_an_hour_back_is_noted_and_nothing_else(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        parts = fake_parts(site.places, watermarker=LsbWatermarker())
        right = clock.now
        for hours in (0, -1, 0):
            monkeypatch.setattr(clock, "now", lambda by=hours: right() + timedelta(hours=by))
            (outcome,) = Pipeline(parts).run(_request(), deliver=save_to(site.out / f"{hours}-{time.time_ns()}.png"))
            assert isinstance(outcome, Recorded)
        report = audit(parts.ledger)  # type: ignore[arg-type]
        assert report.consistent
        assert {finding.code for finding in report.findings} == {"ledger.clock"}
        assert [logged.index for logged in parts.ledger.entries()] == [0, 1, 2]  # type: ignore[attr-defined]

    def test_before_the_certificate_began_nothing_is_signed(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        parts = fake_parts(site.places, watermarker=LsbWatermarker())
        right = clock.now
        for module in (clock, local):
            monkeypatch.setattr(module, "now", lambda: right() - timedelta(days=3650))
        with pytest.raises(SigningError) as caught:
            Pipeline(parts).run(replace(_request(), count=2), deliver=save_to(site.out / "a.png"))
        assert caught.value.code == "signing.not-yet-valid"
        assert site.files == {}
        assert SqliteLedger.open_existing(site.places) is None
