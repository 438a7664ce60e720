"""Where TrustMark's networks come from, and what they must hash to. Nothing is fetched unless ``pull`` is called.

Adobe serves them under one address that can serve other bytes tomorrow; the digests below make that an error. They are
those that public projects pin for the same address (for Q at least eight of them, independently; for P the one that
writes down what ``c2pa-node`` loads). We have not seen the files: a wrong digest here refuses the right file, and never
lets a wrong one pass.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sdsafe._internal import atomic
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sdsafe.core.places import Places

__all__ = [
    "ADDRESS",
    "LICENCE",
    "PREFIX",
    "PUBLISHED",
    "Published",
    "decoder_name",
    "encoder_name",
    "folder_of",
    "pull",
    "verify",
]

ADDRESS: Final = "https://cai-watermark.adobe.net/watermarking/trustmark-models/"
"""Where Adobe's own implementations fetch them (April 2026)."""

LICENCE: Final = "MIT, code and networks (README of adobe/trustmark)"

PREFIX: Final = "trustmark-"
"""Before the variant, where weights are named: ``trustmark-P``."""

_TIMEOUT_S: Final = 60.0
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Published:
    """One file: its size in bytes and its digest."""

    name: str
    size: int
    sha256: str


PUBLISHED: Final[Mapping[str, tuple[Published, Published]]] = MappingProxyType(
    {
        "Q": (
            Published("encoder_Q.onnx", 17312208, "19b3d1b25836130ffd78775a8f61539f993375d1823ef0e59ba5b8dffb4f892d"),
            Published("decoder_Q.onnx", 47401222, "ee3268f057c9dabef680e169302f5973d0589feea86189ed229a896cc3aa88df"),
        ),
        "P": (
            Published("encoder_P.onnx", 17312208, "053441c9c9f05fc158ccba71c610d9d58fcd2c82d1912bf0ffcee988cf2f74c8"),
            Published("decoder_P.onnx", 47400467, "be6d7c33f8a7b376f179e75f3f7c58ff816a9ac7bb6d37fd0a729a635f624c35"),
        ),
    }
)
"""Encoder and decoder of each variant whose digests are known. For C nobody that we found has written them down."""


def encoder_name(variant: str) -> str:
    """Return the published name of an encoder."""
    return f"encoder_{variant}.onnx"


def decoder_name(variant: str) -> str:
    """Return the published name of a decoder."""
    return f"decoder_{variant}.onnx"


def folder_of(places: Places) -> Path:
    """Return the folder of the model cache that ``pull`` writes to."""
    return places.models / "trustmark"


def verify(variant: str, places: Places) -> tuple[Path, Path]:
    """Return where encoder and decoder of a variant lie, both intact.

    Raises:
        ConfigurationError: ``weights.unknown``; ``weights.missing``; ``weights.changed``: what lies there is not what
            was published.
    """
    encoder, decoder = _published(variant)
    return _intact(encoder, variant, places), _intact(decoder, variant, places)


def pull(variant: str, places: Places, *, force: bool = False, address: str | None = None) -> tuple[Path, Path]:
    """Fetch encoder and decoder of a variant unless they are there and intact, and return where they lie.

    Args:
        variant: ``P`` or ``Q``.
        places: Where the model cache is.
        force: Fetch again what is there.
        address: A mirror, with a slash at its end; the bytes have to be the same. Default: ``ADDRESS``.

    Raises:
        ConfigurationError: ``weights.unknown``; ``weights.pull-failed``; ``weights.wrong-hash``: other bytes came than
            the pinned ones, and nothing was kept; ``weights.changed``; ``weights.unwritable``.
    """
    for file in _published(variant):
        if force or not (folder_of(places) / file.name).is_file():
            _keep(_fetched((address or ADDRESS) + file.name, file), file, places)
    return verify(variant, places)


def _published(variant: str) -> tuple[Published, Published]:
    if variant not in PUBLISHED:
        raise ConfigurationError(
            f"no digests are known for TrustMark's variant {variant!r}",
            code="weights.unknown",
            hint=f"Known: {', '.join(PUBLISHED)}. Fetch others yourself, and pin what you have looked at.",
        )
    return PUBLISHED[variant]


def _intact(file: Published, variant: str, places: Places) -> Path:
    path = folder_of(places) / file.name
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"{file.name} is not in the model cache",
            code="weights.missing",
            hint=f"sdsafe models pull trustmark-{variant}",
        ) from error
    if found != file.sha256:
        raise ConfigurationError(
            f"{file.name} in the model cache has SHA-256 {found[:12]}..., published was {file.sha256[:12]}...",
            code="weights.changed",
            hint=f"It was changed on disk. sdsafe models pull trustmark-{variant} --force replaces it.",
        )
    return path


def _keep(data: bytes, file: Published, places: Places) -> None:
    folder = folder_of(places)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the model cache cannot be written: {error.strerror}",
            code="weights.unwritable",
            hint="Set SDSAFE_CACHE to a folder that can be written.",
        ) from error
    atomic.replace(folder / file.name, data)


def _fetched(url: str, file: Published) -> bytes:
    """Return the bytes of one file; never more than it is known to have."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - ADDRESS, or the caller's mirror; what comes is held against its digest
            data = bytearray()
            while len(data) <= file.size and (block := answer.read(_BLOCK)):
                data += block
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = type(error).__name__
        if isinstance(error, urllib.error.HTTPError):
            why = f"the server answers {error.code}"
            error.close()
        raise ConfigurationError(
            f"{file.name} could not be fetched: {why}",
            code="weights.pull-failed",
            hint=f"Is {url.rpartition('/')[0]}/ reachable? A file fetched by other means can be put where "
            f"`sdsafe models path {PREFIX}P` says.",
        ) from error
    if len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256:
        raise ConfigurationError(
            f"{file.name}: other bytes came than the ones that are pinned; nothing was kept",
            code="weights.wrong-hash",
            hint="Something else is published there now, or something stands in between: find out which.",
        )
    return bytes(data)
