from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdsafe.errors import SigningError
from sdsafe.provenance.signing.uri import parse_signer_uri


@pytest.mark.parametrize(
    ("uri", "scheme", "options"),
    [
        ("file:", "file", {}),
        ("file://", "file", {}),
        ("FILE:", "file", {}),
        ("file:/etc/keys", "file", {"path": "/etc/keys"}),
        ("file:///etc/keys", "file", {"path": "/etc/keys"}),
        ("file:keys/mine", "file", {"path": "keys/mine"}),
        ("file:/a%20b", "file", {"path": "/a b"}),
        ("file:/a?key=/b%20c&password-file=/d", "file", {"path": "/a", "key": "/b c", "password-file": "/d"}),
        ("pkcs11:?module=/usr/lib/x.so&label=a", "pkcs11", {"module": "/usr/lib/x.so", "label": "a"}),
        ("awskms:alias/mine", "awskms", {"path": "alias/mine"}),
    ],
)
def test_what_stands_in_a_uri(uri: str, scheme: str, options: dict[str, str]) -> None:
    assert parse_signer_uri(uri) == (scheme, options)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "file",
        "/etc/keys",
        "://x",
        "1:x",
        "a b:c",
        "file:/a?key",
        "file:/a?key=",
        "file:/a?key=1&key=2",
        "file:/a?path=/b",
        "file:/a?=",
    ],
)
def test_what_is_no_signer_uri(uri: str) -> None:
    with pytest.raises(SigningError) as caught:
        parse_signer_uri(uri)
    assert caught.value.code == "signing.uri"


@pytest.mark.parametrize("name", ["password", "PIN", "pin-value", "key_passphrase", "client_secret", "token"])
def test_a_secret_in_a_uri_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(SigningError) as caught:
        parse_signer_uri(f"file:/a?{name}=hunter2")
    assert caught.value.code == "signing.secret-in-uri"
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_options_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        parse_signer_uri("file:/a")[1]["path"] = "/b"  # type: ignore[index]


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_any_path_and_value_survive_quoting(path: str, value: str) -> None:
    uri = f"file:{quote('/' + path.lstrip('/'))}?key={quote(value, safe='')}"
    expected = {"path": "/" + path.lstrip("/"), "key": value}
    assert parse_signer_uri(uri)[1] == expected


@given(st.text(max_size=60))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    try:
        parse_signer_uri(text)
    except SigningError:
        return
