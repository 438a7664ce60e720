"""Files are complete or not there."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import stat
from typing import TYPE_CHECKING

import pytest

from sdsafe._internal import atomic
from sdsafe.errors import AssetError

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["anonymous", "named", "linkless"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every way of staging a file, whatever this machine prefers."""
    if request.param == "anonymous" and not hasattr(os, "O_TMPFILE"):
        pytest.skip("no O_TMPFILE here")
    if request.param != "anonymous":
        monkeypatch.setattr(atomic, "_anonymous", lambda _folder, _mode: None)
    if request.param == "linkless":

        def no_link(*_args: object, **_more: object) -> None:
            raise OSError(errno.EPERM, "no hard links on this file system")

        monkeypatch.setattr(os, "link", no_link)
    return str(request.param)


def test_write_new_creates_the_whole_file_and_nothing_else(tmp_path: Path, way: str) -> None:
    atomic.write_new(tmp_path / "a.bin", b"abc" * 100_000, mode=0o600)
    assert (tmp_path / "a.bin").read_bytes() == b"abc" * 100_000
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o600
    assert names(tmp_path) == ["a.bin"]


def test_write_new_takes_pieces(tmp_path: Path, way: str) -> None:
    atomic.write_new(tmp_path / "a.bin", (bytes([i]) for i in range(5)))
    assert (tmp_path / "a.bin").read_bytes() == bytes(range(5))


def test_write_new_never_replaces(tmp_path: Path, way: str) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(AssetError, match=r"a\.bin.*exists") as caught:
        atomic.write_new(tmp_path / "a.bin", b"new")
    assert caught.value.code == "asset.exists"
    assert "--force" in caught.value.hint
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_write_new_does_not_follow_a_dangling_link(tmp_path: Path, way: str) -> None:
    (tmp_path / "a.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AssetError) as caught:
        atomic.write_new(tmp_path / "a.bin", b"new")
    assert caught.value.code == "asset.exists"
    assert not (tmp_path / "elsewhere").exists()


def test_replace_swaps_the_content(tmp_path: Path, way: str) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    atomic.replace(tmp_path / "a.bin", b"new")
    atomic.replace(tmp_path / "b.bin", b"first")
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin", "b.bin"]


@pytest.mark.parametrize("write", [atomic.write_new, atomic.replace])
@pytest.mark.parametrize(
    ("failing", "number", "code"),
    [
        ("write", errno.ENOSPC, "asset.no-space"),
        ("fsync", errno.EDQUOT, "asset.no-space"),
        ("fsync", errno.EIO, "asset.unwritable"),
    ],
)
def test_a_failing_disk_leaves_nothing_new(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch, write: object, failing: str, number: int, code: str
) -> None:
    target = tmp_path / "a.bin"
    before = b"old" if write is atomic.replace else None
    if before:
        target.write_bytes(before)

    def fail(*_args: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(AssetError) as caught:
        write(target, b"new")  # type: ignore[operator]
    assert caught.value.code == code
    assert caught.value.hint
    assert str(tmp_path) not in str(caught.value)
    assert names(tmp_path) == (["a.bin"] if before else [])
    assert before is None or target.read_bytes() == before


def test_a_name_that_cannot_be_made_durable_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_folder: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(atomic, "_sync_folder", fail)
    with pytest.raises(AssetError):
        atomic.write_new(tmp_path / "a.bin", b"new")
    assert names(tmp_path) == []


def test_a_rename_that_fails_removes_the_temporary_file(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise OSError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "rename", fail)
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(AssetError) as caught:
        atomic.replace(tmp_path / "a.bin", b"new")
    if way != "linkless":
        assert caught.value.code == "asset.denied"
        assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing/a.png", "asset.no-folder"),
        ("file/a.png", "asset.no-folder"),
        ("x" * 300, "asset.bad-name"),
        ("..", "asset.bad-name"),
        ("a\0b", "asset.bad-name"),
    ],
)
def test_bad_paths_are_typed_errors(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    for write in (atomic.write_new, atomic.replace):
        with pytest.raises(AssetError) as caught:
            write(tmp_path / name, b"data")
        assert caught.value.code == code
    assert names(tmp_path) == ["file"]


def test_replacing_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(AssetError) as caught:
        atomic.replace(tmp_path / "folder", b"data")
    assert caught.value.code == "asset.is-folder"
    assert names(tmp_path) == ["folder"]


def _write_and_die(target: Path, point: str, *, replacing: bool) -> None:
    def reach(_point: str) -> None:
        if _point == point:
            os.kill(os.getpid(), signal.SIGKILL)

    atomic._reach = reach
    (atomic.replace if replacing else atomic.write_new)(target, (b"n" * 10_000 for _ in range(3)))


def test_a_claim_that_cannot_be_kept_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(atomic, "_anonymous", lambda _folder, _mode: None)
    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(AssetError):
        atomic.write_new(tmp_path / "a.bin", b"new")
    assert names(tmp_path) == []


@pytest.mark.parametrize("replacing", [False, True])
def test_a_kill_at_any_point_leaves_all_or_nothing(tmp_path: Path, replacing: bool) -> None:
    context = multiprocessing.get_context("fork")
    reached = set()
    for point in atomic.FAULT_POINTS:
        folder = tmp_path / point
        folder.mkdir()
        target = folder / "a.bin"
        if replacing:
            target.write_bytes(b"old")
        process = context.Process(target=_write_and_die, args=(target, point), kwargs={"replacing": replacing})
        process.start()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            reached.add(point)
        allowed = {b"n" * 30_000} | ({b"old"} if replacing else set())
        assert not target.exists() or target.read_bytes() in allowed
        assert target.exists() or not replacing
        if hasattr(os, "O_TMPFILE") and not (replacing and point == "atomic.rename.before"):
            assert {path.name for path in folder.iterdir()} <= {"a.bin"}
    unreached = {"link": "atomic.rename", "rename": "atomic.link"}["rename" if replacing else "link"]
    assert reached == {point for point in atomic.FAULT_POINTS if not point.startswith(unreached)}
