from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from sdsafe._internal.certificates import CLAIM_SIGNING
from sdsafe.provenance.trust.evaluate import ChainResult, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DAY = timedelta(days=1)
_WEAK_BITS = 1024
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@pytest.fixture(scope="module")
def root(make: Callable[..., Any]) -> Any:
    return make("root", ca=True, ends=3650 * DAY)


@pytest.fixture(scope="module")
def issuing(make: Callable[..., Any], root: Any) -> Any:
    return make("issuing", root, ca=True, path_length=0, ends=1825 * DAY)


@pytest.fixture(scope="module")
def leaf(make: Callable[..., Any], issuing: Any) -> Any:
    return make("leaf", issuing)


def _judged(moment: datetime, anchor: Any, *chain: Any) -> ChainResult:
    result = evaluate([each.der for each in chain], [anchor.der], at=moment)
    if result.trusted:
        _agrees(moment, [anchor], chain)
    return result


def _agrees(moment: datetime, anchors: list[Any], chain: tuple[Any, ...]) -> None:
    """Whatever is accepted here, cryptography's own verifier accepts too, where it knows the algorithm."""
    if any(isinstance(each.key, ed25519.Ed25519PrivateKey) for each in (*chain[1:], *anchors)):
        return
    policy = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .time(moment)
        .store(Store([each.certificate for each in anchors]))
        .extension_policies(ca_policy=policy, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        verifier.verify(chain[0].certificate, [each.certificate for each in chain[1:]])
    except VerificationError as error:
        pytest.fail(f"accepted here, refused by cryptography: {error}")


def _rules(result: ChainResult) -> set[str]:
    return {fault.rule for fault in (*result.leaf_faults, *result.path_faults)}


def test_a_chain_to_the_root_is_trusted(moment: datetime, root: Any, issuing: Any, leaf: Any) -> None:
    result = _judged(moment, root, leaf, issuing)
    assert result.trusted
    assert result.anchor == "root"
    assert result.path == (leaf.der, issuing.der, root.der)
    assert _rules(result) == set()


def test_an_issuing_authority_may_be_the_anchor(moment: datetime, root: Any, issuing: Any, leaf: Any) -> None:
    for chain in ((leaf,), (leaf, issuing), (leaf, issuing, root)):
        assert _judged(moment, issuing, *chain).anchor == "issuing"


def test_the_root_may_be_in_the_chain_and_the_order_above_the_leaf_is_free(
    moment: datetime, root: Any, issuing: Any, leaf: Any
) -> None:
    assert _judged(moment, root, leaf, root, issuing).trusted


def test_the_leaf_is_no_anchor(moment: datetime, leaf: Any, issuing: Any) -> None:
    assert not evaluate([leaf.der, issuing.der], [leaf.der], at=moment).trusted


def test_a_self_signed_end_entity_is_no_anchor(moment: datetime, make: Callable[..., Any]) -> None:
    lonely = make("lonely")
    result = evaluate([lonely.der], [lonely.der], at=moment)
    assert not result.trusted
    assert "basic-constraints" in _rules(result)


def test_another_root_of_the_same_name_is_refused(
    moment: datetime, make: Callable[..., Any], issuing: Any, leaf: Any
) -> None:
    impostor = make("root", ca=True)
    result = _judged(moment, impostor, leaf, issuing)
    assert not result.trusted
    assert {"signature", "key-identifier"} <= _rules(result)


def test_without_the_intermediate_there_is_no_path(moment: datetime, root: Any, leaf: Any) -> None:
    result = _judged(moment, root, leaf)
    assert not result.trusted
    assert _rules(result) == {"no-anchor"}


def test_without_anchors_nobody_is_trusted(moment: datetime, issuing: Any, leaf: Any) -> None:
    assert not evaluate([leaf.der, issuing.der], [], at=moment).trusted


def test_of_several_anchors_the_right_one_is_found(
    moment: datetime, make: Callable[..., Any], root: Any, issuing: Any, leaf: Any
) -> None:
    others = [make("root", ca=True).der, make("other", ca=True).der]
    result = evaluate([leaf.der, issuing.der], [*others, root.der], at=moment)
    assert result.trusted
    assert result.path[-1] == root.der


def test_a_look_alike_intermediate_does_not_hide_the_real_one(
    moment: datetime, make: Callable[..., Any], root: Any, issuing: Any, leaf: Any
) -> None:
    expired = make("issuing", root, ca=True, key=issuing.key, begins=-9 * DAY, ends=-DAY)
    assert _judged(moment, root, leaf, expired, issuing).trusted


@pytest.mark.parametrize(("offset", "rule"), [(timedelta(days=91), "expired"), (timedelta(days=-2), "not-yet-valid")])
def test_the_leaf_must_be_valid_at_that_time(
    *, moment: datetime, root: Any, issuing: Any, leaf: Any, offset: timedelta, rule: str
) -> None:
    result = _judged(moment + offset, root, leaf, issuing)
    assert not result.trusted
    assert rule in _rules(result)


def test_the_moment_is_what_counts_not_today(moment: datetime, make: Callable[..., Any], root: Any) -> None:
    issuing = make("issuing", root, ca=True)
    old = make("leaf", issuing, begins=-10 * DAY, ends=-5 * DAY)
    root_then = make("root", ca=True, key=root.key, begins=-100 * DAY)
    issuing_then = make("issuing", root_then, ca=True, key=issuing.key, begins=-100 * DAY)
    assert not _judged(moment, root_then, old, issuing_then).trusted
    assert _judged(moment - 7 * DAY, root_then, old, issuing_then).trusted


@pytest.mark.parametrize("which", ["root", "issuing"])
def test_every_authority_must_be_valid_at_that_time(moment: datetime, make: Callable[..., Any], which: str) -> None:
    ended = {"begins": -9 * DAY, "ends": -DAY}
    root = make("root", ca=True, **(ended if which == "root" else {}))
    issuing = make("issuing", root, ca=True, **(ended if which == "issuing" else {}))
    result = _judged(moment, root, make("leaf", issuing), issuing)
    assert not result.trusted
    assert _rules(result) == {"expired"}


def _leaf_cases(usage: Callable[..., x509.KeyUsage]) -> dict[str, tuple[str, dict[str, Any]]]:
    eku = x509.ExtendedKeyUsage
    return {
        "no EKU": ("extended-key-usage", {"drop": (eku,)}),
        "time stamping": ("extended-key-usage", {"add": ((eku([ExtendedKeyUsageOID.TIME_STAMPING]), False),)}),
        "code signing": ("extended-key-usage", {"add": ((eku([ExtendedKeyUsageOID.CODE_SIGNING]), False),)}),
        "any usage": ("extended-key-usage", {"add": ((eku([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False),)}),
        "any usage besides": (
            "extended-key-usage",
            {"add": ((eku([CLAIM_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False),)},
        ),
        "no key usage": ("key-usage", {"drop": (x509.KeyUsage,)}),
        "encipherment only": ("key-usage", {"add": ((usage(key_encipherment=True), True),)}),
        "may sign certificates": (
            "key-usage",
            {"add": ((usage(digital_signature=True, key_cert_sign=True), True),)},
        ),
        "an authority": ("basic-constraints", {"add": ((x509.BasicConstraints(ca=True, path_length=None), True),)}),
        "no AKI": ("authority-key-identifier", {"drop": (x509.AuthorityKeyIdentifier,)}),
        "unknown critical": ("critical-extension", {"add": ((UNKNOWN, True),)}),
    }


@pytest.mark.parametrize("case", list(_leaf_cases(lambda **_: None)))  # type: ignore[arg-type]
def test_a_leaf_outside_the_profile_is_refused(
    *,
    moment: datetime,
    make: Callable[..., Any],
    usage: Callable[..., x509.KeyUsage],
    root: Any,
    issuing: Any,
    case: str,
) -> None:
    rule, changes = _leaf_cases(usage)[case]
    result = _judged(moment, root, make("leaf", issuing, **changes), issuing)
    assert not result.trusted
    assert rule in {fault.rule for fault in result.leaf_faults}


@pytest.mark.parametrize(
    "usages",
    [[CLAIM_SIGNING], [ExtendedKeyUsageOID.EMAIL_PROTECTION], [x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")]],
    ids=["claimSigning", "emailProtection", "documentSigning"],
)
def test_each_of_the_three_usages_will_do(
    moment: datetime, make: Callable[..., Any], root: Any, issuing: Any, usages: list[x509.ObjectIdentifier]
) -> None:
    leaf = make("leaf", issuing, add=((x509.ExtendedKeyUsage(usages), False),))
    assert _judged(moment, root, leaf, issuing).trusted


def test_an_unknown_extension_that_is_not_critical_is_ignored(
    moment: datetime, make: Callable[..., Any], root: Any, issuing: Any
) -> None:
    assert _judged(moment, root, make("leaf", issuing, add=((UNKNOWN, False),)), issuing).trusted


def _issuer_cases(usage: Callable[..., x509.KeyUsage]) -> dict[str, tuple[str, dict[str, Any]]]:
    names = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None)
    stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return {
        "not an authority": ("basic-constraints", {"ca": False, "add": ((usage(key_cert_sign=True), True),)}),
        "no basic constraints": ("basic-constraints", {"drop": (x509.BasicConstraints,)}),
        "may not sign certificates": ("key-usage", {"add": ((usage(digital_signature=True), True),)}),
        "for time-stamps only": ("extended-key-usage", {"add": ((stamping, False),)}),
        "unknown critical": ("critical-extension", {"add": ((UNKNOWN, True),)}),
        "name constraints": ("critical-extension", {"add": ((names, True),)}),
    }


@pytest.mark.parametrize("case", list(_issuer_cases(lambda **_: None)))  # type: ignore[arg-type]
@pytest.mark.parametrize("as_anchor", [False, True])
def test_an_issuer_that_may_not_issue_is_refused(
    *,
    moment: datetime,
    make: Callable[..., Any],
    usage: Callable[..., x509.KeyUsage],
    root: Any,
    case: str,
    as_anchor: bool,
) -> None:
    rule, changes = _issuer_cases(usage)[case]
    issuing = make("issuing", root, **({"ca": True} | changes))
    leaf = make("leaf", issuing)
    result = _judged(moment, issuing if as_anchor else root, leaf, issuing)
    assert not result.trusted
    assert rule in {fault.rule for fault in result.path_faults}


def test_an_issuer_for_signing_claims_is_accepted(moment: datetime, make: Callable[..., Any], root: Any) -> None:
    issuing = make("issuing", root, ca=True, add=((x509.ExtendedKeyUsage([CLAIM_SIGNING]), False),))
    assert _judged(moment, root, make("leaf", issuing), issuing).trusted


def test_path_lengths_count(moment: datetime, make: Callable[..., Any]) -> None:
    root = make("root", ca=True, path_length=1)
    upper = make("upper", root, ca=True)
    lower = make("lower", upper, ca=True)
    assert _judged(moment, root, make("leaf", upper), upper).trusted
    result = _judged(moment, root, make("leaf", lower), lower, upper)
    assert not result.trusted
    assert "path-length" in _rules(result)


def test_a_leaf_cannot_issue(moment: datetime, make: Callable[..., Any], root: Any, issuing: Any, leaf: Any) -> None:
    assert not _judged(moment, root, make("second", leaf), leaf, issuing).trusted


def test_a_forged_link_is_refused(moment: datetime, make: Callable[..., Any], root: Any) -> None:
    thief = make("root", ca=True)
    forged = make("issuing", thief, ca=True, authority_key=root.key)
    result = _judged(moment, root, make("leaf", forged), forged)
    assert not result.trusted
    assert _rules(result) == {"signature"}


def test_a_key_identifier_that_names_another_key_is_refused(
    moment: datetime, make: Callable[..., Any], root: Any, issuing: Any
) -> None:
    leaf = make("leaf", issuing, authority_key=ec.generate_private_key(ec.SECP256R1()))
    result = _judged(moment, root, leaf, issuing)
    assert not result.trusted
    assert _rules(result) == {"key-identifier"}


@pytest.mark.parametrize(
    "key",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "P-521", "Ed25519", "RSA-2048"],
)
@pytest.mark.parametrize("of", ["leaf", "issuing", "root"])
def test_every_algorithm_of_c2pa_at_every_level(
    moment: datetime, make: Callable[..., Any], key: Callable[[], Any], of: str
) -> None:
    root = make("root", ca=True, key=key() if of == "root" else None)
    issuing = make("issuing", root, ca=True, key=key() if of == "issuing" else None)
    leaf = make("leaf", issuing, key=key() if of == "leaf" else None)
    assert _judged(moment, root, leaf, issuing).trusted


@pytest.mark.parametrize(
    "key",
    [lambda: rsa.generate_private_key(65537, _WEAK_BITS), lambda: ec.generate_private_key(ec.SECP256K1())],
    ids=["RSA-1024", "secp256k1"],
)
@pytest.mark.parametrize("of", ["leaf", "issuing"])
def test_weak_keys_are_refused(moment: datetime, make: Callable[..., Any], root: Any, key: Any, of: str) -> None:
    issuing = make("issuing", root, ca=True, key=key() if of == "issuing" else None)
    leaf = make("leaf", issuing, key=key() if of == "leaf" else None)
    result = _judged(moment, root, leaf, issuing)
    assert not result.trusted
    assert "algorithm" in _rules(result)


def test_weak_hashes_are_refused(moment: datetime, make: Callable[..., Any], root: Any, issuing: Any) -> None:
    # cryptography does not sign with SHA-1 any more; SHA-224 is below the floor in the same way.
    leaf = make("leaf", issuing, algorithm=hashes.SHA224())
    result = _judged(moment, root, leaf, issuing)
    assert not result.trusted
    assert "algorithm" in _rules(result)


@pytest.mark.parametrize("junk", [b"", b"\x30\x00", b"not a certificate", b"\x30\x82\xff\xff"])
@pytest.mark.parametrize("place", [0, 1])
def test_junk_never_raises(*, moment: datetime, root: Any, issuing: Any, leaf: Any, junk: bytes, place: int) -> None:
    chain = [leaf.der, issuing.der]
    chain[place] = junk
    result = evaluate(chain, [root.der], at=moment)
    assert not result.trusted
    assert _rules(result) == {"malformed"}


def test_no_chain_is_no_trust(moment: datetime, root: Any) -> None:
    assert _rules(evaluate([], [root.der], at=moment)) == {"malformed"}


def test_every_flipped_byte_of_the_leaf_is_refused(moment: datetime, root: Any, issuing: Any, leaf: Any) -> None:
    for position in range(0, len(leaf.der), 7):
        changed = bytearray(leaf.der)
        changed[position] ^= 0x04
        assert not evaluate([bytes(changed), issuing.der], [root.der], at=moment).trusted, position


def test_a_crowd_of_look_alikes_costs_little(moment: datetime, make: Callable[..., Any]) -> None:
    """Seven authorities of one name, each above each: without a bound that is a tree of 5,040 paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    same = make("same", ca=True, key=key)
    crowd = [make("same", same, ca=True, key=key) for _ in range(7)]
    result = evaluate([make("leaf", same).der, *(c.der for c in crowd)], [make("root", ca=True).der], at=moment)
    assert not result.trusted
    assert "budget" in _rules(result)


def test_too_long_a_chain_is_refused(moment: datetime, root: Any, issuing: Any, leaf: Any) -> None:
    assert _rules(evaluate([leaf.der] + [issuing.der] * 8, [root.der], at=moment)) == {"malformed"}


def test_reasons_name_who_is_meant(moment: datetime, make: Callable[..., Any], root: Any) -> None:
    issuing = make("issuing", root, ca=True, begins=-9 * DAY, ends=-DAY)
    (fault,) = _judged(moment, root, make("leaf", issuing), issuing).path_faults
    assert fault.says == "issuer 'issuing': it expired at 2026-11-21 12:00 UTC"
    assert issuing.certificate.public_bytes(Encoding.DER) == issuing.der
