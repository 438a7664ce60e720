"""Everything that must be unpredictable comes from the operating system, through here."""

from __future__ import annotations

import secrets

from sdsafe.core.ids import ASSET_ID_BYTES, AssetId

__all__ = ["SALT_BYTES", "mint_asset_id", "mint_salt", "mint_seed", "mint_token"]

SALT_BYTES = 32
_SEED_BITS = 32  # short enough to type; what was chosen is recorded


def mint_asset_id() -> AssetId:
    """Return 64 random bits; the caller makes sure that the repository does not know them yet."""
    return AssetId(secrets.token_bytes(ASSET_ID_BYTES))


def mint_salt() -> bytes:
    """Return 32 random bytes: the opening of a prompt commitment."""
    return secrets.token_bytes(SALT_BYTES)


def mint_seed() -> int:
    """Return a random seed of 32 bits."""
    return secrets.randbits(_SEED_BITS)


def mint_token() -> str:
    """Return 64 random bits as 16 hex digits: a name that nobody can guess and that says nothing."""
    return secrets.token_hex(8)
