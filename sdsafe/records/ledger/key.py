"""The ledger's own key: Ed25519, made on first use, readable by its owner alone.

It is not the key that signs manifests: what the log says about itself must not depend on the credential whose use
the log records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sdsafe._internal import atomic
from sdsafe.errors import AssetError, LedgerError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load", "make", "public_der", "public_from_der", "public_from_pem", "public_pem"]

_FOR_OTHERS = 0o077


def make(path: Path) -> None:
    """Make a key in ``path``, unless there is one: two processes that start together end with the same key.

    Raises:
        LedgerError: ``ledger.unreachable``: it cannot be written.
    """
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write_new(path, pem, mode=0o600)
    except OSError as error:
        raise _unreachable(error.strerror or type(error).__name__) from error
    except AssetError as error:
        if error.code != "asset.exists":
            raise _unreachable(str(error)) from error


def load(path: Path) -> Ed25519PrivateKey:
    """Return the key in ``path``.

    Raises:
        LedgerError: It is missing, cannot be read, is open to other users, or is no Ed25519 key.
    """
    pem = _read(path)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _not_a_key(path.name) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _not_a_key(path.name)
    return key


def public_der(key: Ed25519PublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo, DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo, PEM: what auditors are given."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_from_der(der: bytes) -> Ed25519PublicKey:
    """Read what ``public_der`` wrote; ``LedgerError`` for anything else."""
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise _not_a_key("the stored public key") from None
    return _ed25519(key, "the stored public key")


def public_from_pem(pem: bytes) -> Ed25519PublicKey:
    """Read what ``public_pem`` wrote; ``LedgerError`` for anything else."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise _not_a_key("the given public key") from None
    return _ed25519(key, "the given public key")


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_mode & _FOR_OTHERS:
            raise LedgerError(
                f"{path.name}: the ledger key is open to other users",
                code="ledger.key-exposed",
                hint="Run chmod 600 on it in the state folder; if others may have read it, start a new ledger.",
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise LedgerError(
            f"{path.name}: the ledger key is missing; without it nothing can be appended",
            code="ledger.key",
            hint="Restore it from a backup. A new key would be a new log, which no old checkpoint vouches for.",
        ) from None
    except OSError as error:
        raise _unreachable(error.strerror or type(error).__name__) from error


def _ed25519(key: object, what: str) -> Ed25519PublicKey:
    if not isinstance(key, Ed25519PublicKey):
        raise _not_a_key(what)
    return key


def _not_a_key(what: str) -> LedgerError:
    return LedgerError(
        f"{what} is not an Ed25519 key", code="ledger.key", hint="Restore the state folder from a backup."
    )


def _unreachable(reason: str) -> LedgerError:
    return LedgerError(
        f"the ledger key cannot be kept or read: {reason}",
        code="ledger.unreachable",
        hint="Check the rights of the state folder (SDSAFE_HOME, else the XDG data folder).",
    )
