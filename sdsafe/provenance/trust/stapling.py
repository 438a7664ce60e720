"""Certificate status that the signer stapled to the signature (OCSP, RFC 6960; C2PA 2.4, 15.9): read, never fetched.

The header it stands in is signed by nobody, so its absence says nothing. What it says counts if the issuer of the
signer's certificate, or a responder that the issuer named, signed it. The C2PA library looks at it only where it was
given the anchors of signers, which it never is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from sdsafe._internal.certificates import extension, load, short_name, validity_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

__all__ = ["Status", "stapled_statuses"]

_MOST = 8  # responses that are looked at


class Status(NamedTuple):
    """What one stapled response says of the signer's certificate at the moment in question."""

    word: str
    """``revoked``, ``notRevoked`` or ``unknown``."""
    says: str


def stapled_statuses(
    chain: tuple[bytes, ...], anchors: Iterable[bytes], responses: Iterable[bytes], at: datetime
) -> Iterator[Status]:
    """Yield what stapled responses say. Never raises on what they hold.

    Args:
        chain: DER, leaf first.
        anchors: DER; the issuer may be one of them.
        responses: DER.
        at: Aware: a proven time of signing, else that of validation. What was revoked later held then.
    """
    try:
        leaf = load(chain[0])
        issuers = [each for each in map(load, (*chain[1:], *anchors)) if _issued(leaf, each)]
    except (ValueError, IndexError):
        return
    for each in tuple(responses)[:_MOST]:
        try:
            yield _status(ocsp.load_der_ocsp_response(each), leaf, issuers, at)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            yield Status("unknown", "the stapled status cannot be read")


def _status(
    response: ocsp.OCSPResponse, leaf: x509.Certificate, issuers: list[x509.Certificate], at: datetime
) -> Status:
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return Status("unknown", "the stapled status is an error of the responder")
    issuer = next((each for each in issuers if _speaks_for(response, each, at)), None)
    if issuer is None:
        return Status("unknown", f"the stapled status is not signed for the issuer of {short_name(leaf)!r}")
    found = next((each for each in response.responses if _is_about(each, leaf, issuer)), None)
    if found is None:
        return Status("unknown", f"the stapled status is not about {short_name(leaf)!r}")
    return _answer(found, short_name(leaf), at)


def _answer(found: ocsp.OCSPSingleResponse, name: str, at: datetime) -> Status:
    revoked = found.revocation_time_utc
    if found.certificate_status is ocsp.OCSPCertStatus.REVOKED and revoked is not None and revoked <= at:
        return Status("revoked", f"{name!r} was revoked at {revoked:%Y-%m-%d %H:%M} UTC, says its issuer")
    if found.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        return Status("unknown", f"the issuer says that it does not know {name!r}")
    ends = found.next_update_utc
    if found.this_update_utc > at or (ends is not None and ends < at):
        return Status("unknown", "the stapled status is about another time")
    return Status("notRevoked", f"{name!r} was not revoked at {found.this_update_utc:%Y-%m-%d %H:%M} UTC")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _speaks_for(response: ocsp.OCSPResponse, issuer: x509.Certificate, at: datetime) -> bool:
    """Say whether the issuer signed it, or a responder whom the issuer certified for that and nothing else counts."""
    if _signed(response, issuer):
        return True
    return any(
        _signed(response, each)
        and _issued(each, issuer)
        and ExtendedKeyUsageOID.OCSP_SIGNING in (extension(each, x509.ExtendedKeyUsage) or ())
        and (not any(validity_faults(each, at)) or not any(validity_faults(each, response.produced_at_utc)))
        for each in map(load, (_der(each) for each in response.certificates[:_MOST]))
    )


def _der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def _signed(response: ocsp.OCSPResponse, by: x509.Certificate) -> bool:
    key, algorithm = by.public_key(), response.signature_hash_algorithm
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(response.signature, response.tbs_response_bytes)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _is_about(found: ocsp.OCSPSingleResponse, leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    if found.serial_number != leaf.serial_number:
        return False
    asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, found.hash_algorithm).build()
    return (found.issuer_key_hash, found.issuer_name_hash) == (asked.issuer_key_hash, asked.issuer_name_hash)
