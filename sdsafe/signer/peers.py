"""The socket and who is on its other end: private by its folder and mode, and asked of the kernel besides.

``SO_PEERCRED`` is what the kernel noted when the other side connected: it cannot be claimed, and it is the process
that connected, not one that was handed the connection later. Linux only; elsewhere the signer does not start.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import socket
import stat
import struct
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Peer", "alone", "harden", "listening", "peer_of"]

_CREDENTIALS = struct.Struct("3i")
_BACKLOG = 16
_PR_SET_DUMPABLE = 4
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Peer:
    """Who connected, as the kernel says."""

    pid: int
    uid: int
    gid: int


def peer_of(connection: socket.socket) -> Peer:
    """Return who is on the other end of a connection."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(*_CREDENTIALS.unpack(raw))


def harden() -> bool:
    """Forbid other processes of the same user to read this one's memory or to trace it, and write no core files.

    Returns:
        False where the system does not let us; root can do all of it in any case.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        library = ctypes.CDLL(None, use_errno=True)
        return bool(library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make sure that no other signer keeps its log in ``folder``, for as long as the block lasts.

    Raises:
        ConfigurationError: ``signer.running``, or the folder cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "signer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable("the signer's own folder", error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise _running("another signer writes the same log") from error
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def listening(path: Path, *, shared: bool = False) -> Iterator[socket.socket]:
    """Yield a socket that listens at ``path``, and take it away afterwards.

    Args:
        path: A folder that does not exist is made; one that others can write is refused.
        shared: Let other users connect, for the kernel's word to sort out; default: mode 0600.

    Raises:
        ConfigurationError: ``signer.platform``, ``signer.folder``, ``signer.running`` or ``signer.socket``.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        raise ConfigurationError(
            f"on {sys.platform} the signer cannot ask the kernel who connects", code="signer.platform"
        )
    _make_private(path.parent, shared=shared)
    _take_away_stale(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        before = os.umask(0o111 if shared else 0o177)  # the file gets its mode as it comes into being
        try:
            listener.bind(str(path))
        except OSError as error:
            raise _unusable("the socket", error) from error
        finally:
            os.umask(before)
        mine = path.lstat()
        listener.listen(_BACKLOG)
        try:
            yield listener
        finally:
            with suppress(OSError):
                if os.path.samestat(path.lstat(), mine):
                    path.unlink()


def _make_private(folder: Path, *, shared: bool) -> None:
    try:
        folder.mkdir(mode=0o711 if shared else 0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise _unusable("the folder of the socket", error) from error
    if found.st_uid not in {os.getuid(), 0} or found.st_mode & _OTHERS_WRITE:
        raise ConfigurationError(
            "others can write the folder of the socket, and so could put their own in its place",
            code="signer.folder",
            hint="Choose a folder of its own, with mode 0700 (0711 with --allow-user), such as /run/sdsafe.",
        )


def _take_away_stale(path: Path) -> None:
    """Remove what a killed signer left; never a socket that somebody listens on, never anything else."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable("the socket", error) from error
    if not is_socket:
        raise ConfigurationError("the path of the socket is taken by something else", code="signer.socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.settimeout(1)
        try:
            trial.connect(str(path))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                path.unlink(missing_ok=True)
                return
    raise _running("somebody listens on this socket already")


def _running(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the signer cannot start: {why}", code="signer.running", hint="`sdsafe signer status` asks the one that runs."
    )


def _unusable(what: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{what} cannot be used: {error.strerror or error}",
        code="signer.socket",
        hint="A socket's path has at most 107 bytes, in a folder that the signer may write.",
    )
