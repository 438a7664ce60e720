from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sdsafe.core.trust import ListKind
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.trust.lists import load_anchors, load_lists, parse_anchors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def root(make: Callable[..., Any]) -> Any:
    return make("root", ca=True)


@pytest.mark.parametrize(("name", "count"), [("C2PA-TRUST-LIST.pem", 30), ("C2PA-TSA-TRUST-LIST.pem", 22)])
def test_the_official_lists_load(shared_data: Path, name: str, count: int) -> None:
    anchors = load_anchors(shared_data / "trust-lists" / name)
    assert len(anchors) == count
    assert all(len(x509.load_pem_x509_certificates(each)) == 1 for each in anchors)


def test_remarks_blank_lines_and_carriage_returns_are_ignored(root: Any, make: Callable[..., Any]) -> None:
    other = make("other", ca=True)
    data = b"Subject\tCN=root\n" + root.pem + b"\n# a remark\n\n" + other.pem.replace(b"\n", b"\r\n") + b"the end"
    anchors = parse_anchors(data, "list.pem")
    assert [x509.load_pem_x509_certificate(a) for a in anchors] == [root.certificate, other.certificate]


def test_the_kind_is_that_of_the_file_named(tmp_path: Path, root: Any, make: Callable[..., Any]) -> None:
    other = make("other", ca=True)
    (tmp_path / "a.pem").write_bytes(root.pem)
    (tmp_path / "b.pem").write_bytes(other.pem)
    lists = load_lists({ListKind.MANIFEST: [tmp_path / "a.pem"], ListKind.TSA: [tmp_path / "b.pem"], ListKind.CAWG: []})
    assert lists == {ListKind.MANIFEST: (root.pem,), ListKind.TSA: (other.pem,), ListKind.CAWG: ()}


@pytest.mark.parametrize("data", [b"", b"no certificate here", b"-----END CERTIFICATE-----\n"])
def test_an_empty_list_is_not_a_list(data: bytes) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_anchors(data, "list.pem")
    assert caught.value.code == "trust.empty"
    assert "list.pem" in str(caught.value)


def test_a_list_cut_off_is_not_used_in_part(root: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_anchors(root.pem + root.pem[:-30], "list.pem")
    assert caught.value.code == "trust.format"


@pytest.mark.parametrize(
    "block",
    [
        b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
)
def test_a_block_that_is_no_certificate_is_named(root: Any, block: bytes) -> None:
    with pytest.raises(ConfigurationError, match="certificate 2") as caught:
        parse_anchors(root.pem + block, "list.pem")
    assert caught.value.code == "trust.format"


def test_a_leaf_is_no_anchor(root: Any, make: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="certification authority") as caught:
        parse_anchors(make("leaf", root).pem, "chain.pem")
    assert "root.pem" in caught.value.hint


def test_a_private_key_is_refused(root: Any) -> None:
    key = root.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ConfigurationError) as caught:
        parse_anchors(root.pem + key, "all.pem")
    assert caught.value.code == "trust.private-key"


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_anchors(tmp_path / "gone.pem")
    assert caught.value.code == "trust.unreadable"
    assert "gone.pem" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_is_not_a_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_anchors(tmp_path)
