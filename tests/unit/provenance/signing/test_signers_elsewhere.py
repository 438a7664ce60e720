"""Keys that are elsewhere: a signing server, a PKCS#11 token, AWS KMS, Vault. Real signatures, real failures."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from sdsafe._internal.clock import now
from sdsafe._internal.prompting import set_prompt
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded
from sdsafe.errors import MissingExtraError, SdsafeError, SigningError
from sdsafe.plugins import load
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.signing import remote, vault
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.signing.algorithms import spki
from sdsafe.provenance.signing.elsewhere import NO_CHAIN
from sdsafe.provenance.signing.request import KeyToCertify, Subject, certificate_request
from sdsafe.provenance.signing.uri import parse_signer_uri
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe.testing.signers import SignerContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.protocols import Signer

CONTRACT = tuple(name for name in vars(SignerContract) if name.startswith("test_"))
TOKEN = "a-token-of-the-tests"
SOFTHSM = next((each for each in Path("/usr/lib").rglob("libsofthsm2.so")), None)


def _chain(folder: Path, public: Any) -> Path:
    """Write the certificates of a development hierarchy for a public key whose private one is elsewhere."""
    made = issue("elsewhere", now(), public=public)
    file = folder / "chain.pem"
    file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (made.leaf, made.issuing)))
    return file


def _signer(uri: str, folder: Path) -> Any:
    scheme, options = parse_signer_uri(uri)
    return load("sdsafe.signers", scheme, Places(state=folder / "s", cache=folder / "c"), options)


def _require_release(signer: Any, folder: Path) -> None:
    """Make sure that a picture signed with it is released and valid."""
    pipeline = fake_pipeline(Places(state=folder / "state", cache=folder / "cache"), signer=signer)
    (outcome,) = pipeline.run(GenerationRequest(prompt="a red house", seed=7, size=Size(width=256, height=256)))
    assert isinstance(outcome, Recorded), outcome
    assert ManifestProbe().examine(outcome.asset, Evidence()).manifest is ManifestState.VALID


def _require_contract(made: Signer, *lengths: int) -> None:
    """Make sure that a signer shows all that its slot demands."""
    contract = _Of(made, lengths)
    for name in CONTRACT:
        getattr(contract, name)()


class _Of(SignerContract):
    def __init__(self, made: Signer, lengths: tuple[int, ...]) -> None:
        self._made, self._lengths = made, lengths

    def make(self) -> Signer:
        return self._made

    def lengths(self) -> tuple[int, ...]:
        return self._lengths or super().lengths()


def _require_request(scheme: str, options: dict[str, object], public: Any, folder: Path) -> None:
    """Make sure that a key that has no certificates yet can ask for one."""
    places = Places(state=folder / "s", cache=folder / "c")
    signer = load("sdsafe.signers", scheme, places, {**options, "chain": NO_CHAIN})
    assert signer.certificate_chain == ()
    subject = Subject(organisation="Example", common_name="elsewhere")
    request = x509.load_pem_x509_csr(certificate_request(KeyToCertify.of_signer(signer), subject))
    if scheme == "pkcs11":
        signer.close()
    assert request.is_signature_valid
    assert spki(request.public_key()) == spki(public)


def _require_nothing(signer: Any, folder: Path, code: str) -> None:
    """Make sure that nothing is released, for this reason, and soon."""
    delivered: list[object] = []
    pipeline = fake_pipeline(Places(state=folder / "state", cache=folder / "cache"), signer=signer)
    started = time.monotonic()
    with pytest.raises(SdsafeError) as caught:
        pipeline.run(
            GenerationRequest(prompt="a red house", seed=7, size=Size(width=256, height=256)), deliver=delivered.append
        )
    assert caught.value.code == code
    assert not delivered
    assert time.monotonic() - started < 15


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _reference(chain: Path, key: Any) -> Any:
    """Return the server of ``examples/``, as anybody would run it."""
    path = Path(__file__).parents[4] / "examples" / "signing_server.py"
    spec = importlib.util.spec_from_file_location("signing_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["signing_server"] = module
    spec.loader.exec_module(module)
    return module.Signing(("127.0.0.1", 0), x509.load_pem_x509_certificates(chain.read_bytes()), key, TOKEN)


Answer = "Callable[[str, dict[str, Any]], tuple[int, bytes]]"


def _answering(answer: Callable[[str, dict[str, Any]], tuple[int, bytes]]) -> ThreadingHTTPServer:
    """Return a server that answers what a test wants."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 20

        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self._reply(json.loads(self.rfile.read(length)))

        def _reply(self, asked: dict[str, Any]) -> None:
            status, body = answer(self.path, asked)
            self.send_response(status)
            if status in {301, 307}:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


class TestRemote:
    @pytest.fixture
    def key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @pytest.fixture(autouse=True)
    def _token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(remote.TOKEN_VARIABLE, TOKEN)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: ec.generate_private_key(ec.SECP384R1()),
            ed25519.Ed25519PrivateKey.generate,
            lambda: rsa.generate_private_key(65537, 2048),
        ],
    )
    def test_a_server_signs_a_picture(self, make: Callable[[], Any], tmp_path: Path) -> None:
        key = make()
        with _serving(_reference(_chain(tmp_path, key.public_key()), key)) as host:
            signer = _signer(f"http://{host}/v1", tmp_path)
            _require_release(signer, tmp_path)
            assert TOKEN not in repr(signer)

    def test_it_keeps_the_contract(self, key: Any, tmp_path: Path) -> None:
        with _serving(_reference(_chain(tmp_path, key.public_key()), key)) as host:
            _require_contract(_signer(f"http://{host}", tmp_path))

    def test_a_wrong_token_is_refused(self, key: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(remote.TOKEN_VARIABLE, "another")
        with (
            _serving(_reference(_chain(tmp_path, key.public_key()), key)) as host,
            pytest.raises(SigningError) as caught,
        ):
            _signer(f"http://{host}", tmp_path)
        assert caught.value.code == "signing.refused"

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (500, b"{}", "signing.unreachable"),
            (307, b"", "signing.unreachable"),
            (200, b"<html>", "signing.answer"),
            (200, b"[1]", "signing.answer"),
            (200, b"{}", "signing.answer"),
            (200, b'{"signature": "%%%"}', "signing.answer"),
            (200, b'{"signature": ""}', "signing.answer"),
            (200, b'{"signature": 5}', "signing.answer"),
            (200, b'{"signature": "' + b"A" * 300_000 + b'"}', "signing.answer"),
            (200, b'{"signature": "' + base64.b64encode(bytes(64)) + b'"}', "signing.mismatch"),
        ],
    )
    def test_whatever_it_answers_nothing_is_released(
        self, key: Any, status: int, body: bytes, code: str, tmp_path: Path
    ) -> None:
        chain = _chain(tmp_path, key.public_key())
        from cryptography import x509

        ders = [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(chain.read_bytes())]
        credential = json.dumps({"alg": "es256", "chain": [base64.b64encode(each).decode() for each in ders]})

        def answer(path: str, _asked: dict[str, Any]) -> tuple[int, bytes]:
            return (200, credential.encode()) if path.endswith("/credential") else (status, body)

        with _serving(_answering(answer)) as host:
            _require_nothing(_signer(f"http://{host}", tmp_path), tmp_path, code)

    def test_one_that_hangs_is_left(self, key: Any, tmp_path: Path) -> None:
        waiting = threading.Event()
        server = _reference(_chain(tmp_path, key.public_key()), key)
        handler = server.RequestHandlerClass
        with _serving(server) as host, pytest.MonkeyPatch.context() as patch:
            signer = _signer(f"http://{host}?timeout=0.5", tmp_path)
            patch.setattr(handler, "do_POST", lambda _self: waiting.wait(5))
            _require_nothing(signer, tmp_path, "signing.unreachable")
            waiting.set()

    def test_one_that_drips_is_left(self, tmp_path: Path) -> None:
        def drip(path: str, _asked: dict[str, Any]) -> tuple[int, bytes]:
            del path
            time.sleep(0.4)
            return 200, b"{}"

        with _serving(_answering(drip)) as host, pytest.raises(SigningError) as caught:
            _signer(f"http://{host}?timeout=0.2", tmp_path)
        assert caught.value.code == "signing.unreachable"

    def test_one_that_drips_headers_is_left(self, tmp_path: Path) -> None:
        """Each byte comes within the socket's own time-out."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 40:
                        self.wfile.write(bytes((letter,)))
                        self.wfile.flush()
                        time.sleep(0.1)
                except OSError:
                    pass

            def log_message(self, *_: object) -> None:
                pass

        with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as host:
            started = time.monotonic()
            with pytest.raises(SigningError) as caught:
                _signer(f"http://{host}?timeout=0.5", tmp_path)
        assert caught.value.code == "signing.unreachable"
        assert time.monotonic() - started < 5

    @pytest.mark.parametrize("chain", [[], ["AAAA"], "x", [5], None])
    def test_a_credential_that_is_none_is_refused(self, chain: object, tmp_path: Path) -> None:
        body = json.dumps({"alg": "es256", "chain": chain}).encode()
        with _serving(_answering(lambda *_: (200, body))) as host, pytest.raises(SigningError) as caught:
            _signer(f"http://{host}", tmp_path)
        assert caught.value.code == "signing.answer"

    @pytest.mark.parametrize(
        "uri", ["http://example.org/sign", "https://user:x@example.org", "https:", "http://127.0.0.1:1/%00"]
    )
    def test_addresses_that_are_none_of_ours(self, uri: str, tmp_path: Path) -> None:
        with pytest.raises(SigningError) as caught:
            _signer(uri, tmp_path)
        assert caught.value.code in {"signing.address", "signing.unreachable"}

    def test_the_certificate_of_the_server_counts(self, key: Any, tmp_path: Path) -> None:
        """Over TLS with an authority that is not believed nothing is asked; with ``ca`` it is."""
        own = _tls_file(tmp_path, "server")
        server = _reference(_chain(tmp_path, key.public_key()), key)
        server.secure(own, None)
        with _serving(server) as host:
            address = f"https://localhost:{host.rpartition(':')[2]}"
            with pytest.raises(SigningError) as caught:
                _signer(address, tmp_path)
            assert caught.value.code == "signing.unreachable"
            _require_release(_signer(f"{address}?ca={own}", tmp_path), tmp_path)

    def test_the_certificate_of_the_client_counts_where_the_server_wants_one(self, key: Any, tmp_path: Path) -> None:
        own, client, stranger = (_tls_file(tmp_path, name) for name in ("server", "client", "stranger"))
        server = _reference(_chain(tmp_path, key.public_key()), key)
        server.secure(own, client)
        with _serving(server) as host:
            address = f"https://localhost:{host.rpartition(':')[2]}?ca={own}"
            for wrong in ("", f"&client={stranger}"):
                with pytest.raises(SigningError) as caught:
                    _signer(address + wrong, tmp_path)
                assert caught.value.code == "signing.unreachable"
            _require_release(_signer(f"{address}&client={client}", tmp_path), tmp_path)

    @pytest.mark.timeout(20)
    def test_a_client_key_that_is_locked_is_told_and_not_asked_for_by_others(self, tmp_path: Path) -> None:
        """OpenSSL would ask at the terminal by itself."""
        locked = _tls_file(tmp_path, "client", b"open sesame")
        with pytest.raises(SigningError) as caught:
            _signer(f"https://localhost:9?client={locked}", tmp_path)
        assert caught.value.code == "signing.unreadable"
        set_prompt(lambda _: "open sesame")
        try:
            with pytest.raises(SigningError) as caught:
                _signer(f"https://localhost:9?client={locked}", tmp_path)
        finally:
            set_prompt(None)
        assert caught.value.code == "signing.unreachable"  # it got as far as asking a server that is not there


def _tls_file(folder: Path, name: str, password: bytes | None = None) -> Path:
    """Write a certificate that vouches for itself, and its key, as servers and clients of TLS want them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now() - timedelta(hours=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    lock: KeySerializationEncryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    file = folder / f"{name}.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    )
    return file


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token of its own for this process: SoftHSM reads its configuration once."""
    folder = tmp_path_factory.mktemp("hsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "test", "--pin", "1234", "--so-pin", "0000"],  # noqa: S607 - from PATH
        check=True,
        capture_output=True,
    )
    return folder


@pytest.mark.skipif(SOFTHSM is None or shutil.which("softhsm2-util") is None, reason="SoftHSM is not installed")
class TestToken:
    @pytest.fixture(autouse=True)
    def _pin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from sdsafe.provenance.signing.token import PIN_VARIABLE

        monkeypatch.setenv(PIN_VARIABLE, "1234")

    def _make(self, label: str, kind: str) -> Any:
        """Make a key pair on the token, and return its public half."""
        import pkcs11
        from pkcs11.util import ec as pkcs11_ec
        from pkcs11.util import rsa as pkcs11_rsa

        with pkcs11.lib(str(SOFTHSM)).get_token(token_label="test").open(user_pin="1234", rw=True) as session:
            if kind == "ps256":
                public, _ = session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label=label)
                return load_der_public_key(_rsa_spki(pkcs11_rsa.encode_rsa_public_key(public)))
            if kind == "ed25519":
                edwards = session.create_domain_parameters(
                    pkcs11.KeyType.EC_EDWARDS,
                    {pkcs11.Attribute.EC_PARAMS: bytes.fromhex("06032b6570")},  # its OID: 1.3.101.112
                    local=True,
                )
                public, _ = edwards.generate_keypair(store=True, label=label)
                return ed25519.Ed25519PublicKey.from_public_bytes(bytes(public[pkcs11.Attribute.EC_POINT])[-32:])
            curve = {"es256": "secp256r1", "es384": "secp384r1"}[kind]
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC,
                {pkcs11.Attribute.EC_PARAMS: pkcs11_ec.encode_named_curve_parameters(curve)},
                local=True,
            )
            public, _ = parameters.generate_keypair(store=True, label=label)
            return load_der_public_key(pkcs11_ec.encode_ec_public_key(public))

    @pytest.mark.parametrize("kind", ["es256", "es384", "ps256", "ed25519"])
    def test_a_token_signs_a_picture(self, tokens: Path, kind: str, tmp_path: Path) -> None:
        del tokens
        chain = _chain(tmp_path, self._make(f"key-{kind}", kind))
        signer = _signer(f"pkcs11:test?module={SOFTHSM}&object=key-{kind}&chain={chain}", tmp_path)
        assert signer.alg == kind
        _require_release(signer, tmp_path)
        second = _signer(f"pkcs11:test?module={SOFTHSM}&object=key-{kind}&chain={chain}", tmp_path)
        assert second.sign(b"a claim")  # one process may open a token twice
        for each in (signer, second):
            each.close()

    def test_it_keeps_the_contract(self, tokens: Path, tmp_path: Path) -> None:
        del tokens
        chain = _chain(tmp_path, self._make("contract", "es256"))
        signer = _signer(f"pkcs11:test?module={SOFTHSM}&object=contract&chain={chain}", tmp_path)
        _require_contract(signer)
        signer.close()

    @pytest.mark.parametrize("kind", ["es256", "es384", "ps256", "ed25519"])
    def test_a_key_without_certificates_asks_for_one(self, tokens: Path, kind: str, tmp_path: Path) -> None:
        del tokens
        public = self._make(f"new-{kind}", kind)
        _require_request("pkcs11", {"path": "test", "module": str(SOFTHSM), "object": f"new-{kind}"}, public, tmp_path)

    def test_a_wrong_pin_a_missing_token_and_a_missing_key(
        self, tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from sdsafe.provenance.signing.token import PIN_VARIABLE

        del tokens
        chain = _chain(tmp_path, self._make("key-of-errors", "es256"))
        for uri, code in (
            (f"pkcs11:nothing?module={SOFTHSM}&object=key-of-errors&chain={chain}", "signing.missing"),
            (f"pkcs11:test?module={SOFTHSM}&object=nothing&chain={chain}", "signing.missing"),
            (f"pkcs11:test?module=/nowhere.so&object=x&chain={chain}", "signing.missing"),
            (f"pkcs11:test?module={chain}&object=x&chain={chain}", "signing.unreachable"),
            (f"pkcs11:test?module={SOFTHSM}&chain={chain}", "signing.uri"),
            (f"pkcs11:test?module={SOFTHSM}&object=x", "signing.missing"),
        ):
            with pytest.raises(SigningError) as caught:
                _signer(uri, tmp_path)
            assert caught.value.code == code, uri
        monkeypatch.setenv(PIN_VARIABLE, "4321")
        with pytest.raises(SigningError) as caught:
            _signer(f"pkcs11:test?module={SOFTHSM}&object=key-of-errors&chain={chain}", tmp_path)
        assert caught.value.code == "signing.password"
        assert "4321" not in str(caught.value)

    def test_another_key_than_the_certificate_releases_nothing(self, tokens: Path, tmp_path: Path) -> None:
        del tokens
        self._make("key-other", "es256")
        chain = _chain(tmp_path, ec.generate_private_key(ec.SECP256R1()).public_key())
        signer = _signer(f"pkcs11:test?module={SOFTHSM}&object=key-other&chain={chain}", tmp_path)
        _require_nothing(signer, tmp_path, "signing.mismatch")
        signer.close()

    def test_a_token_that_was_removed_releases_nothing_and_comes_back(self, tokens: Path, tmp_path: Path) -> None:
        chain = _chain(tmp_path, self._make("key-removed", "es256"))
        signer = _signer(f"pkcs11:test?module={SOFTHSM}&object=key-removed&chain={chain}", tmp_path)
        away = tokens / "away"
        (tokens / "tokens").rename(away)
        try:
            _require_nothing(signer, tmp_path, "signing.unreachable")
        finally:
            away.rename(tokens / "tokens")
        _require_release(signer, tmp_path / "again")
        signer.close()


def _rsa_spki(pkcs1: bytes) -> bytes:
    from asn1crypto import keys

    return bytes(keys.PublicKeyInfo.wrap(keys.RSAPublicKey.load(pkcs1), "rsa").dump())


class TestAwsKms:
    @pytest.fixture(autouse=True)
    def _account(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        moto = pytest.importorskip("moto")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        with moto.mock_aws():
            yield

    def _made(self, spec: str, folder: Path) -> tuple[str, Path]:
        import boto3

        client = boto3.client("kms", region_name="eu-central-1")
        key = client.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        public = load_der_public_key(client.get_public_key(KeyId=key)["PublicKey"])
        return key, _chain(folder, public)

    @pytest.mark.parametrize(("spec", "alg"), [("ECC_NIST_P256", "es256"), ("ECC_NIST_P384", "es384")])
    def test_it_signs_a_picture(self, spec: str, alg: str, tmp_path: Path) -> None:
        key, chain = self._made(spec, tmp_path)
        signer = _signer(f"awskms:{key}?region=eu-central-1&chain={chain}", tmp_path)
        assert signer.alg == alg
        assert key not in repr(signer)
        _require_contract(signer, 1, 2_500)  # moto hashes digests once more; AWS, whose word counts, does not
        _require_release(signer, tmp_path)

    def test_a_key_without_certificates_asks_for_one(self, tmp_path: Path) -> None:
        key, chain = self._made("ECC_NIST_P256", tmp_path)
        public = x509.load_pem_x509_certificates(chain.read_bytes())[0].public_key()
        _require_request("awskms", {"path": key, "region": "eu-central-1"}, public, tmp_path)
        with pytest.raises(SigningError) as caught:
            _require_request("awskms", {"path": "alias/nothing", "region": "eu-central-1"}, public, tmp_path)
        assert caught.value.code == "signing.refused"

    def test_a_signature_with_another_salt_is_no_release(self, tmp_path: Path) -> None:
        """moto salts RSA as long as it goes; AWS, like C2PA, as long as the digest. What does not verify stays here."""
        key, chain = self._made("RSA_2048", tmp_path)
        signer = _signer(f"awskms:{key}?region=eu-central-1&chain={chain}", tmp_path)
        _require_nothing(signer, tmp_path, "signing.mismatch")

    def test_a_key_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        _, chain = self._made("ECC_NIST_P256", tmp_path)
        signer = _signer(f"awskms:1234abcd-0000-0000-0000-000000000000?region=eu-central-1&chain={chain}", tmp_path)
        _require_nothing(signer, tmp_path, "signing.refused")

    @pytest.mark.parametrize(
        ("code", "means"),
        [("ThrottlingException", "signing.throttled"), ("LimitExceededException", "signing.throttled"),
         ("AccessDeniedException", "signing.refused"), ("KMSInternalException", "signing.refused")],
    )  # fmt: skip
    def test_what_the_service_says_is_told_in_our_words(self, code: str, means: str, tmp_path: Path) -> None:
        from botocore.exceptions import ClientError

        from sdsafe.provenance.signing.elsewhere import Credential
        from sdsafe.provenance.signing.kms import AwsKmsSigner

        class Throttled:
            def sign(self, **_: object) -> object:
                raise ClientError({"Error": {"Code": code, "Message": "arn:aws:kms:secret"}}, "Sign")

        _, chain = self._made("ECC_NIST_P256", tmp_path)
        signer = AwsKmsSigner(Throttled(), "key", Credential.read(chain))
        with pytest.raises(SigningError) as caught:
            signer.sign(b"a claim")
        assert caught.value.code == means
        assert "arn" not in str(caught.value)
        _require_nothing(signer, tmp_path, means)

    def test_a_service_that_cannot_be_reached_is_left_in_time(self, tmp_path: Path) -> None:
        import moto.core.models

        _, chain = self._made("ECC_NIST_P256", tmp_path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(moto.core.models.botocore_stubber, "enabled", False)
            signer = _signer(f"awskms:k?region=eu-central-1&endpoint=http://127.0.0.1:9&chain={chain}", tmp_path)
            _require_nothing(signer, tmp_path, "signing.unreachable")

    @pytest.mark.parametrize("kind", ["es384", "ps256"])
    def test_long_claims_are_signed_by_their_digest(self, kind: str, tmp_path: Path) -> None:
        """As the service documents it: of more than 4096 bytes it takes the digest, and does not hash it again."""
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

        from sdsafe.provenance.signing.elsewhere import Credential
        from sdsafe.provenance.signing.kms import AwsKmsSigner

        key: Any = ec.generate_private_key(ec.SECP384R1()) if kind == "es384" else rsa.generate_private_key(65537, 2048)
        digest = hashes.SHA384() if kind == "es384" else hashes.SHA256()

        class Service:
            def sign(self, **asked: Any) -> dict[str, bytes]:
                message, raw = asked["Message"], asked["MessageType"] == "RAW"
                assert asked["SigningAlgorithm"] == {"es384": "ECDSA_SHA_384", "ps256": "RSASSA_PSS_SHA_256"}[kind]
                assert (len(message) <= 4096) if raw else (len(message) == digest.digest_size)
                hashed = digest if raw else Prehashed(digest)
                if kind == "es384":
                    return {"Signature": key.sign(message, ec.ECDSA(hashed))}
                return {"Signature": key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), hashed)}

        chain = _chain(tmp_path, key.public_key())
        _require_contract(AwsKmsSigner(Service(), "key", Credential.read(chain)))

    def test_ed25519_is_not_offered(self, tmp_path: Path) -> None:
        chain = _chain(tmp_path, ed25519.Ed25519PrivateKey.generate().public_key())
        with pytest.raises(SigningError) as caught:
            _signer(f"awskms:k?region=eu-central-1&chain={chain}", tmp_path)
        assert caught.value.code == "signing.unsupported"


@pytest.mark.parametrize(
    ("uri", "module", "extra"),
    [
        ("pkcs11:test?module=/x.so&object=k&chain=/x.pem", "token", "pkcs11"),
        ("awskms:k?region=eu-central-1&chain=/x.pem", "kms", "kms-aws"),
    ],
)
def test_what_is_not_installed_is_named(
    uri: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"sdsafe.provenance.signing.{module}.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError) as caught:
        _signer(uri, tmp_path)
    assert f"sdsafe[{extra}]" in caught.value.hint


class TestVault:
    """A server that answers as Vault's transit engine does (its API documentation), with real keys."""

    @pytest.fixture(autouse=True)
    def _token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)

    def _vault(self, key: Any) -> ThreadingHTTPServer:
        def answer(path: str, asked: dict[str, Any]) -> tuple[int, bytes]:
            if path == "/v1/transit/keys/pictures":
                shown = (
                    {"name": "ed25519", "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode()}
                    if isinstance(key, ed25519.Ed25519PrivateKey)
                    else {
                        "name": "P-256",
                        "public_key": key.public_key()
                        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                        .decode(),
                    }
                )
                old = {"name": "P-256", "public_key": "of an older version"}
                return 200, json.dumps({"data": {"latest_version": 2, "keys": {"1": old, "2": shown}}}).encode()
            if path != "/v1/transit/sign/pictures":
                return 404, b'{"errors": []}'
            data = base64.b64decode(asked["input"])
            if isinstance(key, ed25519.Ed25519PrivateKey):
                text = base64.b64encode(key.sign(data)).decode()
            elif isinstance(key, rsa.RSAPrivateKey):
                assert (asked["signature_algorithm"], asked["salt_length"]) == ("pss", "hash")
                pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
                text = base64.b64encode(key.sign(data, pss, hashes.SHA256())).decode()
            else:
                from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

                assert (asked["marshaling_algorithm"], asked["hash_algorithm"]) == ("jws", "sha2-256")
                r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
                raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
                text = base64.urlsafe_b64encode(raw).decode().rstrip("=")
            return 200, json.dumps({"data": {"signature": f"vault:v1:{text}"}}).encode()

        return _answering(answer)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: ec.generate_private_key(ec.SECP256R1()),
            lambda: rsa.generate_private_key(65537, 2048),
            ed25519.Ed25519PrivateKey.generate,
        ],
    )
    def test_it_signs_a_picture(self, make: Callable[[], Any], tmp_path: Path) -> None:
        key = make()
        chain = _chain(tmp_path, key.public_key())
        with _serving(self._vault(key)) as host:
            signer = _signer(f"vault:pictures?address=http://{host}&chain={chain}", tmp_path)
            assert TOKEN not in repr(signer)
            _require_contract(signer)
            _require_request("vault", {"path": "pictures", "address": f"http://{host}"}, key.public_key(), tmp_path)
            _require_release(signer, tmp_path)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"{}", "signing.answer"),
            (b'{"data": {"signature": "vault:v1"}}', "signing.answer"),
            (b'{"data": {"signature": "other:v1:AAAA"}}', "signing.answer"),
            (b'{"data": {"signature": "vault:v1:%%%"}}', "signing.answer"),
            (b'{"data": {"signature": "vault:v1:AAAA"}}', "signing.mismatch"),
        ],
    )
    def test_other_answers_release_nothing(self, body: bytes, code: str, tmp_path: Path) -> None:
        chain = _chain(tmp_path, ec.generate_private_key(ec.SECP256R1()).public_key())
        with _serving(_answering(lambda *_: (200, body))) as host:
            signer = _signer(f"vault:pictures?address=http://{host}&chain={chain}", tmp_path)
            _require_nothing(signer, tmp_path, code)

    @pytest.mark.parametrize(
        "body",
        [
            b"{}",
            b'{"data": {"latest_version": 1, "keys": {"1": 1700000000}}}',  # a key that encrypts shows a date
            b'{"data": {"latest_version": 1, "keys": {"1": {"name": "P-256", "public_key": "?"}}}}',
            b'{"data": {"latest_version": 1, "keys": {"1": {"name": "ed25519", "public_key": "AAAA"}}}}',
        ],
    )
    def test_a_key_that_shows_no_public_half_cannot_ask(self, body: bytes, tmp_path: Path) -> None:
        with _serving(_answering(lambda _path, _asked: (200, body))) as host:
            options: dict[str, object] = {"path": "pictures", "address": f"http://{host}", "chain": NO_CHAIN}
            with pytest.raises(SigningError) as caught:
                load("sdsafe.signers", "vault", Places(state=tmp_path, cache=tmp_path), options)
            assert caught.value.code == "signing.answer"

    def test_a_key_without_name_and_a_missing_token(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        chain = _chain(tmp_path, ec.generate_private_key(ec.SECP256R1()).public_key())
        for uri in (
            f"vault:?chain={chain}",
            f"vault:a/../b?address=https://h&chain={chain}",
            "vault:k?address=ftp://h",
        ):
            with pytest.raises(SigningError):
                _signer(uri, tmp_path)
        monkeypatch.delenv("VAULT_TOKEN")
        with pytest.raises(SigningError, match="needs a token"):
            vault.VaultSigner.configure(
                Places(state=tmp_path, cache=tmp_path), {"path": "k", "address": "https://h", "chain": str(chain)}
            )
