"""A session lives exactly as long as its process."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

from sdsafe.records.repository.session import Session, is_alive

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

_FORK = multiprocessing.get_context("fork")


def _begin_and_wait(folder: Path, pipe: Connection) -> None:
    session = Session(folder)
    pipe.send(session.token)
    pipe.recv()
    os.kill(os.getpid(), signal.SIGKILL)


def test_another_process_is_seen_while_it_lives_and_its_traces_go(tmp_path: Path) -> None:
    here, there = _FORK.Pipe()
    process = _FORK.Process(target=_begin_and_wait, args=(tmp_path, there))
    process.start()
    token = here.recv()
    assert is_alive(tmp_path, token)
    here.send("die")
    process.join()
    assert (tmp_path / f"{token}.lock").exists()
    assert not is_alive(tmp_path, token)
    assert list(tmp_path.iterdir()) == []


def test_ones_own_session_is_alive_until_it_is_dropped(tmp_path: Path) -> None:
    session = Session(tmp_path / "sessions")
    token = session.token
    assert session.is_mine
    assert is_alive(tmp_path / "sessions", token)
    del session
    gc.collect()
    assert not is_alive(tmp_path / "sessions", token)
    assert list((tmp_path / "sessions").iterdir()) == []


def test_a_new_session_clears_away_dead_ones_and_spares_the_living(tmp_path: Path) -> None:
    living = Session(tmp_path)
    (tmp_path / f"{'ab' * 16}.lock").write_bytes(b"")
    newcomer = Session(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {living.token, newcomer.token}


def test_a_token_that_is_no_token_is_dead(tmp_path: Path) -> None:
    (tmp_path / "secret.lock").write_bytes(b"")
    for token in ("", "../x", "secret", "AB" * 16):
        assert not is_alive(tmp_path, token)
    assert (tmp_path / "secret.lock").exists()


def _inherit(folder: Path, session: Session, pipe: Connection) -> None:
    pipe.send((session.is_mine, is_alive(folder, session.token)))


def test_a_fork_inherits_no_session_and_does_not_end_it(tmp_path: Path) -> None:
    session = Session(tmp_path)
    here, there = _FORK.Pipe()
    process = _FORK.Process(target=_inherit, args=(tmp_path, session, there))
    process.start()
    assert here.recv() == (False, True)
    process.join()
    assert is_alive(tmp_path, session.token)
