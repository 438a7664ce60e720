from __future__ import annotations

import copy
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsafe._internal.certificates import CLAIM_SIGNING
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.errors import PluginError, SigningError
from sdsafe.plugins import load
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.signing import local
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.provenance.signing.local import PASSWORD_VARIABLE, FileSigner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.states import Asset, Encoded

KEYS: dict[str, tuple[str, Callable[[], Any]]] = {
    "P-256": ("es256", lambda: ec.generate_private_key(ec.SECP256R1())),
    "P-384": ("es384", lambda: ec.generate_private_key(ec.SECP384R1())),
    "P-521": ("es512", lambda: ec.generate_private_key(ec.SECP521R1())),
    "RSA": ("ps256", lambda: rsa.generate_private_key(65537, 2048)),
    "Ed25519": ("ed25519", ed25519.Ed25519PrivateKey.generate),
}


def _certify(key: Any, *, days: float = 90, begins: float = -1) -> x509.Certificate:
    """A leaf of an issuer that nobody knows: enough for a signer to load."""
    issuer = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "T"), x509.NameAttribute(NameOID.COMMON_NAME, "leaf")]
    )
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuing")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
        .sign(issuer, hashes.SHA256())
    )


def _write(folder: Path, key: Any, **validity: float) -> tuple[Path, Path]:
    chain, file = folder / "chain.pem", folder / "leaf.key"
    chain.write_bytes(_certify(key, **validity).public_bytes(Encoding.PEM))
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, file


def _verify(key: Any, signature: bytes, data: bytes) -> None:
    match key:
        case ec.EllipticCurvePublicKey():
            half = len(signature) // 2
            assert len(signature) == 2 * ((key.curve.key_size + 7) // 8)
            der = encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
            algorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
            key.verify(der, data, ec.ECDSA(algorithm))
        case rsa.RSAPublicKey():
            key.verify(signature, data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        case _:
            key.verify(signature, data)


@pytest.mark.parametrize("kind", KEYS)
def test_signatures_are_raw_and_verify(tmp_path: Path, kind: str) -> None:
    alg, generate = KEYS[kind]
    key = generate()
    signer = FileSigner(*_write(tmp_path, key))
    assert signer.alg == alg
    for data in (b"", b"claim", b"x" * 100_000):
        _verify(key.public_key(), signer.sign(data), data)


@pytest.mark.parametrize("kind", KEYS)
def test_every_algorithm_makes_a_valid_manifest(
    tmp_path: Path, sign: Callable[..., tuple[Asset, bytes]], encoded: Encoded, kind: str
) -> None:
    asset, _ = sign(encoded, FileSigner(*_write(tmp_path, KEYS[kind][1]())))
    assert ManifestProbe().examine(asset, Evidence()).manifest is ManifestState.VALID


def test_the_default_is_what_keys_init_wrote(places: Places) -> None:
    signer = load("sdsafe.signers", "file", places)
    assert signer.alg == "es256"
    assert len(signer.certificate_chain) == 2


@pytest.mark.parametrize("path", ["{keys}", "{keys}/chain.pem"])
def test_a_folder_or_a_chain_may_be_named(places: Places, tmp_path: Path, path: str) -> None:
    elsewhere = Places(state=tmp_path, cache=tmp_path)
    options = {"path": path.format(keys=places.keys), "key": str(places.keys / "leaf.key")}
    assert FileSigner.configure(elsewhere, options).certificate_chain


def test_nothing_there_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(SigningError) as caught:
        FileSigner.configure(Places(state=tmp_path, cache=tmp_path), {})
    assert caught.value.code == "signing.missing"
    assert "sdsafe keys init" in caught.value.hint
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("path", ["/nowhere/at/all", "~nobody-of-that-name/keys", "a\0b", "", "."])
@pytest.mark.parametrize("option", ["path", "key", "password-file"])
def test_odd_paths_are_typed_errors(locked: Places, path: str, option: str) -> None:
    with pytest.raises(SigningError):
        FileSigner.configure(locked, {option: path})


def test_a_chain_without_its_key_is_missing_too(places: Places, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes((places.keys / "chain.pem").read_bytes())
    with pytest.raises(SigningError, match=r"leaf\.key") as caught:
        FileSigner.configure(places, {"path": str(tmp_path)})
    assert caught.value.code == "signing.missing"


def test_an_unknown_option_is_refused(places: Places) -> None:
    with pytest.raises(PluginError, match="colour"):
        FileSigner.configure(places, {"colour": "red"})


def test_a_password_in_the_settings_is_refused(places: Places) -> None:
    with pytest.raises(PluginError) as caught:
        FileSigner.configure(places, {"password": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert PASSWORD_VARIABLE in caught.value.hint


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (PrivateFormat.PKCS8, "P-256"),
        (PrivateFormat.TraditionalOpenSSL, "P-256"),
        (PrivateFormat.TraditionalOpenSSL, "RSA"),
        (PrivateFormat.PKCS8, "RSA"),
        (PrivateFormat.PKCS8, "Ed25519"),
    ],
    ids=["PKCS8 EC", "SEC1", "PKCS1", "PKCS8 RSA", "PKCS8 Ed25519"],
)
@pytest.mark.parametrize("password", [None, b"open sesame"])
def test_keys_in_every_form(tmp_path: Path, form: PrivateFormat, kind: str, password: bytes | None) -> None:
    key = KEYS[kind][1]()
    chain, file = _write(tmp_path, key)
    lock = NoEncryption() if password is None else BestAvailableEncryption(password)
    file.write_bytes(key.private_bytes(Encoding.PEM, form, lock))
    signer = FileSigner(chain, file, password=lambda: password)
    _verify(key.public_key(), signer.sign(b"x"), b"x")


@pytest.fixture
def locked(tmp_path: Path) -> Places:
    places = Places(state=tmp_path, cache=tmp_path)
    init_development(places.keys, name="locked", password=b"open sesame", force=False)
    return places


def test_the_password_comes_from_the_environment(locked: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "open sesame")
    assert FileSigner.configure(locked, {}).sign(b"x")


def test_the_password_comes_from_a_file(locked: Places, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"open sesame\n")
    assert FileSigner.configure(locked, {"password-file": str(tmp_path / "secret")}).sign(b"x")


@pytest.mark.parametrize("password", [b"wrong", None, b""])
def test_a_wrong_or_missing_password_is_named_but_not_repeated(
    locked: Places, monkeypatch: pytest.MonkeyPatch, password: bytes | None
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    with pytest.raises(SigningError) as caught:
        FileSigner.configure(locked, {"password": lambda: password})
    assert caught.value.code == "signing.password"
    assert "wrong" not in str(caught.value)
    assert PASSWORD_VARIABLE in caught.value.hint


def test_no_password_is_asked_for_where_none_is_needed(places: Places) -> None:
    def never() -> bytes:
        pytest.fail("asked for a password")

    FileSigner.configure(places, {"password": never})


@pytest.mark.parametrize(
    ("validity", "code"),
    [({"days": -0.5}, "signing.expired"), ({"begins": 1}, "signing.not-yet-valid")],
)
def test_outside_its_validity_it_does_not_load(tmp_path: Path, validity: dict[str, float], code: str) -> None:
    with pytest.raises(SigningError) as caught:
        FileSigner(*_write(tmp_path, KEYS["P-256"][1](), **validity))
    assert caught.value.code == code
    assert caught.value.hint


def test_a_credential_that_ends_while_the_process_runs_stops_signing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = FileSigner(*_write(tmp_path, KEYS["P-256"][1](), days=1))
    later = datetime.now(UTC) + timedelta(days=2)
    monkeypatch.setattr(local, "now", lambda: later)
    with pytest.raises(SigningError) as caught:
        signer.sign(b"x")
    assert caught.value.code == "signing.expired"


def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    chain, file = _write(tmp_path, KEYS["P-256"][1]())
    other = KEYS["P-256"][1]()
    file.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SigningError) as caught:
        FileSigner(chain, file)
    assert caught.value.code == "signing.key-mismatch"


_WEAK_BITS = 1024


@pytest.mark.parametrize(
    "generate",
    [
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: rsa.generate_private_key(65537, _WEAK_BITS),
        lambda: dsa.generate_private_key(2048),
        ed448.Ed448PrivateKey.generate,
    ],
    ids=["secp256k1", "RSA-1024", "DSA", "Ed448"],
)
def test_keys_that_c2pa_does_not_know_are_refused(tmp_path: Path, generate: Callable[[], Any]) -> None:
    with pytest.raises(SigningError) as caught:
        FileSigner(*_write(tmp_path, generate()))
    assert caught.value.code == "signing.unsupported"


@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
@pytest.mark.parametrize("which", ["chain", "key"])
def test_files_that_hold_something_else_are_refused(tmp_path: Path, content: bytes, which: str) -> None:
    chain, file = _write(tmp_path, KEYS["P-256"][1]())
    (chain if which == "chain" else file).write_bytes(content)
    with pytest.raises(SigningError) as caught:
        FileSigner(chain, file)
    assert caught.value.code == "signing.unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_key_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    chain, file = _write(tmp_path, KEYS["P-256"][1]())
    file.chmod(0)
    with pytest.raises(SigningError) as caught:
        FileSigner(chain, file)
    assert caught.value.code == "signing.unreadable"


def test_a_signer_is_neither_copied_nor_pickled(signer: FileSigner) -> None:
    import pickle  # noqa: TID251 - to show that it is refused

    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(signer)
    with pytest.raises(TypeError):
        replace(signer)  # type: ignore[type-var]


def test_its_repr_shows_no_key_and_no_path(signer: FileSigner, places: Places) -> None:
    assert repr(signer) == "FileSigner(alg='es256', subject='unit test (sdsafe development CA)')"
    assert str(places.state) not in repr(signer)
    assert not hasattr(signer, "__dict__")


def test_no_public_attribute_is_the_key(signer: FileSigner) -> None:
    public = {name for name in dir(signer) if not name.startswith("_")}
    assert public == {"alg", "certificate_chain", "configure", "public_key", "sign"}
    assert isinstance(signer.public_key, bytes)
