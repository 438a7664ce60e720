"""The profile of C2PA's conformance programme, one mistake at a time; and what is advised."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from sdsafe._internal.certificates import CLAIM_SIGNING
from sdsafe.provenance.signing.advice import ADVICE, advise, judge_assurance
from sdsafe.provenance.signing.assurance import ASSURANCE_RULES, claimed_assurance
from sdsafe.provenance.signing.lint import lint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ISSUER = ec.generate_private_key(ec.SECP256R1())
ISSUER_NAME = x509.Name(
    [x509.NameAttribute(NameOID.COMMON_NAME, "issuing"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "T")]
)
PRODUCT = "0f8fad5b-d9cb-469f-a165-70867728950e"
LEVELS = {"al1": "1.3.6.1.4.1.62558.3.10", "al2": "1.3.6.1.4.1.62558.3.20"}


def _usage(**which: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{**dict.fromkeys(names, False), **which})


def _own(oid: str, value: core.Asn1Value) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(ObjectIdentifier(oid), value.dump()), False


def _responder(address: str) -> tuple[x509.ExtensionType, bool]:
    place = x509.UniformResourceIdentifier(address)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)]), False


@dataclass
class Leaf:
    """A leaf that keeps to the profile, to be spoilt."""

    level: str = "al1"
    days: float = 365
    subject: dict[Any, str] = field(
        default_factory=lambda: {
            NameOID.COUNTRY_NAME: "DE",
            NameOID.ORGANIZATION_NAME: "Example",
            NameOID.COMMON_NAME: "Example Maker",
        }
    )
    extensions: dict[str, tuple[x509.ExtensionType, bool] | None] = field(default_factory=dict)

    def der(self) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        default: dict[str, tuple[x509.ExtensionType, bool]] = {
            "ski": (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            "aki": (x509.AuthorityKeyIdentifier.from_issuer_public_key(ISSUER.public_key()), False),
            "ku": (_usage(digital_signature=True, content_commitment=True), True),
            "bc": (x509.BasicConstraints(ca=False, path_length=None), True),
            "eku": (x509.ExtendedKeyUsage([CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
            "policy": (_policies("1.3.6.1.4.1.62558.1.1", "1.2.3.4"), False),
            "status": _responder("http://ocsp.example"),
            "level": _own("1.3.6.1.4.1.62558.3", core.ObjectIdentifier(LEVELS[self.level])),
            "product": _own("1.3.6.1.4.1.62558.4", core.UTF8String(PRODUCT)),
        }
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in self.subject.items()]))
            .issuer_name(ISSUER_NAME)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(hours=1))
            .not_valid_after(NOW - timedelta(hours=1) + timedelta(days=self.days))
        )
        for each in {**default, **self.extensions}.values():
            if each is not None:
                builder = builder.add_extension(each[0], critical=each[1])
        return builder.sign(ISSUER, hashes.SHA256()).public_bytes(Encoding.DER)


def _policies(*oids: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier(each), None) for each in oids])


def _issuing(*, path_length: int | None = 0, ski: bool = True, days: float = 3650) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(ISSUER_NAME)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
        .public_key(ISSUER.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=9))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier(b"root", None, None), critical=False)
    )
    if ski:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(ISSUER.public_key()), critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)


def _broken(remarks: Iterable[Any]) -> set[str]:
    return {remark.rule for remark in remarks if not remark.ok}


@pytest.mark.parametrize("level", LEVELS)
def test_a_leaf_that_keeps_to_the_profile(level: str) -> None:
    der = Leaf(level=level, days=90 if level == "al2" else 365).der()
    leaf = x509.load_der_x509_certificate(der)
    assert claimed_assurance(leaf).level == level
    assert claimed_assurance(leaf).product == PRODUCT
    for asked in (None, level):
        remarks = judge_assurance([der], asked)
        assert [each.rule for each in remarks] == list(ASSURANCE_RULES)
        assert _broken(remarks) == set()
        assert all(each.must for each in remarks)


SPOILT = [
    ("al-level", Leaf(extensions={"level": None})),
    ("al-level", Leaf(level="al2")),
    ("al-level", Leaf(extensions={"level": _own("1.3.6.1.4.1.62558.3", core.UTF8String("al1"))})),
    ("al-product", Leaf(extensions={"product": None})),
    ("al-product", Leaf(extensions={"product": _own("1.3.6.1.4.1.62558.4", core.UTF8String("mine"))})),
    ("al-product", Leaf(extensions={"product": _own("1.3.6.1.4.1.62558.4", core.Integer(1))})),
    ("al-validity", Leaf(days=367)),
    ("al-key-identifiers", Leaf(extensions={"ski": None})),
    ("al-key-identifiers", Leaf(extensions={"aki": None})),
    ("al-key-usage", Leaf(extensions={"ku": (_usage(digital_signature=True), True)})),
    ("al-key-usage", Leaf(extensions={"ku": (_usage(digital_signature=True, content_commitment=True), False)})),
    ("al-key-usage", Leaf(extensions={"ku": None})),
    ("al-basic-constraints", Leaf(extensions={"bc": None})),
    ("al-extended-key-usage", Leaf(extensions={"eku": (x509.ExtendedKeyUsage([CLAIM_SIGNING]), False)})),
    ("al-extended-key-usage", Leaf(extensions={"eku": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)})),
    ("al-policy", Leaf(extensions={"policy": (_policies("1.2.3.4"), False)})),
    ("al-policy", Leaf(extensions={"policy": None})),
    ("al-status", Leaf(extensions={"status": None})),
    ("al-status", Leaf(extensions={"status": _responder("ldap://ocsp.example")})),
    ("al-subject", Leaf(subject={NameOID.ORGANIZATION_NAME: "Example", NameOID.COMMON_NAME: "Maker"})),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "leaf"), SPOILT, ids=[f"{i}-{rule}" for i, (rule, _) in enumerate(SPOILT)])
def test_each_mistake_breaks_its_own_rule_alone(rule: str, leaf: Leaf) -> None:
    assert _broken(judge_assurance([leaf.der()], "al1")) == {rule}


def test_the_second_level_wants_shorter_lives() -> None:
    assert _broken(judge_assurance([Leaf(level="al2", days=91).der()])) == {"al-validity"}


def test_a_level_that_nobody_states_is_judged_when_asked_for() -> None:
    der = Leaf(extensions={"level": None}).der()
    assert judge_assurance([der]) == ()
    assert _broken(judge_assurance([der], "al1")) == {"al-level"}


@pytest.mark.parametrize("chain", [[], [b"junk"]])
def test_what_cannot_be_read_is_left_to_lint(chain: list[bytes]) -> None:
    assert judge_assurance(chain, "al1") == ()
    assert advise(chain, at=NOW) == ()
    assert _broken(lint(chain, None, at=NOW)) == {"malformed"}


def test_a_well_kept_credential_needs_no_advice() -> None:
    remarks = advise([Leaf().der(), _issuing()], at=NOW)
    assert [each.rule for each in remarks] == list(ADVICE)
    assert _broken(remarks) == set()
    assert not any(each.must for each in remarks)


def _self_issued() -> Leaf:
    return Leaf(subject={each.oid: str(each.value) for each in ISSUER_NAME})


@pytest.mark.parametrize(
    ("advice", "chain"),
    [
        ("issuer", [_self_issued().der()]),
        ("organisation", [Leaf(subject={NameOID.COMMON_NAME: "Maker"}).der()]),
        ("own-key-identifier", [Leaf(extensions={"ski": None}).der()]),
        ("status", [Leaf(extensions={"status": None}).der()]),
        ("outlived", [Leaf().der(), _issuing(days=90)]),
        ("lifetime", [Leaf(days=400).der()]),
        ("renewal", [Leaf(days=13).der()]),
        ("renewal", [Leaf(days=5).der(), _issuing(days=13)]),
    ],
)
def test_each_advice_is_given_where_it_fits(advice: str, chain: list[bytes]) -> None:
    assert _broken(advise(chain, at=NOW)) == {advice}
    assert not any(each.must for each in advise(chain, at=NOW))


def test_the_time_left_is_as_long_as_one_likes() -> None:
    chain = [Leaf(days=20).der()]
    assert _broken(advise(chain, at=NOW)) == set()
    assert _broken(advise(chain, at=NOW, least_left=timedelta(days=30))) == {"renewal"}


def test_an_authority_keeps_its_own_rules() -> None:
    leaf = Leaf().der()
    assert _broken(lint([leaf, _issuing()], None, at=NOW)) == set()
    assert _broken(lint([leaf, _issuing(ski=False)], None, at=NOW)) == {"subject-key-identifier"}
    # An authority that may have none below it, above one: the order breaks, too, because they are the same one.
    assert "path-length" in _broken(lint([leaf, _issuing(), _issuing()], None, at=NOW))
    assert "path-length" not in _broken(lint([leaf, _issuing(), _issuing(path_length=1)], None, at=NOW))


def test_the_rules_are_those_of_the_official_profile(shared_data: Path) -> None:
    text = (shared_data / "conformance" / "claimSigningLeaf.al1.cert.yaml").read_text()
    for said in ("Max 366 days", "1.3.6.1.4.1.62558.1.1", "1.3.6.1.4.1.62558.3.10", "OID: 1.3.6.1.4.1.62558.4"):
        assert said in text
    extensions = text.partition("Extensions:")[2]
    demanded = extensions.count("Presence: MUST")
    # Nine there; identifiers of both keys are one rule here; subject and validity stand above the extensions.
    assert demanded == len(ASSURANCE_RULES) - 2 + 1
