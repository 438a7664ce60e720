"""With a time-stamp authority of our own: what an RFC 3161 token proves, and for whom."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.provenance.manifest._c2pa import contexts
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.trust.probe import TrustProbe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sdsafe.core.states import Asset, Encoded

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

_CONFIG = """[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bytes]]:
    """A time-stamp authority on loopback: its address, and its root as PEM."""
    folder = tmp_path_factory.mktemp("tsa")
    root = _write_authority(folder)
    (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            command = [
                "openssl",
                "ts",
                "-reply",
                "-config",
                str(folder / "tsa.cnf"),
                "-queryfile",
                str(folder / "query"),
            ]
            answer = subprocess.run([*command, "-out", folder / "reply"], check=False, capture_output=True)
            self.send_response(200 if answer.returncode == 0 else 500)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write((folder / "reply").read_bytes())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", root
    server.shutdown()
    server.server_close()
    thread.join()


def _write_authority(folder: Path) -> bytes:
    def name(common: str) -> x509.Name:
        return x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "T"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
        )

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("tsa root"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=9))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
            .add_extension(x509.KeyUsage(not ca, not ca, False, False, False, ca, ca, False, False), critical=True)
        )
        if not ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        return builder.sign(root_key, hashes.SHA256())

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "tsa.pem").write_bytes(certificate("tsa", key, ca=False).public_bytes(Encoding.PEM))
    return certificate("tsa root", root_key, ca=True).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def stamped(authority: tuple[str, bytes], encoded: Encoded) -> tuple[Asset, bytes]:
    """An asset with a time-stamp whose leaf has expired since, and the root of its signer."""
    now = datetime.now(UTC)
    hierarchy = issue("stamped", now, leaf_days=4 / 86_400)
    pem = hierarchy.leaf.public_bytes(Encoding.PEM) + hierarchy.issuing.public_bytes(Encoding.PEM)
    definition = define(encoded, generator="sdsafe", version="0", when="2026-11-22T07:00:00Z", title="x")
    native = c2pa.Signer.from_callback(
        lambda data: hierarchy.leaf_key.sign(data, ec.ECDSA(hashes.SHA256())),
        c2pa.C2paSigningAlg.ES256,
        pem.decode(),
        authority[0],
    )
    builder = c2pa.Builder(
        definition.to_json(),
        c2pa.Context.from_dict({"verify": {"verify_after_sign": False}, "builder": {"thumbnail": {"enabled": False}}}),
    )
    for identifier, content in definition.resources.items():
        builder.add_resource(identifier, io.BytesIO(content))
    result = io.BytesIO()
    builder.sign(native, "image/png", io.BytesIO(encoded.asset.data), result)
    native.close()
    time.sleep(max(0.0, 5.1 - (datetime.now(UTC) - now).total_seconds()))
    return replace(encoded.asset, data=result.getvalue()), hierarchy.root.public_bytes(Encoding.PEM)


def test_a_trusted_time_stamp_keeps_an_expired_certificate_good(
    stamped: tuple[Asset, bytes], authority: tuple[str, bytes]
) -> None:
    asset, root = stamped
    seen = ManifestProbe(time_anchors=[authority[1]]).examine(asset, Evidence())
    assert seen.manifest is ManifestState.VALID
    assert seen.summary is not None
    assert seen.summary.signature_time is not None
    assert abs(datetime.fromisoformat(seen.summary.signature_time) - datetime.now(UTC)) < timedelta(minutes=5)
    policy = TrustPolicy(anchors={ListKind.MANIFEST: (root,), ListKind.TSA: (authority[1],)})
    assert TrustProbe(policy).examine(asset, seen).manifest is ManifestState.TRUSTED


def test_a_time_stamp_of_a_stranger_proves_nothing(stamped: tuple[Asset, bytes]) -> None:
    seen = ManifestProbe().examine(stamped[0], Evidence())
    assert seen.manifest is ManifestState.INVALID
    assert seen.summary is not None
    assert seen.summary.signature_time is None
    assert "signingCredential.expired" in {f.code for f in seen.findings if f.severity == "failure"}


def test_the_signers_root_is_no_time_stamp_authority(stamped: tuple[Asset, bytes]) -> None:
    asset, root = stamped
    seen = ManifestProbe(time_anchors=[root]).examine(asset, Evidence())
    assert seen.manifest is ManifestState.INVALID


def test_a_time_stamp_authority_makes_no_signer_trusted(
    stamped: tuple[Asset, bytes], authority: tuple[str, bytes]
) -> None:
    asset, root = stamped
    seen = ManifestProbe(time_anchors=[authority[1]]).examine(asset, Evidence())
    for policy in (
        TrustPolicy(anchors={ListKind.TSA: (root, authority[1])}),
        TrustPolicy(anchors={ListKind.MANIFEST: (authority[1],), ListKind.TSA: (root,)}),
    ):
        assert TrustProbe(policy).examine(asset, seen).manifest is ManifestState.VALID


def test_contexts_are_kept_apart_by_their_anchors(authority: tuple[str, bytes]) -> None:
    assert contexts.context(os.getpid(), ()) is not contexts.context(os.getpid(), (authority[1],))
