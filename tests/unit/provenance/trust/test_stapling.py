"""What a signer staples on the status of its certificate counts for what its issuer says, and for nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from sdsafe.provenance.trust.stapling import stapled_statuses

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

HOUR = timedelta(hours=1)
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


@pytest.fixture
def answer(moment: datetime) -> Callable[..., bytes]:
    def write(
        about: Any, issuer: Any, by: Any, status: ocsp.OCSPCertStatus = GOOD, revoked: timedelta = -HOUR
    ) -> bytes:
        own_hash = None if isinstance(by.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=about.certificate,
                issuer=issuer.certificate,
                algorithm=hashes.SHA256(),
                cert_status=status,
                this_update=moment - HOUR,
                next_update=moment + HOUR,
                revocation_time=moment + revoked if status is REVOKED else None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.NAME, by.certificate)
            .certificates([by.certificate])
            .sign(by.key, own_hash)
            .public_bytes(Encoding.DER)
        )

    return write


@pytest.fixture(params=["ec", "rsa", "ed25519"])
def issuing(request: pytest.FixtureRequest, make: Callable[..., Any]) -> Any:
    keys = {"rsa": lambda: rsa.generate_private_key(65537, 2048), "ed25519": ed25519.Ed25519PrivateKey.generate}
    return make("issuing", ca=True, key=keys[request.param]() if request.param in keys else None)


def words(*given: Any) -> list[str]:
    return [each.word for each in stapled_statuses(*given)]


def test_the_issuer_answers_with_any_key(
    make: Callable[..., Any], answer: Callable[..., bytes], issuing: Any, moment: datetime
) -> None:
    leaf = make("leaf", issuing)
    chain = (leaf.der, issuing.der)
    assert words(chain, (), [answer(leaf, issuing, issuing)], moment) == ["notRevoked"]
    assert words(chain, (), [answer(leaf, issuing, issuing, REVOKED)], moment) == ["revoked"]
    assert words((leaf.der,), [issuing.der], [answer(leaf, issuing, issuing, REVOKED)], moment) == ["revoked"]
    assert words(chain, (), [answer(leaf, issuing, issuing, UNKNOWN)], moment) == ["unknown"]


def test_what_was_revoked_later_held_then(
    make: Callable[..., Any], answer: Callable[..., bytes], moment: datetime
) -> None:
    issuing = make("issuing", ca=True)
    leaf = make("leaf", issuing)
    later = answer(leaf, issuing, issuing, REVOKED, timedelta(minutes=30))
    assert words((leaf.der, issuing.der), (), [later], moment) == ["notRevoked"]
    assert words((leaf.der, issuing.der), (), [later], moment + HOUR) == ["revoked"]


def test_an_old_answer_says_nothing_of_today(
    make: Callable[..., Any], answer: Callable[..., bytes], moment: datetime
) -> None:
    issuing = make("issuing", ca=True)
    leaf = make("leaf", issuing)
    good = answer(leaf, issuing, issuing)
    for at in (moment + 2 * HOUR, moment - 2 * HOUR):
        assert words((leaf.der, issuing.der), (), [good], at) == ["unknown"]


def test_only_those_answer_whom_the_issuer_named(
    make: Callable[..., Any], answer: Callable[..., bytes], moment: datetime
) -> None:
    issuing, other = make("issuing", ca=True), make("other", ca=True)
    leaf = make("leaf", issuing)
    responding = ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),)
    for responder, expected in (
        (make("named", issuing, add=responding), "revoked"),
        (make("not for this", issuing), "unknown"),
        (make("of another", other, add=responding), "unknown"),
        (make("alone", add=responding), "unknown"),
    ):
        given = answer(leaf, issuing, responder, REVOKED)
        assert words((leaf.der, issuing.der), (), [given], moment) == [expected]


def test_answers_about_others_and_garbage_say_nothing(
    make: Callable[..., Any], answer: Callable[..., bytes], moment: datetime
) -> None:
    issuing = make("issuing", ca=True)
    leaf, twin = make("leaf", issuing), make("leaf", issuing)
    chain = (leaf.der, issuing.der)
    refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    for each in (answer(twin, issuing, issuing, REVOKED), b"", b"\x30\x03", refusal.public_bytes(Encoding.DER)):
        assert words(chain, (), [each], moment) == ["unknown"]
    assert words((), (), [answer(leaf, issuing, issuing)], moment) == []
    assert words((b"none",), (), [answer(leaf, issuing, issuing)], moment) == []
