"""Requests for certificates: what is asked for, by keys of every kind, and what does not fit."""

from __future__ import annotations

import shutil
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsafe._internal.certificates import CLAIM_SIGNING
from sdsafe._internal.clock import now
from sdsafe.errors import SigningError
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.signing.algorithms import ALGORITHMS, spki
from sdsafe.provenance.signing.keyfiles import make_key
from sdsafe.provenance.signing.local import FileSigner
from sdsafe.provenance.signing.request import KeyToCertify, Subject, certificate_request

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = Subject(organisation="Müller & Söhne", common_name="Picture Maker", country="de", unit="Lab")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_of_every_algorithm_asks(alg: str, tmp_path: Path) -> None:
    key = make_key(tmp_path / "new" / "leaf.key", alg, None)
    request = x509.load_pem_x509_csr(certificate_request(KeyToCertify.of_file(key), EXAMPLE))
    assert request.is_signature_valid
    assert spki(request.public_key()) == spki(key.public_key())
    named = {each.oid: each.value for each in request.subject}
    assert named[NameOID.COUNTRY_NAME] == "DE"
    assert named[NameOID.ORGANIZATION_NAME] == "Müller & Söhne"
    assert named[NameOID.COMMON_NAME] == "Picture Maker"
    assert named[NameOID.ORGANIZATIONAL_UNIT_NAME] == "Lab"
    assert len(named) == 4


def test_it_asks_for_what_the_profile_wants() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    found = x509.load_pem_x509_csr(certificate_request(KeyToCertify.of_file(key), EXAMPLE)).extensions
    usage = found.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.content_commitment
    assert not usage.value.key_cert_sign
    assert not usage.value.key_encipherment
    constraints = found.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    usages = list(found.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == [CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("alg", ["es256", "es512", "ed25519", "ps256"])
def test_others_read_it(alg: str, tmp_path: Path) -> None:
    """By a key in a file, and by a signer that has certificates already: RSA then signs with PSS."""
    key = make_key(tmp_path / "leaf.key", alg, None)
    made = issue("renewed", now(), public=key.public_key())
    chain = b"".join(each.public_bytes(Encoding.PEM) for each in (made.leaf, made.issuing))
    (tmp_path / "chain.pem").write_bytes(chain)
    for asking in (
        KeyToCertify.of_file(key),
        KeyToCertify.of_signer(FileSigner(tmp_path / "chain.pem", tmp_path / "leaf.key")),
    ):
        request = certificate_request(asking, EXAMPLE)
        read = subprocess.run(
            ["openssl", "req", "-verify", "-noout", "-subject", "-nameopt", "utf8"],  # noqa: S607 - from PATH
            input=request,
            capture_output=True,
            check=False,
        )
        assert read.returncode == 0, read.stderr
        assert "Müller & Söhne" in read.stdout.decode()


def test_what_was_signed_by_another_key_is_no_request() -> None:
    one, other = (KeyToCertify.of_file(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    mixed = KeyToCertify(one.public, one.signature_algorithm, other.sign)
    with pytest.raises(SigningError) as caught:
        certificate_request(mixed, EXAMPLE)
    assert caught.value.code == "signing.key-mismatch"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"organisation": ""}, "organisation"),
        ({"organisation": "a" * 65}, "organisation"),
        ({"organisation": "a\nb"}, "organisation"),
        ({"common_name": " x"}, "common name"),
        ({"country": "Germany"}, "two letters"),
        ({"country": "d1"}, "two letters"),
        ({"state": "\0"}, "state"),
        ({"unit": "\u202e"}, "unit"),
        ({"locality": ""}, "locality"),
    ],
)
def test_names_that_do_not_fit_are_refused(wrong: dict[str, Any], says: str) -> None:
    subject = Subject(**{"organisation": "Example", "common_name": "x", **wrong})
    with pytest.raises(SigningError, match=says) as caught:
        subject.name()
    assert caught.value.code == "signing.name"


def test_a_signer_that_shows_no_key_cannot_ask() -> None:
    class Silent:
        alg = "es256"
        certificate_chain: tuple[bytes, ...] = ()

        def sign(self, _data: bytes, /) -> bytes:
            raise AssertionError

    with pytest.raises(SigningError, match="no public key"):
        KeyToCertify.of_signer(Silent())


class TestMakingKeys:
    def test_only_the_owner_reads_it(self, tmp_path: Path) -> None:
        file = tmp_path / "keys" / "leaf.key"
        make_key(file, "es256", None)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    def test_a_password_encrypts_it(self, tmp_path: Path) -> None:
        made = make_key(tmp_path / "leaf.key", "es384", b"open sesame")
        data = (tmp_path / "leaf.key").read_bytes()
        assert b"ENCRYPTED" in data
        found = load_pem_private_key(data, b"open sesame").public_key()
        assert isinstance(found, ec.EllipticCurvePublicKey)
        assert spki(found) == spki(made.public_key())

    def test_a_key_is_never_replaced(self, tmp_path: Path) -> None:
        make_key(tmp_path / "leaf.key", "es256", None)
        before = (tmp_path / "leaf.key").read_bytes()
        with pytest.raises(SigningError) as caught:
            make_key(tmp_path / "leaf.key", "es256", None)
        assert caught.value.code == "signing.exists"
        assert (tmp_path / "leaf.key").read_bytes() == before

    @pytest.mark.parametrize(("alg", "password"), [("es999", None), ("es256", b"")])
    def test_what_cannot_be_made_leaves_nothing(self, alg: str, password: bytes | None, tmp_path: Path) -> None:
        with pytest.raises(SigningError):
            make_key(tmp_path / "keys" / "leaf.key", alg, password)
        assert not (tmp_path / "keys").exists()
