"""A small certificate workshop: any certificate, with anything wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsafe._internal.certificates import CLAIM_SIGNING

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class Made:
    """A certificate with the key it certifies."""

    certificate: x509.Certificate
    key: Any
    der: bytes = field(init=False)
    pem: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.der = self.certificate.public_bytes(Encoding.DER)
        self.pem = self.certificate.public_bytes(Encoding.PEM)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Workshop"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(**set_: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: set_.get(name, False) for name in names})


@pytest.fixture(scope="session")
def moment() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def usage() -> Callable[..., x509.KeyUsage]:
    return _usage


@pytest.fixture(scope="session")
def make() -> Callable[..., Made]:
    """Return ``make(name, by, ca=..., ...)``; ``by=None`` signs with its own key. ``drop`` leaves extensions out."""

    def certificate(
        name: str,
        by: Made | None = None,
        *,
        ca: bool = False,
        key: Any = None,
        path_length: int | None = None,
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=90),
        algorithm: Any = None,
        issuer: str | None = None,
        authority_key: Any = None,
        drop: tuple[type, ...] = (),
        add: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    ) -> Made:
        key = key or ec.generate_private_key(ec.SECP256R1())
        signing_key = key if by is None else by.key
        issuer_name = _name(issuer or (name if by is None else "")) if by is None or issuer else by.certificate.subject
        named_key = (authority_key or signing_key).public_key()
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=ca, path_length=path_length), True),
            (_usage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(named_key), False),
        ]
        if not ca:
            usages = [CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]
            extensions.append((x509.ExtendedKeyUsage(usages), False))
        replaced = {*drop, *(type(extension) for extension, _ in add)}
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + begins)
            .not_valid_after(NOW + ends)
        )
        for extension, critical in [e for e in extensions if type(e[0]) not in replaced] + list(add):
            builder = builder.add_extension(extension, critical)
        own_hash = None if isinstance(signing_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return Made(builder.sign(signing_key, algorithm or own_hash), key)

    return certificate
