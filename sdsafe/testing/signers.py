"""The contract suite of signers: what every plug-in of that slot has to show.

It is used as those of ``sdsafe.testing.contracts`` are. A signer that is shown why before it signs (``Demanding``) is
no case for it: it signs no bare bytes.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sdsafe._internal.clock import now
from sdsafe.provenance.signing.algorithms import ALGORITHMS
from sdsafe.provenance.signing.lint import lint
from sdsafe.provenance.signing.proof import signature_holds
from sdsafe.testing._requiring import require

if TYPE_CHECKING:
    from sdsafe.protocols import Signer

__all__ = ["SignerContract"]

_LENGTHS = (1, 64, 2_500, 40_000)  # what is signed for a claim has some KB
_THREADS = 4


class SignerContract(ABC):
    """What a signer has to show."""

    @abstractmethod
    def make(self) -> Signer:
        """Return the signer under test."""

    def lengths(self) -> tuple[int, ...]:
        """Return how many bytes it is given to sign; override where what answers in place of a service takes less."""
        return _LENGTHS

    def test_its_algorithm_is_one_that_c2pa_names(self) -> None:
        """And it stays the same."""
        signer = self.make()
        require(signer.alg in ALGORITHMS, f"alg is {signer.alg!r}, none of {', '.join(ALGORITHMS)}")
        require(signer.alg == signer.alg, "alg changes")

    def test_its_certificates_keep_every_rule(self) -> None:
        """DER, leaf first, root left out, and all that ``sdsafe keys check`` demands."""
        chain: object = self.make().certificate_chain
        if not isinstance(chain, tuple):
            raise AssertionError(f"certificate_chain is a {type(chain).__name__}, not a tuple")  # noqa: TRY004 - of a test
        broken = [f"{each.rule}: {each.says}" for each in lint(chain, None, at=now()) if not each.ok]
        require(not broken, "; ".join(broken))

    def test_the_leaf_verifies_what_it_signs(self) -> None:
        """Raw signatures, over claims of every length, and over nothing else."""
        signer = self.make()
        for length in self.lengths():
            data = bytes(at % 251 for at in range(length))
            signature = signer.sign(data)
            held = signature_holds(signer.certificate_chain[0], signer.alg, signature, data)
            require(held, f"the leaf does not verify the signature over {length} bytes (ECDSA: r and s side by side)")
            other = signature_holds(signer.certificate_chain[0], signer.alg, signature, data + b"\0")
            require(not other, "the signature verifies for other bytes, too")

    def test_threads_may_share_it(self) -> None:
        """Pictures are signed side by side."""
        signer = self.make()
        parts = [f"claim {number}".encode() for number in range(3 * _THREADS)]
        with ThreadPoolExecutor(_THREADS) as pool:
            signatures = list(pool.map(signer.sign, parts))
        for data, signature in zip(parts, signatures, strict=True):
            held = signature_holds(signer.certificate_chain[0], signer.alg, signature, data)
            require(held, "signatures of threads that sign at once do not verify")

    def test_it_shows_and_copies_no_secret(self) -> None:
        """Whatever it holds, a log must not show it, and a copy must not carry it away."""
        signer = self.make()
        require("PRIVATE KEY" not in repr(signer), "repr shows a key")
        for attempt in (copy.copy, copy.deepcopy):
            try:
                attempt(signer)
            except TypeError:
                continue
            raise AssertionError(f"{attempt.__name__} copies it: refuse in __reduce_ex__, with TypeError")
