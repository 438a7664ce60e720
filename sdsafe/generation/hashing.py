"""Files by their contents: what models and adapters are hashed with, and how local ones are called in records."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from sdsafe.core.request import FileDigest
from sdsafe.errors import GenerationError, RequestError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOCAL", "FileHashes", "LocalNames", "stamp"]

LOCAL = "local:"
"""Begins the recorded name of what lies in a folder: never a path."""


def stamp(path: Path) -> tuple[int, ...]:
    """Return device, inode, size and modification time: whether a file is still the one that was hashed.

    Raises:
        GenerationError: It cannot be read; the message names the file, not its folder.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise GenerationError(f"{path.name} of the model cannot be read: {error.strerror}") from error
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


class FileHashes:
    """Hashes files, each once as long as it stays as it is."""

    def __init__(self) -> None:
        """Start knowing none."""
        self._known: dict[tuple[int, ...], str] = {}

    def digest(self, folder: Path, name: str) -> FileDigest:
        """Return name, size and SHA-256 of ``folder / name``.

        Raises:
            GenerationError: It cannot be read.
        """
        path = folder / name
        key = stamp(path)
        sha256 = self._known.get(key)
        if sha256 is None:
            try:
                with path.open("rb") as stream:
                    sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise GenerationError(f"{name} of the model cannot be read: {error.strerror}") from error
            self._known[key] = sha256
        return FileDigest(name=name, size=key[2], sha256=sha256)


class LocalNames:
    """Remembers where local models are, so that no path has to be recorded."""

    def __init__(self) -> None:
        """Start knowing no folder."""
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()

    def folder(self, name: str) -> Path:
        """Return the folder that ``name`` was given for.

        Raises:
            RequestError: This process gave no such name.
        """
        try:
            return self._folders[name]
        except KeyError:
            raise RequestError(
                f"{name[:200]!r} is a recorded name, and this process does not know its folder",
                code="model.unknown",
                hint="Give the folder itself; add the recorded digest to insist on the same files.",
            ) from None

    def name(self, folder: Path) -> str:
        """Return the name of ``folder`` in records.

        Two folders of one name are told apart by a number here, and by their digests in every record.
        """
        place = folder.resolve()
        with self._lock:
            name, number = f"{LOCAL}{place.name}", 1
            while self._folders.get(name, place) != place:
                number += 1
                name = f"{LOCAL}{place.name}~{number}"
            self._folders[name] = place
        return name
