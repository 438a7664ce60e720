"""Pictures that go in: read from files, and held to be what they say they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import images
from sdsafe.core.digests import sha256_hex
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import InputImage
from sdsafe.core.states import Asset
from sdsafe.errors import RequestError
from sdsafe.provenance.manifest.probe import ManifestProbe

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["as_input", "require_usable"]

_SOUND = {ManifestState.ABSENT, ManifestState.VALID, ManifestState.TRUSTED}


def as_input(asset: Asset, role: str) -> InputImage:
    """Return a picture file as an input of a request.

    Args:
        asset: File bytes; its name is left behind.
        role: ``image``, ``mask``, ``control`` or ``reference``.

    Raises:
        AssetError: It does not decode.
    """
    return InputImage(
        role=role,
        pixels=images.decode(asset.data),
        sha256=sha256_hex(asset.data),
        media_type=asset.media_type,
        data=asset.data,
        sidecar=asset.sidecar,
    )


def require_usable(inputs: Iterable[InputImage]) -> None:
    """Make sure that what is checked, what is edited and what the manifest names are one picture.

    Raises:
        RequestError: ``request.input``: pixels, digest or media type do not belong to the file bytes.
            ``request.input-invalid``: its manifest does not hold, so nothing can be said of where it comes from.
        AssetError: The bytes do not decode.
    """
    for each in inputs:
        _require_genuine(each)
        _require_intact(each)
        each.pixels.setflags(write=False)  # what the gate has seen, nobody changes before it is used


def _require_genuine(image: InputImage) -> None:
    same = (
        images.sniff(image.data) == image.media_type
        and sha256_hex(image.data) == image.sha256
        and np.array_equal(images.decode(image.data), image.pixels)
    )
    if not same:
        raise RequestError(
            f"the {image.role}: pixels, digest or media type are not those of its file",
            code="request.input",
            hint="Make inputs with sdsafe.api.read_input, which reads all of them from one file.",
        )


def _require_intact(image: InputImage) -> None:
    asset = Asset(data=image.data, media_type=image.media_type, sidecar=image.sidecar)
    seen = ManifestProbe().examine(asset, Evidence())
    if seen.manifest not in _SOUND:
        codes = ", ".join(sorted({f.code for f in seen.findings if f.severity == "failure"})) or "not readable"
        raise RequestError(
            f"the {image.role} carries a manifest that does not hold: {codes}",
            code="request.input-invalid",
            hint="`sdsafe inspect` says what is wrong with it. Use the file as its signer released it.",
        )
