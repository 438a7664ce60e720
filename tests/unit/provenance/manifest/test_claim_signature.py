from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.clock import now
from sdsafe.core.states import Asset
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.jumbf import parse
from sdsafe.provenance.manifest.signature import SignatureUnreadable, read_claim_signature
from sdsafe.provenance.signing._issue import issue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.states import Encoded
    from sdsafe.provenance.signing.local import FileSigner


@pytest.fixture(scope="module")
def store(sign: Callable[..., tuple[Asset, bytes]], encoded: Encoded) -> bytes:
    return sign(encoded)[1]


@pytest.fixture(scope="module")
def label(store: bytes) -> str:
    return parse(store).children[-1].label


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def _super(kind: bytes, label: str, *children: bytes) -> bytes:
    uuid = kind + bytes.fromhex("00110010800000AA00389B71")
    return _box(b"jumb", _box(b"jumd", uuid + b"\x03" + label.encode() + b"\0") + b"".join(children))


def _store(*manifests: bytes) -> bytes:
    return _super(b"c2pa", "c2pa", *manifests)


def _manifest(label: str, *signatures: bytes, claim: bytes = b"\xa0") -> bytes:
    return _super(
        b"c2ma",
        label,
        _super(b"c2as", "c2pa.assertions"),
        _super(b"c2cl", "c2pa.claim.v2", _box(b"cbor", claim)),
        *(_super(b"c2cs", "c2pa.signature", _box(b"cbor", each)) for each in signatures),
    )


def _parts(store: bytes) -> tuple[bytes, dict[Any, Any], bytes, bytes]:
    """(protected, unprotected, signature, claim) of the store's one manifest."""
    sections = {s.kind: s for s in parse(store).children[1].children[1:]}
    message = cbor2.loads(sections[b"c2cs"].children[1].content)
    protected, unprotected, _, signature = message.value
    return protected, dict(unprotected), signature, sections[b"c2cl"].children[1].content


def _sign1(protected: bytes, unprotected: dict[Any, Any], signature: bytes) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, None, signature]))


def test_our_own_signature_holds(store: bytes, label: str, signer: FileSigner) -> None:
    found = read_claim_signature(store, label)
    assert found.holds
    assert found.alg == "es256"
    assert found.chain == signer.certificate_chain


def test_a_rebuilt_store_reads_the_same(store: bytes, signer: FileSigner) -> None:
    protected, _, signature, claim = _parts(store)
    rebuilt = _store(_manifest("m", _sign1(protected, {}, signature), claim=claim))
    assert read_claim_signature(rebuilt, "m").holds


@pytest.mark.parametrize("part", ["claim", "signature", "protected"])
def test_any_other_claim_signature_or_header_does_not_hold(store: bytes, part: str) -> None:
    protected, _, signature, claim = _parts(store)
    if part == "claim":
        claim = claim.replace(b"sdsafe", b"sdsave", 1)
    elif part == "signature":
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    else:
        header = dict(cbor2.loads(protected))
        protected = cbor2.dumps({**header, 99: "more"})
    rebuilt = _store(_manifest("m", _sign1(protected, {}, signature), claim=claim))
    assert not read_claim_signature(rebuilt, "m").holds


def test_a_chain_that_did_not_sign_does_not_hold(store: bytes) -> None:
    """The bypass this guards against: a trusted chain beside a signature by somebody else."""
    protected, _, signature, claim = _parts(store)
    stranger = issue("stranger", now()).leaf.public_bytes(Encoding.DER)
    header = dict(cbor2.loads(protected)) | {33: stranger}
    rebuilt = _store(_manifest("m", _sign1(cbor2.dumps(header), {}, signature), claim=claim))
    assert not read_claim_signature(rebuilt, "m").holds


def test_two_chains_are_refused(store: bytes) -> None:
    protected, _, signature, claim = _parts(store)
    second = {"x5chain": issue("stranger", now()).leaf.public_bytes(Encoding.DER)}
    rebuilt = _store(_manifest("m", _sign1(protected, second, signature), claim=claim))
    with pytest.raises(SignatureUnreadable, match="2 certificate chains"):
        read_claim_signature(rebuilt, "m")


def test_an_old_claim_may_have_its_chain_unprotected(store: bytes, signer: FileSigner) -> None:
    protected = cbor2.dumps({1: -7})
    _, _, _, claim = _parts(store)
    signature = signer.sign(cbor2.dumps(["Signature1", protected, b"", claim]))
    unprotected = {"x5chain": list(signer.certificate_chain)}
    rebuilt = _store(_manifest("m", _sign1(protected, unprotected, signature), claim=claim))
    assert read_claim_signature(rebuilt, "m").holds


@pytest.mark.parametrize("alg", [None, -257, -65535, "ES256", [1], 0])
def test_an_algorithm_that_c2pa_does_not_name_is_refused(store: bytes, alg: object) -> None:
    protected, _, signature, claim = _parts(store)
    header = dict(cbor2.loads(protected)) | {1: alg}
    rebuilt = _store(_manifest("m", _sign1(cbor2.dumps(header), {}, signature), claim=claim))
    with pytest.raises(SignatureUnreadable, match="algorithm"):
        read_claim_signature(rebuilt, "m")


@pytest.mark.parametrize("alg", [-8, -37])
def test_an_algorithm_that_does_not_fit_the_key_does_not_hold(store: bytes, alg: int) -> None:
    protected, _, signature, claim = _parts(store)
    header = dict(cbor2.loads(protected)) | {1: alg}
    rebuilt = _store(_manifest("m", _sign1(cbor2.dumps(header), {}, signature), claim=claim))
    assert not read_claim_signature(rebuilt, "m").holds


def test_a_signature_of_odd_length_does_not_hold(store: bytes) -> None:
    protected, _, signature, claim = _parts(store)
    rebuilt = _store(_manifest("m", _sign1(protected, {}, signature[:-1]), claim=claim))
    assert not read_claim_signature(rebuilt, "m").holds


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff",
        cbor2.dumps([]),
        cbor2.dumps(["a", {}, None, b""]),
        cbor2.dumps([b"", {}, None, b""]),
        cbor2.dumps([b"\x01", {}, None, b""]),
        cbor2.dumps([b"\xa0", 1, None, b""]),
        cbor2.dumps([b"\xa0", {}, b"payload", b""]),
        cbor2.dumps(cbor2.CBORTag(98, [b"\xa0", {}, None, b""])),
        b"\x81" * 5000,
    ],
    ids=range(10),
)
def test_anything_else_is_refused(message: bytes) -> None:
    with pytest.raises(SignatureUnreadable):
        read_claim_signature(_store(_manifest("m", message)), "m")


@pytest.mark.parametrize("chain", [[], [1], b"not a certificate", "text", [b""], {}])
def test_a_chain_that_is_none_is_refused_or_does_not_hold(chain: object) -> None:
    message = cbor2.dumps([cbor2.dumps({1: -7, 33: chain}), {}, None, b"\0" * 64])
    with contextlib.suppress(SignatureUnreadable):
        assert not read_claim_signature(_store(_manifest("m", message)), "m").holds


def test_ambiguous_stores_are_refused(store: bytes) -> None:
    protected, unprotected, signature, claim = _parts(store)
    message = _sign1(protected, unprotected, signature)
    one = _manifest("m", message, claim=claim)
    for ambiguous in (
        _store(one, one),
        _store(_manifest("m", message, message, claim=claim)),
        _store(_manifest("m", claim=claim)),
        _store(_manifest("other", message, claim=claim)),
        one,
        b"",
    ):
        with pytest.raises(SignatureUnreadable):
            read_claim_signature(ambiguous, "m")


@pytest.mark.parametrize(("name", "holds"), [("C.jpg", True), ("CAI.jpg", True), ("E-sig-CA.jpg", False)])
def test_signatures_of_others(shared_data: Path, name: str, holds: bool) -> None:
    """What claims of version 1 look like: PS256, and the chain in the unprotected header."""
    data = (shared_data / "c2pa-testfiles" / name).read_bytes()
    reading = _c2pa.read(Asset(data=data, media_type="image/jpeg"))
    found = read_claim_signature(reading.store, reading.label)
    assert (found.alg, found.holds) == ("ps256", holds)
