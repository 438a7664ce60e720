"""What signers share whose key lies in a device or a service: the chain comes from a file, and decides the algorithm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from sdsafe.errors import PluginError, SigningError
from sdsafe.provenance.signing.algorithms import algorithm_for, spki
from sdsafe.provenance.signing.keyfiles import load_chain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes

    from sdsafe.provenance.signing.algorithms import Algorithm

__all__ = ["NO_CHAIN", "Credential", "require_options", "text_of"]

NO_CHAIN = object()
"""As the option ``chain``: there is none yet, because one is about to be asked for. No URI and no file can say this."""


class Credential:
    """The public half of a key that is elsewhere, and its certificates."""

    __slots__ = ("algorithm", "chain", "public")

    def __init__(
        self, chain: tuple[bytes, ...], public: CertificatePublicKeyTypes | PublicKeyTypes, alg: str | None = None
    ) -> None:
        """Keep them.

        Args:
            chain: DER certificates, leaf first; empty where there are none yet.
            public: What the leaf certifies, or will.
            alg: For RSA keys ps256 (default), ps384 or ps512.

        Raises:
            SigningError: C2PA has no algorithm for the key.
        """
        self.chain = chain
        self.public = public
        self.algorithm: Algorithm = algorithm_for(public, alg)

    @classmethod
    def read(cls, chain: Path, alg: str | None = None) -> Credential:
        """Return that of a file with certificates, leaf first.

        Raises:
            SigningError: It cannot be read, or C2PA has no algorithm for its key.
        """
        certificates = load_chain(chain, lambda: None)
        der = tuple(each.public_bytes(Encoding.DER) for each in certificates)
        return cls(der, certificates[0].public_key(), alg)

    @classmethod
    def of(cls, options: Mapping[str, object], ask: Callable[[], bytes]) -> Credential:
        """Return that of the options ``chain`` and ``alg``.

        Args:
            options: Of the signer.
            ask: Returns the public half (DER SubjectPublicKeyInfo) from where the key is; called for ``NO_CHAIN``.

        Raises:
            SigningError: There is no ``chain``, or it cannot be read.
        """
        if options.get("chain") is NO_CHAIN:
            return cls((), _public(ask()), text_of(options, "alg"))
        if "chain" not in options:
            raise SigningError(
                "the signer needs the certificates of its key",
                code="signing.missing",
                hint="Add chain=FILE to the signer URI: PEM, leaf first; `sdsafe keys csr` asks an authority for one.",
            )
        alg = text_of(options, "alg")
        return cls.read(Path(str(options["chain"])).expanduser(), alg)

    @property
    def spki(self) -> bytes:
        """The public half as DER SubjectPublicKeyInfo."""
        return spki(self.public)


def _public(der: bytes) -> PublicKeyTypes:
    try:
        return load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError("what holds the key does not show its public half", code="signing.answer") from error


def require_options(scheme: str, options: Mapping[str, object], known: Collection[str]) -> None:
    """Refuse an option that nobody reads.

    Raises:
        PluginError: It names the option and those that are known.
    """
    if unknown := sorted(set(options) - set(known)):
        raise PluginError(f"signer {scheme}: unknown option {unknown[0]!r}", hint=f"Known: {', '.join(sorted(known))}.")


def text_of(options: Mapping[str, object], name: str) -> str | None:
    """Return an option as text; None where it is not given."""
    return str(options[name]) if name in options else None
