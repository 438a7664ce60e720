"""Model folders whose content is pinned: every file that decides what a network says goes into one digest.

What is in such a folder is loaded once, for all threads, and kept.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

from sdsafe.core.canonical import canonical_digest
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["PinnedModel", "folder_digest", "require_digest"]

_READ = {".json", ".safetensors", ".txt", ".model"}
_PICKLED = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5"}
_BLOCK = 1 << 20


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of the canonical list of a model folder's files, each with its own SHA-256.

    Counted are JSON, safetensors, text and tokenizer files, in all subfolders.

    Raises:
        Unavailable: There is no such folder, it holds no safetensors weights, or it cannot be read.
    """
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in _READ)
        listed = [[path.relative_to(folder).as_posix(), _sha256(path)] for path in files]
    except OSError as error:
        raise Unavailable(f"the model folder {folder.name!r} cannot be read: {error.strerror}") from error
    if not any(path.suffix == ".safetensors" for path in files):
        pickled = any(path.suffix in _PICKLED for path in folder.rglob("*"))
        what = "only pickled weights, which are never loaded" if pickled else "no safetensors weights"
        raise Unavailable(f"the model folder {folder.name!r} holds {what}")
    return canonical_digest(listed)


def require_digest(folder: Path, sha256: str) -> None:
    """Make sure that the folder still is what was pinned.

    Raises:
        Unavailable: It is not; the message gives both digests.
    """
    found = folder_digest(folder)
    if found != sha256:
        raise Unavailable(
            f"the model folder {folder.name!r} has digest {found[:12]}..., pinned is {sha256[:12]}...: it was changed, "
            "or another was meant; `sdsafe models digest FOLDER` prints the digest to pin"
        )


class PinnedModel:
    """What ``load(folder)`` returned, made on first use; the folder's digest is right before and after loading.

    A file that is swapped while it is being read shows in one of the two. What is loaded stays as it was, whatever
    happens to the folder later.
    """

    def __init__(self, folder: Path, sha256: str, load: Callable[[Path], Any]) -> None:
        """Note what to load; nothing is read yet."""
        self._folder = folder
        self._sha256 = sha256
        self._load = load
        self._loaded: Any = None
        self._lock = threading.Lock()

    def get(self) -> Any:
        """Return the loaded network.

        Raises:
            Unavailable: The folder is missing, changed, not what the adapter reads, or a library is not installed.
        """
        with self._lock:
            if self._loaded is None:
                require_digest(self._folder, self._sha256)
                loaded = self._try()
                require_digest(self._folder, self._sha256)
                self._loaded = loaded
            return self._loaded

    def _try(self) -> Any:
        try:
            return self._load(self._folder)
        except Unavailable:
            raise
        except ImportError as missing:
            raise Unavailable(f"no module {missing.name}: pip install 'sdsafe[generate]'") from missing
        except Exception as error:
            raise Unavailable(
                f"the model folder {self._folder.name!r} cannot be loaded ({type(error).__name__}): it needs the files "
                "that save_pretrained writes, with safetensors weights"
            ) from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
