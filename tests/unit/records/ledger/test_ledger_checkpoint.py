"""Checkpoints are notes that anybody can check."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sdsafe.errors import LedgerError
from sdsafe.records.ledger import checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HEAD = checkpoint.sign(5, b"\x01" * 32, "2026-11-22T07:00:00Z", KEY)


def test_the_note_has_the_form_of_the_specification() -> None:
    note = checkpoint.render_note(HEAD, KEY.public_key())
    text, signature = note.split("\n\n")
    origin, size, root, time = text.split("\n")
    der = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert origin == f"sdsafe.org/ledger/{hashlib.sha256(der).hexdigest()}"
    assert (size, root, time) == ("5", base64.b64encode(b"\x01" * 32).decode(), "time 2026-11-22T07:00:00Z")
    dash, name, blob = signature.rstrip("\n").split(" ")
    raw = KEY.public_key().public_bytes_raw()
    assert (dash, name) == ("\N{EM DASH}", origin)
    assert base64.b64decode(blob)[:4] == hashlib.sha256(origin.encode() + b"\n\x01" + raw).digest()[:4]
    KEY.public_key().verify(base64.b64decode(blob)[4:], (text + "\n").encode())


def test_a_note_reads_back() -> None:
    assert checkpoint.parse_note(checkpoint.render_note(HEAD, KEY.public_key())) == HEAD
    checkpoint.verify(HEAD, KEY.public_key())


@pytest.mark.parametrize(
    "change",
    [
        {"tree_size": 6},
        {"root_hash": b"\x02" * 32},
        {"timestamp": "2026-11-22T07:00:01Z"},
        {"signature": bytes(64)},
        {"signature": b""},
    ],
)
def test_a_changed_checkpoint_does_not_verify(change: dict[str, object]) -> None:
    with pytest.raises(LedgerError) as caught:
        checkpoint.verify(replace(HEAD, **change), KEY.public_key())  # type: ignore[arg-type]
    assert caught.value.code == "ledger.checkpoint"


def test_a_checkpoint_of_another_log_is_called_that() -> None:
    with pytest.raises(LedgerError) as caught:
        checkpoint.verify(HEAD, Ed25519PrivateKey.generate().public_key())
    assert caught.value.code == "ledger.foreign-checkpoint"


@pytest.mark.parametrize(
    "damage",
    [
        lambda note: "",
        lambda note: note[:-1],
        lambda note: note + "\n",
        lambda note: note.replace("sdsafe.org/ledger/", "example.org/"),
        lambda note: note.replace("\n5\n", "\n05\n"),
        lambda note: note.replace("\n5\n", "\n-5\n"),
        lambda note: note.replace("\n5\n", "\n\N{ARABIC-INDIC DIGIT FIVE}\n"),
        lambda note: note.replace("time ", "extension\ntime "),
        lambda note: note.replace("EBAQE=\n", "EBAQF=\n"),
        lambda note: note[:-20] + "\n",
        lambda note: note.replace("\N{EM DASH} ", "\N{EM DASH} other"),
    ],
)
def test_what_is_not_a_note_is_refused(damage: object) -> None:
    with pytest.raises(LedgerError) as caught:
        checkpoint.parse_note(damage(checkpoint.render_note(HEAD, KEY.public_key())))  # type: ignore[operator]
    assert caught.value.code == "ledger.note"
