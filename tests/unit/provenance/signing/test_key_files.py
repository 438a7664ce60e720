"""Keys in every form and of every algorithm; bundles; where passwords come from."""

from __future__ import annotations

import sys
import types
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsafe.errors import SigningError
from sdsafe.provenance.signing.algorithms import ALGORITHMS
from sdsafe.provenance.signing.local import PASSWORD_VARIABLE, FileSigner

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"correct horse"
KEYS: dict[str, Any] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def _certificate(key: Any) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "key file test")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    )
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _verify(public: Any, alg: str, signature: bytes, data: bytes) -> None:
    algorithm = ALGORITHMS[alg]
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, data)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        assert len(signature) == 2 * algorithm.width
        r, s = (int.from_bytes(each, "big") for each in (signature[: algorithm.width], signature[algorithm.width :]))
        public.verify(encode_dss_signature(r, s), data, ec.ECDSA(algorithm.digest))
    else:
        pss = padding.PSS(padding.MGF1(algorithm.digest), algorithm.digest.digest_size)
        public.verify(signature, data, pss, algorithm.digest)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_all_seven_algorithms_sign(alg: str, tmp_path: Path) -> None:
    key = KEYS["ps256" if alg.startswith("ps") else alg]()
    chain, file = tmp_path / "chain.pem", tmp_path / "leaf.key"
    chain.write_bytes(_certificate(key).public_bytes(Encoding.PEM))
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    signer = FileSigner(chain, file, alg=alg if alg.startswith("ps") else None)
    assert signer.alg == alg
    _verify(key.public_key(), alg, signer.sign(b"a claim"), b"a claim")
    with pytest.raises(InvalidSignature):
        _verify(key.public_key(), alg, signer.sign(b"a claim"), b"another")


def test_an_algorithm_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    key = KEYS["es256"]()
    chain, file = tmp_path / "chain.pem", tmp_path / "leaf.key"
    chain.write_bytes(_certificate(key).public_bytes(Encoding.PEM))
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for wrong in ("es384", "ps256", "none"):
        with pytest.raises(SigningError, match="does not fit the key") as caught:
            FileSigner(chain, file, alg=wrong)
        assert caught.value.code == "signing.unsupported"


FORMS = [
    pytest.param("es256", encoding, form, id=f"{encoding!s}-{form!s}")
    for encoding in (Encoding.PEM, Encoding.DER)
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)  # SEC1 of elliptic curves
] + [
    pytest.param("ps256", encoding, PrivateFormat.TraditionalOpenSSL, id=f"{encoding!s}-PKCS1")
    for encoding in (Encoding.PEM, Encoding.DER)
]


@pytest.mark.parametrize(("alg", "encoding", "form"), FORMS)
def test_every_form_is_read(alg: str, encoding: Encoding, form: PrivateFormat, tmp_path: Path) -> None:
    key = KEYS[alg]()
    chain, file = tmp_path / "chain.der", tmp_path / "key.bin"
    chain.write_bytes(_certificate(key).public_bytes(encoding))
    file.write_bytes(key.private_bytes(encoding, form, NoEncryption()))
    _verify(key.public_key(), alg, FileSigner(chain, file).sign(b"a claim"), b"a claim")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_an_encrypted_key_asks_for_its_password(encoding: Encoding, tmp_path: Path) -> None:
    key = KEYS["ed25519"]()
    chain, file = tmp_path / "chain.pem", tmp_path / "leaf.key"
    chain.write_bytes(_certificate(key).public_bytes(Encoding.PEM))
    file.write_bytes(key.private_bytes(encoding, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET)))
    assert FileSigner(chain, file, password=lambda: SECRET).alg == "ed25519"
    for wrong, says in ((b"wrong", "does not open"), (None, "no password was given"), (b"", "no password was given")):
        with pytest.raises(SigningError, match=says) as caught:
            FileSigner(chain, file, password=lambda wrong=wrong: wrong)  # type: ignore[misc]  # the loop's own value
        assert caught.value.code == "signing.password"


@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_bundle_holds_key_and_chain(secret: bytes | None, tmp_path: Path) -> None:
    key, other = KEYS["es384"](), KEYS["es256"]()
    protection: KeySerializationEncryption = NoEncryption() if secret is None else BestAvailableEncryption(secret)
    bundle = tmp_path / "credential.p12"
    leaf = _certificate(key)
    bundle.write_bytes(pkcs12.serialize_key_and_certificates(b"leaf", key, leaf, [_certificate(other)], protection))
    signer = FileSigner.configure(None, {"path": str(bundle), "password": lambda: secret})  # type: ignore[arg-type]  # places are not looked at
    assert signer.certificate_chain[0] == leaf.public_bytes(Encoding.DER)
    assert len(signer.certificate_chain) == 2
    _verify(key.public_key(), "es384", signer.sign(b"a claim"), b"a claim")
    if secret is not None:
        with pytest.raises(SigningError) as caught:
            FileSigner(bundle, bundle, password=lambda: b"wrong")
        assert caught.value.code == "signing.password"


def test_a_bundle_without_a_key_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "credential.pfx"
    certificate = _certificate(KEYS["es256"]())
    bundle.write_bytes(pkcs12.serialize_key_and_certificates(b"x", None, certificate, None, NoEncryption()))
    with pytest.raises(SigningError) as caught:
        FileSigner(bundle, bundle)
    assert caught.value.code == "signing.unreadable"


@pytest.mark.parametrize("data", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(data: bytes, tmp_path: Path) -> None:
    chain, file = tmp_path / "chain.pem", tmp_path / "leaf.key"
    chain.write_bytes(_certificate(KEYS["es256"]()).public_bytes(Encoding.PEM))
    file.write_bytes(data)
    with pytest.raises(SigningError) as caught:
        FileSigner(chain, file)
    assert caught.value.code == "signing.unreadable"


def test_a_key_that_c2pa_has_no_algorithm_for_is_refused(tmp_path: Path) -> None:
    chain, file = tmp_path / "chain.pem", tmp_path / "leaf.key"
    chain.write_bytes(_certificate(KEYS["es256"]()).public_bytes(Encoding.PEM))
    for key in (dsa.generate_private_key(2048), ec.generate_private_key(ec.SECP256K1())):
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with pytest.raises(SigningError) as caught:
            FileSigner(chain, file)
        assert caught.value.code == "signing.unsupported"


class TestKeyring:
    @pytest.fixture
    def encrypted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
        monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
        key = KEYS["es256"]()
        chain, file = tmp_path / "chain.pem", tmp_path / "leaf.key"
        chain.write_bytes(_certificate(key).public_bytes(Encoding.PEM))
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET)))
        return chain, file

    def _install(self, monkeypatch: pytest.MonkeyPatch, get: Any) -> None:
        module = types.ModuleType("keyring")
        module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]  # find_spec wants something there
        module.get_password = get  # type: ignore[attr-defined]  # a stand-in
        monkeypatch.setitem(sys.modules, "keyring", module)

    def test_it_is_asked_by_the_path_of_the_key(
        self, encrypted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def get(service: str, name: str) -> str:
            asked.append((service, name))
            return SECRET.decode()

        self._install(monkeypatch, get)
        assert FileSigner(*encrypted).alg == "es256"
        assert asked == [("sdsafe", str(encrypted[1].resolve()))]

    def test_the_environment_goes_before_it(
        self, encrypted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._install(monkeypatch, lambda *_: pytest.fail("asked"))
        monkeypatch.setenv(PASSWORD_VARIABLE, SECRET.decode())
        assert FileSigner(*encrypted).alg == "es256"

    def test_one_that_is_locked_says_so(self, encrypted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        def locked(*_: str) -> str:
            raise RuntimeError("a secret that must not be repeated")

        self._install(monkeypatch, locked)
        with pytest.raises(SigningError, match="does not answer: RuntimeError") as caught:
            FileSigner(*encrypted)
        assert "secret" not in str(caught.value)
