"""What a credential does better to have: no rule of C2PA is broken without it, and somebody is sorry later."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from sdsafe._internal.certificates import Fault, extension, load, short_name
from sdsafe.provenance.signing.assurance import ASSURANCE_RULES, LEVELS, assurance_faults, claimed_assurance
from sdsafe.provenance.signing.lint import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

__all__ = ["ADVICE", "advise", "judge_assurance"]

ADVICE = {
    "issuer": "somebody else vouches for the signer",
    "organisation": "the subject names an organisation",
    "own-key-identifier": "the leaf names its own key (SKI)",
    "status": "validators are told where to ask whether it was revoked",
    "outlived": "no certificate outlives the one that issued it",
    "lifetime": "the leaf lives for a year at most",
    "renewal": "there is time left to renew it",
}
"""Everything that is advised, in the order it is reported, as a sentence that is true of a well-kept credential."""

_YEAR = timedelta(days=366)
_LEAST_LEFT = timedelta(days=14)


def advise(chain: Sequence[bytes], *, at: datetime, least_left: timedelta = _LEAST_LEFT) -> tuple[Remark, ...]:
    """Hold a chain against what is advised; ``lint`` holds it against what is demanded.

    Args:
        chain: DER certificates, leaf first; nothing is said of one that cannot be read.
        at: Now, aware.
        least_left: For this long every certificate should still be valid.

    Returns:
        One remark per advice, none of them a must.
    """
    try:
        certificates = [load(der) for der in chain]
    except ValueError:
        return ()
    if not certificates:
        return ()
    missed: dict[str, list[str]] = {}
    for fault in (*_leaf_faults(certificates[0]), *_time_faults(certificates, at + least_left)):
        missed.setdefault(fault.rule, []).append(fault.says)
    return tuple(
        Remark(rule=rule, ok=rule not in missed, says="; ".join(missed.get(rule, [meaning])), must=False)
        for rule, meaning in ADVICE.items()
    )


def judge_assurance(chain: Sequence[bytes], level: str | None = None) -> tuple[Remark, ...]:
    """Hold the leaf against the profile of an assurance level.

    Args:
        chain: DER certificates, leaf first.
        level: ``al1`` or ``al2``; None: the one that the leaf states, and nothing where it states none.

    Returns:
        One remark per rule of that profile.
    """
    try:
        leaf = load(chain[0])
    except (ValueError, IndexError):
        return ()
    wanted = level or claimed_assurance(leaf).level
    if wanted is None or wanted not in LEVELS:
        return ()
    broken: dict[str, list[str]] = {}
    for fault in assurance_faults(leaf, wanted):
        broken.setdefault(fault.rule, []).append(fault.says)
    return tuple(
        Remark(rule=rule, ok=rule not in broken, says="; ".join(broken.get(rule, [meaning])))
        for rule, meaning in ASSURANCE_RULES.items()
    )


def _leaf_faults(leaf: x509.Certificate) -> Iterator[Fault]:
    if leaf.issuer == leaf.subject:
        yield Fault("issuer", "the leaf is its own issuer: no trust list can vouch for it")
    if not leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME):
        yield Fault("organisation", "the subject has no organisation (O): reports name it as the signer")
    if extension(leaf, x509.SubjectKeyIdentifier) is None:
        yield Fault("own-key-identifier", "the leaf does not name its own key (SKI)")
    if extension(leaf, x509.AuthorityInformationAccess) is None and not extension(leaf, x509.CRLDistributionPoints):
        yield Fault("status", "neither an OCSP responder nor a revocation list is named: nobody learns of a revocation")
    lives = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    if lives > _YEAR:
        yield Fault("lifetime", f"the leaf lives {lives.days} days: as long somebody who steals the key can use it")


def _time_faults(certificates: Sequence[x509.Certificate], then: datetime) -> Iterator[Fault]:
    for lower, upper in pairwise(certificates):
        if lower.not_valid_after_utc > upper.not_valid_after_utc:
            yield Fault("outlived", f"{short_name(lower)!r} ends after {short_name(upper)!r}, which issued it")
    for each in certificates:
        if each.not_valid_after_utc < then:
            ends = f"{each.not_valid_after_utc:%Y-%m-%d %H:%M}"
            yield Fault("renewal", f"{short_name(each)!r} ends at {ends} UTC: renew it before, and list both keys")
