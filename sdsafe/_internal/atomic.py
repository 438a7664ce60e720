"""Files that are complete or not there: no reader, no crash and no full disk ever shows half of one.

On Linux the bytes go into a file without a name (``O_TMPFILE``) that gets its name in one step, so that even a
killed process leaves nothing behind. Only putting it in place of another file takes a second name for the moment
between two system calls: a process killed right there leaves the complete file as ``.NAME.xxxxxxxx.tmp``. Elsewhere,
and on file systems that cannot do this, a temporary file of that name is there from the beginning, and a killed
process may leave it, complete or not.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sdsafe.errors import AssetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["FAULT_POINTS", "replace", "write_new"]

FAULT_POINTS = (
    "atomic.write.partial",
    "atomic.file.before-fsync",
    "atomic.file.after-fsync",
    "atomic.link.before",
    "atomic.link.after",
    "atomic.rename.before",
    "atomic.rename.after",
    "atomic.folder.before-fsync",
    "atomic.folder.after-fsync",
)
"""Where a test may kill the process to see what is left."""

_NO_ANONYMOUS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def _reach(_point: str) -> None:
    """Do nothing; tests put a kill in its place."""


def write_new(path: Path, data: bytes | Iterable[bytes], *, mode: int = 0o644) -> None:
    """Create ``path`` with ``data``, complete and durable, or not at all; never replace anything.

    Args:
        path: A file name in an existing folder.
        data: The content, in one piece or in several.
        mode: Permissions, before the umask.

    Raises:
        AssetError: ``asset.exists`` when the name is taken, else what stood in the way, with a hint.
    """
    with _translated(path), _opened(path) as folder, _staged(folder, path.name, data, mode) as staged:
        staged.link(path.name)
        try:
            _sync_folder(folder)
        except OSError:
            # Not known to be durable: better no file than one that the caller believes was not written.
            os.unlink(path.name, dir_fd=folder)
            raise


def replace(path: Path, data: bytes | Iterable[bytes], *, mode: int = 0o644) -> None:
    """Put ``data`` in place of whatever file ``path`` names: readers see the old bytes or the new, never a mix.

    A symbolic link is itself replaced, not followed.

    Raises:
        AssetError: It could not be written; the old file, if there was one, is untouched.
    """
    with _translated(path), _opened(path) as folder, _staged(folder, path.name, data, mode) as staged:
        staged.rename(path.name)
        _sync_folder(folder)


class _Staged:
    """A complete, synced file that does not have its final name yet."""

    def __init__(self, folder: int, fd: int, temporary: str, *, named: bool) -> None:
        self._folder = folder
        self._fd = fd
        self._temporary = temporary
        self._named = named

    def link(self, name: str) -> None:
        """Give it a name that must be free."""
        _reach("atomic.link.before")
        self._link(name)
        _reach("atomic.link.after")

    def rename(self, name: str) -> None:
        """Give it a name, taking it from whoever has it."""
        if not self._named:
            self._link(self._temporary)
            self._named = True
        _reach("atomic.rename.before")
        os.rename(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._named = False
        _reach("atomic.rename.after")

    def close(self) -> None:
        """Drop the temporary name, if there is one."""
        os.close(self._fd)
        if self._named:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary, dir_fd=self._folder)

    def _link(self, name: str) -> None:
        if not self._named:
            # linkat(2) follows this link to the nameless file; giving dst_dir_fd makes Python use linkat.
            os.link(f"/proc/self/fd/{self._fd}", name, dst_dir_fd=self._folder, follow_symlinks=True)
            return
        try:
            os.link(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._claim(name)

    def _claim(self, name: str) -> None:
        """Take a free name where there are no hard links (FAT): reserve it, then rename onto the reservation.

        Only here can a process killed between the two steps leave something: an empty file.
        """
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=self._folder))
        try:
            os.rename(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            os.unlink(name, dir_fd=self._folder)
            raise
        self._named = False


@contextmanager
def _staged(folder: int, name: str, data: bytes | Iterable[bytes], mode: int) -> Iterator[_Staged]:
    temporary = f".{name[:200]}.{secrets.token_hex(4)}.tmp"  # 255 bytes is the longest name most file systems take
    fd = _anonymous(folder, mode)
    named = fd is None
    if fd is None:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)
    staged = _Staged(folder, fd, temporary, named=named)
    try:
        for piece in (data,) if isinstance(data, bytes) else data:
            _write(fd, piece)
            _reach("atomic.write.partial")
        _reach("atomic.file.before-fsync")
        os.fsync(fd)
        _reach("atomic.file.after-fsync")
        yield staged
    finally:
        staged.close()


def _anonymous(folder: int, mode: int) -> int | None:
    """Open a file without a name in ``folder``; None where the system cannot, or could not name it later."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - one stat, no Path object needed
        return None
    try:
        return os.open(".", os.O_WRONLY | os.O_CLOEXEC | int(flag), mode, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_ANONYMOUS:
            return None
        raise


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _sync_folder(folder: int) -> None:
    _reach("atomic.folder.before-fsync")
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder; the name is set all the same
            raise
    _reach("atomic.folder.after-fsync")


_REASONS = {
    errno.EEXIST: ("asset.exists", "exists already", "Choose another name, or overwrite with --force."),
    errno.ENOSPC: ("asset.no-space", "no space left on the disk", "Free some space and run again."),
    errno.EDQUOT: ("asset.no-space", "the disk quota is used up", "Free some space and run again."),
    errno.EACCES: ("asset.denied", "writing is not permitted", "Check the rights of the folder."),
    errno.EPERM: ("asset.denied", "writing is not permitted", "Check the rights of the folder."),
    errno.EROFS: ("asset.read-only", "the file system is read-only", "Choose a folder that can be written."),
    errno.ENOENT: ("asset.no-folder", "its folder does not exist", "Create the folder first."),
    errno.ENOTDIR: ("asset.no-folder", "its folder is not a folder", "Correct the path."),
    errno.EISDIR: ("asset.is-folder", "it is a folder", "Give the name of a file."),
    errno.ENAMETOOLONG: ("asset.bad-name", "the name is too long", "Choose a shorter name."),
}


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what the system says into an ``AssetError``; only the last part of the path is repeated."""
    if path.name in {"", ".."} or "\0" in str(path):
        raise AssetError("the path names no file", code="asset.bad-name", hint="Give the name of a file.")
    try:
        yield
    except OSError as error:
        fallback = ("asset.unwritable", error.strerror or type(error).__name__, "Check the disk and the folder.")
        code, reason, hint = _REASONS.get(error.errno or 0, fallback)
        raise AssetError(f"{path.name}: cannot be written: {reason}", code=code, hint=hint) from error
