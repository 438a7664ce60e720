"""A workshop for credentials with something wrong in them, and files that are signed with them all the same.

The C2PA library refuses to sign with most of them. So a released picture is taken, and its claim, which stays as it is,
is signed again: another COSE_Sign1, as long as the one it replaces, with whatever chain, headers and key are wanted.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsafe._internal.certificates import CLAIM_SIGNING
from sdsafe.provenance.manifest import jumbf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Chunk", "Made", "certificate", "chunks", "joined", "resigned", "store_of", "with_store"]

Chunk = tuple[bytes, bytes]
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DAY = timedelta(days=1)
_ES256, _CHAIN = -7, 33


def chunks(data: bytes) -> list[Chunk]:
    """Take a PNG apart."""
    found, at = [], len(_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def joined(parts: Iterable[Chunk]) -> bytes:
    """Put a PNG together, with checksums that fit."""
    written = (
        struct.pack(">I", len(each)) + kind + each + struct.pack(">I", zlib.crc32(kind + each)) for kind, each in parts
    )
    return _SIGNATURE + b"".join(written)


def store_of(data: bytes) -> bytes:
    """Return the manifest store of a PNG."""
    return next(body for kind, body in chunks(data) if kind == b"caBX")


def with_store(data: bytes, store: bytes) -> bytes:
    """Return a PNG with another manifest store."""
    return joined((kind, store if kind == b"caBX" else body) for kind, body in chunks(data))


@dataclass
class Made:
    """A certificate with the key it certifies."""

    certificate: x509.Certificate
    key: Any
    der: bytes = field(init=False)
    pem: str = field(init=False)

    def __post_init__(self) -> None:
        """Write it down in both encodings."""
        self.der = self.certificate.public_bytes(Encoding.DER)
        self.pem = self.certificate.public_bytes(Encoding.PEM).decode()


def certificate(  # noqa: PLR0913 - everything that can be wrong with one
    name: str,
    by: Made | None = None,
    *,
    ca: bool = False,
    usages: Iterable[x509.ObjectIdentifier] | None = (CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION),
    begins: timedelta = -_DAY,
    ends: timedelta = 90 * _DAY,
    key: Any = None,
    algorithm: Any = None,
    digital_signature: bool = True,
    authority_key: bool = True,
) -> Made:
    """Return a certificate of the C2PA profile, but for what is asked; without ``by`` it signs itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    signing = key if by is None else by.key
    named = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Workshop"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    off = dict.fromkeys(
        (
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
            "content_commitment",
        ),
        False,
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=digital_signature and not ca, key_cert_sign=ca, crl_sign=ca, **off),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if authority_key:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
    if usages is not None and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    return Made(builder.sign(signing, algorithm or hashes.SHA256()), key)


def resigned(  # noqa: PLR0913 - everything that can be wrong with a signature
    data: bytes,
    chain: Iterable[bytes],
    key: ec.EllipticCurvePrivateKey,
    *,
    hashed: hashes.HashAlgorithm | None = None,
    alg: int = _ES256,
    unprotected: Mapping[object, object] | None = None,
    about_signature: Callable[[bytes, bytes], Mapping[object, object]] | None = None,
) -> bytes:
    """Return a PNG whose active claim is signed again.

    Args:
        data: The PNG.
        chain: DER certificates, as they shall stand in the signature.
        key: That signs.
        hashed: What is really hashed; default: what ES256 says.
        alg: COSE identifier that the header states.
        unprotected: Further headers, such as ``rVals``.
        about_signature: Returns headers that speak of the signature, such as ``sigTst2``; given the protected headers
            and the signature.
    """
    store = store_of(data)
    manifest = jumbf.parse(store).children[-1]
    claim = _box(manifest, b"c2cl").content
    protected = cbor2.dumps({1: alg, _CHAIN: list(chain)})
    to_be_signed = cbor2.dumps(["Signature1", protected, b"", claim])
    r, s = decode_dss_signature(key.sign(to_be_signed, ec.ECDSA(hashed or hashes.SHA256())))
    half = (key.key_size + 7) // 8
    signature = r.to_bytes(half, "big") + s.to_bytes(half, "big")
    headers = {**(unprotected or {}), **(about_signature(protected, signature) if about_signature else {})}
    box = _box(manifest, b"c2cs")
    content = _padded(protected, headers, signature, len(box.content))
    return with_store(data, store[: box.offset + 8] + content + store[box.offset + 8 + len(content) :])


def _box(manifest: jumbf.Box, kind: bytes) -> jumbf.Box:
    section = next(each for each in manifest.children[1:] if each.kind == kind)
    return next(each for each in section.children[1:] if each.type == b"cbor")


def _padded(protected: bytes, headers: dict[object, object], signature: bytes, size: int) -> bytes:
    """Return a COSE_Sign1 of exactly ``size`` bytes."""

    def written(*pads: int) -> bytes:
        names = {f"pad{number or ''}": bytes(length) for number, length in enumerate(pads)}
        return cbor2.dumps(cbor2.CBORTag(18, [protected, {**headers, **names}, None, signature]))

    for second in (None, 0, 1, 2, 3):  # the head of a string grows at some lengths; a second one fills the gap
        more = () if second is None else (second,)
        for first in range(max(0, size - len(written(0, *more)) - 8), size - len(written(0, *more)) + 1):
            if len(written(first, *more)) == size:
                return written(first, *more)
    msg = "it does not fit into the room that the first signature had"
    raise ValueError(msg)
