"""Signers from files keep the contract of their slot; and the contract catches what it is there for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.clock import now
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.signing.keyfiles import make_key
from sdsafe.provenance.signing.local import FileSigner
from sdsafe.testing.signers import SignerContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.protocols import Signer


def _file_signer(folder: Path, alg: str) -> FileSigner:
    key = make_key(folder / "leaf.key", alg, None)
    made = issue("contract", now(), public=key.public_key())
    (folder / "chain.pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (made.leaf, made.issuing)))
    return FileSigner(folder / "chain.pem", folder / "leaf.key", alg=alg)


@pytest.mark.parametrize("alg", ["es256", "ed25519", "ps384"], scope="class")
class TestFileSigner(SignerContract):
    @pytest.fixture(autouse=True)
    def _signer(self, alg: str, tmp_path: Path) -> None:
        self.signer = _file_signer(tmp_path, alg)

    def make(self) -> Signer:
        return self.signer


class _Spoilt:
    """A good signer, one thing of which is spoilt."""

    def __init__(self, good: FileSigner) -> None:
        self._good = good
        self.alg, self.certificate_chain = good.alg, good.certificate_chain

    def sign(self, data: bytes, /) -> bytes:
        return self._good.sign(data)

    def __reduce_ex__(self, _protocol: object) -> Any:
        raise TypeError


def _other_algorithm(signer: Any) -> None:
    signer.alg = "rs256"


def _no_chain(signer: Any) -> None:
    signer.certificate_chain = ()


def _issuer_first(signer: Any) -> None:
    signer.certificate_chain = signer.certificate_chain[::-1]


def _signs_the_same(signer: Any) -> None:
    answer = signer._good.sign(b"always the same")
    signer.sign = lambda _data: answer


def _in_asn1(signer: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    def sign(data: bytes) -> bytes:
        raw = signer._good.sign(data)
        return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    signer.sign = sign


def _shares_a_place(signer: Any) -> None:
    """Keeps what it signs where other threads write, too."""
    import time

    place: list[bytes] = [b""]

    def sign(data: bytes) -> bytes:
        place[0] = data
        time.sleep(0.02)
        found: bytes = signer._good.sign(place[0])
        return found

    signer.sign = sign


@pytest.mark.parametrize(
    ("spoil", "caught_by"),
    [
        (_other_algorithm, "test_its_algorithm_is_one_that_c2pa_names"),
        (_no_chain, "test_its_certificates_keep_every_rule"),
        (_issuer_first, "test_its_certificates_keep_every_rule"),
        (_signs_the_same, "test_the_leaf_verifies_what_it_signs"),
        (_in_asn1, "test_the_leaf_verifies_what_it_signs"),
        (_shares_a_place, "test_threads_may_share_it"),
    ],
)
def test_the_contract_catches(spoil: Callable[[Any], None], caught_by: str, tmp_path: Path) -> None:
    spoilt = _Spoilt(_file_signer(tmp_path, "es256"))
    spoil(spoilt)
    with pytest.raises(AssertionError):
        getattr(_contract(spoilt), caught_by)()


def test_the_contract_catches_what_is_copied_or_shown(tmp_path: Path) -> None:
    class Copied(_Spoilt):
        def __reduce_ex__(self, _protocol: object) -> Any:
            return (str, ("a copy",))

    class Shown(_Spoilt):
        def __repr__(self) -> str:
            return "-----BEGIN PRIVATE KEY-----"

    good = _file_signer(tmp_path, "es256")
    for spoilt, says in ((Copied(good), "copies it"), (Shown(good), "repr shows")):
        with pytest.raises(AssertionError, match=says):
            _contract(spoilt).test_it_shows_and_copies_no_secret()


def _contract(made: Any) -> SignerContract:
    class Of(SignerContract):
        def make(self) -> Signer:
            signer: Signer = made
            return signer

    return Of()
