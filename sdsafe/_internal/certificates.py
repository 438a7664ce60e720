"""What C2PA demands of X.509 certificates, rule by rule, in plain words.

Source: C2PA 2.4, section 14.5.1 (certificate profile) and RFC 5280. Credentials that sign are linted with these
rules, and the chains of others are judged by the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

__all__ = [
    "CLAIM_SIGNING",
    "SIGNER_USAGES",
    "Fault",
    "algorithm_faults",
    "authority_faults",
    "extension",
    "load",
    "readable_name",
    "short_name",
    "signer_faults",
    "validity_faults",
]

CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
"""c2pa-kp-claimSigning: the extended key usage that C2PA's own certification authorities put into leaves."""

SIGNER_USAGES = (CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION, ObjectIdentifier("1.3.6.1.5.5.7.3.36"))
"""Extended key usages that make a claim signer: claimSigning, emailProtection, documentSigning.

anyExtendedKeyUsage and timeStamping do not, although the C2PA library accepts the latter.
"""

_LEAST_RSA_BITS = 2048
_MAX_EXTENSIONS = 64
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
}
"""Extensions that may be critical; any other critical one (name constraints, for one) restricts in a way we ignore."""


E = TypeVar("E", bound=x509.ExtensionType)


class Fault(NamedTuple):
    """One rule that a certificate breaks, and what that means in plain words."""

    rule: str
    says: str


def load(der: bytes) -> x509.Certificate:
    """Return the certificate in ``der`` with every part of it parsed, so that none can fail later.

    Raises:
        ValueError: It is not a certificate, or has a key, name or extension that cannot be read.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        parts = (
            certificate.version,
            certificate.issuer.public_bytes(),
            certificate.subject.public_bytes(),
            certificate.extensions,
            certificate.public_key(),
            certificate.signature_hash_algorithm,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    except Exception as error:
        raise ValueError(f"not a certificate that can be read: {type(error).__name__}") from error
    if len(parts[3]) > _MAX_EXTENSIONS:
        raise ValueError(f"more than {_MAX_EXTENSIONS} extensions")
    return certificate


def short_name(certificate: x509.Certificate) -> str:
    """Return the subject's common name, else its organisation, else the serial number."""
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            return str(attribute.value)
    return f"serial {certificate.serial_number:x}"


def readable_name(name: x509.Name) -> str:
    """Return "common name, organisation" of a name; empty when it has neither."""
    parts = [
        str(attribute.value)
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
        for attribute in name.get_attributes_for_oid(oid)[:1]
    ]
    return ", ".join(dict.fromkeys(parts))


def algorithm_faults(certificate: x509.Certificate) -> Iterator[Fault]:
    """Yield what is wrong with the key of a certificate and with the algorithm it was signed by."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _LEAST_RSA_BITS:
            yield Fault("algorithm", f"an RSA key of {key.key_size} bits; the least is {_LEAST_RSA_BITS}")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, _CURVES):
            yield Fault("algorithm", f"a key on curve {key.curve.name}; allowed are P-256, P-384 and P-521")
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        yield Fault("algorithm", "a key that is neither RSA, nor on a NIST curve, nor Ed25519")
    signed_by = certificate.signature_hash_algorithm  # None for Ed25519, which has its own
    if signed_by is not None and not isinstance(signed_by, _HASHES):
        yield Fault("algorithm", f"signed by its issuer with {signed_by.name}; the least is SHA-256")


def signer_faults(certificate: x509.Certificate) -> Iterator[Fault]:
    """Yield every rule of the leaf profile that a certificate breaks; nothing for one that may sign claims."""
    yield from algorithm_faults(certificate)
    yield from _leaf_usage_faults(certificate)
    usages = extension(certificate, x509.ExtendedKeyUsage)
    yield from _extended_usage_faults(() if usages is None else usages)
    if extension(certificate, x509.AuthorityKeyIdentifier) is None:
        yield Fault("authority-key-identifier", "the extension that names the issuer's key (AKI) is missing")
    yield from _critical_faults(certificate)


def authority_faults(certificate: x509.Certificate) -> Iterator[Fault]:
    """Yield what keeps a certificate from being an authority that issues claim signers."""
    yield from algorithm_faults(certificate)
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        yield Fault("basic-constraints", "it is not a certification authority")
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield Fault("key-usage", "it may not sign certificates (keyCertSign is not set)")
    usages = extension(certificate, x509.ExtendedKeyUsage)
    if usages is not None and not any(
        u in usages for u in (*SIGNER_USAGES, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    ):
        yield Fault("extended-key-usage", "it is restricted to other purposes than signing claims")
    yield from _critical_faults(certificate)


def validity_faults(certificate: x509.Certificate, at: datetime) -> Iterator[Fault]:
    """Yield a fault when ``at`` (aware) lies outside the validity period."""
    if at < certificate.not_valid_before_utc:
        yield Fault("not-yet-valid", f"it is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on")
    if at > certificate.not_valid_after_utc:
        yield Fault("expired", f"it expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")


def _critical_faults(certificate: x509.Certificate) -> Iterator[Fault]:
    strange = [e.oid.dotted_string for e in certificate.extensions if e.critical and e.oid not in _UNDERSTOOD]
    if strange:
        yield Fault("critical-extension", f"critical extensions that are not understood: {', '.join(strange)}")


def _leaf_usage_faults(certificate: x509.Certificate) -> Iterator[Fault]:
    if certificate.version is not x509.Version.v3:
        yield Fault("version", "not an X.509 version 3 certificate")
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        yield Fault("basic-constraints", "it is a certification authority; claims are signed by end entities only")
    usage = extension(certificate, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        yield Fault("key-usage", "digitalSignature is not among the key usages")
    elif usage.key_cert_sign:
        yield Fault("key-usage", "keyCertSign is among the key usages of an end entity")


def _extended_usage_faults(usages: Iterable[ObjectIdentifier]) -> Iterator[Fault]:
    given = tuple(usages)
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in given:
        yield Fault("extended-key-usage", "anyExtendedKeyUsage is not allowed for claim signers")
    if not any(usage in given for usage in SIGNER_USAGES):
        yield Fault(
            "extended-key-usage", "none of claimSigning, emailProtection and documentSigning is among the usages"
        )


def extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """Return an extension's value, or None where the certificate has none of that kind."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
