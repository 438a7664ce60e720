"""The ledger's key: made once, private, and never quietly replaced."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sdsafe.errors import LedgerError
from sdsafe.records.ledger import key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "key.pem"
    key.make(path)
    first = key.load(path).private_bytes_raw()
    key.make(path)
    assert key.load(path).private_bytes_raw() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    key.make(path)
    path.chmod(0o640)
    with pytest.raises(LedgerError, match="open to other users") as caught:
        key.load(path)
    assert "chmod 600" in caught.value.hint


def test_missing_and_foreign_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="missing"):
        key.load(tmp_path / "key.pem")
    curve = ec.generate_private_key(ec.SECP256R1())
    pem = curve.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (b"", b"not a key", pem):
        (tmp_path / "key.pem").write_bytes(content)
        (tmp_path / "key.pem").chmod(0o600)
        with pytest.raises(LedgerError, match="not an Ed25519 key"):
            key.load(tmp_path / "key.pem")


def test_the_public_half_round_trips(tmp_path: Path) -> None:
    key.make(tmp_path / "key.pem")
    public = key.load(tmp_path / "key.pem").public_key()
    assert key.public_from_der(key.public_der(public)) == public
    assert key.public_from_pem(key.public_pem(public)) == public
    for bad in (b"", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(LedgerError):
            key.public_from_der(bad)
        with pytest.raises(LedgerError):
            key.public_from_pem(bad)


def test_a_folder_that_cannot_be_made_is_a_ledger_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LedgerError) as caught:
        key.make(tmp_path / "file" / "state" / "key.pem")
    assert caught.value.code == "ledger.unreachable"
