"""Files in and out: a picture or a sound with the manifest store beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe._internal import atomic, images, wav
from sdsafe.core.states import Asset
from sdsafe.errors import AssetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.request import InputImage
    from sdsafe.core.states import Recorded

__all__ = ["SIDECAR", "read_asset", "read_input", "save_to"]

SIDECAR = ".c2pa"
"""Ending of a file that holds the manifest store of the file beside it, as c2patool has it."""

_MAX_STORE_BYTES = 1 << 26
_MAX_FILE_BYTES = 1 << 30  # larger than any picture we make; a limit against mistakes, not a format rule


def read_asset(path: Path, manifest: Path | None = None) -> Asset:
    """Read the file of a picture or of a sound, and the manifest store beside it, if there is one.

    Args:
        path: The file.
        manifest: Where the store is; default: the file's name ending in ``.c2pa``.

    Raises:
        AssetError: The file cannot be read, is too large, or is neither.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise AssetError(f"{path.name}: larger than {_MAX_FILE_BYTES >> 20} MiB", code="asset.too-large")
        data = path.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{path.name}: cannot be read: {error.strerror}", code="asset.unreadable", hint="Check the path and rights."
        ) from error
    media_type = images.sniff(data) or wav.sniff(data)
    if media_type is None:
        raise AssetError(
            f"{path.name}: not a picture or a sound in a format we know",
            code="asset.not-an-image",
            hint="PNG, JPEG, WebP, AVIF, TIFF, GIF and WAV are recognised by their first bytes.",
        )
    return Asset(data=data, media_type=media_type, name=path.name, sidecar=_sidecar(path, manifest))


def _sidecar(path: Path, named: Path | None) -> bytes | None:
    """Return the manifest store beside a file; one that was named has to be there."""
    beside = named or path.with_suffix(SIDECAR)
    if named is None and (not beside.is_file() or beside == path):
        return None
    try:
        if beside.stat().st_size > _MAX_STORE_BYTES:
            raise AssetError(f"{beside.name}: larger than {_MAX_STORE_BYTES >> 20} MiB", code="asset.too-large")
        return beside.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{beside.name}: cannot be read: {error.strerror}",
            code="asset.unreadable",
            hint="Check the path and rights.",
        ) from error


def read_input(path: Path, role: str = "image") -> InputImage:
    """Read a picture that goes into generation, or a mask (``role="mask"``).

    Raises:
        AssetError: The file cannot be read, is too large, or is no picture.
    """
    from sdsafe.inputs import as_input

    return as_input(read_asset(path), role)


def save_to(path: Path, *, force: bool = False) -> Callable[[Recorded], None]:
    """Return a delivery that writes the asset to ``path`` in one step: complete or not at all.

    A manifest store that stands beside the file goes first, to the same name ending in ``.c2pa``. The delivery raises
    ``AssetError`` when the file exists (and ``force`` is false) or cannot be written; the pipeline then withdraws the
    asset.
    """

    def deliver(recorded: Recorded) -> None:
        write = atomic.replace if force else atomic.write_new
        beside, store = path.with_suffix(SIDECAR), recorded.asset.sidecar
        if store is not None:
            write(beside, store)
        try:
            write(path, recorded.asset.data)
        except BaseException:
            if store is not None and not force:
                beside.unlink(missing_ok=True)  # nobody else's: it was new
            raise

    return deliver
