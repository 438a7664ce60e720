"""Lists that are kept: whole, pinned, and nothing on the network afterwards. And lists in JSON, and revocations."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.states import Asset
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.trust.lists import load_anchors
from sdsafe.provenance.trust.lote import parse
from sdsafe.provenance.trust.probe import TrustProbe
from sdsafe.provenance.trust.revocation import load_crl, revocation_faults
from sdsafe.provenance.trust.store import TrustStore, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def root(make: Callable[..., Any]) -> Any:
    return make("root", ca=True)


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(Places(state=tmp_path / "state", cache=tmp_path / "cache"))


def listed(*certificates: Any, status: str = "http://c2pa.org/conformance/trust-list/trusted") -> bytes:
    services = [
        {
            "ServiceInformation": {
                "ServiceDigitalIdentity": {"X509Certificates": [{"val": base64.b64encode(each.der).decode()}]},
                "ServiceStatus": status,
            }
        }
        for each in certificates
    ]
    about = {"SchemeName": [{"lang": "en", "value": "a list"}], "NextUpdate": "2027-08-05T00:11:39Z"}
    return json.dumps(
        {"LoTE": {"ListAndSchemeInformation": about, "TrustedEntitiesList": [{"TrustedEntityServices": services}]}}
    ).encode()


class TestJson:
    @pytest.mark.parametrize("name", ["C2PA-TRUST-LIST", "C2PA-TSA-TRUST-LIST"])
    def test_the_official_lists_say_the_same_in_both_forms(self, shared_data: Path, name: str) -> None:
        folder = shared_data / "trust-lists"
        assert set(load_anchors(folder / f"{name}.json")) == set(load_anchors(folder / f"{name}.pem"))

    def test_who_is_not_trusted_any_more_is_left_out(self, root: Any, make: Callable[..., Any]) -> None:
        gone = json.loads(listed(make("gone", ca=True), status="http://c2pa.org/conformance/trust-list/withdrawn"))
        both = json.loads(listed(root))
        both["LoTE"]["TrustedEntitiesList"] += gone["LoTE"]["TrustedEntitiesList"]
        found = parse(json.dumps(both).encode(), "list.json")
        assert (found.anchors, found.left_out) == ((root.pem,), 1)
        assert (found.name, found.next_update) == ("a list", "2027-08-05T00:11:39Z")

    def test_a_list_of_nobody_is_refused(self, root: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            parse(listed(root, status="withdrawn"), "list.json")
        assert caught.value.code == "trust.empty"

    @pytest.mark.parametrize(
        "data",
        [
            b"{",
            b"{}",
            b'{"LoTE": []}',
            b'{"LoTE": {"TrustedEntitiesList": {}}}',
            b"[" * 100_000,
        ],
        ids=["cut", "empty", "list", "table", "deep"],
    )
    def test_what_is_no_list_is_refused(self, data: bytes) -> None:
        with pytest.raises(ConfigurationError) as caught:
            parse(data, "list.json")
        assert caught.value.code == "trust.format"

    def test_a_certificate_that_is_no_authority_is_refused(self, make: Callable[..., Any]) -> None:
        with pytest.raises(ConfigurationError, match="certification authority"):
            parse(listed(make("leaf")), "list.json")


class TestFolders:
    def test_every_list_in_a_folder_counts(self, tmp_path: Path, root: Any, make: Callable[..., Any]) -> None:
        other = make("other", ca=True)
        (tmp_path / "a.pem").write_bytes(root.pem)
        (tmp_path / "b.json").write_bytes(listed(other, root))
        (tmp_path / "README").write_text("not a list", encoding="utf-8")
        assert load_anchors(tmp_path) == (root.pem, other.pem)

    def test_a_folder_without_lists_trusts_nobody(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError) as caught:
            load_anchors(tmp_path)
        assert caught.value.code == "trust.empty"


class TestStore:
    def test_what_is_kept_comes_back_by_kind(self, store: TrustStore, root: Any) -> None:
        assert store.kept() == ()
        kept = store.keep(ListKind.TSA, "mine", root.pem, "root.pem")
        assert store.kept() == (kept,)
        assert store.anchors() == {ListKind.MANIFEST: (), ListKind.TSA: (root.pem,), ListKind.CAWG: ()}
        store.remove(ListKind.TSA, "mine")
        assert store.kept() == ()

    def test_a_list_that_was_changed_is_refused(
        self, store: TrustStore, root: Any, make: Callable[..., Any], tmp_path: Path
    ) -> None:
        store.keep(ListKind.MANIFEST, "mine", root.pem, "root.pem")
        (tmp_path / "state/trust/manifest/mine.list").write_bytes(make("thief", ca=True).pem)
        with pytest.raises(ConfigurationError) as caught:
            store.anchors()
        assert caught.value.code == "trust.changed"

    def test_a_list_without_its_pin_is_refused(self, store: TrustStore, root: Any, tmp_path: Path) -> None:
        store.keep(ListKind.MANIFEST, "mine", root.pem, "root.pem")
        (tmp_path / "state/trust/manifest/mine.json").unlink()
        with pytest.raises(ConfigurationError):
            store.kept()

    def test_what_is_no_list_replaces_nothing(self, store: TrustStore, root: Any) -> None:
        store.keep(ListKind.MANIFEST, "mine", root.pem, "root.pem")
        with pytest.raises(ConfigurationError):
            store.keep(ListKind.MANIFEST, "mine", b"nothing", "x")
        assert store.anchors()[ListKind.MANIFEST] == (root.pem,)

    @pytest.mark.parametrize("name", ["", "../x", "A", "a/b", ".hidden", "x" * 80])
    def test_names_stay_in_the_folder(self, store: TrustStore, root: Any, name: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            store.keep(ListKind.MANIFEST, name, root.pem, "x")
        assert caught.value.code == "trust.name"


class TestFetch:
    @pytest.fixture
    def server(self, root: Any) -> Iterator[str]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response({"/list": 200, "/moved": 302}.get(self.path, 404))
                self.send_header("Location", "/list")
                self.end_headers()
                self.wfile.write(root.pem)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()

    def test_a_list_is_fetched(self, server: str, root: Any) -> None:
        assert fetch(f"{server}/list") == root.pem

    @pytest.mark.parametrize("path", ["/none", "/moved"])
    def test_an_error_or_another_address_is_no_list(self, server: str, path: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            fetch(server + path)
        assert caught.value.code == "trust.fetch"

    @pytest.mark.parametrize("address", ["http://lists.example/x", "file:///etc/passwd", "https://", "list.pem"])
    def test_only_https_is_asked(self, address: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            fetch(address)
        assert caught.value.code == "trust.fetch"


def crl(issuer: Any, *serials: int, at: datetime = NOW) -> x509.CertificateRevocationList:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW - timedelta(days=1))
        .next_update(NOW + timedelta(days=30))
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, hashes.SHA256())


class TestRevocation:
    def test_a_revoked_certificate_is_found_from_then_on(self, root: Any, make: Callable[..., Any]) -> None:
        leaf = make("leaf", root)
        taken = crl(root, leaf.certificate.serial_number, at=NOW)
        for moment, rules in ((NOW - timedelta(hours=1), []), (NOW + timedelta(hours=1), ["revoked"])):
            assert [each.rule for each in revocation_faults([leaf.der], [root.der], [taken], moment)] == rules

    def test_other_serials_and_other_issuers_say_nothing(self, root: Any, make: Callable[..., Any]) -> None:
        leaf, stranger = make("leaf", root), make("stranger", ca=True)
        lists = [crl(root, 1), crl(stranger, leaf.certificate.serial_number)]
        assert list(revocation_faults([leaf.der], [root.der], lists, NOW + timedelta(days=1))) == []

    def test_a_list_that_its_issuer_did_not_sign_is_a_fault(self, root: Any, make: Callable[..., Any]) -> None:
        leaf, impostor = make("leaf", root), make("root", ca=True)
        found = list(revocation_faults([leaf.der], [root.der], [crl(impostor)], NOW))
        assert [each.rule for each in found] == ["crl-signature"]

    def test_a_revoked_signer_makes_the_manifest_invalid(
        self, signed_png: Path, signed_root: Path, make: Callable[..., Any]
    ) -> None:
        from sdsafe.provenance.manifest.probe import ManifestProbe

        asset = Asset(data=signed_png.read_bytes(), media_type="image/png")
        seen = ManifestProbe().examine(asset, Evidence())
        policy = TrustPolicy(anchors={ListKind.MANIFEST: (signed_root.read_bytes(),)})
        assert TrustProbe(policy).examine(asset, seen).manifest is ManifestState.TRUSTED
        assert seen.summary is not None
        leaf, issuing = make("leaf", (authority := make("issuing", ca=True))), authority
        summary = replace(seen.summary, certificate_chain=(leaf.der, issuing.der))
        taken = crl(issuing, leaf.certificate.serial_number)
        judged = TrustProbe(policy, revoked=[taken], at=NOW + timedelta(days=1)).examine(
            asset, replace(seen, summary=summary)
        )
        assert judged.manifest is ManifestState.INVALID
        assert "signingCredential.revoked" in {each.code for each in judged.findings}

    @pytest.mark.parametrize("form", [Encoding.PEM, Encoding.DER])
    def test_lists_are_read_in_both_forms(self, tmp_path: Path, root: Any, form: Encoding) -> None:
        (tmp_path / "x.crl").write_bytes(crl(root, 5).public_bytes(form))
        assert load_crl(tmp_path / "x.crl").get_revoked_certificate_by_serial_number(5) is not None

    def test_what_is_no_list_is_refused(self, tmp_path: Path, root: Any) -> None:
        (tmp_path / "x.crl").write_bytes(root.pem)
        with pytest.raises(ConfigurationError):
            load_crl(tmp_path / "x.crl")
        with pytest.raises(ConfigurationError):
            load_crl(tmp_path / "missing.crl")
