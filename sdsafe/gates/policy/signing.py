"""Signed packs: an Ed25519 signature beside a pack says who vouches for what it asks, term lists included.

The signature covers the pack's canonical digest, so that comments and layout may change and no rule or term can.
It lies in ``policy.sig`` beside ``policy.yaml`` and may hold several signatures, one a key, so that a key can be
replaced without a day on which packs are unsigned. What a pack extends is signed on its own.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import Field

from sdsafe._internal.atomic import replace
from sdsafe._internal.documents import read_yaml
from sdsafe._internal.strict import Strict, build
from sdsafe.core.canonical import canonical_json
from sdsafe.core.digests import sha256_hex
from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.gates.policy.loader import load_policies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sdsafe.core.decisions import PolicyRef
    from sdsafe.gates.policy.loader import LoadedPack, LoadedPolicies

__all__ = [
    "SIGNATURE_FILE",
    "PolicyKey",
    "SignedBy",
    "load_pack",
    "make_key",
    "read_private_key",
    "read_public_keys",
    "sign_pack",
    "verify_loaded",
    "verify_pack",
    "verify_policies",
]

SIGNATURE_FILE = "policy.sig"
"""Name of the signature file, beside ``policy.yaml``."""

_FORMAT = "sdsafe.policy-signature/1"
_MAX_KEY_FILE = 64_000
_SIGNATURE_BYTES = 64
_END = b"-----END PUBLIC KEY-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKey:
    """A public key whose signatures count."""

    id: str
    """``ed25519:`` and the first 32 hex digits of the SHA-256 of the raw key."""
    raw: bytes
    """The key itself, 32 bytes (RFC 8032)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """Which trusted key vouches for which pack."""

    pack: PolicyRef
    key: str


class _Signature(Strict):
    key: Annotated[str, Field(pattern=r"^ed25519:[0-9a-f]{32}$")]
    signature: Annotated[str, Field(min_length=1, max_length=200)]


class _SignatureFile(Strict):
    format: Literal["sdsafe.policy-signature/1"]
    pack: str
    version: str
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=1, max_length=64)]


def make_key(password: bytes | None = None) -> tuple[bytes, bytes, str]:
    """Return a new private key and its public half, both PEM, and the key id.

    Args:
        password: Encrypts the private key; None leaves it in clear.
    """
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public, _public(key).id


def read_private_key(path: Path, password: Callable[[], bytes | None]) -> Ed25519PrivateKey:
    """Return the key that ``make_key`` made.

    Args:
        path: A PEM file.
        password: Asked only where the key is encrypted.

    Raises:
        ConfigurationError: ``policy.key``: it cannot be read, is of another kind, or the password is wrong.
    """
    data = _key_bytes(path)
    encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in data
    try:
        key = load_pem_private_key(data, password() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = "the password is missing or wrong" if encrypted else "it is not a private key in PEM"
        raise _bad_key(path, reason) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key(path, "it is not an Ed25519 key")
    return key


def read_public_keys(paths: Iterable[Path]) -> tuple[PolicyKey, ...]:
    """Return every public key in these PEM files, each once; a file may hold several.

    Raises:
        ConfigurationError: ``policy.key``: a file cannot be read, or holds something else.
    """
    keys: dict[str, PolicyKey] = {}
    for path in paths:
        blocks = [block + _END for block in _key_bytes(path).split(_END)[:-1]]
        if not blocks:
            raise _bad_key(path, "it holds no public key in PEM")
        for block in blocks:
            try:
                key = load_pem_public_key(block.strip())
            except (ValueError, UnsupportedAlgorithm) as error:
                raise _bad_key(path, "it is not a public key in PEM") from error
            if not isinstance(key, Ed25519PublicKey):
                raise _bad_key(path, "it is not an Ed25519 key")
            keys.setdefault(_key_id(key), PolicyKey(id=_key_id(key), raw=key.public_bytes_raw()))
    return tuple(keys.values())


def load_pack(path: Path) -> LoadedPack:
    """Return the pack in the folder or file ``path``, checked; of what it extends only that it loads.

    Raises:
        PolicyFormatError: It is malformed.
        ConfigurationError: It is not there.
    """
    name = str(path.absolute())
    try:
        return load_policies([name]).packs[-1]
    except ConfigurationError as error:
        if error.code != "policy.none":
            raise
    # A pack of terms alone judges nothing by itself, and is a pack all the same.
    return next(each for each in load_policies(["baseline", name]).packs if each.folder == _folder(path.absolute()))


def sign_pack(path: Path, key: Ed25519PrivateKey) -> SignedBy:
    """Write or renew ``policy.sig`` of the pack in the folder ``path``; signatures of other keys stay while they fit.

    Raises:
        PolicyFormatError: The pack, or a signature file that is there already, is malformed.
        ConfigurationError: The pack is a single file, beside which there is no place for a signature of its own.
        AssetError: The signature file cannot be written.
    """
    if path.is_file() and path.name != "policy.yaml":
        raise ConfigurationError(
            f"{path.name}: a pack that is signed needs a folder of its own",
            code="policy.no-folder",
            hint="Put it into a folder, as policy.yaml.",
        )
    loaded = load_pack(path)
    public = _public(key)
    kept = [each for each in _others(loaded) if each.key != public.id]
    made = _Signature(key=public.id, signature=base64.b64encode(key.sign(_message(loaded.ref))).decode())
    document = {
        "format": _FORMAT,
        "pack": loaded.ref.id,
        "version": loaded.ref.version,
        "digest": loaded.ref.digest,
        "signatures": [each.model_dump() for each in (*kept, made)],
    }
    replace(loaded.folder / SIGNATURE_FILE, (json.dumps(document, indent=2) + "\n").encode())
    return SignedBy(pack=loaded.ref, key=public.id)


def verify_pack(folder: Path, trusted_keys: Sequence[PolicyKey]) -> SignedBy:
    """Return who vouches for the pack in ``folder``; see ``verify_loaded``, which judges what is loaded already."""
    return verify_loaded(load_pack(folder), trusted_keys)


def verify_policies(policies: LoadedPolicies, trusted_keys: Sequence[PolicyKey]) -> tuple[SignedBy, ...]:
    """Return who vouches for every pack that does not ship with this code.

    Shipped packs lie beside the code that would verify them: whoever could change one could change the other.

    Raises:
        ConfigurationError: A pack is not signed by a trusted key; the code says how.
        PolicyFormatError: A signature file is malformed.
    """
    shipped = Path(str(files("sdsafe_policies"))).resolve()
    own = [each for each in policies.packs if not each.folder.resolve().is_relative_to(shipped)]
    return tuple(verify_loaded(each, trusted_keys) for each in own)


def verify_loaded(loaded: LoadedPack, trusted_keys: Sequence[PolicyKey]) -> SignedBy:
    """Return who vouches for exactly the pack that was loaded, so that nothing can change in between.

    (1) At least one key is trusted.
    (2) The pack has a well-formed signature file.
    (3) The file speaks of this id, version and digest.
    (4) A trusted key has signed that; no signature in a trusted key's name is wrong.

    Raises:
        ConfigurationError: ``policy.no-keys``, ``policy.unsigned``, ``policy.changed``, ``policy.untrusted`` or
            ``policy.signature``.
        PolicyFormatError: The signature file is malformed.
    """
    name = f"{loaded.folder.name}/{SIGNATURE_FILE}"
    if not trusted_keys:  # (1)
        raise ConfigurationError(
            "signed packs are demanded, and no key is trusted to sign them",
            code="policy.no-keys",
            hint="Make one with `sdsafe policy keygen`, and name its .pub file as trusted.",
        )
    found = _read(loaded)
    if found is None:  # (2)
        raise ConfigurationError(
            f"the policy pack {loaded.ref.id} is not signed: there is no {name}",
            code="policy.unsigned",
            hint="Sign it with `sdsafe policy sign`, once it says what it should.",
        )
    if (found.pack, found.version, found.digest) != (loaded.ref.id, loaded.ref.version, loaded.ref.digest):  # (3)
        raise ConfigurationError(
            f"the policy pack {loaded.ref.id} is not the one that was signed: it has changed since",
            code="policy.changed",
            hint="Look at what changed (`sdsafe policy diff`), then sign it again.",
        )
    signer = None
    for key in trusted_keys:  # (4)
        for each in found.signatures:
            if each.key == key.id:
                _check(each, key, loaded.ref, name)
                signer = signer or key
    if signer is None:
        raise ConfigurationError(
            f"the policy pack {loaded.ref.id} is signed by {', '.join(each.key for each in found.signatures)}, "
            "and none of these keys is trusted",
            code="policy.untrusted",
            hint=f"Trusted: {', '.join(key.id for key in trusted_keys)}.",
        )
    return SignedBy(pack=loaded.ref, key=signer.id)


def _check(signature: _Signature, key: PolicyKey, ref: PolicyRef, name: str) -> None:
    try:
        raw = base64.b64decode(signature.signature, validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != _SIGNATURE_BYTES:
        raise PolicyFormatError(
            file=name, key="signatures", expected="64 bytes in base64 as signature", found="something else"
        )
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(raw, _message(ref))
    except InvalidSignature as error:
        raise ConfigurationError(
            f"{name}: the signature of {key.id} is not valid",
            code="policy.signature",
            hint="The file is damaged or made up. Sign the pack again with the key itself.",
        ) from error


def _read(loaded: LoadedPack) -> _SignatureFile | None:
    name = f"{loaded.folder.name}/{SIGNATURE_FILE}"
    try:
        with (loaded.folder / SIGNATURE_FILE).open("rb") as stream:
            data = stream.read(_MAX_KEY_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PolicyFormatError(
            file=name, key="", expected="a file that can be read", found=error.strerror or type(error).__name__
        ) from error
    if len(data) > _MAX_KEY_FILE:
        raise PolicyFormatError(file=name, key="", expected=f"at most {_MAX_KEY_FILE:,} bytes", found="more")
    return build(_SignatureFile, read_yaml(data, name), name)  # JSON is YAML, and the same door refuses odd files


def _others(loaded: LoadedPack) -> tuple[_Signature, ...]:
    """Return the signatures that are there already, if they are about the pack as it is now."""
    found = _read(loaded)
    return found.signatures if found is not None and found.digest == loaded.ref.digest else ()


def _message(ref: PolicyRef) -> bytes:
    """Return what is signed: it begins with its own format, so that no other signature can stand in for it."""
    return canonical_json({"format": _FORMAT, "pack": ref.id, "version": ref.version, "digest": ref.digest})


def _public(key: Ed25519PrivateKey) -> PolicyKey:
    public = key.public_key()
    return PolicyKey(id=_key_id(public), raw=public.public_bytes_raw())


def _key_id(key: Ed25519PublicKey) -> str:
    return f"ed25519:{sha256_hex(key.public_bytes_raw())[:32]}"


def _key_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_KEY_FILE + 1)
    except OSError as error:
        raise _bad_key(path, f"it cannot be read: {error.strerror or type(error).__name__}") from error
    if len(data) > _MAX_KEY_FILE:
        raise _bad_key(path, "it is too large for a key")
    return data


def _bad_key(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path.name}: {reason}", code="policy.key", hint="Make a pair of keys with `sdsafe policy keygen`."
    )


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent
