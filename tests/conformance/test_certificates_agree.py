"""Three readers of the same credentials: what each of them says of chains and keys with something wrong in them.

A released picture is signed again with certificates of every kind. What each reader says is written down here; where
they differ it is written down, too, who is right and why, and the page on validators says the same.
"""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import c2pa
import cbor2
import encypher_c2pa
import pytest
from asn1crypto import algos, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from sdsafe.core.report import Evidence
from sdsafe.core.states import Asset
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.signing.timestamp import HttpStamper
from sdsafe.provenance.trust.probe import TrustProbe
from sdsafe.testing.resigning import Made, certificate, resigned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.testing.authority import Authority

DAY = timedelta(days=1)
USAGES = "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4\n1.3.6.1.5.5.7.3.36\n1.3.6.1.5.5.7.3.8"

ROOT = certificate("root", ca=True)
ISSUING = certificate("issuing", ROOT, ca=True)
LEAF = certificate("leaf", ISSUING)
RESPONDER = certificate("responder", ISSUING, usages=[Usage.OCSP_SIGNING])
IMPOSTOR = certificate("responder", usages=[Usage.OCSP_SIGNING])


@dataclass
class Case:
    """A file, and what those who verify it bring along."""

    data: bytes
    manifest: str = ROOT.pem
    cawg: str = ""
    tsa: str = ""
    crl: tuple[x509.CertificateRevocationList, ...] = field(default=())


class Said(NamedTuple):
    """The state of the manifest, to each reader."""

    c2pa: str
    encypher: str
    sdsafe: str


ALL_TRUST = Said("trusted", "trusted", "trusted")
ALL_VALID = Said("valid", "valid", "valid")
ALL_REFUSE = Said("invalid", "invalid", "invalid")


def by(leaf: Made, *above: Made, **asked: Any) -> Callable[[bytes], Case]:
    """Sign with a leaf; the chain is it and what is above, in this order."""
    return lambda data: Case(resigned(data, [each.der for each in (leaf, *above)], leaf.key, **asked))


def of(leaf: Made, **asked: Any) -> Callable[[bytes], Case]:
    return by(leaf, ISSUING, **asked)


def used_for(*usages: x509.ObjectIdentifier) -> Callable[[bytes], Case]:
    return of(certificate("leaf", ISSUING, usages=usages))


def chain(*order: Made) -> Callable[[bytes], Case]:
    """Sign with the good leaf, and put the chain into this order."""
    return lambda data: Case(resigned(data, [each.der for each in order], LEAF.key))


def trusted_as(kind: str) -> Callable[[bytes], Case]:
    def make(data: bytes) -> Case:
        signed = resigned(data, [LEAF.der, ISSUING.der], LEAF.key)
        return Case(signed, manifest="", cawg=ROOT.pem) if kind == "cawg" else Case(signed, manifest="", tsa=ROOT.pem)

    return make


def stapled(status: ocsp.OCSPCertStatus, by: Made = RESPONDER) -> Callable[[bytes], Case]:
    now, taken_back = datetime.now(UTC), status is ocsp.OCSPCertStatus.REVOKED
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=LEAF.certificate,
            issuer=ISSUING.certificate,
            algorithm=hashes.SHA1(),  # noqa: S303 - names the certificate, as RFC 6960 has it
            cert_status=status,
            this_update=now - timedelta(hours=1),
            next_update=now + DAY,
            revocation_time=now - timedelta(hours=2) if taken_back else None,
            revocation_reason=x509.ReasonFlags.key_compromise if taken_back else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
        .certificates([by.certificate])
        .sign(by.key, hashes.SHA256())
    )
    return of(LEAF, unprotected={"rVals": {"ocspVals": [response.public_bytes(Encoding.DER)]}})


def listed_as_revoked(data: bytes) -> Case:
    now = datetime.now(UTC)
    entry = x509.RevokedCertificateBuilder().serial_number(LEAF.certificate.serial_number)
    revoked = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ISSUING.certificate.subject)
        .last_update(now - DAY)
        .next_update(now + DAY)
        .add_revoked_certificate(entry.revocation_date(now - timedelta(hours=2)).build())
        .sign(ISSUING.key, hashes.SHA256())
    )
    return Case(of(LEAF)(data).data, crl=(revoked,))


NO_AUTHORITY = certificate("no authority", ROOT)
OLD_ISSUING = certificate("issuing", ROOT, ca=True, begins=-10 * DAY, ends=-DAY)
ALONE = certificate("alone")
P384 = certificate("leaf", ISSUING, key=ec.generate_private_key(ec.SECP384R1()))

CASES: dict[str, tuple[Callable[[bytes], Case], Said]] = {
    "nothing wrong": (of(LEAF), ALL_TRUST),
    "the root is in the chain": (chain(LEAF, ISSUING, ROOT), ALL_TRUST),
    "the leaf is in the chain twice": (chain(LEAF, LEAF, ISSUING), ALL_TRUST),
    "no issuing authority": (chain(LEAF), ALL_VALID),
    "issuing authority first": (chain(ISSUING, LEAF), ALL_REFUSE),
    "authorities in the wrong order": (chain(LEAF, ROOT, ISSUING), Said("valid", "trusted", "trusted")),
    "for code signing": (used_for(Usage.CODE_SIGNING), ALL_REFUSE),
    "for servers": (used_for(Usage.SERVER_AUTH), ALL_REFUSE),
    "for any purpose": (used_for(Usage.ANY_EXTENDED_KEY_USAGE), ALL_REFUSE),
    "for no purpose": (of(certificate("leaf", ISSUING, usages=None)), ALL_REFUSE),
    "for e-mail": (used_for(Usage.EMAIL_PROTECTION), ALL_TRUST),
    "for time-stamping alone": (used_for(Usage.TIME_STAMPING), Said("trusted", "invalid", "invalid")),
    "for OCSP alone": (used_for(Usage.OCSP_SIGNING), Said("trusted", "invalid", "invalid")),
    "an authority signs": (of(certificate("leaf", ISSUING, ca=True)), ALL_REFUSE),
    "may not sign": (of(certificate("leaf", ISSUING, digital_signature=False)), ALL_REFUSE),
    "does not name its issuer's key": (of(certificate("leaf", ISSUING, authority_key=False)), ALL_REFUSE),
    "certified with SHA-224": (of(certificate("leaf", ISSUING, algorithm=hashes.SHA224())), ALL_REFUSE),
    "signs itself": (by(ALONE), ALL_VALID),
    "issued by a leaf": (by(certificate("leaf", NO_AUTHORITY), NO_AUTHORITY), ALL_VALID),
    "the issuing authority has expired": (by(certificate("leaf", OLD_ISSUING), OLD_ISSUING), ALL_VALID),
    "expired": (of(certificate("leaf", ISSUING, begins=-10 * DAY, ends=-DAY)), Said("invalid", "valid", "invalid")),
    "not valid yet": (of(certificate("leaf", ISSUING, begins=DAY)), Said("invalid", "valid", "invalid")),
    "SHA-384 where ES256 is stated": (of(LEAF, hashed=hashes.SHA384()), ALL_REFUSE),
    "ES384 by a key on P-384": (of(P384, hashed=hashes.SHA384(), alg=-35), ALL_TRUST),
    "ES384 by a key on P-256": (of(LEAF, hashed=hashes.SHA384(), alg=-35), Said("invalid", "trusted", "invalid")),
    "an unknown algorithm": (of(LEAF, alg=-65535), ALL_REFUSE),
    "signed by another key": (lambda data: Case(resigned(data, [LEAF.der, ISSUING.der], ALONE.key)), ALL_REFUSE),
    "no chain at all": (lambda data: Case(resigned(data, [], LEAF.key)), ALL_REFUSE),
    "no certificate in the chain": (lambda data: Case(resigned(data, [b"none"], LEAF.key)), ALL_REFUSE),
    "the root is for identities": (trusted_as("cawg"), Said("trusted", "valid", "valid")),
    "the root is for time-stamps": (trusted_as("tsa"), Said("trusted", "valid", "valid")),
    "the root is on no list": (lambda data: Case(of(LEAF)(data).data, manifest=""), ALL_VALID),
    "stapled: good": (stapled(ocsp.OCSPCertStatus.GOOD), ALL_TRUST),
    "stapled: revoked": (stapled(ocsp.OCSPCertStatus.REVOKED), Said("invalid", "trusted", "invalid")),
    "stapled: revoked, by the issuer": (
        stapled(ocsp.OCSPCertStatus.REVOKED, ISSUING),
        Said("trusted", "trusted", "invalid"),
    ),
    "stapled: revoked, by anybody": (stapled(ocsp.OCSPCertStatus.REVOKED, IMPOSTOR), ALL_TRUST),
    "on a revocation list": (listed_as_revoked, Said("trusted", "trusted", "invalid")),
}

DISAGREEMENTS: dict[str, str] = {
    "authorities in the wrong order": "c2pa by the letter",
    "for time-stamping alone": "encypher and sdsafe",
    "for OCSP alone": "encypher and sdsafe",
    "expired": "c2pa and sdsafe",
    "not valid yet": "c2pa and sdsafe",
    "ES384 by a key on P-256": "encypher by the letter",
    "the root is for identities": "encypher and sdsafe",
    "the root is for time-stamps": "encypher and sdsafe",
    "stapled: revoked": "c2pa and sdsafe",
    "stapled: revoked, by the issuer": "sdsafe",
    "on a revocation list": "sdsafe",
    "expired, with a time-stamp of an unknown authority": "c2pa and sdsafe",
}
"""Who is right; the page on validators says why."""


@pytest.fixture(scope="module")
def picture(signed_png: Path) -> bytes:
    return signed_png.read_bytes()


def said_by_c2pa(case: Case) -> str:
    kinds = {"manifest": case.manifest, "cawg": case.cawg, "tsa": case.tsa}
    anchors = [
        {"trust_anchors": pem, "trust_uri": f"urn:{kind}", "trust_kind": kind} for kind, pem in kinds.items() if pem
    ]
    settings = {"trust": {"trust_config": USAGES, "anchors": anchors}, "verify": {"remote_manifest_fetch": False}}
    try:
        context = c2pa.Context.from_dict(settings)
        with c2pa.Reader("image/png", io.BytesIO(case.data), context=context) as reader:
            return str(json.loads(reader.json())["validation_state"]).lower()
    except c2pa.C2paError:
        return "invalid"


def said_by_encypher(case: Case) -> str:
    lists = {"trust_pem": case.manifest, "cawg_trust_pem": case.cawg, "tsa_trust_pem": case.tsa}
    given = {name: pem for name, pem in lists.items() if pem}
    report = encypher_c2pa.verify(case.data, "image/png", no_default_trust=True, telemetry=False, **given)
    return str(report["validation_state"]).lower()


def said_by_us(case: Case) -> str:
    kinds = {ListKind.MANIFEST: case.manifest, ListKind.CAWG: case.cawg, ListKind.TSA: case.tsa}
    anchors = {kind: (pem.encode(),) for kind, pem in kinds.items() if pem}
    asset = Asset(data=case.data, media_type="image/png")
    seen = ManifestProbe(time_anchors=anchors.get(ListKind.TSA, ())).examine(asset, Evidence())
    return TrustProbe(TrustPolicy(anchors=anchors), revoked=case.crl).examine(asset, seen).manifest.value


def said(case: Case) -> Said:
    return Said(said_by_c2pa(case), said_by_encypher(case), said_by_us(case))


@pytest.mark.parametrize("name", CASES)
def test_each_reader_says_what_is_written_down(picture: bytes, name: str) -> None:
    make, expected = CASES[name]
    assert said(make(picture)) == expected


def test_we_trust_nobody_whom_both_others_do_not(picture: bytes) -> None:
    """Nothing is *trusted* to us that neither library trusts; nothing valid that both call invalid."""
    for _, expected in CASES.values():
        assert expected.sdsafe != "trusted" or "trusted" in expected[:2]
        assert expected.sdsafe == "invalid" or set(expected[:2]) != {"invalid"}


def test_the_page_says_who_is_right_wherever_they_differ(repository_root: Path) -> None:
    differ = {name for name, (_, expected) in CASES.items() if len(set(expected)) > 1}
    assert differ <= set(DISAGREEMENTS)
    page = (repository_root / "docs" / "reference" / "validators.md").read_text(encoding="utf-8")
    for name, right in DISAGREEMENTS.items():
        row = next((line for line in page.splitlines() if line.startswith(f"| {name} |")), "")
        assert right in row, name
        if name in CASES:
            assert " | ".join(CASES[name][1]) in row


def time_stamped(data: bytes, leaf: Made, authority: Authority) -> bytes:
    """Sign with a leaf, and put a time-stamp over the signature (``sigTst2``) into the header."""

    def header(protected: bytes, signature: bytes) -> dict[object, object]:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(cbor2.dumps(["CounterSignature", protected, b"", cbor2.dumps(signature)]))
        imprint = {
            "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
            "hashed_message": digest.finalize(),
        }
        query = tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "nonce": 7, "cert_req": True})
        reply = HttpStamper.of([authority.address], "require").stamp(query.dump())
        token = tsp.TimeStampResp.load(reply)["time_stamp_token"].dump()
        return {"sigTst2": {"tstTokens": [{"val": token}]}}

    return resigned(data, [leaf.der, ISSUING.der], leaf.key, about_signature=header)


def test_a_time_stamp_outlives_the_certificate(picture: bytes, time_authority: Authority) -> None:
    ends = timedelta(seconds=4)
    leaf = certificate("leaf", ISSUING, ends=ends)
    moment = time.monotonic()
    plain, stamped = of(leaf)(picture).data, time_stamped(picture, leaf, time_authority)
    tsa = time_authority.root.decode()
    assert said(Case(stamped, tsa=tsa)) == ALL_TRUST
    time.sleep(max(0.0, ends.total_seconds() + 1.5 - (time.monotonic() - moment)))
    assert said(Case(stamped, tsa=tsa)) == ALL_TRUST
    assert said(Case(plain, tsa=tsa)) == Said("invalid", "valid", "invalid")
    assert said(Case(stamped)) == Said("invalid", "valid", "invalid")
