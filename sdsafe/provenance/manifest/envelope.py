"""The prompt, sealed for one auditor: an envelope in the public manifest that only the auditor's private key opens.

Inside are texts and salt, so that what comes out opens the commitment that stands beside the envelope. It is bound to
the asset id and to that commitment: moved into another manifest, it does not open.

| ``scheme`` | what ``sealed`` is (base64) |
|---|---|
| ``HPKE-X25519-HKDF-SHA256-CHACHA20POLY1305`` | ``enc || ct`` of HPKE in base mode (RFC 9180, suite 0x0020/0x0001/0x0003); the binding is its ``info`` |
| ``RSA-OAEP-SHA256-AES256GCM`` | AES-256-GCM with a zero nonce and the binding as associated data, under a key that serves once; ``key`` is that key in RSA-OAEP (RFC 8017) with SHA-256 |

The binding is the canonical JSON of ``version``, ``scheme``, ``recipient``, ``asset_id`` and ``commitment``. The
content is a JSON object of ``salt`` (hex) and ``texts``, filled up with spaces: its length says the length of the
prompt to within 256 bytes only.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sdsafe.core.canonical import canonical_json
from sdsafe.core.digests import sha256_hex
from sdsafe.core.disclosure import prompt_commitment
from sdsafe.core.request import PromptDisclosure
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sdsafe.core.states import Encoded

__all__ = ["VERSION", "Opener", "Recipient", "read_opener", "read_recipient", "seal", "unseal", "with_sealed_prompt"]

VERSION = 1
"""Of the envelope."""

PublicKey: TypeAlias = X25519PublicKey | RSAPublicKey
PrivateKey: TypeAlias = X25519PrivateKey | RSAPrivateKey

_HPKE, _RSA = "HPKE-X25519-HKDF-SHA256-CHACHA20POLY1305", "RSA-OAEP-SHA256-AES256GCM"
_BLOCK = 256
_LEAST_RSA_BITS = 2048
_NONCE = bytes(12)  # each key of AES-GCM here encrypts one content


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom prompts are sealed for."""

    key: PublicKey

    @property
    def id(self) -> str:
        """SHA-256 of the public key (DER, SubjectPublicKeyInfo), 64 hex digits."""
        return sha256_hex(self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    @property
    def scheme(self) -> str:
        """Name of how it is sealed for a key of this kind."""
        return _HPKE if isinstance(self.key, X25519PublicKey) else _RSA


@dataclass(frozen=True, slots=True)
class Opener:
    """Who opens envelopes."""

    key: PrivateKey

    @property
    def recipient(self) -> Recipient:
        """The public half."""
        return Recipient(self.key.public_key())


def read_recipient(pem: bytes) -> Recipient:
    """Return the recipient with this public key.

    Args:
        pem: SubjectPublicKeyInfo of an X25519 key, or of an RSA key of at least 2048 bits.

    Raises:
        ConfigurationError: ``disclosure.key``: it is something else.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unfit("the auditor's key is not a public key in PEM") from error
    _require_fit(key)
    return Recipient(key)  # type: ignore[arg-type]  # one of the two kinds, or it would have been refused


def read_opener(pem: bytes, password: Callable[[], bytes | None]) -> Opener:
    """Return what opens the envelopes that were sealed for the public half of this key.

    Args:
        pem: PKCS#8 of an X25519 or RSA key, encrypted or not.
        password: Asked only where the key is encrypted.

    Raises:
        ConfigurationError: ``disclosure.key``: it is something else, or the password is wrong.
    """
    encrypted = b"ENCRYPTED" in pem
    try:
        key = load_pem_private_key(pem, password() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unfit(
            "the password is missing or wrong" if encrypted else "the key is not a private key in PEM"
        ) from error
    _require_fit(key.public_key() if hasattr(key, "public_key") else None)
    return Opener(key)  # type: ignore[arg-type]  # one of the two kinds, or it would have been refused


def seal(
    texts: Mapping[str, str], salt: bytes, recipient: Recipient, *, asset_id: str, commitment: str
) -> dict[str, object]:
    """Return the envelope that ``recipient`` alone can open; every call gives another one.

    Args:
        texts: Name of the field to text.
        salt: Opens the commitment.
        recipient: For whom.
        asset_id: Of the asset whose manifest will hold it.
        commitment: That the manifest will state.
    """
    envelope: dict[str, object] = {"version": VERSION, "scheme": recipient.scheme, "recipient": recipient.id}
    bound, content = _binding(envelope, asset_id, commitment), _content(texts, salt)
    if isinstance(recipient.key, X25519PublicKey):
        return {**envelope, "sealed": _text(_suite().encrypt(content, recipient.key, bound))}
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    once = secrets.token_bytes(32)
    sealed = AESGCM(once).encrypt(_NONCE, content, bound)
    return {**envelope, "key": _text(recipient.key.encrypt(once, _oaep())), "sealed": _text(sealed)}


def unseal(
    envelope: Mapping[str, object], opener: Opener, *, asset_id: str, commitment: str
) -> tuple[dict[str, str], bytes]:
    """Return the texts and the salt in an envelope.

    Args:
        envelope: From a manifest that was found intact.
        opener: Whose it is.
        asset_id: As the manifest states it.
        commitment: As the manifest states it.

    Raises:
        ConfigurationError: ``disclosure.recipient``: it was sealed for another key. ``disclosure.sealed``: it does not
            open: it was moved here from another manifest, or damaged before it was signed. ``disclosure.format``.
    """
    if envelope.get("version") != VERSION or envelope.get("scheme") not in {_HPKE, _RSA}:
        raise _malformed("its version or scheme is not known here")
    if envelope["scheme"] != opener.recipient.scheme or envelope.get("recipient") != opener.recipient.id:
        raise ConfigurationError(
            "the prompt in this file was sealed for another key",
            code="disclosure.recipient",
            hint=f"It takes the private key whose public half has the SHA-256 {str(envelope.get('recipient'))[:64]}.",
        )
    header = {name: envelope[name] for name in ("version", "scheme", "recipient")}
    try:
        content = _opened(envelope, opener, _binding(header, asset_id, commitment))
    except (InvalidTag, ValueError) as error:
        raise ConfigurationError(
            "the envelope does not open: it belongs to another manifest, or was damaged before it was signed",
            code="disclosure.sealed",
            hint="Ask whoever made the file for an opened document: `sdsafe disclose FILE`.",
        ) from error
    return _parsed(content)


def with_sealed_prompt(encoded: Encoded, recipient: Recipient | None) -> Encoded:
    """Return the state with its prompt sealed, where the disclosure mode asks for that; else as it is.

    Raises:
        ConfigurationError: ``disclosure.no-recipient``: it asks for that, and there is nobody to seal it for.
    """
    generated = encoded.marked.cleared.generated
    request, opening = generated.admitted.request, generated.admitted.opening
    if opening.mode is not PromptDisclosure.ENCRYPTED:
        return encoded
    if recipient is None:
        raise no_recipient()
    stated = prompt_commitment(request, opening.salt)
    texts = dict(request.texts())
    sealed = seal(texts, opening.salt, recipient, asset_id=str(generated.asset_id), commitment=stated)
    return replace(encoded, sealed=sealed)


def no_recipient() -> ConfigurationError:
    """Return the error for a prompt that is to be sealed for nobody."""
    return ConfigurationError(
        "the prompt is to be encrypted, and no auditor's key is configured",
        code="disclosure.no-recipient",
        hint="Set `disclosure_recipient` to the PEM file of an X25519 or RSA public key, or give --disclose-to.",
    )


def _suite() -> Any:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _oaep() -> Any:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA256

    return OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None)


def _opened(envelope: Mapping[str, object], opener: Opener, bound: bytes) -> bytes:
    sealed = _bytes(envelope.get("sealed"))
    if isinstance(opener.key, X25519PrivateKey):
        opened: bytes = _suite().decrypt(sealed, opener.key, bound)
        return opened
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(opener.key.decrypt(_bytes(envelope.get("key")), _oaep())).decrypt(_NONCE, sealed, bound)


def _binding(header: Mapping[str, object], asset_id: str, commitment: str) -> bytes:
    return canonical_json({**header, "asset_id": asset_id, "commitment": commitment})


def _content(texts: Mapping[str, str], salt: bytes) -> bytes:
    content = canonical_json({"salt": salt.hex(), "texts": dict(texts)})
    return content + b" " * (-len(content) % _BLOCK)


def _parsed(content: bytes) -> tuple[dict[str, str], bytes]:
    try:
        found: Any = json.loads(content)
        texts, salt = found["texts"], bytes.fromhex(found["salt"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _malformed("it holds no JSON object with salt and texts") from None
    if not isinstance(texts, dict) or not all(isinstance(each, str) for each in texts.values()):
        raise _malformed("its texts are not an object of texts")
    return texts, salt


def _require_fit(key: object) -> None:
    if isinstance(key, RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise _unfit(f"the RSA key has {key.key_size} bits, and at least {_LEAST_RSA_BITS} are needed")
    if not isinstance(key, X25519PublicKey | RSAPublicKey):
        raise _unfit("the key is neither X25519 nor RSA; keys that sign (Ed25519, ECDSA) cannot open anything")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise _malformed("a part of it is missing")
    return base64.b64decode(value, validate=True)


def _unfit(why: str) -> ConfigurationError:
    return ConfigurationError(
        why, code="disclosure.key", hint="Make one with `openssl genpkey -algorithm X25519 -out auditor.key`."
    )


def _malformed(why: str) -> ConfigurationError:
    return ConfigurationError(f"the envelope cannot be read: {why}", code="disclosure.format")
