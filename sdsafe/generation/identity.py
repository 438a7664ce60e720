"""Which model is meant, where its files are, and what exactly they contain.

``locate`` is cheap and reads JSON only. ``identify`` hashes every weight file; nothing is loaded before that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe.core.canonical import canonical_digest
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation.defaults import TINY_DEFAULTS, Defaults, read_defaults
from sdsafe.generation.hashing import LOCAL, FileHashes, LocalNames, stamp
from sdsafe.generation.layout import INDEX, Components, config_files, read_components, read_json, select_weights
from sdsafe.generation.ways import ALL, read_ways

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sdsafe.core.request import FileDigest, ModelRef
    from sdsafe.generation.hub import Hub
    from sdsafe.generation.layout import Selection
    from sdsafe.generation.tasks import Kind

__all__ = ["TINY", "Located", "Locator", "Model", "expect", "model_digest"]

TINY = "builtin:tiny"
_SCENES = "builtin:scenes"
_LICENSE = "Apache-2.0"
_HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A model that was found, not yet hashed."""

    ref: ModelRef
    """As it is recorded: never with a path."""
    pipeline: str
    """Class name."""
    defaults: Defaults
    ways: tuple[Kind, ...] = ALL
    """What it can be used for; it is loaded for the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model whose every weight file was hashed."""

    ref: ModelRef
    """Complete."""
    folder: Path
    components: Components
    selection: Selection
    way: Kind
    """What it is loaded for."""
    stamps: tuple[tuple[int, ...], ...]
    """Device, inode, size and modification time of every file: whether they are still the hashed ones."""

    def unchanged(self) -> bool:
        """Say whether all files are still those that were hashed."""
        names = (*self.selection.files, *config_files(_listing(self.folder, self.components), self.components))
        return self.stamps == tuple(stamp(self.folder / name) for name in names)


class Locator:
    """Finds models by name, and remembers where local ones are so that no path has to be recorded."""

    def __init__(self, hub: Hub) -> None:
        """Start knowing no local folder."""
        self._hub = hub
        self._names = LocalNames()
        self._hashes = FileHashes()

    def locate(self, ref: ModelRef) -> Located:
        """Find the model that ``ref`` means, by reading descriptions only.

        Args:
            ref: ``repo`` is ``builtin:NAME``, a folder, a hub id ``owner/name[@revision]``, or a ``local:NAME``
                that this object has returned before.

        Raises:
            RequestError: There is no such model, or it is one that is refused.
            GenerationError: The hub cannot be reached.
        """
        if ref.repo == TINY:
            given = replace(ref, license=_LICENSE, pipeline="StableDiffusionPipeline")
            return Located(ref=given, pipeline="StableDiffusionPipeline", defaults=TINY_DEFAULTS)
        folder = self._folder(ref.repo)
        if folder is None:
            return self._locate_on_hub(ref)
        components = _components(folder)
        defaults = read_defaults(folder, components)
        licence = _LICENSE if ref.repo == _SCENES else ref.license or defaults.license
        named = replace(ref, repo=self._name(ref.repo, folder), license=licence, pipeline=components.pipeline)
        ways = read_ways(folder, components)
        return Located(ref=named, pipeline=components.pipeline, defaults=defaults, ways=ways)

    def identify(self, located: Located) -> Model:
        """Bring all files here and hash them.

        Raises:
            RequestError: Weights are missing, pickles, or in the wrong place.
            GenerationError: A file cannot be read or the download failed.
        """
        ref = located.ref
        folder = self._folder(ref.repo)
        if folder is not None:
            components = _components(folder)
            names = _listing(folder, components)
            return self._hashed(ref, folder, components, names)
        described, commit = self._hub.describe(ref.repo, ref.revision)
        components = _components(described)
        names = self._hub.names(ref.repo, commit)
        wanted = (*select_weights(names, components).files, *config_files(names, components))
        folder = self._hub.fetch(ref.repo, commit, wanted)
        return self._hashed(ref, folder, components, names)

    def _hashed(self, ref: ModelRef, folder: Path, components: Components, names: Iterable[str]) -> Model:
        selection = select_weights(tuple(names), components)
        configs = config_files(_listing(folder, components), components)
        weights = tuple(self._hashes.digest(folder, name) for name in selection.files)
        everything = weights + tuple(self._hashes.digest(folder, name) for name in configs)
        stamps = tuple(stamp(folder / item.name) for item in everything)
        on_hub = "/" in ref.repo and not ref.repo.startswith(LOCAL)
        complete = replace(
            ref,
            revision=folder.name if on_hub else _revision(ref, model_digest(everything)),
            digest=model_digest(weights),
            pipeline=components.pipeline,
            files=weights,
        )
        way = read_ways(folder, components)[0]
        return Model(ref=complete, folder=folder, components=components, selection=selection, way=way, stamps=stamps)

    def _folder(self, repo: str) -> Path | None:
        """Return the local folder that ``repo`` means; None for a hub id."""
        if repo.startswith("builtin:"):
            return _builtin(repo)
        if repo.startswith(LOCAL):
            return self._names.folder(repo)
        try:
            path = Path(repo).expanduser()
            if path.is_dir():
                return path
            is_file = path.exists()
        except (OSError, RuntimeError, ValueError):  # too long, no such user, NUL: not a path
            is_file = False
        if _HUB_ID.fullmatch(repo) and not is_file:
            return None
        raise RequestError(
            f"no model {repo[:200]!r}",
            code="model.unknown",
            hint="Give builtin:tiny, a folder with a model_index.json, or a hub id owner/name[@revision].",
        )

    def _name(self, repo: str, folder: Path) -> str:
        if repo.startswith(("builtin:", LOCAL)):
            return repo
        return self._names.name(folder)

    def _locate_on_hub(self, ref: ModelRef) -> Located:
        match = _HUB_ID.fullmatch(ref.repo)
        if match is None:  # pragma: no cover - _folder has refused everything else
            raise RequestError(f"no model {ref.repo[:200]!r}", code="model.unknown")
        folder, commit = self._hub.describe(match["repo"], match["revision"] or ref.revision)
        components = _components(folder)
        defaults = read_defaults(folder, components)
        named = replace(ref, repo=match["repo"], revision=commit, pipeline=components.pipeline)
        ways = read_ways(folder, components)
        return Located(ref=named, pipeline=components.pipeline, defaults=defaults, ways=ways)


def model_digest(files: Iterable[FileDigest]) -> str:
    """Return the SHA-256 over the canonical list of files: name, size and SHA-256 of each, sorted by name."""
    return canonical_digest([[f.name, f.size, f.sha256] for f in sorted(files, key=lambda f: f.name)])


def expect(asked: ModelRef, found: ModelRef) -> None:
    """Make sure that the files are those that the caller named.

    Raises:
        GenerationError: The request names a digest, and these files have another.
    """
    if asked.digest is not None and asked.digest != found.digest:
        raise GenerationError(
            f"{found.repo}: wrong hash: the weights are not those that were asked for "
            f"(expected {asked.digest[:16]}, found {(found.digest or 'none')[:16]})",
            code="model.wrong-hash",
            hint="The files were changed or are another revision; nothing was loaded.",
        )


def _revision(asked: ModelRef, found: str) -> str:
    if asked.revision not in {None, found}:
        raise GenerationError(
            f"{asked.repo}: wrong hash: weights or configuration are not those of the revision asked for",
            code="model.wrong-hash",
            hint="The revision of a local model is the digest of all its files; nothing was loaded.",
        )
    return found


def _builtin(repo: str) -> Path:
    if repo != _SCENES:
        raise RequestError(
            f"no built-in model {repo[:40]!r}", code="model.unknown", hint=f"Built in: {TINY}, {_SCENES}."
        )
    import sdsafe_scenes

    path = getattr(sdsafe_scenes, "path", None)
    folder = Path(path()) if callable(path) else None
    if folder is None or not (folder / INDEX).is_file():
        raise RequestError(
            f"{_SCENES} is not in this installation: its weights are missing",
            code="model.incomplete",
            hint=f"Reinstall sdsafe with its model, or use --model {TINY} (random weights, for trying things out).",
        )
    return folder


def _components(folder: Path) -> Components:
    index = read_json(folder / INDEX)
    if index is None:
        raise RequestError(
            f"the model folder has no {INDEX}",
            code="model.malformed",
            hint="A folder as diffusers' save_pretrained writes it is needed, not a single checkpoint file.",
        )
    return read_components(index)


def _listing(folder: Path, components: Components) -> tuple[str, ...]:
    """Return the files beside the index and one level down, as paths relative to ``folder``."""
    inside = [folder, *(folder / name for name in components.loaded if (folder / name).is_dir())]
    return tuple(sorted(path.relative_to(folder).as_posix() for each in inside for path in each.iterdir()))
