from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sdsafe.bindings.watermark.keys import KeySchedule, load_or_make, read_key
from sdsafe.errors import WatermarkError

if TYPE_CHECKING:
    from pathlib import Path


def test_expansion_is_hkdf_of_rfc_5869() -> None:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = bytes(range(32))
    theirs = HKDF(algorithm=SHA256(), length=100, salt=b"org.sdsafe.lattice.1", info=b"carrier").derive(key)
    assert KeySchedule(key).expand(b"carrier", 100) == theirs


def test_everything_derived_is_frozen() -> None:
    """A mark has to be readable in ten years: these values may never change under ``org.sdsafe.lattice.1``."""
    keys = KeySchedule(bytes(range(32)))
    assert keys.key_id == "e9452786"
    assert keys.stream(b"carrier").uniform(2).tolist() == pytest.approx(
        [0.6650331582562813, 0.32685405971559833], abs=1e-14
    )


def test_labels_and_contexts_are_independent() -> None:
    keys = KeySchedule(bytes(32))
    streams = [keys.stream(b"a"), keys.stream(b"b"), keys.stream(b"a", b"x"), KeySchedule(b"\x01" * 32).stream(b"a")]
    words = np.stack([each.words(64) for each in streams])
    assert len(np.unique(words)) == words.size


def test_a_stream_goes_on_where_it_stopped() -> None:
    keys = KeySchedule(bytes(32))
    once, twice = keys.stream(b"a").words(8), keys.stream(b"a")
    assert np.array_equal(once, np.concatenate([twice.words(4), twice.words(4)]))


def test_permutations_are_permutations_and_uniforms_are_uniform() -> None:
    stream = KeySchedule(bytes(32)).stream(b"p")
    assert sorted(stream.permutation(333)) == list(range(333))
    numbers = stream.uniform(4000)
    assert 0 <= numbers.min() < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.02


def test_neither_repr_nor_id_shows_the_key() -> None:
    key = b"secret-secret-secret-secret-1234"
    keys = KeySchedule(key)
    assert "secret" not in repr(keys)
    assert len(keys.key_id) == 8
    assert KeySchedule(bytes(32)).key_id != keys.key_id


def test_first_use_makes_a_private_key_and_later_uses_find_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "watermark.key"
    key = load_or_make(path)
    assert len(key) == 32
    assert load_or_make(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_damaged_key_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "watermark.key"
    path.write_bytes(content)
    with pytest.raises(WatermarkError, match="watermark key") as caught:
        load_or_make(path)
    assert caught.value.hint
    assert path.read_bytes() == content


def test_a_missing_key_file_is_named_by_its_name_only(tmp_path: Path) -> None:
    with pytest.raises(WatermarkError) as caught:
        read_key(tmp_path / "other.key")
    assert "other.key" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_short_secret_makes_no_schedule() -> None:
    with pytest.raises(WatermarkError, match="32 bytes"):
        KeySchedule(b"x" * 31)
