"""How other processes see that this one is still at work: a locked file that the system unlocks when it dies.

A record that was stored but not delivered belongs to a process under way or to one that died. Withdrawing the first
would be wrong, and process ids are reused; a lock is not.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Session", "is_alive"]

_TOKEN = re.compile(r"[0-9a-f]{32}")


class Session:
    """A presence in ``folder`` for as long as this object lives in the process that made it."""

    def __init__(self, folder: Path) -> None:
        """Lock a file of its own.

        Raises:
            OSError: The folder cannot be written.
        """
        for each in (folder.parent, folder):  # mkdir gives its mode to the last folder only
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in folder.glob("*.lock"):
            is_alive(folder, other.stem)
        self.token = secrets.token_hex(16)
        """What others ask ``is_alive`` about."""
        self._process = os.getpid()
        path = folder / f"{self.token}.lock"
        making = folder / f"{self.token}.new"
        descriptor = os.open(making, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        making.rename(path)  # named only once it is locked: nobody finds it unlocked and takes it for a dead one's
        weakref.finalize(self, _end, descriptor, path, self._process)

    @property
    def is_mine(self) -> bool:
        """Whether this very process began it, not one that it was forked from."""
        return os.getpid() == self._process


def is_alive(folder: Path, token: str) -> bool:
    """Say whether the session with this token is under way; clear away what a dead one left.

    Raises:
        OSError: The lock cannot be looked at.
    """
    if not _TOKEN.fullmatch(token):
        return False
    path = folder / f"{token}.lock"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        with suppress(OSError):  # an auditor may look without being allowed to clear away
            path.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)


def _end(descriptor: int, path: Path, process: int) -> None:
    if os.getpid() == process:  # a fork inherits the object, not the presence
        with suppress(OSError):
            path.unlink(missing_ok=True)
    os.close(descriptor)
