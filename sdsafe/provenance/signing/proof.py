"""Proof that a signer's key is the one its leaf certifies: a signature over words that are no claim."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sdsafe._internal.certificates import load
from sdsafe.errors import SigningError
from sdsafe.provenance.signing.algorithms import ALGORITHMS, algorithm_for
from sdsafe.provenance.signing.lint import Remark

if TYPE_CHECKING:
    from sdsafe.protocols import Signer

__all__ = ["prove_match", "signature_holds"]

# What is signed for a claim begins with a CBOR array (RFC 9052, section 4.4): these words never stand for one.
_WORDS = b"sdsafe asks whether this key belongs to this certificate; this is no claim. "


def prove_match(signer: Signer) -> Remark:
    """Have the signer sign something that is no claim, and say whether its own leaf verifies it.

    Returns:
        The remark ``key-match`` of ``lint``, for a key that nobody can look at.

    Raises:
        SigningError: The signer's own: it does not sign.
    """
    data = _WORDS + secrets.token_bytes(32)
    holds = signature_holds(signer.certificate_chain[0], signer.alg, signer.sign(data), data)
    says = "the leaf does not verify what its key signed" if not holds else "the key signed, and the leaf verifies it"
    return Remark(rule="key-match", ok=holds, says=says)


def signature_holds(leaf: bytes, alg: str, signature: bytes, data: bytes) -> bool:
    """Say whether a signature is that of the leaf's key over ``data``.

    Args:
        leaf: DER.
        alg: One of the seven names.
        signature: Raw; of ECDSA r and s side by side.
        data: What was signed.
    """
    try:
        key = load(leaf).public_key()
        digest = algorithm_for(key, alg).digest
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_der(signature, ALGORITHMS[alg].width), data, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
    except (InvalidSignature, UnsupportedAlgorithm, SigningError, ValueError, TypeError):
        return False
    return True


def _der(signature: bytes, width: int) -> bytes:
    if len(signature) != 2 * width:
        msg = "not r and s side by side"
        raise ValueError(msg)
    return encode_dss_signature(int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big"))
