"""Classifier folders from a model hub: pulled only when asked, at one commit, into the model cache, and pinned there.

A commit names content: the hub's files hang from it by their hashes. What came over the wire is held against the
SHA-256 that the hub states for its large files, and the digest of the whole folder is written down at the first pull:
whatever changes it later is noticed. ``huggingface_hub`` does the transfer: it resumes, shows its progress, and goes to
the mirror that ``HF_ENDPOINT`` names.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sdsafe._internal import atomic
from sdsafe.errors import ConfigurationError, MissingExtraError
from sdsafe.gates.pinned import folder_digest
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sdsafe.core.places import Places

__all__ = ["HUB_SOURCES", "HubSource", "Pulled", "pull_hub", "source_of"]

_WANTED: Final = ("*.json", "*.safetensors", "*.txt", "*.model")
_REFERENCE = re.compile(r"hub:([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)@([0-9a-f]{40})")
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """One repository at one commit."""

    name: str
    repo: str
    commit: str
    """40 hex digits; a branch or a tag would be whatever it is tomorrow."""
    labels: Mapping[str, str]
    """Label of the network to category, as far as it is known."""
    licence: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """Where a folder lies, and the digest that pins it."""

    source: HubSource
    folder: Path
    sha256: str


HUB_SOURCES: Final[Mapping[str, HubSource]] = MappingProxyType(
    {
        source.name: source
        for source in (
            HubSource(
                name="falconsai",
                repo="Falconsai/nsfw_image_detection",
                commit="96cb0d0342c7afb80cab76ecc58b265fa44da256",
                labels=MappingProxyType({"nsfw": "nudity"}),
                licence="Apache-2.0, by the tags of its page",
                description="ViT-B/16 at 224 pixels: normal or nsfw; trained on data that was not published",
            ),
        )
    }
)
"""Named repositories. The commit is the one that public code pins; we have not loaded these weights ourselves."""


def source_of(name: str) -> HubSource | None:
    """Return a named source, or that of ``hub:OWNER/NAME@COMMIT``; None for any other name.

    Raises:
        ConfigurationError: ``weights.unpinned``: it begins with ``hub:`` and names no commit.
    """
    if name in HUB_SOURCES:
        return HUB_SOURCES[name]
    if not name.startswith("hub:"):
        return None
    found = _REFERENCE.fullmatch(name)
    if found is None:
        raise ConfigurationError(
            f"{name[:120]!r} names no commit",
            code="weights.unpinned",
            hint="Write hub:OWNER/NAME@COMMIT with the 40 hex digits of a commit: a branch changes, a commit does not.",
        )
    repo, commit = found.groups()
    return HubSource(
        name=f"{repo.replace('/', '--')}-{commit[:12]}",
        repo=repo,
        commit=commit,
        labels=MappingProxyType({}),
        licence="not known here: read the page of the repository",
        description=repo,
    )


def pull_hub(source: HubSource, places: Places, *, force: bool = False) -> Pulled:
    """Fetch a folder unless it is there and as it was, and return where it is.

    Raises:
        ConfigurationError: It cannot be fetched, is not what the hub says it is, holds no safetensors weights, or was
            changed since it was pulled.
        MissingExtraError: ``huggingface_hub`` is not installed.
    """
    folder = places.models / source.name
    note = places.models / f"{source.name}.json"
    if note.is_file() and not force:
        return _as_it_was(source, folder, note)
    _fetch(source, folder)
    try:
        sha256 = folder_digest(folder)
    except Unavailable as error:
        raise ConfigurationError(str(error), code="weights.unusable", hint="Choose another repository.") from error
    content = {"repo": source.repo, "commit": source.commit, "sha256": sha256, "licence": source.licence}
    atomic.replace(note, (json.dumps(content, indent=2) + "\n").encode())
    return Pulled(source=source, folder=folder, sha256=sha256)


def _as_it_was(source: HubSource, folder: Path, note: Path) -> Pulled:
    try:
        sha256 = json.loads(note.read_bytes())["sha256"]
        found = folder_digest(folder)
    except (OSError, ValueError, KeyError, TypeError, Unavailable) as error:
        raise ConfigurationError(
            f"the pulled model {source.name!r} cannot be read",
            code="weights.unreadable",
            hint=f"sdsafe models pull {source.name} --force replaces it.",
        ) from error
    if found != sha256:
        raise ConfigurationError(
            f"the pulled model {source.name!r} has digest {found[:12]}..., at the first pull it was {str(sha256)[:12]}...",
            code="weights.changed",
            hint=f"It was changed on disk. sdsafe models pull {source.name} --force replaces it.",
        )
    return Pulled(source=source, folder=folder, sha256=found)


def _fetch(source: HubSource, folder: Path) -> None:
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ModuleNotFoundError as error:
        raise MissingExtraError("a model of the hub", extra="generate", detail="no huggingface_hub") from error
    try:
        snapshot_download(source.repo, revision=source.commit, allow_patterns=list(_WANTED), local_dir=folder)
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors"))
        stated = HfApi().get_paths_info(source.repo, names, revision=source.commit) if names else []
    except Exception as error:
        raise ConfigurationError(
            f"{source.repo} at {source.commit[:12]} cannot be pulled: {type(error).__name__}",
            code="weights.unreachable",
            hint="Check the name, the network, HF_ENDPOINT and, for gated models, `hf auth login`; then try again.",
        ) from error
    if sorted(each.path for each in stated) != names:
        raise _unlike(source, "the hub does not say what every file of weights hashes to")
    for each in stated:
        _require_stated(folder / each.path, each, source)


def _require_stated(file: Path, stated: Any, source: HubSource) -> None:
    """Hold a file against the SHA-256 of its LFS pointer, or, where the repository holds it itself, its git blob id."""
    wanted = getattr(getattr(stated, "lfs", None), "sha256", None)
    digest = hashlib.sha256()
    if wanted is None:
        wanted = getattr(stated, "blob_id", None)
        header = f"blob {file.stat().st_size}\0".encode()
        digest = hashlib.sha1(header, usedforsecurity=False)  # as git names what it keeps
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != wanted:
        file.unlink()
        raise _unlike(source, f"{file.name} hashes to {digest.hexdigest()[:12]}..., the hub says {str(wanted)[:12]}...")


def _unlike(source: HubSource, says: str) -> ConfigurationError:
    return ConfigurationError(
        f"{source.repo}: {says}",
        code="weights.wrong-hash",
        hint="It is not used. Try again, and ask whoever runs the mirror if it happens again.",
    )
