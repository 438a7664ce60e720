"""What C2PA's conformance programme demands of the leaf of a conforming product, above what every claim signer needs.

Source: certificate profile "Claim Signing Leaf" of the C2PA conformance programme 0.2. It names two assurance levels:
of the first the leaf lives at most 366 days, of the second 90. A development credential claims neither, because that
would be a false statement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from asn1crypto import core
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from sdsafe._internal.certificates import CLAIM_SIGNING, SIGNER_USAGES, Fault, extension

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ASSURANCE_RULES", "LEVELS", "Assurance", "assurance_faults", "claimed_assurance"]

LEVELS: Mapping[str, timedelta] = MappingProxyType({"al1": timedelta(days=366), "al2": timedelta(days=90)})
"""The assurance levels, and how long a leaf of each may live."""

ASSURANCE_RULES = {
    "al-level": "the leaf states the assurance level",
    "al-product": "the leaf names its record on the list of conforming products",
    "al-subject": "the subject has country, organisation and common name",
    "al-validity": "the leaf lives no longer than the level allows",
    "al-key-identifiers": "the leaf names its own key and its issuer's (SKI and AKI)",
    "al-key-usage": "key usage is critical, and digitalSignature and contentCommitment (nonRepudiation)",
    "al-basic-constraints": "basic constraints are there, critical, and say: no authority",
    "al-extended-key-usage": "extended key usage claimSigning, and emailProtection or documentSigning besides",
    "al-policy": "the certificate policy of C2PA is named",
    "al-status": "an address is named where its status can be asked (OCSP over HTTP)",
}
"""Every rule of the profile, in the order it is reported, as a sentence that is true of a good leaf."""

_ARC = "1.3.6.1.4.1.62558"
_LEVEL = ObjectIdentifier(f"{_ARC}.3")
_PRODUCT = ObjectIdentifier(f"{_ARC}.4")
_POLICY = ObjectIdentifier(f"{_ARC}.1.1")
_LEVEL_NAMES = {f"{_ARC}.3.10": "al1", f"{_ARC}.3.20": "al2"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SUBJECT = ((NameOID.COUNTRY_NAME, "C"), (NameOID.ORGANIZATION_NAME, "O"), (NameOID.COMMON_NAME, "CN"))


@dataclass(frozen=True, slots=True)
class Assurance:
    """What a leaf says of the product that it was issued to."""

    level: str | None
    """``al1`` or ``al2``; None where it states none that is known."""
    product: str | None
    """Record in the list of conforming products (a UUID)."""


def claimed_assurance(leaf: x509.Certificate) -> Assurance:
    """Return what the leaf states; whether that is so, only the authority that issued it can vouch for."""
    return Assurance(
        level=_LEVEL_NAMES.get(_content(leaf, _LEVEL, core.ObjectIdentifier)),
        product=_content(leaf, _PRODUCT, core.UTF8String) or None,
    )


def assurance_faults(leaf: x509.Certificate, level: str) -> Iterator[Fault]:
    """Yield every rule of the profile of a level that a leaf breaks.

    Args:
        leaf: Parsed by ``load``.
        level: A key of ``LEVELS``.
    """
    yield from _statement_faults(leaf, level)
    missing = [short for oid, short in _SUBJECT if not leaf.subject.get_attributes_for_oid(oid)]
    if missing:
        yield Fault("al-subject", f"the subject has no {', '.join(missing)}")
    lives = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    if lives > LEVELS[level]:
        yield Fault("al-validity", f"the leaf lives {lives.days} days; {level.upper()} allows {LEVELS[level].days}")
    yield from _key_faults(leaf)
    yield from _purpose_faults(leaf)
    access = extension(leaf, x509.AuthorityInformationAccess)
    if not any(_is_responder(each) for each in access or ()):
        yield Fault("al-status", "no OCSP responder with an http address is named (authority information access)")


def _statement_faults(leaf: x509.Certificate, level: str) -> Iterator[Fault]:
    claimed = claimed_assurance(leaf)
    if claimed.level != level:
        stated = f"states {claimed.level.upper()}" if claimed.level else "states no assurance level"
        yield Fault("al-level", f"the leaf {stated}, not {level.upper()}")
    if claimed.product is None:
        yield Fault("al-product", "the leaf names no record on the list of conforming products")
    elif not _UUID.fullmatch(claimed.product):
        yield Fault("al-product", "the record of the product is no UUID")


def _key_faults(leaf: x509.Certificate) -> Iterator[Fault]:
    own, issuers = extension(leaf, x509.SubjectKeyIdentifier), extension(leaf, x509.AuthorityKeyIdentifier)
    if own is None:
        yield Fault("al-key-identifiers", "the leaf does not name its own key (SKI)")
    if issuers is None or issuers.key_identifier is None:
        yield Fault("al-key-identifiers", "the leaf does not name its issuer's key (AKI with a key identifier)")
    usage = extension(leaf, x509.KeyUsage)
    if usage is None or not usage.digital_signature or not usage.content_commitment:
        yield Fault("al-key-usage", "digitalSignature and contentCommitment are not both among the key usages")
    elif not _is_critical(leaf, x509.KeyUsage.oid):
        yield Fault("al-key-usage", "key usage is not critical")
    constraints = extension(leaf, x509.BasicConstraints)
    if constraints is None or constraints.ca or not _is_critical(leaf, x509.BasicConstraints.oid):
        yield Fault("al-basic-constraints", "basic constraints are missing, not critical, or those of an authority")


def _purpose_faults(leaf: x509.Certificate) -> Iterator[Fault]:
    usages = tuple(extension(leaf, x509.ExtendedKeyUsage) or ())
    if CLAIM_SIGNING not in usages:
        yield Fault("al-extended-key-usage", "claimSigning (1.3.6.1.4.1.62558.2.1) is not among the usages")
    if not any(usage in usages for usage in SIGNER_USAGES if usage != CLAIM_SIGNING):
        yield Fault("al-extended-key-usage", "neither emailProtection nor documentSigning is among the usages")
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages:
        yield Fault("al-extended-key-usage", "anyExtendedKeyUsage is among the usages")
    policies = extension(leaf, x509.CertificatePolicies)
    if not any(each.policy_identifier == _POLICY for each in policies or ()):
        yield Fault("al-policy", f"the policy {_POLICY.dotted_string} is not among the certificate policies")


def _is_responder(access: x509.AccessDescription) -> bool:
    place = access.access_location
    return (
        access.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(place, x509.UniformResourceIdentifier)
        and place.value.lower().startswith("http://")
    )


def _is_critical(leaf: x509.Certificate, oid: ObjectIdentifier) -> bool:
    return any(each.critical for each in leaf.extensions if each.oid == oid)


def _content(leaf: x509.Certificate, oid: ObjectIdentifier, kind: type[core.Asn1Value]) -> str:
    """Return the text of one of C2PA's own extensions; empty where it is missing or of another type."""
    for each in leaf.extensions:
        if each.oid == oid and isinstance(each.value, x509.UnrecognizedExtension):
            try:
                value = kind.load(each.value.value, strict=True)
                return str(value.dotted if isinstance(value, core.ObjectIdentifier) else value.native)
            except (ValueError, TypeError):
                return ""
    return ""
