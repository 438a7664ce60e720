"""Signing with HashiCorp Vault (or OpenBao): the transit engine holds the key, and gives signatures only."""

from __future__ import annotations

import base64
import binascii
import os
import re
from typing import TYPE_CHECKING, NoReturn, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sdsafe.errors import SigningError
from sdsafe.provenance.signing.algorithms import spki
from sdsafe.provenance.signing.elsewhere import Credential, require_options, text_of
from sdsafe.provenance.signing.keyfiles import read_file
from sdsafe.provenance.signing.remote import base_address, exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.places import Places

__all__ = ["VaultSigner"]

_TOKEN_VARIABLE, _ADDRESS_VARIABLE = "VAULT_TOKEN", "VAULT_ADDR"
_OPTIONS = {"path", "address", "mount", "chain", "alg", "token-file"}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TIMEOUT_S = 10.0
_URL_SAFE = str.maketrans("-_", "+/")


class VaultSigner:
    """Signs with a key of Vault's transit engine. Its ``repr`` shows no token. Safe to share between threads."""

    __slots__ = ("__credential", "__token", "__url")

    def __init__(self, url: str, credential: Credential, token: str) -> None:
        """Keep them.

        Args:
            url: ``ADDRESS/v1/MOUNT/sign/KEY``.
            credential: Certificates of that key.
            token: Vault's.
        """
        self.__url = url
        self.__credential = credential
        self.__token = token

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a signer from options.

        Options: ``path``, the key's name; ``chain``; ``address`` (default: ``VAULT_ADDR``); ``mount`` (``transit``);
        ``alg``; ``token-file`` (default: the variable ``VAULT_TOKEN``).
        """
        del places
        require_options("vault", options, _OPTIONS)
        name, mount = text_of(options, "path") or "", text_of(options, "mount") or "transit"
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(mount):
            raise SigningError(
                "the signer names no key of Vault", code="signing.uri", hint="Write vault:KEY?chain=FILE."
            )
        address = base_address(text_of(options, "address") or os.environ.get(_ADDRESS_VARIABLE, ""))
        token = _token(options)
        credential = Credential.of(options, lambda: _public_key(f"{address}/v1/{mount}/keys/{name}", token))
        return cls(f"{address}/v1/{mount}/sign/{name}", credential, token)

    @property
    def alg(self) -> str:
        """From the certificate."""
        return self.__credential.algorithm.name

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """DER certificates, leaf first."""
        return self.__credential.chain

    @property
    def public_key(self) -> bytes:
        """DER SubjectPublicKeyInfo of the key that signs."""
        return self.__credential.spki

    def sign(self, data: bytes, /) -> bytes:
        """Return Vault's signature over ``data``.

        Raises:
            SigningError: ``signing.unreachable``, ``signing.refused`` or ``signing.answer``.
        """
        algorithm = self.__credential.algorithm
        asked: dict[str, object] = {
            "input": base64.b64encode(data).decode("ascii"),
            "marshaling_algorithm": "jws",  # r and s side by side, in URL-safe base64
        }
        if algorithm.is_pss:
            asked |= {"signature_algorithm": "pss", "salt_length": "hash"}
        if algorithm.name != "ed25519":
            asked["hash_algorithm"] = f"sha2-{algorithm.digest.digest_size * 8}"
        found = exchange(self.__url, asked, headers={"X-Vault-Token": self.__token}, timeout_s=_TIMEOUT_S)
        inner = found.get("data")
        text = inner.get("signature") if isinstance(inner, dict) else None
        return _signature(text, url_safe=algorithm.width > 0)

    def __repr__(self) -> str:
        """Name the algorithm, no token."""
        return f"VaultSigner(alg={self.alg!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: the copy would carry the token."""
        raise TypeError("a signer can be neither copied nor pickled: it holds a token")


def _signature(text: object, *, url_safe: bool) -> bytes:
    """Return the signature in ``vault:v1:BASE64``."""
    try:
        name, _version, encoded = str(text).split(":")
        if name != "vault":
            encoded = "?"  # no base64
        if url_safe:
            encoded = encoded.translate(_URL_SAFE) + "=" * (-len(encoded) % 4)
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise SigningError(
            "Vault answered something that is no signature",
            code="signing.answer",
            hint="Check that mount and key are of its transit engine.",
        ) from error


def _public_key(url: str, token: str) -> bytes:
    """Return the public half of the key's newest version, with which Vault signs, as DER SubjectPublicKeyInfo."""
    found = exchange(url, None, headers={"X-Vault-Token": token}, timeout_s=_TIMEOUT_S)
    try:
        version = found["data"]["keys"][str(found["data"]["latest_version"])]
        text = str(version["public_key"])
        if version.get("name") == "ed25519":  # the one that is no PEM
            return spki(ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True)))
        return spki(load_pem_public_key(text.encode()))
    except (KeyError, TypeError, ValueError, AttributeError, UnsupportedAlgorithm) as error:
        raise SigningError(
            "Vault shows no public half of this key",
            code="signing.answer",
            hint="It must be a key that signs (ecdsa-p256, ecdsa-p384, ecdsa-p521, rsa-2048 and above, ed25519).",
        ) from error


def _token(options: Mapping[str, object]) -> str:
    from pathlib import Path

    if "token-file" in options:
        token = read_file(Path(str(options["token-file"])).expanduser(), "the token file").decode("latin-1").strip()
    else:
        token = os.environ.get(_TOKEN_VARIABLE, "")
    if not token or not token.isascii() or not token.isprintable():
        raise SigningError(
            "Vault needs a token", code="signing.missing", hint=f"Set {_TOKEN_VARIABLE}, or use token-file=FILE."
        )
    return token
