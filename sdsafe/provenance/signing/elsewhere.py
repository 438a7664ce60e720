"""What signers share whose key lies in a device or a service: the chain comes from a file, and decides the algorithm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe.errors import PluginError, SigningError
from sdsafe.provenance.signing.algorithms import algorithm_for
from sdsafe.provenance.signing.keyfiles import load_chain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sdsafe.provenance.signing.algorithms import Algorithm

__all__ = ["Credential", "require_options", "text_of"]


class Credential:
    """Certificates of a key that is elsewhere."""

    __slots__ = ("algorithm", "chain", "leaf")

    def __init__(self, chain: Path, alg: str | None = None) -> None:
        """Read the chain.

        Args:
            chain: Certificates, leaf first.
            alg: For RSA keys ps256 (default), ps384 or ps512.

        Raises:
            SigningError: It cannot be read, or C2PA has no algorithm for its key.
        """
        certificates = load_chain(chain, lambda: None)
        self.leaf = certificates[0]
        self.chain: tuple[bytes, ...] = tuple(each.public_bytes(Encoding.DER) for each in certificates)
        self.algorithm: Algorithm = algorithm_for(self.leaf.public_key(), alg)

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Credential:
        """Return that of the options ``chain`` and ``alg``.

        Raises:
            PluginError: There is no ``chain``.
        """
        if "chain" not in options:
            raise SigningError(
                "the signer needs the certificates of its key",
                code="signing.missing",
                hint="Add chain=FILE to the signer URI: PEM, leaf first; `sdsafe keys csr` asks an authority for one.",
            )
        alg = text_of(options, "alg")
        return cls(Path(str(options["chain"])).expanduser(), alg)


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
