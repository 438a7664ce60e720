"""The signer as the C2PA library calls it: what goes wrong is kept, because the library would swallow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.errors import SigningError
from sdsafe.provenance.manifest.signature import answers

if TYPE_CHECKING:
    from sdsafe.protocols import Signer

__all__ = ["Asking"]


class Asking:
    """Calls a signer, and passes on nothing but signatures that its own leaf verifies."""

    __slots__ = ("_signer", "faults")

    def __init__(self, signer: Signer) -> None:
        """Ask this signer."""
        self._signer = signer
        self.faults: list[BaseException] = []
        """What the signer raised, or that it answered no signature, in order; to be raised again by who signs."""

    def __call__(self, data: bytes) -> bytes:
        """Return the signature over ``data``; empty where there is a fault, at which the library gives up."""
        try:
            signature = self._signer.sign(data)
        except BaseException as fault:  # noqa: BLE001 - raised again; the library would log its text
            self.faults.append(fault)
            return b""
        leaf = self._signer.certificate_chain[0]
        if answers(leaf, self._signer.alg.lower(), signature, data):
            return signature
        self.faults.append(
            SigningError(
                "what the signer answered does not verify with its own certificate",
                code="signing.mismatch",
                hint="Key and certificate do not belong together, or it answered something else: `sdsafe keys check`.",
            )
        )
        return b""
