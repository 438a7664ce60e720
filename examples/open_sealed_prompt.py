"""Open an encrypted prompt without sdsafe: the C2PA library reads the file, cryptography opens, hashlib proves.

python examples/open_sealed_prompt.py AUDITOR_KEY FILE

AUDITOR_KEY is an X25519 private key in PEM. The manifest of FILE holds an envelope (HPKE, RFC 9180) and, beside it, a
commitment: sha256(salt || canonical JSON of the texts). Salt and texts come out of the envelope.
"""

import base64
import hashlib
import json
import sys

import c2pa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def canonical(value: object) -> bytes:
    """Return JSON with sorted keys and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def main() -> int:
    """Print the texts; return 0 if they are what the file commits to."""
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123 - nothing but the plainest Python
        key = load_pem_private_key(file.read(), None)
    if not isinstance(key, X25519PrivateKey):
        sys.exit("not an X25519 key")
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader(sys.argv[2], context=context) as reader:
        manifest = json.loads(reader.json())
        if reader.get_validation_state() not in {"Valid", "Trusted"}:
            sys.exit("the manifest does not hold")
    assertions = manifest["manifests"][manifest["active_manifest"]]["assertions"]
    stated = next(each["data"] for each in assertions if each["label"] == "org.sdsafe.generation")
    envelope, commitment = stated["prompt"]["envelope"], stated["prompt"]["commitment"]
    header = {name: envelope[name] for name in ("version", "scheme", "recipient")}
    binding = canonical({**header, "asset_id": stated["asset_id"], "commitment": commitment})
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    content = json.loads(suite.decrypt(base64.b64decode(envelope["sealed"]), key, binding))
    found = hashlib.sha256(bytes.fromhex(content["salt"]) + canonical(content["texts"])).hexdigest()
    for name, text in content["texts"].items():
        print(f"{name}: {text}")
    print("opens" if found == commitment else "does NOT open", "the commitment", commitment)
    return 0 if found == commitment else 1


if __name__ == "__main__":
    sys.exit(main())
