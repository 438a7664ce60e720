"""A time-stamp authority on the loopback interface: ``openssl ts`` behind a small HTTP server. For tests alone.

It behaves as it is told to, also badly, so that whatever asks authorities can be seen to stand it.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Authority", "serving"]

_DAY = timedelta(days=1)


@dataclass(slots=True)
class Authority:
    """Where it answers, who it is, and how it behaves.

    ``grants``, ``fails`` (HTTP 500), ``redirects``, ``garbage``, ``rejects``, ``hangs`` (3 s), ``drips`` (a byte now
    and then), ``other`` (the reply to an earlier query).
    """

    address: str
    root: bytes
    """PEM of its trust anchor."""
    behaviour: str = "grants"
    queries: list[bytes] = field(default_factory=list)


def _name(common: str) -> x509.Name:
    parts = ((NameOID.COUNTRY_NAME, "XX"), (NameOID.ORGANIZATION_NAME, "test"), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(*each) for each in parts])


def _make(folder: Path) -> bytes:
    now = datetime.now(UTC)
    above, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(subject: str, key: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name("time root"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 800 * _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=1 if ca else None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage), critical=True
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
        )

    root = builder("time root", above.public_key(), ca=True).sign(above, hashes.SHA256())
    stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    leaf = (
        builder("time", own.public_key(), ca=False).add_extension(stamping, critical=True).sign(above, hashes.SHA256())
    )
    pem = root.public_bytes(Encoding.PEM)
    (folder / "root.pem").write_bytes(pem)
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (folder / "leaf.key").write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "serial").write_text("01\n", encoding="ascii")
    (folder / "ts.cnf").write_text(
        f"""[tsa]
default_tsa = it
[it]
serial = {folder}/serial
signer_cert = {folder}/leaf.pem
certs = {folder}/root.pem
signer_key = {folder}/leaf.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
""",
        encoding="utf-8",
    )
    return pem


def _reply(folder: Path, query: bytes) -> bytes:
    (folder / "query").write_bytes(query)
    openssl = shutil.which("openssl") or "openssl"
    files: list[str | Path] = ["-queryfile", folder / "query", "-out", folder / "reply", "-config", folder / "ts.cnf"]
    subprocess.run([openssl, "ts", "-reply", *files], check=True, capture_output=True)
    return (folder / "reply").read_bytes()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.authority.queries.append(query)
        act = getattr(self, f"_{self.server.authority.behaviour}")
        act(query)

    def _grants(self, query: bytes) -> None:
        with self.server.one_at_a_time:  # openssl counts serial numbers in a file
            self.server.granted.append(_reply(self.server.folder, query))
        self._answer(self.server.granted[-1])

    def _other(self, query: bytes) -> None:
        if not self.server.granted:
            self._grants(query)
            return
        self._answer(self.server.granted[0])

    def _fails(self, _query: bytes) -> None:
        self._answer(b"no", 500)

    def _redirects(self, _query: bytes) -> None:
        self.send_response(302)
        self.send_header("Location", self.server.authority.address)
        self.end_headers()

    def _garbage(self, _query: bytes) -> None:
        self._answer(b"\x30\x82 not a reply")

    def _rejects(self, _query: bytes) -> None:
        self._answer(bytes.fromhex("30053003020102"))

    def _hangs(self, _query: bytes) -> None:
        time.sleep(3)

    def _drips(self, _query: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(30):
            self.wfile.write(b"\x30")
            self.wfile.flush()
            time.sleep(0.1)

    def _answer(self, data: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.authority = Authority(address=f"http://127.0.0.1:{self.server_port}/", root=_make(folder))
        self.one_at_a_time = threading.Lock()
        self.granted: list[bytes] = []

    def handle_error(self, *_: object) -> None:
        """Whoever hung up early did so on purpose."""


@contextmanager
def serving(folder: Path) -> Iterator[Authority]:
    """Serve an authority whose keys lie in ``folder``."""
    with _Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.authority
        finally:
            server.shutdown()
            thread.join()
