"""What is fuzzed: every piece of code of ours that reads bytes of strangers. Each target takes bytes and returns.

A target may raise only what its docstring allows the reader to raise; anything else is a finding. Readers that
promise never to raise are called bare.
"""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sdsafe._internal import images
from sdsafe.core.report import Evidence
from sdsafe.core.states import Asset
from sdsafe.errors import AssetError, MetadataError
from sdsafe.provenance.manifest import container, jumbf
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.manifest.signature import SignatureUnreadable, read_claim_signature
from sdsafe.provenance.metadata import xmp
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.embedding import embed, read
from sdsafe.provenance.metadata.model import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["TARGETS", "seeds"]

_METADATA = Metadata(ai_system="a system", prompt="waves", aigc=AigcLabel(label="1", produce_id="7"))
_FORMATS = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "avif": "image/avif",
}


def _jumbf(data: bytes) -> None:
    with suppress(jumbf.JumbfError):
        jumbf.parse(data)
    list(jumbf.problems(data))


def _signature(data: bytes) -> None:
    try:
        label = jumbf.parse(data).children[-1].label
    except (jumbf.JumbfError, IndexError):
        label = "urn:c2pa:none"
    with suppress(SignatureUnreadable, jumbf.JumbfError):
        read_claim_signature(data, label)


def _container(data: bytes) -> None:
    list(container.problems(data, "image/png"))
    container.without_store(data)


def _manifest(data: bytes) -> None:
    ManifestProbe().examine(Asset(data=data, media_type=images.sniff(data) or "image/png"), Evidence())


def _xmp(data: bytes) -> None:
    with suppress(MetadataError):
        xmp.parse(data)


def _aigc(data: bytes) -> None:
    with suppress(MetadataError):
        AigcLabel.parse(data.decode("utf-8", "surrogateescape"))


def _picture(data: bytes) -> None:
    with suppress(AssetError):
        images.decode(data, max_pixels=1 << 16)


def _metadata(media_type: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        read(Asset(data=data, media_type=media_type))
        with suppress(MetadataError):
            embed(data, media_type, _METADATA)

    return run


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "jumbf": _jumbf,
    "signature": _signature,
    "container": _container,
    "manifest": _manifest,
    "xmp": _xmp,
    "aigc": _aigc,
    "picture": _picture,
    **{f"metadata-{name}": _metadata(media_type) for name, media_type in _FORMATS.items()},
}
"""Name to what is called with each input."""


def seeds(target: str) -> tuple[bytes, ...]:
    """Return well-formed inputs of a target, for mutations to start from."""
    match target:
        case "jumbf" | "signature":
            return (_store(),)
        case "container" | "manifest" | "picture":
            return (_signed(), *(_file(name) for name in _FORMATS))
        case "xmp":
            return (xmp.render(_METADATA),)
        case "aigc":
            label = AigcLabel(label="1", content_producer="p")
            return (label.render().encode(), label.render_wrapped().encode())
        case _:
            name = target.removeprefix("metadata-")
            plain = _file(name)
            return (plain, embed(plain, _FORMATS[name], _METADATA))


@cache
def _signed() -> bytes:
    from sdsafe.testing.pipeline import signed_png

    with tempfile.TemporaryDirectory() as folder:
        return signed_png(Path(folder))


@cache
def _store() -> bytes:
    data = _signed()
    start = data.index(b"caBX")
    return data[start + 4 : start + 4 + int.from_bytes(data[start - 4 : start], "big")]


def _file(name: str) -> bytes:
    buffer = io.BytesIO()
    pixels = np.arange(24 * 16 * 3, dtype=np.uint8).reshape(24, 16, 3)
    Image.fromarray(pixels).save(buffer, name)
    return buffer.getvalue()
