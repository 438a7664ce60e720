"""Issuing the three certificates of a development hierarchy, in memory.

The leaf has the profile that C2PA's own authorities use (section 14.5.1 of 2.4; "claim signing leaf" of the
conformance program), without the two extensions that state an assurance level and a conforming product: those
would be false statements here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsafe._internal.certificates import CLAIM_SIGNING

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

__all__ = ["LEAF_DAYS", "Hierarchy", "issue"]

LEAF_DAYS = 90
"""As long as a leaf of assurance level 2 lives; long enough to forget it, hence the warning in every run."""

_ROOT_DAYS = 3653
_ISSUING_DAYS = 1826
_BACKDATED = timedelta(minutes=5)  # clocks of two machines differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Root, issuing authority and leaf, with the private keys of root and leaf. The issuing key is forgotten."""

    root: x509.Certificate
    issuing: x509.Certificate
    leaf: x509.Certificate
    root_key: ec.EllipticCurvePrivateKey = field(repr=False)
    leaf_key: ec.EllipticCurvePrivateKey = field(repr=False)


def issue(
    organisation: str, at: datetime, *, leaf_days: float = LEAF_DAYS, public: CertificatePublicKeyTypes | None = None
) -> Hierarchy:
    """Make new keys and certify them: root P-384 for ten years, issuing P-256 for five, leaf P-256.

    Args:
        organisation: Stands as O in every subject; 1 to 40 printable characters.
        at: Now (aware); validity begins five minutes earlier.
        leaf_days: How long the leaf lives.
        public: Certified in place of the key that is made, where the private one is elsewhere.
    """
    root_key = ec.generate_private_key(ec.SECP384R1())
    issuing_key = ec.generate_private_key(ec.SECP256R1())
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    # Two hierarchies of one organisation must be told apart in a list of anchors: part of the key's own name.
    mark = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()).digest[:4].hex()
    root_name = _name(organisation, f"sdsafe development CA root {mark}")
    issuing_name = _name(organisation, f"sdsafe development CA issuing {mark}")
    by_root = (root_name, root_key.public_key())
    root = (
        _certificate(root_name, root_key.public_key(), by_root, at, _ROOT_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(root_key, hashes.SHA384())
    )
    issuing = (
        _certificate(issuing_name, issuing_key.public_key(), by_root, at, _ISSUING_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(root_key, hashes.SHA384())
    )
    leaf_name = _name(organisation, f"{organisation} (sdsafe development CA)")
    leaf = (
        _certificate(
            leaf_name, public or leaf_key.public_key(), (issuing_name, issuing_key.public_key()), at, leaf_days
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .sign(issuing_key, hashes.SHA256())
    )
    return Hierarchy(root=root, issuing=issuing, leaf=leaf, root_key=root_key, leaf_key=leaf_key)


def _certificate(
    subject: x509.Name,
    key: CertificatePublicKeyTypes,
    by: tuple[x509.Name, ec.EllipticCurvePublicKey],
    at: datetime,
    days: float,
) -> x509.CertificateBuilder:
    issuer, issuer_key = by
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _BACKDATED)
        .not_valid_after(at + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _name(organisation: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "development, not a conforming product"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
