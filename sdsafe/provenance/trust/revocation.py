"""Lists of certificates that their authority took back (CRL, RFC 5280 section 5): given as files, never fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from sdsafe._internal.certificates import Fault, load, short_name
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

__all__ = ["load_crl", "revocation_faults"]

_MOST_BYTES = 64 << 20


def load_crl(path: Path) -> x509.CertificateRevocationList:
    """Return the list in a PEM or DER file.

    Raises:
        ConfigurationError: ``trust.unreadable`` or ``trust.format``: a list that cannot be read is not an empty one.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigurationError(f"{path.name}: too large for a revocation list", code="trust.format")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path.name}: the revocation list cannot be read: {error.strerror}", code="trust.unreadable"
        ) from error
    try:
        return x509.load_pem_x509_crl(data) if b"-----BEGIN" in data[:4096] else x509.load_der_x509_crl(data)
    except ValueError as error:
        raise ConfigurationError(
            f"{path.name}: this is no revocation list", code="trust.format", hint="Give a CRL, PEM or DER."
        ) from error


def revocation_faults(
    chain: Iterable[bytes],
    anchors: Iterable[bytes],
    lists: Iterable[x509.CertificateRevocationList],
    at: datetime,
) -> Iterator[Fault]:
    """Yield a fault for every certificate of a chain that was taken back by ``at``.

    Args:
        chain: DER, leaf first.
        anchors: DER of the trust anchors; an issuer may be one of them.
        lists: Those of issuers that are not in the chain are passed over.
        at: Aware. What was revoked later than a proven time of signing held then.
    """
    certificates = [load(each) for each in chain]
    issuers = [*certificates, *(load(each) for each in anchors)]
    for certificate in certificates:
        for each in lists:
            if each.issuer.public_bytes() == certificate.issuer.public_bytes():
                yield from _faults(certificate, each, issuers, at)


def _faults(
    certificate: x509.Certificate,
    revoked: x509.CertificateRevocationList,
    issuers: list[x509.Certificate],
    at: datetime,
) -> Iterator[Fault]:
    if not any(_signed_by(revoked, issuer) for issuer in issuers):
        yield Fault("crl-signature", f"the revocation list for {short_name(certificate)!r} is not signed by its issuer")
        return
    entry = revoked.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is not None and entry.revocation_date_utc <= at:
        yield Fault(
            "revoked", f"{short_name(certificate)!r} was revoked at {entry.revocation_date_utc:%Y-%m-%d %H:%M} UTC"
        )


def _signed_by(revoked: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if issuer.subject.public_bytes() != revoked.issuer.public_bytes():
        return False
    try:
        return bool(revoked.is_signature_valid(issuer.public_key()))  # type: ignore[arg-type]  # other keys raise
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False
