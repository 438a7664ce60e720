"""The claim signature, read and checked a second time, so that trust does not rest on one parser.

The C2PA library validates the signature but does not hand out the certificates in it. They are read here from the
same bytes, and the signature over the claim is verified with the leaf found: a chain that is judged later is shown
to be the one that signed. Whatever is ambiguous is refused.

Sources: RFC 9052 (COSE_Sign1), RFC 9360 (x5chain), C2PA 2.4, section 13.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from sdsafe._internal.certificates import load
from sdsafe.provenance.manifest import jumbf

__all__ = ["ClaimSignature", "SignatureUnreadable", "read_claim_signature"]

_ALGORITHMS: Mapping[int, tuple[str, hashes.HashAlgorithm]] = {
    -7: ("es256", hashes.SHA256()),
    -35: ("es384", hashes.SHA384()),
    -36: ("es512", hashes.SHA512()),
    -37: ("ps256", hashes.SHA256()),
    -38: ("ps384", hashes.SHA384()),
    -39: ("ps512", hashes.SHA512()),
    -8: ("ed25519", hashes.SHA512()),
}
"""COSE algorithm identifier to C2PA name and hash; Ed25519 brings its own."""

_ALG = 1
_CHAIN_HEADERS = (33, "x5chain")  # RFC 9360; the text label is that of claims of version 1
_KEY_FAMILY: Mapping[str, type] = {
    "es": ec.EllipticCurvePublicKey,
    "ps": rsa.RSAPublicKey,
    "ed": ed25519.Ed25519PublicKey,
}


class SignatureUnreadable(ValueError):  # noqa: N818 - a state of the evidence, not a fault of the caller
    """The signature box of a manifest is missing, malformed or ambiguous; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSignature:
    """What the signature box of one manifest holds."""

    alg: str
    """C2PA name: es256, es384, es512, ps256, ps384, ps512 or ed25519."""
    chain: tuple[bytes, ...] = field(repr=False)
    """DER certificates, leaf first, never empty."""
    holds: bool
    """Whether the leaf's key made this signature over the claim's bytes."""
    stapled: tuple[bytes, ...] = field(default=(), repr=False)
    """DER responses on the certificate's status (``rVals``), which no signature covers."""


def read_claim_signature(store: bytes, label: str) -> ClaimSignature:
    """Return the claim signature of the manifest ``label`` in a manifest store.

    Raises:
        SignatureUnreadable: There is not exactly one such manifest, claim, signature or chain.
    """
    try:
        root = jumbf.parse(store)
    except jumbf.JumbfError as error:
        raise SignatureUnreadable(str(error)) from error
    manifest = _only([m for m in root.children[1:] if m.label == label], f"manifest {label!r}")
    claim = _content(manifest, b"c2cl")
    protected, unprotected, raw = _sign1(_content(manifest, b"c2cs"))
    headers = _map(_decode(protected)) if protected else {}
    identifier = headers.get(_ALG)
    alg = _ALGORITHMS.get(identifier) if isinstance(identifier, int) else None
    if alg is None:
        raise SignatureUnreadable("the signature algorithm is not one that C2PA names")
    chain = _chain(headers, unprotected)
    to_be_signed = cbor2.dumps(["Signature1", protected, b"", claim])
    holds = _holds(chain[0], alg, raw, to_be_signed)
    return ClaimSignature(alg=alg[0], chain=chain, holds=holds, stapled=_stapled(unprotected))


def answers(leaf: bytes, name: str, signature: object, data: bytes) -> bool:
    """Say whether what a signer answered is a signature of the leaf's key over ``data``.

    Args:
        leaf: DER.
        name: Of the algorithm.
        signature: As anything may answer; ECDSA also in ASN.1, which the library takes and turns into r and s.
        data: What it was given to sign.
    """
    alg = next((each for each in _ALGORITHMS.values() if each[0] == name), None)
    if alg is None or not isinstance(signature, bytes):
        return False
    return _holds(leaf, alg, signature, data) or _holds(leaf, alg, _joined(signature), data)


def _joined(signature: bytes) -> bytes:
    """Turn an ECDSA signature in ASN.1 into r and s side by side; empty where it is none."""
    try:
        r, s = decode_dss_signature(signature)
        width = (max(r.bit_length(), s.bit_length()) + 7) // 8
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")
    except (ValueError, OverflowError):
        return b""


def _only(found: list[jumbf.Box], what: str) -> jumbf.Box:
    if len(found) != 1:
        raise SignatureUnreadable(f"{what} is there {len(found)} times, expected once")
    return found[0]


def _content(manifest: jumbf.Box, kind: bytes) -> bytes:
    """Return the CBOR inside the one superbox of a kind."""
    section = _only([s for s in manifest.children[1:] if s.kind == kind], kind.decode())
    return _only([c for c in section.children[1:] if c.type == b"cbor"], f"the content of {kind.decode()}").content


def _decode(data: bytes) -> Any:
    try:
        return cbor2.loads(data)
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise SignatureUnreadable("the claim signature is not CBOR") from error


def _map(value: object) -> Mapping[object, Any]:
    if not isinstance(value, Mapping):
        raise SignatureUnreadable("the headers of the claim signature are not a map")
    return value


def _sign1(data: bytes) -> tuple[bytes, Mapping[object, Any], bytes]:
    """Return (protected headers as bytes, unprotected headers, signature) of a COSE_Sign1 with detached payload."""
    message = _decode(data)
    if isinstance(message, cbor2.CBORTag):
        message = message.value if message.tag == 18 else None  # noqa: PLR2004 - COSE_Sign1, RFC 9052
    if not isinstance(message, list | tuple) or len(message) != 4:  # noqa: PLR2004 - four members
        raise SignatureUnreadable("the claim signature is not a COSE_Sign1")
    protected, unprotected, payload, signature = message
    # Some writers repeat an empty payload where C2PA demands nil; neither says anything.
    if not isinstance(protected, bytes) or not isinstance(signature, bytes) or payload not in (None, b""):
        raise SignatureUnreadable("the claim signature is not a COSE_Sign1 with a detached payload")
    return protected, _map(unprotected), signature


def _chain(protected: Mapping[object, Any], unprotected: Mapping[object, Any]) -> tuple[bytes, ...]:
    """Return the one certificate chain; two of them would leave open which one signed."""
    found = [headers[name] for headers in (protected, unprotected) for name in _CHAIN_HEADERS if name in headers]
    if len(found) != 1:
        raise SignatureUnreadable(f"{len(found)} certificate chains in the claim signature, expected one")
    chain = tuple(found[0]) if isinstance(found[0], list | tuple) else (found[0],)
    if not chain or not all(isinstance(each, bytes) for each in chain):
        raise SignatureUnreadable("the certificate chain is not a list of certificates")
    return chain


def _stapled(unprotected: Mapping[object, Any]) -> tuple[bytes, ...]:
    values = unprotected.get("rVals")
    found = values.get("ocspVals") if isinstance(values, Mapping) else None
    return tuple(each for each in found if isinstance(each, bytes)) if isinstance(found, list | tuple) else ()


def _holds(leaf: bytes, alg: tuple[str, hashes.HashAlgorithm], signature: bytes, data: bytes) -> bool:
    name, algorithm = alg
    try:
        key = load(leaf).public_key()
        if not isinstance(key, _KEY_FAMILY[name[:2]]):
            return False
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_der(signature), data, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            # The salt is as long as the hash: RFC 8230, section 2.
            key.verify(signature, data, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _der(signature: bytes) -> bytes:
    """Turn r and s side by side (RFC 9053, section 2.1) into DER; ``ValueError`` when they do not divide evenly."""
    half, odd = divmod(len(signature), 2)
    if odd:
        raise ValueError("r and s have different lengths")
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
