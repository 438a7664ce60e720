"""Checkpoints: signed notes that say how many entries a log has and what their root hash is. Pure.

The note is that of C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint), with the time as an extension line::

    sdsafe.org/ledger/<SHA-256 of the public key, hex>
    <number of entries>
    <root hash, base64>
    time <RFC 3339>

    — sdsafe.org/ledger/<...> <base64 of key hash and Ed25519 signature>

The signature covers everything up to the empty line (https://c2sp.org/signed-note). The origin holds the whole
digest of the key, so no two logs share one, and a note says by itself which key it needs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from sdsafe.core.receipts import Checkpoint
from sdsafe.errors import LedgerError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["log_id", "origin", "parse_note", "render_note", "sign", "verify"]

_ORIGIN = "sdsafe.org/ledger/"
_ED25519 = b"\x01"  # signature type of the signed-note format
_KEY_HASH_BYTES = 4
_SIGNATURE_BYTES = 64
_NOTE = re.compile(
    r"(?P<origin>sdsafe\.org/ledger/(?P<log_id>[0-9a-f]{64}))\n"
    r"(?P<size>0|[1-9][0-9]{0,18})\n"
    r"(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"time (?P<time>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)\n"
    r"\n"
    r"\N{EM DASH} (?P=origin) (?P<signature>[A-Za-z0-9+/]+={0,2})\n",
    re.ASCII,
)


def log_id(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the key's SubjectPublicKeyInfo (DER), as hex."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def origin(key: Ed25519PublicKey) -> str:
    """Return the name of the log that signs with ``key``."""
    return _ORIGIN + log_id(key)


def sign(size: int, root: bytes, timestamp: str, key: Ed25519PrivateKey) -> Checkpoint:
    """Return the signed checkpoint of a tree.

    Args:
        size: Number of entries.
        root: Root hash, 32 bytes.
        timestamp: RFC 3339, UTC, whole seconds; for people, order is by ``size``.
        key: The log's own key.
    """
    public = key.public_key()
    name = origin(public)
    return Checkpoint(
        origin=name,
        tree_size=size,
        root_hash=root,
        timestamp=timestamp,
        log_id=log_id(public),
        signature=key.sign(_text(name, size, root, timestamp)),
    )


def verify(checkpoint: Checkpoint, key: Ed25519PublicKey) -> None:
    """Check that ``key`` signed this checkpoint.

    Raises:
        LedgerError: ``ledger.foreign-checkpoint``: it names another key. ``ledger.checkpoint``: the signature is wrong.
    """
    if checkpoint.log_id != log_id(key) or checkpoint.origin != origin(key):
        raise LedgerError(
            "the checkpoint is signed by another log",
            code="ledger.foreign-checkpoint",
            hint="Compare it with the public key that was exported together with it.",
        )
    text = _text(checkpoint.origin, checkpoint.tree_size, checkpoint.root_hash, checkpoint.timestamp)
    try:
        key.verify(checkpoint.signature, text)
    except InvalidSignature:
        raise LedgerError(
            "the checkpoint's signature is wrong",
            code="ledger.checkpoint",
            hint="It was changed after it was signed, or damaged: `sdsafe ledger audit` says where.",
        ) from None


def render_note(checkpoint: Checkpoint, key: Ed25519PublicKey) -> str:
    """Return the signed note: what is exported, published and compared."""
    text = _text(checkpoint.origin, checkpoint.tree_size, checkpoint.root_hash, checkpoint.timestamp)
    blob = base64.b64encode(_key_hash(checkpoint.origin, key) + checkpoint.signature).decode()
    return f"{text.decode()}\n\N{EM DASH} {checkpoint.origin} {blob}\n"


def parse_note(note: str) -> Checkpoint:
    """Read a signed note without judging its signature; ``verify`` does that.

    Raises:
        LedgerError: ``ledger.note``: the text is not a checkpoint of an sdsafe ledger.
    """
    found = _NOTE.fullmatch(note)
    if found is None:
        raise _not_a_note()
    try:
        root = base64.b64decode(found["root"], validate=True)
        blob = base64.b64decode(found["signature"], validate=True)
    except binascii.Error:
        raise _not_a_note() from None
    if len(blob) != _KEY_HASH_BYTES + _SIGNATURE_BYTES or base64.b64encode(root).decode() != found["root"]:
        raise _not_a_note()
    return Checkpoint(
        origin=found["origin"],
        tree_size=int(found["size"]),
        root_hash=root,
        timestamp=found["time"],
        log_id=found["log_id"],
        signature=blob[_KEY_HASH_BYTES:],
    )


def _text(name: str, size: int, root: bytes, timestamp: str) -> bytes:
    return f"{name}\n{size}\n{base64.b64encode(root).decode()}\ntime {timestamp}\n".encode()


def _key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:_KEY_HASH_BYTES]


def _not_a_note() -> LedgerError:
    return LedgerError(
        "the text is not a checkpoint of an sdsafe ledger",
        code="ledger.note",
        hint="Give the file that `sdsafe ledger checkpoint` or `sdsafe ledger export` wrote, unchanged.",
    )
