"""What is fuzzed: every piece of code of ours that reads bytes of strangers. Each target takes bytes and returns.

A target may raise only what its docstring allows the reader to raise; anything else is a finding. Readers that
promise never to raise are called bare.
"""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from PIL import Image

from sdsafe._internal import images
from sdsafe._internal.clock import now
from sdsafe.core.report import Evidence
from sdsafe.core.states import Asset
from sdsafe.errors import AssetError, ConfigurationError, MetadataError, RequestError
from sdsafe.provenance.manifest import container, jumbf
from sdsafe.provenance.manifest.envelope import Opener, seal, unseal
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.manifest.signature import SignatureUnreadable, read_claim_signature
from sdsafe.provenance.metadata import xmp
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.embedding import embed, read
from sdsafe.provenance.metadata.model import Metadata
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.trust.stapling import stapled_statuses
from sdsafe.requests import read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["TARGETS", "seeds"]

_RESPONDER = ec.generate_private_key(ec.SECP256R1())
_OPENER = Opener(X25519PrivateKey.from_private_bytes(bytes(range(32))))
_JSON_REQUEST = b'{"schema": "sdsafe.request/1", "prompt": "waves", "model": {"id": "builtin:tiny"}, "inputs": []}'
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


def _sidecar(data: bytes) -> None:
    ManifestProbe().examine(Asset(data=_file("png"), media_type="image/png", sidecar=data), Evidence())


def _request(data: bytes) -> None:
    with suppress(RequestError):
        read_request(data, "request.yaml")


def _envelope(data: bytes) -> None:
    try:
        envelope = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(envelope, dict):
        with suppress(ConfigurationError):
            unseal(envelope, _OPENER, asset_id="00" * 8, commitment="00" * 32)


def _stapled(data: bytes) -> None:
    list(stapled_statuses(_chain(), (), (data,), now()))


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
    "sidecar": _sidecar,
    "request": _request,
    "envelope": _envelope,
    "stapled": _stapled,
    "xmp": _xmp,
    "aigc": _aigc,
    "picture": _picture,
    **{f"metadata-{name}": _metadata(media_type) for name, media_type in _FORMATS.items()},
}
"""Name to what is called with each input."""


def seeds(target: str) -> tuple[bytes, ...]:
    """Return well-formed inputs of a target, for mutations to start from."""
    if target in _OWN_SEEDS:
        return _OWN_SEEDS[target]()
    match target:
        case "jumbf" | "signature" | "sidecar":
            return (_store(),)
        case "container" | "manifest" | "picture":
            return (_signed(), *(_file(name) for name in _FORMATS))
        case _:
            name = target.removeprefix("metadata-")
            plain = _file(name)
            return (plain, embed(plain, _FORMATS[name], _METADATA))


def _labels() -> tuple[bytes, ...]:
    label = AigcLabel(label="1", content_producer="p")
    return (label.render().encode(), label.render_wrapped().encode())


def _sealed() -> Mapping[str, object]:
    return seal({"prompt": "waves"}, bytes(32), _OPENER.recipient, asset_id="00" * 8, commitment="00" * 32)


@cache
def _chain() -> tuple[bytes, ...]:
    made = issue("fuzz", now(), public=_RESPONDER.public_key())
    return tuple(each.public_bytes(Encoding.DER) for each in (made.leaf, made.issuing))


def _response() -> bytes:
    """An OCSP response of somebody else about the leaf."""
    leaf, issuing = (x509.load_der_x509_certificate(each) for each in _chain())
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf, issuer=issuing, algorithm=hashes.SHA256(), cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=now(), next_update=None, revocation_time=None, revocation_reason=None,
    )  # fmt: skip
    responder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, leaf)
    return responder.sign(_RESPONDER, hashes.SHA256()).public_bytes(Encoding.DER)


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


_OWN_SEEDS: Mapping[str, Callable[[], tuple[bytes, ...]]] = {
    "request": lambda: (
        b"schema: sdsafe.request/1\nprompt: waves\nsize: 64x64\nparameters: {eta: 0.5}\n",
        _JSON_REQUEST,
    ),
    "envelope": lambda: (json.dumps(dict(_sealed())).encode(),),
    "stapled": lambda: (_response(),),
    "xmp": lambda: (xmp.render(_METADATA),),
    "aigc": _labels,
}


def _file(name: str) -> bytes:
    buffer = io.BytesIO()
    pixels = np.arange(24 * 16 * 3, dtype=np.uint8).reshape(24, 16, 3)
    Image.fromarray(pixels).save(buffer, name)
    return buffer.getvalue()
