"""After an erasure no word of the prompt is in any file of the state folder, whoever looks and however."""

from __future__ import annotations

import base64
import sqlite3
import zlib
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sdsafe.errors import RepositoryError
from sdsafe.records.repository.sqlite import SqliteRepository
from sdsafe.records.sealing.keyring import Keyring
from sdsafe.records.sealing.vault import new_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.ids import AssetId
    from sdsafe.core.places import Places
    from sdsafe.core.states import Signed

    MakeSigned = Callable[..., Signed]

WORDS = (b"quokka", b"zeppelin", b"marzipan")


def id_of(signed: Signed) -> AssetId:
    return signed.encoded.marked.cleared.generated.asset_id


def all_bytes(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def column(path: Path, query: str) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        return [value for (value,) in connection.execute(query)]


def holds_words(data: bytes) -> bool:
    """Look for the words as they are, in UTF-16, in base64 (all three phases), in hex and in zlib streams."""
    forms = [data]
    for start in range(len(data)):
        if data[start : start + 1] == b"\x78":
            stream = zlib.decompressobj()
            try:
                forms.append(stream.decompress(data[start:], 1 << 16))
            except zlib.error:
                continue
    needles = {word for base in WORDS for word in (base, base.decode().encode("utf-16-le"), base.hex().encode())}
    needles |= {base64.b64encode(bytes(skip) + base)[4:-4] for base in WORDS for skip in range(3)}
    return any(needle in form for form in forms for needle in needles if needle)


def opened_with_any_key(places: Places) -> list[bytes]:
    """Try every key that is left on every blob, as every purpose, for every asset."""
    keys = [key for key in column(places.state / "record-keys.sqlite", "SELECT key FROM keys") if len(key) == 32]
    blobs = [
        blob
        for name in ("record", "manifest")
        for blob in column(places.state / "repository.sqlite", f"SELECT {name} FROM records")  # noqa: S608 - two constants
    ]
    ids = column(places.state / "repository.sqlite", "SELECT asset_id FROM records")
    opened = []
    for key, blob, asset_id, purpose in product(keys, blobs, ids, (b"record", b"manifest")):
        try:
            bound = b"sdsafe.vault/1\n" + purpose + b"\n" + asset_id
            opened.append(AESGCM(key).decrypt(blob[1:13], blob[13:], bound))
        except InvalidTag:
            continue
    return opened


def test_the_words_are_readable_before_and_by_nobody_after(places: Places, make_signed: MakeSigned) -> None:
    repository = SqliteRepository(places)
    for number in (1, 2):
        repository.put(make_signed(number))
    assert not holds_words(all_bytes(places.state))
    before = opened_with_any_key(places)
    assert len(before) == 4
    assert all(holds_words(content) for content in before)
    for number in (1, 2):
        repository.erase(id_of(make_signed(number)))
    assert opened_with_any_key(places) == []
    assert not holds_words(all_bytes(places.state))
    for number in (1, 2):
        with pytest.raises(RepositoryError) as caught:
            repository.opening(id_of(make_signed(number)))
        assert caught.value.code == "repository.erased"


def test_erasing_one_leaves_the_others(places: Places, make_signed: MakeSigned) -> None:
    repository = SqliteRepository(places)
    for number in (1, 2, 3):
        repository.put(make_signed(number))
    repository.erase(id_of(make_signed(2)))
    repository.erase(id_of(make_signed(2)))
    assert repository.erased() == (id_of(make_signed(2)),)
    assert len(opened_with_any_key(places)) == 4
    assert repository.opening(id_of(make_signed(3))).seed == 3
    assert [info.erased for info in repository.list_records()] == [False, True, False]


def test_discarding_forgets_the_key_too(places: Places, make_signed: MakeSigned) -> None:
    repository = SqliteRepository(places)
    repository.put(make_signed(1))
    (key,) = column(places.state / "record-keys.sqlite", "SELECT key FROM keys")
    repository.discard(id_of(make_signed(1)))
    assert key not in all_bytes(places.state)


def test_no_forgotten_key_survives_in_any_file(tmp_path: Path, make_signed: MakeSigned) -> None:
    """Keys of many pages, forgotten in random order: not one of their bytes is left, and no other is lost."""
    keyring = Keyring(tmp_path / "keys.sqlite")
    rng = np.random.default_rng(7)
    with keyring._database.writing():
        pass
    ids = [id_of(make_signed(number)) for number in range(400)]
    keys = {asset_id: new_key() for asset_id in ids}
    with keyring._database.writing() as connection:
        for asset_id, key in keys.items():
            connection.execute("INSERT INTO keys (asset_id, key) VALUES (?, ?)", (asset_id.value, key))
    order = rng.permutation(len(ids))
    gone, kept = [ids[i] for i in order[:40]], [ids[i] for i in order[40:]]
    for asset_id in gone:
        keyring.forget(asset_id)
    left = all_bytes(tmp_path)
    assert not [asset_id for asset_id in gone if keys[asset_id][:8] in left or keys[asset_id][-8:] in left]
    assert [path.name for path in tmp_path.iterdir()] == ["keys.sqlite"]
    assert all(keyring.get(asset_id) == keys[asset_id] for asset_id in kept)
    assert all(keyring.get(asset_id) is None for asset_id in gone)
    assert keyring.forgotten() == {asset_id.value for asset_id in gone}


def test_keys_put_one_by_one_leave_no_copy_behind(tmp_path: Path, make_signed: MakeSigned) -> None:
    keyring = Keyring(tmp_path / "keys.sqlite")
    keys = {id_of(make_signed(number)): new_key() for number in range(100)}
    for asset_id, key in keys.items():
        keyring.put(asset_id, key)
    assert all(all_bytes(tmp_path).count(key) == 1 for key in keys.values())
    for asset_id in keys:
        keyring.forget(asset_id)
    left = all_bytes(tmp_path)
    assert not [key for key in keys.values() if key[:8] in left]
