"""What is sealed for one auditor opens with that auditor's key, in the manifest it was made for, and nowhere else."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.core.canonical import canonical_json
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.manifest.envelope import (
    Opener,
    Recipient,
    read_opener,
    read_recipient,
    seal,
    unseal,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TEXTS = {"prompt": "a zeppelin over M\u00fcnchen", "negative_prompt": "fog"}
SALT = bytes(range(32))
WHERE = {"asset_id": "00" * 8, "commitment": "1" * 64}


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture(params=["x25519", "rsa"])
def opener(request: pytest.FixtureRequest, rsa_key: RSAPrivateKey) -> Opener:
    return Opener(rsa_key if request.param == "rsa" else X25519PrivateKey.generate())


def code_of(call: object, *args: object, **kwargs: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        call(*args, **kwargs)  # type: ignore[operator]
    return caught.value.code


def test_what_was_sealed_comes_out(opener: Opener) -> None:
    envelope = seal(TEXTS, SALT, opener.recipient, **WHERE)
    assert unseal(envelope, opener, **WHERE) == (TEXTS, SALT)
    assert unseal(json.loads(canonical_json(envelope)), opener, **WHERE) == (TEXTS, SALT)
    assert "zeppelin" not in json.dumps(envelope)


def test_two_envelopes_of_the_same_are_not_alike(opener: Opener) -> None:
    first, second = (seal(TEXTS, SALT, opener.recipient, **WHERE) for _ in range(2))
    assert first["sealed"] != second["sealed"]


@pytest.mark.parametrize("other", [{"asset_id": "11" * 8}, {"commitment": "2" * 64}], ids=["asset", "commitment"])
def test_moved_into_another_manifest_it_does_not_open(opener: Opener, other: dict[str, str]) -> None:
    envelope = seal(TEXTS, SALT, opener.recipient, **WHERE)
    assert code_of(unseal, envelope, opener, **{**WHERE, **other}) == "disclosure.sealed"


def test_no_flipped_byte_opens(opener: Opener) -> None:
    envelope = seal(TEXTS, SALT, opener.recipient, **WHERE)
    for name in {"sealed", "key"} & set(envelope):
        data = base64.b64decode(str(envelope[name]))
        for at in (0, len(data) // 2, len(data) - 1):
            bent = base64.b64encode(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]).decode()
            assert code_of(unseal, {**envelope, name: bent}, opener, **WHERE) == "disclosure.sealed"


def test_another_key_is_told_whose_it_is(opener: Opener) -> None:
    envelope = seal(TEXTS, SALT, opener.recipient, **WHERE)
    stranger = Opener(X25519PrivateKey.generate())
    assert code_of(unseal, envelope, stranger, **WHERE) == "disclosure.recipient"
    claimed = {**envelope, "scheme": stranger.recipient.scheme, "recipient": stranger.recipient.id}
    assert code_of(unseal, claimed, stranger, **WHERE) == "disclosure.sealed"


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"scheme": "none"}, {"sealed": None}, {"sealed": 7}],
    ids=["version", "scheme", "nothing", "number"],
)
def test_a_malformed_envelope_is_named(opener: Opener, change: dict[str, object]) -> None:
    envelope = seal(TEXTS, SALT, opener.recipient, **WHERE) | change
    assert code_of(unseal, envelope, opener, **WHERE) == "disclosure.format"


def test_text_that_is_not_base64_is_no_envelope(opener: Opener) -> None:
    envelope = seal(TEXTS, SALT, opener.recipient, **WHERE) | {"sealed": "no base64"}
    assert code_of(unseal, envelope, opener, **WHERE) == "disclosure.sealed"


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=600))
def test_the_length_says_next_to_nothing(prompt: str) -> None:
    recipient = Recipient(X25519PrivateKey.generate().public_key())
    sealed = base64.b64decode(str(seal({"prompt": prompt}, SALT, recipient, **WHERE)["sealed"]))
    assert (len(sealed) - 32 - 16) % 256 == 0


def pem(key: X25519PrivateKey | RSAPrivateKey | Ed25519PrivateKey, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_keys_are_read_from_pem(opener: Opener) -> None:
    public = opener.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert read_recipient(public).id == opener.recipient.id
    assert read_opener(pem(opener.key), lambda: None).recipient.id == opener.recipient.id
    assert read_opener(pem(opener.key, b"secret"), lambda: b"secret").recipient.id == opener.recipient.id


def test_keys_that_cannot_open_anything_are_refused() -> None:
    signing, short = Ed25519PrivateKey.generate(), generate_private_key(65537, 1024)  # noqa: S505 - that it is too short is what is tested
    for key in (signing, short):
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert code_of(read_recipient, public) == "disclosure.key"
        assert code_of(read_opener, pem(key), lambda: None) == "disclosure.key"
    assert code_of(read_recipient, b"nothing") == "disclosure.key"
    assert code_of(read_recipient, pem(X25519PrivateKey.generate())) == "disclosure.key"
    assert code_of(read_opener, pem(X25519PrivateKey.generate(), b"right"), lambda: b"wrong") == "disclosure.key"
    assert code_of(read_opener, pem(X25519PrivateKey.generate(), b"right"), lambda: None) == "disclosure.key"
