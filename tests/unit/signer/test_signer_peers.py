"""The socket: private, one signer a log, stale ones taken away, and the kernel asked who is there."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sdsafe.errors import ConfigurationError
from sdsafe.signer import peers

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def code_of(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught, peers.listening(path):
        pass
    return caught.value.code


def test_the_socket_is_its_owners_alone_and_goes_away(run_folder: Path) -> None:
    path = run_folder / "new" / "s"
    before = os.umask(0)
    try:
        with peers.listening(path):
            assert (mode(path), mode(path.parent)) == (0o600, 0o700)
        assert not path.exists()
    finally:
        os.umask(before)


def test_shared_it_lets_others_through_to_be_judged_by_the_kernel(run_folder: Path) -> None:
    path = run_folder / "new" / "s"
    with peers.listening(path, shared=True):
        assert (mode(path), mode(path.parent)) == (0o666, 0o711)


@pytest.mark.parametrize("rights", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_can_write_is_refused(run_folder: Path, rights: int) -> None:
    run_folder.chmod(rights)
    assert code_of(run_folder / "s") == "signer.folder"


def test_a_stale_socket_is_taken_away_and_a_live_one_is_not(run_folder: Path) -> None:
    path = run_folder / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with peers.listening(path):
        assert code_of(path) == "signer.running"
        assert path.exists()


def test_what_is_no_socket_is_left_alone(run_folder: Path) -> None:
    path = run_folder / "s"
    path.write_text("mine", encoding="utf-8")
    assert code_of(path) == "signer.socket"
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_path_that_is_too_long_is_told(run_folder: Path) -> None:
    assert code_of(run_folder / ("x" * 120)) == "signer.socket"


def test_one_signer_a_log(run_folder: Path) -> None:
    with peers.alone(run_folder), pytest.raises(ConfigurationError) as caught, peers.alone(run_folder):
        pass
    assert caught.value.code == "signer.running"
    with peers.alone(run_folder):
        assert mode(run_folder / "signer.lock") == 0o600


def test_the_kernel_says_who_connects(run_folder: Path) -> None:
    path = run_folder / "s"
    ask = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); s.recv(1)"
    with peers.listening(path) as listener, subprocess.Popen([sys.executable, "-c", ask]) as child:
        connection, _ = listener.accept()
        with connection:
            assert peers.peer_of(connection) == peers.Peer(child.pid, os.getuid(), os.getgid())


def test_its_memory_is_shut() -> None:
    code = """
import ctypes, resource
from sdsafe.signer.peers import harden
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 1
assert harden()
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
