"""Whether a key that nobody can look at belongs to its certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.clock import now
from sdsafe.errors import SigningError
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.signing.algorithms import ALGORITHMS
from sdsafe.provenance.signing.keyfiles import make_key
from sdsafe.provenance.signing.local import FileSigner
from sdsafe.provenance.signing.proof import prove_match, signature_holds

if TYPE_CHECKING:
    from pathlib import Path


def _signer(alg: str, folder: Path) -> FileSigner:
    key = make_key(folder / "leaf.key", alg, None)
    made = issue("proof", now(), public=key.public_key())
    (folder / "chain.pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (made.leaf, made.issuing)))
    return FileSigner(folder / "chain.pem", folder / "leaf.key", alg=alg)


class Answering:
    """A signer whose certificate is one thing, and what it answers another."""

    def __init__(self, credential: FileSigner, answer: bytes | FileSigner) -> None:
        self.alg, self.certificate_chain, self._answer = credential.alg, credential.certificate_chain, answer
        self.asked: list[bytes] = []

    def sign(self, data: bytes, /) -> bytes:
        self.asked.append(data)
        return self._answer if isinstance(self._answer, bytes) else self._answer.sign(data)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_its_own_key_matches(alg: str, tmp_path: Path) -> None:
    remark = prove_match(_signer(alg, tmp_path))
    assert (remark.rule, remark.ok, remark.must) == ("key-match", True, True)


@pytest.mark.parametrize("alg", ["es256", "ps256", "ed25519"])
def test_another_key_does_not(alg: str, tmp_path: Path) -> None:
    credential, other = _signer(alg, tmp_path / "a"), _signer(alg, tmp_path / "b")
    assert not prove_match(Answering(credential, other)).ok


@pytest.mark.parametrize("answer", [b"", b"x", bytes(64), bytes(63), bytes(4096)])
def test_what_is_no_signature_does_not(answer: bytes, tmp_path: Path) -> None:
    assert not prove_match(Answering(_signer("es256", tmp_path), answer)).ok


def test_what_is_signed_is_no_claim_and_never_twice_the_same(tmp_path: Path) -> None:
    credential = _signer("ed25519", tmp_path)
    asking = Answering(credential, credential)
    for _ in range(2):
        assert prove_match(asking).ok
    first, second = asking.asked
    assert first != second
    assert all(b"this is no claim" in each for each in asking.asked)
    assert not first.startswith(b"\x84")  # how a CBOR array of four begins, which is what is signed for a claim


def test_a_signer_that_fails_is_heard(tmp_path: Path) -> None:
    class Failing(Answering):
        def sign(self, _data: bytes, /) -> bytes:
            raise SigningError("the token was removed", code="signing.unreachable")

    with pytest.raises(SigningError, match="removed"):
        prove_match(Failing(_signer("es256", tmp_path), b""))


def test_an_algorithm_of_another_key_never_holds(tmp_path: Path) -> None:
    signer = _signer("es256", tmp_path)
    leaf = signer.certificate_chain[0]
    signature = signer.sign(b"data")
    assert signature_holds(leaf, "es256", signature, b"data")
    for alg in ("es384", "ps256", "ed25519", "none"):
        assert not signature_holds(leaf, alg, signature, b"data")
    assert not signature_holds(b"no certificate", "es256", signature, b"data")
    assert not signature_holds(leaf, "es256", signature, b"other data")
