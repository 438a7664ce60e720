"""Asking a certification authority for a certificate: PKCS#10 (RFC 2986), signed by the key wherever that is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asn1crypto import algos, core, csr
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsafe._internal.certificates import CLAIM_SIGNING
from sdsafe.errors import SigningError
from sdsafe.provenance.signing.algorithms import ALGORITHMS, algorithm_for, spki

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.protocols import Signer
    from sdsafe.provenance.signing.algorithms import Algorithm
    from sdsafe.provenance.signing.keyfiles import PrivateKey

__all__ = ["KeyToCertify", "Subject", "certificate_request"]

_MOST_CHARACTERS = 64  # X.520, ub-common-name and others
_COUNTRY = re.compile("[A-Za-z]{2}")
_FIELDS = {
    "country": NameOID.COUNTRY_NAME,
    "state": NameOID.STATE_OR_PROVINCE_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "organisation": NameOID.ORGANIZATION_NAME,
    "unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "common_name": NameOID.COMMON_NAME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom the certificate is to name; reports show organisation and common name as the signer.

    A conforming product of C2PA needs country, organisation and common name, as on the list of such products.
    """

    organisation: str
    common_name: str
    country: str | None = None
    """Two letters (ISO 3166-1)."""
    state: str | None = None
    locality: str | None = None
    unit: str | None = None

    def name(self) -> x509.Name:
        """Return it as X.501 has it, country first.

        Raises:
            SigningError: ``signing.name``: a part that fits into no certificate.
        """
        given = [(field, getattr(self, field)) for field in _FIELDS]
        return x509.Name([_attribute(field, value) for field, value in given if value is not None])


@dataclass(frozen=True, slots=True)
class KeyToCertify:
    """A key that can show its public half and sign, and nothing more."""

    public: bytes
    """DER SubjectPublicKeyInfo."""
    signature_algorithm: algos.SignedDigestAlgorithm
    sign: Callable[[bytes], bytes]
    """Returns a signature in the form that X.509 has it."""

    @classmethod
    def of_file(cls, key: PrivateKey) -> KeyToCertify:
        """Return that of a private key. RSA signs the request as every authority reads it (PKCS #1 v1.5)."""
        public, algorithm = spki(key.public_key()), algorithm_for(key.public_key())
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return cls(public, _identifier(algorithm), key.sign)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return cls(public, _identifier(algorithm), lambda data: key.sign(data, ec.ECDSA(algorithm.digest)))
        plain = algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"})
        return cls(public, plain, lambda data: key.sign(data, padding.PKCS1v15(), algorithm.digest))

    @classmethod
    def of_signer(cls, signer: Signer) -> KeyToCertify:
        """Return that of a signer, whether it has certificates already or was opened with ``NO_CHAIN``.

        Raises:
            SigningError: ``signing.unsupported``: it shows no public key.
        """
        public = getattr(signer, "public_key", None)
        if not isinstance(public, bytes):
            if not signer.certificate_chain:
                raise SigningError("the signer shows no public key", code="signing.unsupported")
            public = spki(x509.load_der_x509_certificate(signer.certificate_chain[0]).public_key())
        algorithm = ALGORITHMS[signer.alg]
        return cls(public, _identifier(algorithm), lambda data: _in_asn1(signer.sign(data), algorithm))


def certificate_request(key: KeyToCertify, subject: Subject) -> bytes:
    """Return a request in PEM for a certificate that signs claims.

    It asks for what C2PA's profile wants of a leaf: no authority; digitalSignature and contentCommitment; claimSigning
    and emailProtection. Authorities may take this or put in their own.

    Raises:
        SigningError: ``signing.name``; ``signing.key-mismatch``: what the key signed does not verify with its public
            half; or the signer's own.
    """
    asked = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": asn1_x509.Name.load(subject.name().public_bytes()),
            "subject_pk_info": asn1_keys.PublicKeyInfo.load(key.public),
            "attributes": [{"type": "extension_request", "values": [_extensions()]}],
        }
    )
    request = csr.CertificationRequest(
        {
            "certification_request_info": asked,
            "signature_algorithm": key.signature_algorithm,
            "signature": key.sign(asked.dump()),
        }
    )
    made = x509.load_der_x509_csr(request.dump())
    if not made.is_signature_valid or spki(made.public_key()) != spki(load_der_public_key(key.public)):
        raise SigningError(
            "what the key signed does not verify with its public half",
            code="signing.key-mismatch",
            hint="Name the key whose public half is there, or let the certificates be those of this key.",
        )
    return made.public_bytes(Encoding.PEM)


def _attribute(field: str, value: str) -> x509.NameAttribute[str]:
    fits = value.isprintable() and value == value.strip() and 1 <= len(value) <= _MOST_CHARACTERS
    wants = f"1 to {_MOST_CHARACTERS} printable characters"
    if field == "country":
        fits, wants = _COUNTRY.fullmatch(value) is not None, "two letters, such as DE"
        value = value.upper()
    if not fits:
        what = field.replace("_", " ")
        raise SigningError(f"the {what} does not fit into a certificate: it has {wants}", code="signing.name")
    return x509.NameAttribute(_FIELDS[field], value)


def _extensions() -> list[dict[str, object]]:
    bits = (True, True, False, False, False, False, False, False, False)  # digitalSignature, contentCommitment
    wanted: tuple[tuple[x509.ExtensionType, bool], ...] = (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(*bits), True),
        (x509.ExtendedKeyUsage([CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
    )
    return [
        {
            "extn_id": each.oid.dotted_string,
            "critical": critical,
            "extn_value": core.ParsableOctetString(each.public_bytes()),
        }
        for each, critical in wanted
    ]


def _identifier(algorithm: Algorithm) -> algos.SignedDigestAlgorithm:
    if algorithm.name == "ed25519":
        return algos.SignedDigestAlgorithm({"algorithm": "ed25519"})
    digest = f"sha{algorithm.digest.digest_size * 8}"
    if not algorithm.is_pss:
        return algos.SignedDigestAlgorithm({"algorithm": f"{digest}_ecdsa"})
    hashed = {"algorithm": digest}
    parameters = {
        "hash_algorithm": hashed,
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": hashed},
        "salt_length": algorithm.digest.digest_size,
    }
    return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters})


def _in_asn1(signature: bytes, algorithm: Algorithm) -> bytes:
    """Return an ECDSA signature as X.509 has it, from r and s side by side; others as they are."""
    if not algorithm.width:
        return signature
    r, s = signature[: algorithm.width], signature[algorithm.width :]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
