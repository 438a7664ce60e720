"""Sealing private bytes under a key of their own: forgetting the key erases them.

AES-256-GCM (NIST SP 800-38D) with a random key per record and a random 96-bit nonce per message. The asset id, the
purpose and the format version are authenticated, so no sealed blob can stand in for another.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sdsafe.errors import RepositoryError

if TYPE_CHECKING:
    from sdsafe.core.ids import AssetId

__all__ = ["KEY_BYTES", "Purpose", "new_key", "seal", "unseal"]

KEY_BYTES = 32

Purpose: TypeAlias = Literal["manifest", "record", "review"]
"""What is inside: the manifest store, the private record, or a picture that waits for a person."""

_VERSION = b"\x01"
_NONCE_BYTES = 12


def new_key() -> bytes:
    """Return 32 random bytes; never all zeros, which is how a forgotten key looks."""
    while not any(key := secrets.token_bytes(KEY_BYTES)):
        pass
    return key


def seal(key: bytes, asset_id: AssetId, purpose: Purpose, content: bytes) -> bytes:
    """Return version byte, nonce, and ciphertext with tag: 29 bytes more than ``content``."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, content, _bound(asset_id, purpose))


def unseal(key: bytes, asset_id: AssetId, purpose: Purpose, sealed: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        RepositoryError: ``repository.newer``: sealed by a newer version. ``repository.damaged``: changed, or sealed
            under another key, for another asset or for another purpose.
    """
    if sealed[:1] != _VERSION:
        raise RepositoryError(
            "a sealed record has a format that this version of sdsafe does not know",
            code="repository.newer",
            hint="Use the version of sdsafe that wrote it, or a newer one.",
        )
    nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, text, _bound(asset_id, purpose))
    except (InvalidTag, ValueError):
        raise RepositoryError(
            f"the sealed {purpose} of asset {asset_id} was changed or does not belong to its key",
            code="repository.damaged",
            hint="Restore the state folder, both databases together, from a backup.",
        ) from None


def _bound(asset_id: AssetId, purpose: Purpose) -> bytes:
    return b"sdsafe.vault/1\n" + purpose.encode() + b"\n" + asset_id.value
