"""A chain and its key, held against every rule of the certificate profile, in plain words.

The C2PA library answers "the certificate is invalid" to most mistakes; this says which one it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sdsafe._internal.certificates import (
    Fault,
    authority_faults,
    extension,
    load,
    short_name,
    signer_faults,
    validity_faults,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

__all__ = ["RULES", "Remark", "lint"]

RULES = {
    "malformed": "every certificate can be read",
    "order": "the leaf comes first, then whoever issued it, and so on; the root is left out",
    "signature": "every certificate is signed by the next one",
    "version": "X.509 version 3",
    "algorithm": "RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519, signed with SHA-256 or better",
    "key-usage": "key usage digitalSignature, and not keyCertSign",
    "extended-key-usage": "extended key usage claimSigning, emailProtection or documentSigning, and not any",
    "basic-constraints": "the leaf is no certification authority, every other certificate is one",
    "authority-key-identifier": "the issuer's key is named (AKI)",
    "subject-key-identifier": "every certification authority names its own key (SKI)",
    "path-length": "no certification authority stands higher than its path length allows",
    "critical-extension": "no critical extension that is not understood",
    "not-yet-valid": "validity has begun",
    "expired": "validity has not ended",
    "key-match": "the private key belongs to the leaf",
}
"""Every rule, in the order it is reported, as a sentence that is true of a good credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One rule, whether it holds, and if not, in which way."""

    rule: str
    ok: bool
    says: str
    must: bool = True
    """Whether breaking it makes the credential useless; False for advice."""


def lint(chain: Sequence[bytes], key: bytes | None, *, at: datetime) -> tuple[Remark, ...]:
    """Hold a chain against every rule, in order, and say of each whether it holds.

    Args:
        chain: DER certificates as the signer would embed them, leaf first.
        key: The public half of the signing key, DER SubjectPublicKeyInfo; None leaves out ``key-match``.
        at: The moment to judge validity for, aware.

    Returns:
        One remark per rule. When a certificate cannot be read, that remark alone.
    """
    try:
        certificates = [load(der) for der in chain]
    except ValueError as error:
        return (Remark(rule="malformed", ok=False, says=str(error)),)
    if not certificates:
        return (Remark(rule="malformed", ok=False, says="there is no certificate"),)
    broken: dict[str, list[str]] = {}
    for fault in _faults(certificates, key, at):
        broken.setdefault(fault.rule, []).append(fault.says)
    return tuple(
        Remark(rule=rule, ok=rule not in broken, says="; ".join(broken.get(rule, [meaning])))
        for rule, meaning in RULES.items()
        if rule != "key-match" or key is not None
    )


def _faults(certificates: list[x509.Certificate], key: bytes | None, at: datetime) -> Iterator[Fault]:
    leaf, *authorities = certificates
    yield from _order_faults(certificates)
    yield from signer_faults(leaf)
    for below, authority in enumerate(authorities):
        yield from _named(authority, authority_faults(authority))
        yield from _named(authority, _place_faults(authority, below))
    for certificate in certificates:
        yield from _named(certificate, validity_faults(certificate, at))
    if key is not None and leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != key:
        yield Fault("key-match", "the private key is not the one that the leaf certifies")


def _order_faults(certificates: list[x509.Certificate]) -> Iterator[Fault]:
    for lower, upper in pairwise(certificates):
        if lower.issuer != upper.subject:
            yield Fault("order", f"{short_name(upper)!r} did not issue {short_name(lower)!r}, which stands before it")
            continue
        try:
            lower.verify_directly_issued_by(upper)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            yield Fault("signature", f"the key of {short_name(upper)!r} did not sign {short_name(lower)!r}")
    if len(certificates) == 1 and certificates[0].issuer != certificates[0].subject:
        yield Fault("order", "the certificate of the issuer is missing: validators need it to reach an anchor")
    if len(certificates) > 1 and certificates[-1].issuer == certificates[-1].subject:
        yield Fault("order", "the root is in the chain: it makes every file larger and convinces nobody")


def _place_faults(authority: x509.Certificate, below: int) -> Iterator[Fault]:
    """Yield what is wrong with an authority that has ``below`` other authorities between itself and the leaf."""
    if extension(authority, x509.SubjectKeyIdentifier) is None:
        yield Fault("subject-key-identifier", "it does not name its own key (SKI)")
    constraints = extension(authority, x509.BasicConstraints)
    if constraints is not None and constraints.path_length is not None and below > constraints.path_length:
        yield Fault("path-length", f"it has {below} below it, and allows {constraints.path_length}")


def _named(certificate: x509.Certificate, faults: Iterator[Fault]) -> Iterator[Fault]:
    for fault in faults:
        yield Fault(fault.rule, f"{short_name(certificate)!r}: {fault.says}")
