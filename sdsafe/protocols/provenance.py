"""Slots of provenance: who signs, and who says when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from sdsafe.core.dossier import Dossier

__all__ = ["Demanding", "Signer", "TimeStamper"]


class Signer(Protocol):
    """**Protocol:** signs claims with a credential whose private key it alone can reach."""

    @property
    def alg(self) -> str:
        """One of es256, es384, es512, ps256, ps384, ps512, ed25519."""
        ...

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """DER certificates, leaf first, root left out."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """Return the raw signature (ECDSA: IEEE P1363) over ``data``; ``SigningError`` when it cannot."""
        ...


@runtime_checkable
class Demanding(Protocol):
    """**Protocol:** what a signer may offer besides: it writes and signs the manifest itself, once it is shown why.

    Its ``sign`` refuses: nobody gets a signature for bare bytes.
    """

    def sign_shown(self, dossier: Dossier, stamper: TimeStamper | None, /) -> tuple[bytes, bytes]:
        """Return (file bytes, manifest store); ``SigningError`` when it refuses or cannot.

        Args:
            dossier: The file and what its manifest says.
            stamper: Asked for a time-stamp over the signature.
        """
        ...


class TimeStamper(Protocol):
    """**Protocol:** asks a time-stamp authority."""

    @property
    def required(self) -> bool:
        """Whether nothing may be signed without its answer."""
        ...

    def stamp(self, query: bytes, /) -> bytes:
        """Return the reply (RFC 3161, DER) to a query; ``SigningError`` when there is none."""
        ...
