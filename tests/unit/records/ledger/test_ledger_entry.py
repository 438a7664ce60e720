"""Only ids and digests fit into a ledger entry."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.receipts import EntryKind
from sdsafe.errors import LedgerError
from sdsafe.records.ledger.entry import parse, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.receipts import LedgerEntry


def test_the_bytes_of_an_entry_are_frozen(make_entry: Callable[..., LedgerEntry]) -> None:
    entry = make_entry(extra=(("pixels", "01" * 32), ("review", "ab" * 8)))
    assert render(entry) == (
        b'{"asset_id":"%b","asset_sha256":"%b","effect":"annotate",'
        b'"extra":[["pixels","%b"],["review","%b"]],"kind":"released","manifest_sha256":"%b",'
        b'"policy_digests":["%b"],"record_sha256":"%b","recorded_at":"2026-11-22T07:00:00Z","v":1}'
    ) % tuple(
        value.encode()
        for value in (
            entry.asset_id,
            entry.asset_sha256,
            "01" * 32,
            "ab" * 8,
            entry.manifest_sha256,
            "ab" * 32,
            entry.record_sha256,
        )
    )
    assert parse(render(entry)) == entry


@pytest.mark.parametrize(
    "change",
    [
        {"asset_id": "a quokka"},
        {"asset_id": "AB" * 8},
        {"asset_id": "ab" * 8 + "\n"},
        {"asset_sha256": ""},
        {"asset_sha256": "ab" * 31},
        {"manifest_sha256": "g" * 64},
        {"record_sha256": ""},
        {"policy_digests": ("baseline",)},
        {"effect": "a quokka"},
        {"effect": "Allow"},
        {"recorded_at": "yesterday"},
        {"recorded_at": "2026-11-22T07:00:00+01:00"},
        {"extra": (("prompt", "a quokka"),)},
        {"extra": (("A quokka", "ab" * 8),)},
        {"extra": (("b", "ab" * 8), ("a", "ab" * 8))},
        {"extra": (("a", "ab" * 8), ("a", "cd" * 8))},
        {"kind": "a quokka"},
    ],
)
def test_a_field_that_could_hold_text_is_refused_without_repeating_it(
    make_entry: Callable[..., LedgerEntry], change: dict[str, object]
) -> None:
    with pytest.raises(LedgerError) as caught:
        render(replace(make_entry(), **change))  # type: ignore[arg-type]
    assert caught.value.code == "ledger.entry"
    assert "quokka" not in str(caught.value)
    (field,) = change
    assert field in str(caught.value)


def test_an_erasure_says_which_asset_and_nothing_else(make_entry: Callable[..., LedgerEntry]) -> None:
    erased = make_entry(kind=EntryKind.ERASED)
    assert erased.asset_sha256 == ""
    assert parse(render(erased)) == erased


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d | {"v": 2},
        lambda d: d | {"v": "1"},
        lambda d: d | {"prompt": "a quokka"},
        lambda d: {key: value for key, value in d.items() if key != "effect"},
        lambda d: d | {"kind": "sold"},
        lambda d: d | {"extra": [["a"]]},
        lambda d: d | {"extra": {"a": "b"}},
        lambda d: d | {"policy_digests": "ab"},
        lambda d: d | {"policy_digests": [["ab"]]},
        lambda d: d | {"asset_id": 7},
        lambda d: [d],
    ],
)
def test_parse_refuses_what_render_does_not_write(
    make_entry: Callable[..., LedgerEntry], damage: Callable[[dict[str, object]], object]
) -> None:
    document = damage(json.loads(render(make_entry())))
    body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(LedgerError) as caught:
        parse(body)
    assert caught.value.code == "ledger.entry"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"v":NaN}'])
def test_parse_survives_bytes_that_are_no_json(body: bytes) -> None:
    with pytest.raises(LedgerError):
        parse(body)


def test_one_entry_has_one_byte_string(make_entry: Callable[..., LedgerEntry]) -> None:
    body = render(make_entry())
    for other in (body + b"\n", body.replace(b",", b", ", 1), body.replace(b'"v":1', b'"v":1.0')):
        with pytest.raises(LedgerError):
            parse(other)
