"""Which adapter is meant, where its files are, and what they contain: LoRA, ControlNet, IP-adapter.

An adapter lies in a folder, in a hub repository or in a single file. Only safetensors are read. ``locate`` reads
names and small descriptions (and hashes what lies on this machine, so that a record of the registry is found by
digest); ``identify`` brings everything here and hashes it. Nothing is loaded before that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation.hashing import LOCAL, FileHashes, LocalNames, stamp
from sdsafe.generation.identity import model_digest
from sdsafe.generation.layout import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sdsafe.core.request import AdapterRef, FileDigest, GenerationRequest
    from sdsafe.generation.hub import Hub

__all__ = ["CONTROLNET", "IP_ADAPTER", "LORA", "Adapter", "AdapterLocator", "check_adapters", "stated_licence"]

LORA, CONTROLNET, IP_ADAPTER = "lora", "controlnet", "ip-adapter"
"""Kinds of adapters."""

_ENDING = ".safetensors"
_USUAL = {LORA: "pytorch_lora_weights.safetensors", CONTROLNET: "diffusion_pytorch_model.safetensors"}
_ENCODER = "image_encoder"
_MOST_LORAS = 8
_MAX_WEIGHT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """An adapter whose every file was hashed."""

    ref: AdapterRef
    """Complete."""
    folder: Path
    weights: str
    """Path of its weights inside the folder."""
    files: tuple[FileDigest, ...]
    """All files that loading reads."""
    stamps: tuple[tuple[int, ...], ...]
    """Of these files, in their order."""

    @property
    def encoder(self) -> Path:
        """Folder of the image encoder of an IP-adapter."""
        return self.folder / _encoder(self.weights)

    def unchanged(self) -> bool:
        """Say whether all files are still those that were hashed."""
        return self.stamps == tuple(stamp(self.folder / each.name) for each in self.files)


class AdapterLocator:
    """Finds adapters by name."""

    def __init__(self, hub: Hub) -> None:
        """Start knowing no local folder."""
        self._hub = hub
        self._names = LocalNames()
        self._hashes = FileHashes()

    def locate(self, ref: AdapterRef) -> AdapterRef:
        """Return the reference of an adapter as it is recorded: pinned, never with a path.

        Args:
            ref: ``repo`` is a folder, a safetensors file, a hub id ``owner/name[@revision]``, or a ``local:NAME``
                that this object has returned before. ``file`` chooses one file where there are several.

        Raises:
            RequestError: There is no such adapter, or it is none that can be used.
            GenerationError: The hub cannot be reached, or a file cannot be read.
        """
        place = self._place(ref)
        if place is None:
            repo, _, revision = ref.repo.partition("@")
            folder, commit = self._hub.describe(repo, revision or ref.revision)
            weights = _weights(ref, self._hub.names(repo, commit))
            return replace(ref, repo=repo, revision=commit, file=weights, license=ref.license or stated_licence(folder))
        folder, chosen = place
        found = self._hashed(replace(ref, file=chosen), folder)
        licence = ref.license or stated_licence(folder)
        return replace(found.ref, repo=self._names.name(folder), revision=found.ref.digest, license=licence)

    def identify(self, ref: AdapterRef) -> Adapter:
        """Bring all files of a located adapter here and hash them.

        Raises:
            RequestError: Files are missing.
            GenerationError: The download failed, a file cannot be read, or the files are not those asked for.
        """
        place = self._place(ref)
        if place is not None:
            return self._hashed(ref, place[0])
        commit = ref.revision or ""
        names = self._hub.names(ref.repo, commit)
        return self._hashed(ref, self._hub.fetch(ref.repo, commit, _needed(ref, _weights(ref, names), names)))

    def _hashed(self, ref: AdapterRef, folder: Path) -> Adapter:
        names = _listing(folder, ref)
        weights = _weights(ref, names)
        files = tuple(self._hashes.digest(folder, name) for name in _needed(ref, weights, names))
        digest = model_digest(files)
        if ref.digest is not None and ref.digest != digest:
            raise GenerationError(
                f"{ref.repo}: wrong hash: the adapter is not the one that was asked for "
                f"(expected {ref.digest[:16]}, found {digest[:16]})",
                code="model.wrong-hash",
                hint="Its files were changed or are another revision; nothing was loaded.",
            )
        stamps = tuple(stamp(folder / each.name) for each in files)
        complete = replace(ref, digest=digest, file=weights)
        return Adapter(ref=complete, folder=folder, weights=weights, files=files, stamps=stamps)

    def _place(self, ref: AdapterRef) -> tuple[Path, str | None] | None:
        """Return folder and chosen file of an adapter on this machine; None for a hub id."""
        if ref.repo.startswith(LOCAL):
            return self._names.folder(ref.repo), ref.file
        try:
            path = Path(ref.repo).expanduser()
            if ref.repo and path.is_dir():
                return path, ref.file
            if path.is_file():
                return path.parent, path.name
        except (OSError, RuntimeError, ValueError):  # too long, no such user, NUL: not a path
            pass
        repo = ref.repo.partition("@")[0]
        if repo.count("/") == 1 and not repo.startswith((".", "/", "~")) and not repo.endswith(_ENDING):
            return None
        raise RequestError(
            f"no adapter {ref.repo[:200]!r}",
            code="request.adapter",
            hint="Give a safetensors file, a folder, or a hub id owner/name[@revision][#FILE].",
        )


def check_adapters(request: GenerationRequest) -> None:
    """Make sure that the adapters of a request are of known kinds, and that their number and weights make sense.

    Raises:
        RequestError: ``request.adapter``.
    """
    kinds = [each.kind for each in request.adapters]
    for kind, most in ((LORA, _MOST_LORAS), (CONTROLNET, 1), (IP_ADAPTER, 1)):
        if kinds.count(kind) > most:
            raise _refused(f"{kinds.count(kind)} adapters of the kind {kind}", f"At most {most} can be used at once.")
    for each in request.adapters:
        if each.kind not in {LORA, CONTROLNET, IP_ADAPTER}:
            raise _refused(f"no kind of adapter {each.kind[:40]!r}", f"Kinds: {LORA}, {CONTROLNET}, {IP_ADAPTER}.")
        if not (math.isfinite(each.weight) and abs(each.weight) <= _MAX_WEIGHT):
            raise _refused(f"the weight {each.weight} of an adapter", f"Use -{_MAX_WEIGHT:g} to {_MAX_WEIGHT:g}.")
    named = [(each.repo, each.file) for each in request.adapters]
    if len(set(named)) < len(named):
        raise _refused("an adapter that is named twice", "Name it once, with the sum of the weights.")


def _weights(ref: AdapterRef, names: Iterable[str]) -> str:
    """Return the one file of weights that is meant."""
    found = sorted(name for name in names if name.endswith(_ENDING))
    if ref.file is not None:
        if ref.file not in found:
            raise _refused(f"{ref.repo} has no file {ref.file[:100]!r}", f"It has: {_few(found) or 'no safetensors'}.")
        return ref.file
    if ref.kind == IP_ADAPTER:
        found = [name for name in found if PurePosixPath(name).parent.name != _ENCODER]
    usual = _USUAL.get(ref.kind)
    if usual in found:
        return usual
    top = [name for name in found if "/" not in name]
    if ref.kind != CONTROLNET and len(top) == 1:
        return top[0]
    if ref.kind != CONTROLNET and len(top) > 1:
        raise _refused(f"{ref.repo} has several safetensors files", f"Choose one with #FILE: {_few(top)}.")
    raise _refused(
        f"{ref.repo} has no safetensors weights of the kind {ref.kind}",
        f"Other formats can run code when they are read. It has: {_few(found) or 'none'}.",
    )


def _needed(ref: AdapterRef, weights: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return every file that loading reads, sorted."""
    there = set(names)
    wanted = [weights]
    if ref.kind == CONTROLNET:
        wanted.append("config.json")
    if ref.kind == IP_ADAPTER:
        wanted += [f"{_encoder(weights)}/config.json", f"{_encoder(weights)}/model{_ENDING}"]
    if missing := [name for name in wanted if name not in there]:
        raise _refused(f"{ref.repo} is incomplete: no {missing[0]}", "It is laid out as diffusers expects it.")
    return tuple(sorted(wanted))


def _encoder(weights: str) -> str:
    return (PurePosixPath(weights).parent / _ENCODER).as_posix()


def _listing(folder: Path, ref: AdapterRef) -> tuple[str, ...]:
    """Return files as paths relative to ``folder``: those that a chosen one needs, or all down to two levels below."""
    if ref.file is not None and ".." not in PurePosixPath(ref.file).parts and not PurePosixPath(ref.file).is_absolute():
        beside = ("config.json", f"{_encoder(ref.file)}/config.json", f"{_encoder(ref.file)}/model{_ENDING}")
        return tuple(name for name in (ref.file, *beside) if (folder / name).is_file())
    found = (path for pattern in ("*", "*/*", "*/*/*") for path in folder.glob(pattern) if path.is_file())
    return tuple(sorted(path.relative_to(folder).as_posix() for path in found))


def stated_licence(folder: Path) -> str | None:
    """Return the licence that ``sdsafe.json`` beside the adapter states."""
    said = read_json(folder / "sdsafe.json")
    licence = said.get("license") if isinstance(said, dict) else None
    return licence if isinstance(licence, str) and licence else None


def _few(names: list[str]) -> str:
    most = 6
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _refused(what: str, hint: str) -> RequestError:
    return RequestError(what, code="request.adapter", hint=hint)
