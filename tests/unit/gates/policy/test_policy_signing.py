"""Signed packs: who vouches for what, and every way in which nobody does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.policy.signing import (
    PolicyKey,
    load_pack,
    make_key,
    read_private_key,
    read_public_keys,
    sign_pack,
    verify_loaded,
    verify_pack,
    verify_policies,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    Pair = tuple[Ed25519PrivateKey, PolicyKey]


def no_password() -> None:
    return None


@pytest.fixture
def pair(tmp_path: Path) -> Callable[[str], Pair]:
    def make(name: str) -> Pair:
        private, public, _ = make_key()
        (tmp_path / f"{name}.key").write_bytes(private)
        (tmp_path / f"{name}.pub").write_bytes(public)
        return read_private_key(tmp_path / f"{name}.key", no_password), read_public_keys([tmp_path / f"{name}.pub"])[0]

    return make


@pytest.fixture
def pack(write_pack: Callable[..., Path]) -> Path:
    return write_pack("house") / "house"


def refused(folder: Path, *keys: PolicyKey) -> str:
    with pytest.raises(ConfigurationError) as caught:
        verify_pack(folder, keys)
    assert str(folder.parent) not in str(caught.value)
    return caught.value.code


def test_a_signed_pack_names_who_vouches(pack: Path, pair: Callable[[str], Pair]) -> None:
    key, public = pair("a")
    signed = sign_pack(pack, key)
    assert signed.key == public.id
    assert verify_pack(pack, [public]) == signed
    assert verify_loaded(load_pack(pack), [public]).pack.digest == load_pack(pack).ref.digest


def test_layout_may_change_and_meaning_may_not(pack: Path, pair: Callable[[str], Pair]) -> None:
    key, public = pair("a")
    sign_pack(pack, key)
    policy = pack / "policy.yaml"
    policy.write_text("# a remark\n" + policy.read_text(encoding="utf-8"), encoding="utf-8")
    assert verify_pack(pack, [public]).key == public.id
    policy.write_text(policy.read_text(encoding="utf-8").replace("effect: deny", "effect: allow"), encoding="utf-8")
    assert refused(pack, public) == "policy.changed"


def test_what_is_written_out_with_its_default_value_changes_nothing(pack: Path, pair: Callable[[str], Pair]) -> None:
    key, public = pair("a")
    sign_pack(pack, key)
    policy = pack / "policy.yaml"
    policy.write_text(policy.read_text(encoding="utf-8") + "    on_error: deny\nextends: []\n", encoding="utf-8")
    assert verify_pack(pack, [public]).key == public.id


def test_a_changed_term_file_is_noticed(
    write_pack: Callable[..., Path], minimal: str, pair: Callable[[str], Pair]
) -> None:
    text = minimal.replace("terms: [umbrella]", "file: words.txt")
    folder = write_pack("house", text, words_txt="umbrella\n") / "house"
    key, public = pair("a")
    sign_pack(folder, key)
    (folder / "words.txt").write_text("parasol\n", encoding="utf-8")
    assert refused(folder, public) == "policy.changed"


def test_nobody_vouches(pack: Path, pair: Callable[[str], Pair]) -> None:
    key, public = pair("a")
    _, other = pair("b")
    assert refused(pack, public) == "policy.unsigned"
    sign_pack(pack, key)
    assert refused(pack) == "policy.no-keys"
    assert refused(pack, other) == "policy.untrusted"
    assert verify_pack(pack, [other, public]).key == public.id


def test_two_keys_may_sign_while_one_is_replaced(pack: Path, pair: Callable[[str], Pair]) -> None:
    (old, old_public), (new, new_public) = pair("old"), pair("new")
    sign_pack(pack, old)
    sign_pack(pack, new)
    sign_pack(pack, new)
    assert [verify_pack(pack, [each]).key for each in (old_public, new_public)] == [old_public.id, new_public.id]
    assert len(json.loads((pack / "policy.sig").read_text())["signatures"]) == 2
    policy = pack / "policy.yaml"
    policy.write_text(policy.read_text(encoding="utf-8").replace("1.0.0", "1.0.1"), encoding="utf-8")
    sign_pack(pack, new)
    assert refused(pack, old_public) == "policy.untrusted"  # a signature of what the pack was does not stay


def test_a_signature_for_another_pack_does_not_count(
    write_pack: Callable[..., Path], pair: Callable[[str], Pair]
) -> None:
    root = write_pack("house")
    write_pack("garden")
    key, public = pair("a")
    sign_pack(root / "house", key)
    (root / "garden" / "policy.sig").write_bytes((root / "house" / "policy.sig").read_bytes())
    assert refused(root / "garden", public) == "policy.changed"
    document = json.loads((root / "garden" / "policy.sig").read_text())
    ref = load_pack(root / "garden").ref
    document |= {"pack": ref.id, "version": ref.version, "digest": ref.digest}
    (root / "garden" / "policy.sig").write_text(json.dumps(document))
    assert refused(root / "garden", public) == "policy.signature"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "sdsafe.policy-signature/2"},
        {"digest": "0"},
        {"signatures": []},
        {"signatures": [{"key": "ed25519:0", "signature": "a"}]},
        {"extra": 1},
    ],
)
def test_a_malformed_signature_file_names_file_and_key(
    pack: Path, pair: Callable[[str], Pair], change: dict[str, object]
) -> None:
    key, public = pair("a")
    sign_pack(pack, key)
    document = json.loads((pack / "policy.sig").read_text()) | change
    (pack / "policy.sig").write_text(json.dumps(document))
    with pytest.raises(PolicyFormatError, match=r"house/policy\.sig: " + next(iter(change))):
        verify_pack(pack, [public])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 100_000, b"[1, 2", b"&a [*a]"])
def test_what_is_no_signature_file_is_refused(pack: Path, pair: Callable[[str], Pair], content: bytes) -> None:
    _, public = pair("a")
    (pack / "policy.sig").write_bytes(content)
    with pytest.raises(PolicyFormatError, match=r"house/policy\.sig"):
        verify_pack(pack, [public])


@pytest.mark.parametrize("signature", ["AAAA", "!!!!", "A" * 88])
def test_a_made_up_signature_is_refused(pack: Path, pair: Callable[[str], Pair], signature: str) -> None:
    key, public = pair("a")
    sign_pack(pack, key)
    document = json.loads((pack / "policy.sig").read_text())
    document["signatures"][0]["signature"] = signature
    (pack / "policy.sig").write_text(json.dumps(document))
    with pytest.raises(ConfigurationError):
        verify_pack(pack, [public])


def test_shipped_packs_need_no_signature_and_own_ones_do(pack: Path, pair: Callable[[str], Pair]) -> None:
    key, public = pair("a")
    assert verify_policies(load_policies(["baseline"]), [public]) == ()
    both = load_policies(["baseline", str(pack)])
    with pytest.raises(ConfigurationError, match="house is not signed"):
        verify_policies(both, [public])
    sign_pack(pack, key)
    assert [each.pack.id for each in verify_policies(both, [public])] == ["house"]


def test_a_pack_of_terms_alone_can_be_signed(
    write_pack: Callable[..., Path], minimal: str, pair: Callable[[str], Pair]
) -> None:
    folder = write_pack("words", minimal.split("rules:", maxsplit=1)[0]) / "words"
    key, public = pair("a")
    assert sign_pack(folder, key).pack.id == "words"
    assert verify_pack(folder, [public]).pack.id == "words"


def test_a_single_file_has_no_place_for_a_signature(pack: Path, pair: Callable[[str], Pair]) -> None:
    single = pack.parent / "house.yaml"
    single.write_bytes((pack / "policy.yaml").read_bytes())
    with pytest.raises(ConfigurationError, match="folder of its own"):
        sign_pack(single, pair("a")[0])


class TestKeys:
    def test_an_encrypted_key_needs_its_password(self, tmp_path: Path) -> None:
        private, _, key_id = make_key(b"correct")
        path = tmp_path / "a.key"
        path.write_bytes(private)
        assert b"ENCRYPTED" in private
        public = read_private_key(path, lambda: b"correct").public_key()
        (tmp_path / "a.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        assert read_public_keys([tmp_path / "a.pub"])[0].id == key_id
        for wrong in (b"wrong", None):
            with pytest.raises(ConfigurationError, match=r"a\.key: the password is missing or wrong"):
                read_private_key(path, lambda wrong=wrong: wrong)

    def test_a_file_may_hold_several_keys_and_each_counts_once(self, tmp_path: Path) -> None:
        publics = [make_key()[1] for _ in range(2)]
        (tmp_path / "all.pub").write_bytes(b"\n".join([*publics, publics[0]]))
        assert len(read_public_keys([tmp_path / "all.pub"])) == 2

    @pytest.mark.parametrize("content", [b"", b"text", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
    def test_what_is_no_key_is_named(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "odd.pem"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"odd\.pem"):
            read_public_keys([path])
        with pytest.raises(ConfigurationError, match=r"odd\.pem"):
            read_private_key(path, no_password)

    def test_another_kind_of_key_is_named(self, tmp_path: Path) -> None:
        key = generate_private_key(SECP256R1())
        (tmp_path / "ec.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (tmp_path / "ec.pub").write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        with pytest.raises(ConfigurationError, match="not an Ed25519 key"):
            read_private_key(tmp_path / "ec.key", no_password)
        with pytest.raises(ConfigurationError, match="not an Ed25519 key"):
            read_public_keys([tmp_path / "ec.pub"])
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_public_keys([tmp_path / "absent.pub"])
