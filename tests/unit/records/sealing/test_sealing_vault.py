"""Sealed bytes open for their own asset, purpose and key, and for nothing else."""

from __future__ import annotations

import pytest

from sdsafe.core.ids import AssetId
from sdsafe.errors import RepositoryError
from sdsafe.records.sealing import vault

OWN, OTHER = AssetId(b"12345678"), AssetId(b"87654321")


def test_what_is_sealed_opens_again_and_looks_different_every_time() -> None:
    key = vault.new_key()
    for content in (b"", b"a quokka", bytes(100_000)):
        sealed = vault.seal(key, OWN, "record", content)
        assert vault.unseal(key, OWN, "record", sealed) == content
        assert len(sealed) == len(content) + 29
        assert sealed != vault.seal(key, OWN, "record", content)
    assert vault.new_key() != key
    assert len(key) == vault.KEY_BYTES


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    key = vault.new_key()
    sealed = vault.seal(key, OWN, "record", b"a quokka")
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RepositoryError) as caught:
            vault.unseal(key, OWN, "record", bytes(changed))
        assert caught.value.code == ("repository.newer" if bit < 8 else "repository.damaged")
        assert caught.value.hint
    for length in range(len(sealed)):
        with pytest.raises(RepositoryError):
            vault.unseal(key, OWN, "record", sealed[:length])


def test_another_asset_purpose_or_key_does_not_open_it() -> None:
    key = vault.new_key()
    sealed = vault.seal(key, OWN, "record", b"a quokka")
    for arguments in (
        (key, OTHER, "record", sealed),
        (key, OWN, "manifest", sealed),
        (vault.new_key(), OWN, "record", sealed),
    ):
        with pytest.raises(RepositoryError) as caught:
            vault.unseal(*arguments)
        assert "quokka" not in str(caught.value)
