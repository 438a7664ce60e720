"""The only door to the Hugging Face hub: descriptions first, weights later, errors translated.

Files land in the hub's own cache (``HF_HOME``), which other tools share. ``HF_ENDPOINT`` names a mirror.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe.errors import GenerationError, MissingExtraError, RequestError, SdsafeError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = ["Hub", "silence"]

_DESCRIPTION = ("model_index.json", "sdsafe.json", "*/config.json", "*/scheduler_config.json")


def silence(*, offline: bool, imported: Container[str] = sys.modules) -> None:
    """Make sure that model libraries report nothing, and when ``offline`` that they do not even try to connect.

    They read these variables when they are first imported, so this comes before that. Values that the user has set
    stay; libraries that were imported earlier are bound by ``local_files_only``, which every call of ours passes.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if offline and not any(name in imported for name in ("huggingface_hub", "transformers", "diffusers")):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")


class Hub:
    """Access to hub repositories, online or from the cache alone."""

    def __init__(self, *, offline: bool, cache: Path | None = None, endpoint: str | None = None) -> None:
        """Keep the mode; ``cache`` and ``endpoint`` default to those of ``huggingface_hub``."""
        self._offline = offline
        self._cache = cache
        self._endpoint = endpoint

    def describe(self, repo: str, revision: str | None) -> tuple[Path, str]:
        """Return a folder with the description of ``repo`` (a few KB of JSON, no weights) and its commit.

        Raises:
            RequestError: No such repository or revision, or it is not in the cache while offline.
            GenerationError: The hub cannot be reached.
        """
        folder = self._snapshot(repo, revision, _DESCRIPTION)
        return folder, folder.name

    def names(self, repo: str, commit: str) -> tuple[str, ...]:
        """Return the paths of all files of ``repo`` at ``commit``; while offline, of those in the cache."""
        if self._offline:
            folder = self._snapshot(repo, commit, _DESCRIPTION)
            return tuple(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        from huggingface_hub import HfApi

        try:
            return tuple(HfApi(endpoint=self._endpoint).list_repo_files(repo, revision=commit))
        except Exception as error:
            raise _translated(error, repo, offline=False) from error

    def fetch(self, repo: str, commit: str, names: Iterable[str]) -> Path:
        """Return the snapshot folder with ``names`` in it, downloading what is missing.

        Raises:
            RequestError: Something is missing while offline.
            GenerationError: The download failed.
        """
        return self._snapshot(repo, commit, tuple(names))

    def _snapshot(self, repo: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
        silence(offline=self._offline)
        try:
            from huggingface_hub import snapshot_download
        except ModuleNotFoundError as error:
            raise MissingExtraError("a model of the hub", extra="generate", detail="no huggingface_hub") from error
        try:
            folder = snapshot_download(
                repo,
                revision=revision,
                allow_patterns=list(patterns),
                local_files_only=self._offline,
                cache_dir=self._cache,
                endpoint=self._endpoint,
            )
        except Exception as error:
            raise _translated(error, repo, offline=self._offline) from error
        return Path(folder)


def _translated(error: Exception, repo: str, *, offline: bool) -> SdsafeError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return RequestError(
            f"{repo}: the hub wants its licence accepted first",
            code="model.gated",
            hint="Accept it on the model's page, then log in with `hf auth login`.",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return RequestError(
            f"{repo}: no such model on the hub, or it is private",
            code="model.unknown",
            hint="Check the name; for a private model log in with `hf auth login`; for a folder give its path.",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return RequestError(f"{repo}: no such revision", code="model.unknown", hint="Check what follows the @.")
    if isinstance(error, errors.HFValidationError):
        return RequestError(f"{repo!r} is not a hub id", code="model.unknown", hint="Hub ids look like owner/name.")
    if offline or isinstance(error, errors.OfflineModeIsEnabled):
        return RequestError(
            f"{repo}: not in the local cache, and offline is set",
            code="model.not-cached",
            hint="Run once online, or copy the model into a folder and give its path.",
        )
    return GenerationError(
        f"{repo}: the hub cannot be reached ({type(error).__name__})",
        code="model.unreachable",
        hint="Check the network or HF_ENDPOINT; with --model FOLDER or builtin:tiny none is needed.",
    )
