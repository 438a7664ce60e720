"""What the ledger says about a file, in every situation a verifier meets."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.digests import sha256_hex
from sdsafe.core.receipts import EntryKind, LedgerEntry, Receipt
from sdsafe.core.report import Evidence, LedgerState, ManifestState, ManifestSummary, SoftMatch, SoftState
from sdsafe.core.states import Asset
from sdsafe.records.ledger.log import SqliteLedger
from sdsafe.records.ledger.probe import LedgerProbe

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sdsafe.core.places import Places

FILE = Asset(data=b"the released file", media_type="image/png")
STORE = b"the recorded manifest store"


@pytest.fixture
def released(make_entry: Callable[..., LedgerEntry]) -> LedgerEntry:
    return make_entry(1, asset_sha256=sha256_hex(FILE.data), manifest_sha256=sha256_hex(STORE))


@pytest.fixture
def ledger(places: Places, released: LedgerEntry, make_entry: Callable[..., LedgerEntry]) -> SqliteLedger:
    log = SqliteLedger(places)
    log.append_all([make_entry(0), released, make_entry(2)])
    return log


def summary(asset_id: str | None, *, recovered: bool = False) -> ManifestSummary:
    return ManifestSummary(
        label="urn:c2pa:1",
        claim_generator="sdsafe",
        signer="",
        issuer="",
        signature_time=None,
        trust_list=None,
        asset_id=asset_id,
        recovered=recovered,
    )


def intact(asset_id: str | None, manifest: ManifestState = ManifestState.TRUSTED) -> Evidence:
    return Evidence(manifest=manifest, summary=summary(asset_id))


def recovered(asset_id: str, store: bytes, owner: str | None = None) -> Evidence:
    match = SoftMatch(
        alg="phash",
        asset_id=owner or asset_id,
        distance=0.1,
        p_value=None,
        recorded_at="2026-11-22T07:00:00Z",
        manifest_store=store,
    )
    return Evidence(soft=SoftState.MATCH, summary=summary(asset_id, recovered=True), matches=(match,))


def codes(seen: Evidence) -> list[str]:
    return [finding.code for finding in seen.findings]


def test_an_intact_file_is_included_with_a_receipt(ledger: SqliteLedger, released: LedgerEntry) -> None:
    seen = LedgerProbe(ledger).examine(FILE, intact(released.asset_id))
    assert seen.ledger is LedgerState.INCLUDED
    assert seen.receipt is not None
    assert seen.receipt.entry == released
    assert codes(seen) == ["ledger.included"]
    assert seen.not_checked == ()


def test_what_was_seen_before_stays(ledger: SqliteLedger, released: LedgerEntry) -> None:
    before = intact(released.asset_id.upper()).noting(not_checked=["something"])
    seen = LedgerProbe(ledger).examine(FILE, before)
    assert (seen.manifest, seen.summary, seen.not_checked) == (before.manifest, before.summary, ("something",))
    assert seen.ledger is LedgerState.INCLUDED


def test_a_recovered_manifest_is_compared_by_its_own_digest(ledger: SqliteLedger, released: LedgerEntry) -> None:
    stripped = Asset(data=b"other bytes, same picture", media_type="image/png")
    found = LedgerProbe(ledger).examine(stripped, recovered(released.asset_id, STORE))
    assert (found.ledger, codes(found)) == (LedgerState.INCLUDED, ["ledger.included"])
    other = LedgerProbe(ledger).examine(stripped, recovered(released.asset_id, b"another store"))
    assert (other.ledger, codes(other)) == (LedgerState.INCONSISTENT, ["ledger.digest-mismatch"])
    borrowed = LedgerProbe(ledger).examine(stripped, recovered(released.asset_id, STORE, owner="ab" * 8))
    assert borrowed.ledger is LedgerState.INCONSISTENT


def test_the_same_id_with_other_bytes_contradicts(
    ledger: SqliteLedger, released: LedgerEntry, make_entry: Callable[..., LedgerEntry]
) -> None:
    other = Asset(data=b"other bytes", media_type="image/png")
    seen = LedgerProbe(ledger).examine(other, intact(released.asset_id, ManifestState.VALID))
    assert (seen.ledger, seen.receipt) == (LedgerState.INCONSISTENT, None)
    # The digest of *another* asset in the log does not help.
    assert LedgerProbe(ledger).examine(FILE, intact(make_entry(2).asset_id)).ledger is LedgerState.INCONSISTENT


@pytest.mark.parametrize("state", [ManifestState.INVALID, ManifestState.WELL_FORMED])
def test_a_broken_manifest_proves_nothing_about_the_log(
    ledger: SqliteLedger, released: LedgerEntry, state: ManifestState
) -> None:
    other = Asset(data=b"other bytes", media_type="image/png")
    seen = LedgerProbe(ledger).examine(other, intact(released.asset_id, state))
    assert seen.ledger is LedgerState.NOT_CHECKED
    assert codes(seen) == ["ledger.digest-mismatch"]
    assert len(seen.not_checked) == 1


def test_an_id_the_log_does_not_know_is_not_found(ledger: SqliteLedger) -> None:
    seen = LedgerProbe(ledger).examine(FILE, intact("ab" * 8))
    assert (seen.ledger, codes(seen)) == (LedgerState.NOT_FOUND, ["ledger.not-found"])


@pytest.mark.parametrize(
    "evidence",
    [Evidence(), Evidence(manifest=ManifestState.INVALID), intact(None), intact("no id"), intact("ab" * 9)],
)
def test_without_an_id_nothing_is_checked_and_it_is_said(ledger: SqliteLedger, evidence: Evidence) -> None:
    seen = LedgerProbe(ledger).examine(FILE, evidence)
    assert seen.ledger is LedgerState.NOT_CHECKED
    assert "no" in seen.not_checked[0] or "nothing" in seen.not_checked[0]
    assert seen.findings == ()


def test_without_a_ledger_nothing_is_checked_and_it_is_said(released: LedgerEntry) -> None:
    seen = LedgerProbe(None).examine(FILE, intact(released.asset_id))
    assert seen.ledger is LedgerState.NOT_CHECKED
    assert "none on this machine" in seen.not_checked[0]


@pytest.mark.parametrize(
    ("kind", "code"), [(EntryKind.WITHDRAWN, "ledger.withdrawn"), (EntryKind.ERASED, "ledger.erased")]
)
def test_what_happened_later_becomes_a_finding(
    ledger: SqliteLedger, released: LedgerEntry, make_entry: Callable[..., LedgerEntry], kind: EntryKind, code: str
) -> None:
    digests = {} if kind is EntryKind.ERASED else {"asset_sha256": released.asset_sha256}
    ledger.append(make_entry(1, kind, **digests))
    seen = LedgerProbe(ledger).examine(FILE, intact(released.asset_id))
    assert seen.ledger is LedgerState.INCLUDED
    assert codes(seen) == [code, "ledger.included"]


def test_a_ledger_that_cannot_answer_is_reported_not_raised(
    places: Places, ledger: SqliteLedger, released: LedgerEntry
) -> None:
    (places.state / "ledger.sqlite").write_bytes(b"damaged" * 1000)
    seen = LedgerProbe(ledger).examine(FILE, intact(released.asset_id))
    assert (seen.ledger, codes(seen)) == (LedgerState.NOT_CHECKED, ["ledger.unreadable"])
    assert "ledger.damaged" in seen.not_checked[0]


def test_a_checkpoint_nobody_signed_includes_nothing(
    places: Places, ledger: SqliteLedger, released: LedgerEntry
) -> None:
    with closing(sqlite3.connect(places.state / "ledger.sqlite")) as connection, connection:
        connection.execute("DROP TRIGGER checkpoints_no_update")
        connection.execute("UPDATE checkpoints SET signature = zeroblob(64)")
    seen = LedgerProbe(ledger).examine(FILE, intact(released.asset_id))
    assert (seen.ledger, seen.receipt) == (LedgerState.NOT_CHECKED, None)
    assert codes(seen) == ["ledger.unreadable"]


class _LyingLedger:
    """Hands out real receipts with one thing changed."""

    def __init__(self, ledger: SqliteLedger, **changes: object) -> None:
        self._ledger = ledger
        self._changes = changes

    @property
    def public_key(self) -> Ed25519PublicKey | None:
        return self._ledger.public_key

    def prove(self, digest: str, /) -> Receipt | None:
        receipt = self._ledger.prove(digest)
        return None if receipt is None else replace(receipt, **self._changes)  # type: ignore[arg-type]


def test_a_receipt_is_not_believed_but_checked(
    ledger: SqliteLedger, released: LedgerEntry, make_entry: Callable[..., LedgerEntry]
) -> None:
    lying = _LyingLedger(ledger, entry=replace(released, effect="allow"))
    seen = LedgerProbe(lying).examine(FILE, intact(released.asset_id))
    assert (seen.ledger, codes(seen)) == (LedgerState.NOT_CHECKED, ["ledger.unreadable"])
