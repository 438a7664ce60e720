"""A signing server that sdsafe can ask (`--signer https://HOST/PATH`): the key stays here.

    SIGNING_TOKEN=... python signing_server.py --chain chain.pem --key leaf.key --port 8443 --tls server.pem

Needs the package `cryptography` and nothing of sdsafe. It signs whatever bytes a holder of the token sends: put it
behind your own rules, log what it signs, and see "keep the key apart" for a signer that demands receipts.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import os
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

MOST_BYTES = 1 << 20  # a claim has a few KB
CURVES = {256: ("es256", hashes.SHA256()), 384: ("es384", hashes.SHA384()), 521: ("es512", hashes.SHA512())}


def algorithm(key: Key) -> str:
    """Return the C2PA name of a key's algorithm."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    return CURVES[key.key_size][0] if isinstance(key, ec.EllipticCurvePrivateKey) else "ps256"


def sign(key: Key, data: bytes) -> bytes:
    """Return the raw signature: of ECDSA r and s side by side, of RSA with PSS."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(CURVES[key.key_size][1])))
        width = (key.key_size + 7) // 8
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")
    return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


class Handler(BaseHTTPRequestHandler):
    """Answers the two questions of the protocol to whoever shows the token."""

    server: Signing  # it serves no other
    timeout = 10

    def do_GET(self) -> None:
        """Tell the credential."""
        if self.path.endswith("/credential") and self.allowed():
            chain = [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in self.server.chain]
            self.answer(200, {"alg": algorithm(self.server.key), "chain": chain})

    def do_POST(self) -> None:
        """Sign."""
        if not self.path.endswith("/sign") or not self.allowed():
            return
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= MOST_BYTES:
            self.answer(413, {"error": "too long"})
            return
        try:
            asked = json.loads(self.rfile.read(length))
            data, name = base64.b64decode(asked["data"], validate=True), asked["alg"]
        except (ValueError, KeyError, TypeError):
            self.answer(400, {"error": "malformed"})
            return
        if name != algorithm(self.server.key):
            self.answer(400, {"error": "another algorithm"})
            return
        self.answer(200, {"signature": base64.b64encode(sign(self.server.key, data)).decode()})

    def allowed(self) -> bool:
        """Say whether the token was shown, and answer where it was not."""
        shown = self.headers.get("Authorization", "").encode()
        if hmac.compare_digest(shown, f"Bearer {self.server.token}".encode()):
            return True
        self.answer(401, {"error": "token"})
        return False

    def answer(self, status: int, value: object) -> None:
        """Send JSON."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing by itself."""


class Signing(ThreadingHTTPServer):
    """A server with a key, its certificates and the token of whoever may ask."""

    def __init__(self, address: tuple[str, int], chain: list[x509.Certificate], key: Key, token: str) -> None:
        """Listen."""
        super().__init__(address, Handler)
        self.chain, self.key, self.token = chain, key, token

    def secure(self, own: Path, clients: Path | None) -> None:
        """Speak TLS, and only with clients whose certificate one of those authorities issued, where they are given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        # The handshake is left to the thread of each connection: whoever does not finish it holds up nobody else.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chain", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--tls", type=Path, help="PEM file with certificate and key of this server")
    parser.add_argument("--clients", type=Path, help="PEM file with the authorities of those who may connect")
    given = parser.parse_args()
    chain = x509.load_pem_x509_certificates(given.chain.read_bytes())
    key = load_pem_private_key(given.key.read_bytes(), os.environ.get("SIGNING_KEY_PASSWORD", "").encode() or None)
    if not isinstance(key, Key):
        raise SystemExit("this key is of no kind that C2PA knows")
    serving = Signing((given.host, given.port), chain, key, os.environ["SIGNING_TOKEN"])
    if given.tls:
        serving.secure(given.tls, given.clients)
    serving.serve_forever()


if __name__ == "__main__":
    main()
