"""Laws of the ledger: entries round trip, and any history of appends stays provable and consistent."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sdsafe.core.decisions import Effect
from sdsafe.core.places import Places
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.errors import LedgerError
from sdsafe.records.ledger import checkpoint
from sdsafe.records.ledger.audit import audit
from sdsafe.records.ledger.entry import parse, render
from sdsafe.records.ledger.log import SqliteLedger
from sdsafe.records.ledger.merkle import EMPTY_ROOT, verify_consistency
from sdsafe.records.ledger.receipt import verify_receipt

if TYPE_CHECKING:
    from sdsafe.core.receipts import Checkpoint


def hex_of(size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size).map(bytes.hex)


def pairs() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    names = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True)
    return st.dictionaries(names, hex_of(8) | hex_of(32), max_size=3).map(lambda d: tuple(sorted(d.items())))


ENTRIES = st.builds(
    LedgerEntry,
    kind=st.sampled_from([EntryKind.RELEASED, EntryKind.WITHDRAWN]),
    asset_id=hex_of(8),
    asset_sha256=hex_of(32),
    manifest_sha256=hex_of(32),
    policy_digests=st.lists(hex_of(32), max_size=3).map(tuple),
    effect=st.sampled_from([effect.label for effect in Effect]),
    record_sha256=hex_of(32),
    recorded_at=st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")),
    extra=pairs(),
)


@settings(max_examples=100, deadline=None)
@given(ENTRIES)
def test_entries_round_trip(entry: LedgerEntry) -> None:
    body = render(entry)
    assert parse(body) == entry
    assert render(parse(body)) == body
    assert body.isascii()
    assert b"\n" not in body


@settings(max_examples=100, deadline=None)
@given(ENTRIES, st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_never_reads_as_the_same_entry(entry: LedgerEntry, place: int, bit: int) -> None:
    body = bytearray(render(entry))
    body[place % len(body)] ^= 1 << bit
    try:
        assert parse(bytes(body)) != entry
    except LedgerError as error:
        assert error.code == "ledger.entry"  # noqa: PT017 - either outcome is right


class LedgerHistory(RuleBasedStateMachine):
    """Appends, restarts, proofs, kept checkpoints and audits, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        state = Path(self.folder.name)
        self.places = Places(state=state, cache=state)
        self.ledger = SqliteLedger(self.places)
        self.known: list[LedgerEntry] = []
        self.kept: list[Checkpoint] = []

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(batch=st.lists(ENTRIES, max_size=4, unique_by=lambda entry: entry.asset_id))
    def append(self, batch: list[LedgerEntry]) -> None:
        released = {entry.asset_id for entry in self.known if entry.kind is EntryKind.RELEASED}
        batch = [entry for entry in batch if entry.asset_id not in released]
        receipts = self.ledger.append_all(batch)
        assert [receipt.log_index for receipt in receipts] == list(range(len(self.known), len(self.known) + len(batch)))
        assert [receipt.entry for receipt in receipts] == batch
        self.known += batch

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def release_again(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.known))
        before = self.ledger.checkpoint()
        if entry.kind is EntryKind.RELEASED:
            try:
                self.ledger.append(entry)
            except LedgerError as error:
                assert error.code == "ledger.duplicate"  # noqa: PT017 - the state is compared below
            assert self.ledger.checkpoint() == before

    @rule()
    def restart(self) -> None:
        self.ledger = SqliteLedger(self.places)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.known) - 1))
        entry = self.known[index]
        key = self.ledger.public_key
        assert key is not None
        for digest in (entry.asset_id, entry.asset_sha256, entry.manifest_sha256):
            receipt = self.ledger.prove(digest)
            assert receipt is not None
            assert digest in {receipt.entry.asset_id, receipt.entry.asset_sha256, receipt.entry.manifest_sha256}
            assert receipt.log_index >= index
            verify_receipt(receipt, key)

    @precondition(lambda self: self.known)
    @rule()
    def keep_checkpoint(self) -> None:
        head = self.ledger.checkpoint()
        assert head is not None
        self.kept.append(head)

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def compare(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self.kept))
        proof = self.ledger.consistency(old.tree_size)
        head, key = proof.checkpoint, self.ledger.public_key
        assert key is not None
        checkpoint.verify(head, key)
        verify_consistency(old.tree_size, head.tree_size, proof.hashes, old.root_hash, head.root_hash)
        report = audit(self.ledger, since=old)
        assert report.consistent
        assert report.size == len(self.known)

    @invariant()
    def everything_is_there(self) -> None:
        head = self.ledger.checkpoint()
        size, root = (head.tree_size, head.root_hash) if head else (0, EMPTY_ROOT)
        assert size == len(self.known)
        assert (root == EMPTY_ROOT) == (size == 0)
        assert [logged.entry for logged in self.ledger.entries()] == self.known


LedgerHistory.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestLedgerHistory = LedgerHistory.TestCase
