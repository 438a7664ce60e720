"""One trust anchor: the certificate of an authority, and nothing else."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.certificates import extension, load, short_name
from sdsafe.errors import ConfigurationError

__all__ = ["anchor"]


def anchor(der: bytes, where: str) -> bytes:
    """Return a certificate as PEM if it can be an anchor.

    Args:
        der: The certificate.
        where: What messages call it.

    Raises:
        ConfigurationError: ``trust.format``: it cannot be read, or is not that of a certification authority.
    """
    try:
        certificate = load(der)
    except ValueError as error:
        raise ConfigurationError(
            f"{where} cannot be read", code="trust.format", hint="Fetch the list again."
        ) from error
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise ConfigurationError(
            f"{where} ({short_name(certificate)}) is not that of a certification authority",
            code="trust.format",
            hint="Anchors are roots or issuing authorities; give root.pem rather than chain.pem.",
        )
    return certificate.public_bytes(Encoding.PEM)
