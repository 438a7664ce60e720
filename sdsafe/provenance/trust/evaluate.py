"""Our own chain validation: from a signer's certificate to an anchor of *one* list.

The C2PA library does not enforce the kind of a list: a root given only for time-stamps makes a signer trusted
there. So it is given no signer lists at all, and what decides is written here, over bytes, without I/O.

``cryptography.x509.verification`` is not used: it refuses Ed25519 authorities, which C2PA allows, does not compare
key identifiers, accepts a leaf that is itself an anchor, and says why only in prose. A test holds this code against
it: whatever is accepted here is accepted there.

The steps, in order (RFC 5280, section 6.1; C2PA 2.4, section 14.5):

0. read the chain,
1. the leaf satisfies C2PA's certificate profile and is valid at the time in question,
2. find a path: at every link
   a. the issuer's subject is the certificate's issuer, and key identifiers agree,
   b. the issuer is an authority, may issue signers, and is valid at that time,
   c. its path length is not exceeded,
   d. its key made the signature,
3. and the path ends in an anchor. An anchor further down the chain than the root will do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

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

__all__ = ["ChainResult", "evaluate"]

_MAX_CHAIN = 8
"""Certificates that are looked at; C2PA's own hierarchy has three."""
_MAX_SIGNATURES = 32
"""Signature checks for one chain: what a hostile set of look-alike certificates can cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """Whether a chain leads to an anchor, to which one, and else why not."""

    path: tuple[bytes, ...] = field(default=(), repr=False)
    """DER, leaf first, anchor last; empty when there is none."""
    anchor: str | None = None
    """Common name of the anchor."""
    leaf_faults: tuple[Fault, ...] = ()
    """Rules that the signer's own certificate breaks."""
    path_faults: tuple[Fault, ...] = ()
    """What stood in the way of every path that was tried; empty when one was found."""

    @property
    def trusted(self) -> bool:
        """Whether the signer is one that the list vouches for."""
        return bool(self.path) and not self.leaf_faults and not self.path_faults


def evaluate(chain: Sequence[bytes], anchors: Sequence[bytes], *, at: datetime) -> ChainResult:
    """Validate a chain against anchors at one moment. Never raises on bad certificates.

    Args:
        chain: DER as embedded in the signature, leaf first; the rest in any order.
        anchors: DER certificates of one list, of one kind.
        at: The moment to validate for, aware: a proven time of signing, else now.
    """
    # step 0
    if not chain:
        return ChainResult(leaf_faults=(Fault("malformed", "there is no certificate"),))
    if len(chain) > _MAX_CHAIN:
        return ChainResult(leaf_faults=(Fault("malformed", f"more than {_MAX_CHAIN} certificates"),))
    try:
        leaf, *others = (load(der) for der in chain)
        roots = [load(der) for der in anchors]
    except ValueError as error:
        return ChainResult(leaf_faults=(Fault("malformed", str(error)),))
    # step 1
    leaf_faults = (*signer_faults(leaf), *validity_faults(leaf, at))
    # steps 2 and 3
    search = _Search(others, roots, at)
    above = search.above(leaf)
    if above is None:
        return ChainResult(leaf_faults=leaf_faults, path_faults=search.faults(leaf))
    path = tuple(certificate.public_bytes(Encoding.DER) for certificate in (leaf, *above))
    return ChainResult(path=path, anchor=short_name(above[-1]), leaf_faults=leaf_faults)


class _Search:
    """Depth-first search for a path, with a bound on its cost and a memory of what stood in the way."""

    def __init__(self, pool: list[x509.Certificate], anchors: list[x509.Certificate], at: datetime) -> None:
        self._pool = pool
        self._anchors = anchors
        self._at = at
        self._left = _MAX_SIGNATURES
        self._faults: list[Fault] = []

    def faults(self, leaf: x509.Certificate) -> tuple[Fault, ...]:
        """Return what stood in the way, each once; never empty."""
        nothing = Fault("no-anchor", f"no anchor of the list is above {short_name(leaf)!r}")
        return tuple(dict.fromkeys(self._faults)) or (nothing,)

    def above(
        self, certificate: x509.Certificate, used: tuple[x509.Certificate, ...] = ()
    ) -> tuple[x509.Certificate, ...] | None:
        """Return the authorities from ``certificate`` (left out) up to an anchor, or None.

        ``used`` are the authorities already on the path, so the number of authorities below the next issuer.
        """
        for anchor in self._anchors:
            if self._issued(certificate, anchor, len(used)):
                return (anchor,)
        for issuer in self._pool:
            if issuer not in used and self._issued(certificate, issuer, len(used)):
                rest = self.above(issuer, (*used, issuer))
                if rest is not None:
                    return (issuer, *rest)
        return None

    def _issued(self, certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
        if issuer.subject.public_bytes() != certificate.issuer.public_bytes():  # step 2a
            return False
        faults = list(self._link_faults(certificate, issuer, below))
        name = short_name(issuer)
        self._faults += [Fault(fault.rule, f"issuer {name!r}: {fault.says}") for fault in faults]
        return not faults

    def _link_faults(self, certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> Iterator[Fault]:
        yield from _identifier_faults(certificate, issuer)  # step 2a
        yield from authority_faults(issuer)  # step 2b
        yield from validity_faults(issuer, self._at)
        constraints = extension(issuer, x509.BasicConstraints)
        length = constraints.path_length if constraints is not None else None
        if length is not None and below > length:  # step 2c
            yield Fault("path-length", f"allows {length} authorities below it, there are {below}")
        if self._left <= 0:
            yield Fault("budget", "too many look-alike certificates")
            return
        self._left -= 1
        try:
            certificate.verify_directly_issued_by(issuer)  # step 2d
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            yield Fault("signature", f"its key did not sign {short_name(certificate)!r}")


def _identifier_faults(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[Fault]:
    """Compare key identifiers where both sides have one."""
    named = extension(certificate, x509.AuthorityKeyIdentifier)
    own = extension(issuer, x509.SubjectKeyIdentifier)
    if named is None or named.key_identifier is None or own is None:
        return
    if named.key_identifier != own.digest:
        yield Fault("key-identifier", "another key is named as the issuer's (AKI and SKI differ)")
