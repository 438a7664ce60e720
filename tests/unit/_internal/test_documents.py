from __future__ import annotations

import time

import pytest
import yaml

from sdsafe._internal import documents
from sdsafe._internal.documents import MAX_BYTES, read_yaml
from sdsafe.errors import PolicyFormatError


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def both_parsers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_LOADER", getattr(yaml, request.param))


def test_plain_values_of_the_core_schema() -> None:
    text = (
        "a: 1\nb: [x, 'on', on, no, yes]\nc: {d: 0.5, e: true, f: ~}\ng: 2026-11-23\nh: '1'\ni: -3\nj: 1e3\nk: !!str 7"
    )
    assert read_yaml(text.encode(), "f") == {
        "a": 1,
        "b": ("x", "on", "on", "no", "yes"),
        "c": {"d": 0.5, "e": True, "f": None},
        "g": "2026-11-23",
        "h": "1",
        "i": -3,
        "j": 1000.0,
        "k": "7",
    }


def test_an_empty_file_is_nothing() -> None:
    assert read_yaml(b"", "f") is None
    assert read_yaml(b"# only a comment\n", "f") is None


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("a: 1\na: 2", "a (line 2)", "the key twice"),
        ("x:\n  a: 1\n  b: {c: 1, c: 2}", "x.b.c (line 3)", "the key twice"),
        ("a: &x 1", "a (line 1)", "an anchor or alias"),
        ("a: [1, &x [2]]\nb: *x", "a[1] (line 1)", "an anchor or alias"),
        ("a: !!python/object/apply:os.system [x]", "a (line 1)", "the tag python/object/apply:os.system"),
        ("a: !secret x", "a (line 1)", "the tag !secret"),
        ("a: !!float 1", "a (line 1)", "the tag float"),
        ("1: x", " (line 1)", "another type"),
        ("? [a]\n: x", " (line 1)", "another type"),
        ("a: .nan", "a (line 1)", ".nan"),
        ("a: -.inf", "a (line 1)", "-.inf"),
        ("a: 1e999", "a (line 1)", "1e999"),
        ("a: " + "9" * 5000, "a (line 1)", "a longer number"),
        ("a: 1\n---\nb: 2", " (line 2)", "a second one"),
    ],
)
def test_what_is_refused_is_named_with_its_place(text: str, key: str, found: str) -> None:
    with pytest.raises(PolicyFormatError) as caught:
        read_yaml(text.encode(), "pack/policy.yaml")
    assert caught.value.file == "pack/policy.yaml"
    assert caught.value.key == key
    assert caught.value.found == found


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\ta: 1", "a: 'x", "%YAML 9.9\n---\na", "a: \x07", "*x"])
def test_text_that_is_not_yaml_is_one_error(text: str) -> None:
    with pytest.raises(PolicyFormatError):
        read_yaml(text.encode(), "f")


@pytest.mark.parametrize("data", [b"\xff\xfea\x00", b"a: \xe9", "a: \ud800".encode("utf-8", "surrogatepass")])
def test_other_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(PolicyFormatError, match="expected UTF-8"):
        read_yaml(data, "f")


def test_bombs_end_quickly() -> None:
    laughs = "a: &a [x,x,x]\n" + "".join(
        f"{c}: &{c} [*{p},*{p},*{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    started = time.perf_counter()
    nested = [b"[" * 1_000_000, b"{a: " * 1_000_000, b"- " * 1_000_000, b"? " * 1_000_000]
    for data in (laughs.encode(), *nested, b"x" * 50_000_000):
        with pytest.raises(PolicyFormatError):
            read_yaml(data, "f")
    assert time.perf_counter() - started < 3


def test_the_limit_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_BYTES == 5_000_000
    monkeypatch.setattr(documents, "MAX_BYTES", 1000)
    assert read_yaml(b"a: " + b"x" * 997, "f")
    with pytest.raises(PolicyFormatError, match="at most 1,000 bytes"):
        read_yaml(b"a: " + b"x" * 998, "f")
