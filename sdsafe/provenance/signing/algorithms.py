"""The seven algorithms that C2PA names (2.4, section 13.2), and the one form in which their signatures are embedded."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sdsafe.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes

__all__ = ["ALGORITHMS", "Algorithm", "algorithm_for", "joined", "spki", "unsupported"]

_LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One of them."""

    name: str
    digest: hashes.HashAlgorithm
    """Of the bytes that are signed; ed25519 computes its own."""
    width: int = 0
    """Bytes of r and of s, for ECDSA."""

    @property
    def is_pss(self) -> bool:
        """Whether it is RSA with probabilistic padding, whose salt is as long as the digest (RFC 8230, section 2)."""
        return self.name.startswith("ps")


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        each.name: each
        for each in (
            Algorithm("es256", hashes.SHA256(), 32),
            Algorithm("es384", hashes.SHA384(), 48),
            Algorithm("es512", hashes.SHA512(), 66),
            Algorithm("ps256", hashes.SHA256()),
            Algorithm("ps384", hashes.SHA384()),
            Algorithm("ps512", hashes.SHA512()),
            Algorithm("ed25519", hashes.SHA512()),
        )
    }
)

_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_RSA = ("ps256", "ps384", "ps512")


def algorithm_for(key: PublicKeyTypes | CertificatePublicKeyTypes, wanted: str | None = None) -> Algorithm:
    """Return the algorithm of a key.

    Args:
        key: The public half.
        wanted: By name; an RSA key leaves a choice, of which ps256 is the default.

    Raises:
        SigningError: ``signing.unsupported``: C2PA has none for this key, or the wanted one does not fit it.
    """
    fitting = _fitting(key)
    if wanted is not None and wanted not in fitting:
        raise SigningError(
            f"the algorithm {wanted[:20]!r} does not fit the key",
            code="signing.unsupported",
            hint=f"With this key: {', '.join(fitting)}.",
        )
    return ALGORITHMS[wanted or fitting[0]]


def joined(der: bytes, algorithm: Algorithm) -> bytes:
    """Return an ECDSA signature as r and s side by side (IEEE P1363), from ASN.1 as most key stores give it.

    Raises:
        SigningError: ``signing.answer``: it is no such signature.
    """
    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(algorithm.width, "big") + s.to_bytes(algorithm.width, "big")
    except (ValueError, OverflowError) as error:
        raise SigningError("the answer is no ECDSA signature", code="signing.answer") from error


def spki(key: PublicKeyTypes | CertificatePublicKeyTypes) -> bytes:
    """Return DER SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def unsupported(what: str) -> SigningError:
    """Return the error for a key that no algorithm is for."""
    return SigningError(
        f"C2PA has no algorithm for this key: {what}",
        code="signing.unsupported",
        hint="Use P-256, P-384, P-521, Ed25519, or RSA of 2048 bits or more.",
    )


def _fitting(key: PublicKeyTypes | CertificatePublicKeyTypes) -> tuple[str, ...]:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return ("ed25519",)
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _LEAST_RSA_BITS:
            raise unsupported(f"RSA with {key.key_size} bits")
        return _RSA
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise unsupported(f"curve {key.curve.name}")
        return (_CURVES[key.curve.name],)
    raise unsupported(type(key).__name__.removesuffix("PublicKey"))
