from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from sdsafe._internal import atomic
from sdsafe._internal.certificates import CLAIM_SIGNING
from sdsafe.core.places import Places
from sdsafe.errors import AssetError, SigningError
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.signing.credentials import expiry_warning, init_development, lint
from sdsafe.provenance.signing.lint import RULES
from sdsafe.provenance.signing.local import FileSigner

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.provenance.signing.lint import Remark

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DER = Encoding.DER


def _init(folder: Path, *, name: str = "Example", password: bytes | None = None, force: bool = False) -> object:
    return init_development(folder, name=name, password=password, force=force)


def _load(folder: Path) -> tuple[x509.Certificate, x509.Certificate, x509.Certificate]:
    leaf, issuing = x509.load_pem_x509_certificates((folder / "chain.pem").read_bytes())
    return leaf, issuing, x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())


def test_three_files_and_no_more(tmp_path: Path) -> None:
    _init(tmp_path / "a" / "keys")
    assert sorted(p.name for p in (tmp_path / "a" / "keys").iterdir()) == ["chain.pem", "leaf.key", "root.pem"]


def test_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    _init(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys" / "leaf.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_the_root_key_is_not_kept_unless_asked(tmp_path: Path) -> None:
    _init(tmp_path / "keys")
    assert b"PRIVATE KEY" not in (tmp_path / "keys" / "root.pem").read_bytes()
    kept = init_development(tmp_path / "more", name="Example", password=b"x", force=False, keep_root_key=True)
    assert kept.encrypted
    key = load_pem_private_key((tmp_path / "more" / "root.key").read_bytes(), b"x")
    assert key.public_key() == _load(tmp_path / "more")[2].public_key()
    assert stat.S_IMODE((tmp_path / "more" / "root.key").stat().st_mode) == 0o600


def test_the_hierarchy_is_what_it_says(tmp_path: Path) -> None:
    _init(tmp_path)
    leaf, issuing, root = _load(tmp_path)
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    curves = [c.public_key().curve.name for c in (leaf, issuing, root)]  # type: ignore[union-attr]
    assert curves == ["secp256r1", "secp256r1", "secp384r1"]
    spans = [(c.not_valid_after_utc - c.not_valid_before_utc).days for c in (leaf, issuing, root)]
    assert spans == [90, 1826, 3653]
    assert issuing.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    usages = list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == [CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]


def test_every_subject_says_development_and_whose(tmp_path: Path) -> None:
    _init(tmp_path, name="Example Ltd")
    for certificate in _load(tmp_path):
        name = certificate.subject.rfc4514_string()
        assert "sdsafe development CA" in name
        assert "O=Example Ltd" in name
        assert "not a conforming product" in name


def test_it_claims_no_assurance_level_and_no_product(tmp_path: Path) -> None:
    _init(tmp_path)
    for certificate in _load(tmp_path):
        oids = {extension.oid.dotted_string for extension in certificate.extensions}
        assert not [oid for oid in oids if oid.startswith("1.3.6.1.4.1.62558")]
        assert "2.5.29.32" not in oids


def test_two_hierarchies_can_be_told_apart(tmp_path: Path) -> None:
    _init(tmp_path / "a")
    _init(tmp_path / "b")
    assert _load(tmp_path / "a")[2].subject != _load(tmp_path / "b")[2].subject


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    _init(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(SigningError) as caught:
        _init(tmp_path)
    assert caught.value.code == "signing.exists"
    assert "--force" in caught.value.hint
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["leaf.key", "chain.pem", "root.pem", "root.key"])
def test_even_a_part_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(SigningError):
        _init(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_force_replaces_and_keeps_the_old_root(tmp_path: Path) -> None:
    _init(tmp_path)
    old = (tmp_path / "root.pem").read_bytes()
    result = init_development(tmp_path, name="Example", password=None, force=True)
    assert result.kept_root is not None
    assert (tmp_path / result.kept_root).read_bytes() == old
    assert (tmp_path / "root.pem").read_bytes() != old
    FileSigner(tmp_path / "chain.pem", tmp_path / "leaf.key")


def test_force_removes_the_key_of_the_old_root(tmp_path: Path) -> None:
    init_development(tmp_path, name="Example", password=None, force=False, keep_root_key=True)
    _init(tmp_path, force=True)
    assert not (tmp_path / "root.key").exists()


@pytest.mark.parametrize("name", ["", " ", "a" * 41, " Example", "a\nb", "a\0b", "a\u202eb"])
def test_names_that_do_not_fit_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SigningError) as caught:
        _init(tmp_path / "keys", name=name)
    assert caught.value.code == "signing.name"
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("name", ["a", "a" * 40, "Müller & Söhne, Köln", "例", "O=x,CN=y"])
def test_names_that_fit_are_taken(tmp_path: Path, name: str) -> None:
    _init(tmp_path, name=name)
    organisation = x509.oid.NameOID.ORGANIZATION_NAME
    assert [a.value for a in _load(tmp_path)[0].subject.get_attributes_for_oid(organisation)] == [name]


def test_an_empty_password_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SigningError) as caught:
        _init(tmp_path, password=b"")
    assert caught.value.code == "signing.password"


def test_a_password_encrypts_the_key(tmp_path: Path) -> None:
    _init(tmp_path, password=b"open sesame")
    assert b"ENCRYPTED" in (tmp_path / "leaf.key").read_bytes()


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = atomic.write_new

    def failing(path: Path, data: bytes, *, mode: int = 0o644) -> None:
        if path.name == "root.pem":
            raise AssetError("no space left", code="asset.no-space")
        write(path, data, mode=mode)

    monkeypatch.setattr(atomic, "write_new", failing)
    with pytest.raises(AssetError):
        _init(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((SigningError, AssetError)):
        _init(tmp_path / "file" / "keys")


@pytest.mark.parametrize(
    ("days", "said"),
    [(30, None), (14.1, None), (14, "expires in 14 days"), (1.5, "within two days"), (0.1, "within two days")],
)
def test_the_end_is_announced_two_weeks_ahead(days: float, said: str | None) -> None:
    leaf = issue("Example", NOW, leaf_days=days).leaf.public_bytes(DER)
    warning = expiry_warning(leaf, NOW)
    assert warning is None if said is None else warning is not None and said in warning


def test_the_end_is_told_afterwards_too() -> None:
    leaf = issue("Example", NOW, leaf_days=1).leaf.public_bytes(DER)
    warning = expiry_warning(leaf, NOW + timedelta(days=2))
    assert warning is not None
    assert "expired" in warning
    assert "sdsafe keys init" in warning


def test_a_leaf_that_is_none_is_a_typed_error() -> None:
    with pytest.raises(SigningError):
        expiry_warning(b"junk")


def _chain(days: float = 90) -> tuple[list[bytes], bytes, bytes]:
    made = issue("Example", NOW, leaf_days=days)
    key = made.leaf_key.public_key().public_bytes(DER, PublicFormat.SubjectPublicKeyInfo)
    return [made.leaf.public_bytes(DER), made.issuing.public_bytes(DER)], key, made.root.public_bytes(DER)


def _broken(remarks: tuple[Remark, ...]) -> set[str]:
    return {remark.rule for remark in remarks if not remark.ok}


def test_a_good_credential_passes_every_rule() -> None:
    chain, key, _ = _chain()
    remarks = lint(chain, key, at=NOW)
    assert _broken(remarks) == set()
    assert [remark.rule for remark in remarks] == list(RULES)
    assert all(remark.says for remark in remarks)


def test_without_a_key_the_match_is_left_out() -> None:
    assert "key-match" not in {remark.rule for remark in lint(_chain()[0], None, at=NOW)}


def test_each_mistake_is_called_by_its_name() -> None:
    chain, key, root = _chain()
    leaf, issuing = chain
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    stranger = other.public_bytes(DER, PublicFormat.SubjectPublicKeyInfo)
    cases = {
        "order": [issuing, leaf],
        "malformed": [leaf, b"junk"],
    }
    for rule, wrong in cases.items():
        assert rule in _broken(lint(wrong, key, at=NOW))
    assert _broken(lint([leaf], key, at=NOW)) == {"order"}
    assert _broken(lint([leaf, issuing, root], key, at=NOW)) == {"order"}
    assert _broken(lint(chain, stranger, at=NOW)) == {"key-match"}
    assert _broken(lint(chain, key, at=NOW + timedelta(days=91))) == {"expired"}
    assert _broken(lint(chain, key, at=NOW - timedelta(days=1))) == {"not-yet-valid"}
    assert _broken(lint([], key, at=NOW)) == {"malformed"}
    assert _broken(lint([leaf, _chain()[0][1]], key, at=NOW)) & {"order", "signature"}


def test_a_leaf_that_is_an_authority_is_named() -> None:
    chain, _, root = _chain()
    broken = _broken(lint([chain[1], root], None, at=NOW))
    assert {"basic-constraints", "key-usage", "extended-key-usage"} <= broken


def test_the_flow_of_a_machine_without_a_credential(tmp_path: Path) -> None:
    places = Places(state=tmp_path, cache=tmp_path)
    with pytest.raises(SigningError, match="does not exist"):
        FileSigner.configure(places, {})
    _init(places.keys)
    signer = FileSigner.configure(places, {})
    assert _broken(lint(signer.certificate_chain, signer.public_key, at=datetime.now(UTC))) == set()
    assert expiry_warning(signer.certificate_chain[0]) is None
