"""Model folders whose content is pinned: every file that decides what a network says goes into one digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sdsafe.core.canonical import canonical_digest
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["folder_digest", "require_digest"]

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


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
