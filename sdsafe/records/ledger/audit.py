"""Audit: recompute everything a ledger says from the bodies of its entries, and compare.

What it shows, in numbers used below:

1. the log is signed by the key that the auditor expects,
2. every entry is one we can read, in order, and the columns searched by repeat its body,
3. every stored hash is the hash of what is below it,
4. every checkpoint is signed, and its root is that of the entries it counts,
5. the newest checkpoint counts all entries, and
6. a checkpoint that the auditor kept is a prefix: the log was neither *rolled back* nor *forked*.

Without step 6 an audit shows only that the log agrees with itself: whoever holds its key can write another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.errors import LedgerError
from sdsafe.records.ledger import checkpoint as checkpoints
from sdsafe.records.ledger import entry as entries
from sdsafe.records.ledger.merkle import Frontier, leaf_hash
from sdsafe.records.ledger.tables import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sdsafe.core.receipts import Checkpoint
    from sdsafe.records.ledger.log import SqliteLedger
    from sdsafe.records.ledger.tables import Tables

__all__ = ["AuditReport", "audit"]

_PAGE = 1000
_MOST_FINDINGS = 100  # a rewritten log would give millions; the first hundred tell the story


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit saw."""

    size: int
    """Number of entries that were recomputed."""
    root_hash: bytes
    """Recomputed root over them."""
    checkpoints: int
    """Number of checkpoints whose signature and root were looked at."""
    checkpoint: Checkpoint
    """The newest one: keep it, and give it to the next audit."""
    compared_with: Checkpoint | None
    """The auditor's own checkpoint; None: this audit could not see a rollback or a fork."""
    findings: tuple[Finding, ...]

    @property
    def consistent(self) -> bool:
        """Whether nothing contradicts: no finding is a failure."""
        return all(finding.severity is not Severity.FAILURE for finding in self.findings)


def audit(ledger: SqliteLedger, since: Checkpoint | None = None, *, key: Ed25519PublicKey | None = None) -> AuditReport:
    """Recompute a whole ledger and report whatever does not agree. Changes nothing; others may append meanwhile.

    Args:
        ledger: The log.
        since: A checkpoint that the auditor kept from an earlier day.
        key: The log's public key as the auditor knows it; default: the one stored in the log.

    Raises:
        LedgerError: ``ledger.absent``: there is no log; or it cannot be read at all.
    """
    with ledger.reading() as tables:
        if tables is None:
            raise LedgerError("there is no ledger", code="ledger.absent", hint="Nothing has been released here yet.")
        walk = _Walk(tables, since, key)
    while walk.more:
        with ledger.reading() as tables:
            if tables is None:
                raise LedgerError("the ledger went away during the audit", code="ledger.absent")
            walk.page(tables)
    return walk.report()


class _Walk:
    """One pass over the log, a page at a time."""

    def __init__(self, tables: Tables, since: Checkpoint | None, key: Ed25519PublicKey | None) -> None:
        self._findings: list[Finding] = []
        self._since, self._checked, self._last_time = since, 0, ""
        self._frontier = Frontier()
        self._key = key or tables.public_key()
        self._head = tables.newest_checkpoint()
        self.more = True
        if checkpoints.log_id(self._key) != checkpoints.log_id(tables.public_key()):  # (1)
            self._fail("ledger.foreign-key", "the log is signed by another key than the one given")
        self._begin(tables)
        if since is not None:
            self._prepare(since)

    def page(self, tables: Tables) -> None:
        """Recompute the next entries."""
        start = self._frontier.size
        stop = min(start + _PAGE, self._head.tree_size)
        try:
            heads = {each.tree_size: each for each in tables.checkpoints(start or -1, _PAGE + 1)}
            if start == 0:
                self._compare(heads)
            rows = tables.rows(start, stop)
            for row in rows:
                self._entry(tables, row)
                self._compare(heads)
        except LedgerError as error:
            self._fail("ledger.unreadable", f"after entry {self._frontier.size}: {error}")
            self.more = False
            return
        if len(rows) != stop - start:
            self._fail("ledger.entry-missing", f"entry {self._frontier.size} or a later one is missing")
        self.more = len(rows) == stop - start and self._frontier.size < self._head.tree_size

    def report(self) -> AuditReport:
        """Return what was seen."""
        return AuditReport(
            size=self._frontier.size,
            root_hash=self._frontier.root(),
            checkpoints=self._checked,
            checkpoint=self._head,
            compared_with=self._since,
            findings=tuple(self._findings),
        )

    def _begin(self, tables: Tables) -> None:
        size, count = self._head.tree_size, tables.count()
        if count != size:  # (5)
            self._fail("ledger.uncovered", f"the newest checkpoint counts {size} entries, the log holds {count}")
        expected = count - count.bit_count()
        if tables.count_nodes() != expected:
            self._fail("ledger.node-count", f"{tables.count_nodes()} hashes are stored, {expected} belong there")
        if repeated := tables.count_repeated_releases():
            self._fail("ledger.duplicate", f"{repeated} asset ids were released more than once")

    def _prepare(self, since: Checkpoint) -> None:
        try:
            checkpoints.verify(since, self._key)  # (6)
        except LedgerError as error:
            self._fail(error.code, f"the checkpoint to compare with: {error}")
        if since.tree_size > self._head.tree_size:
            lost = since.tree_size - self._head.tree_size
            self._fail("ledger.rollback", f"the checkpoint to compare with counts {lost} entries more than the log has")

    def _entry(self, tables: Tables, row: Row) -> None:
        index, leaf = self._frontier.size, leaf_hash(row.body)
        try:
            sound = row == Row.of(index, entries.parse(row.body), row.body, leaf)  # (2)
        except LedgerError as error:
            self._fail(error.code, f"entry {index}: {error}")
        else:
            if not sound:
                self._fail("ledger.entry-mismatch", f"entry {index}: its columns are not those of its body")
        self._frontier, completed = self._frontier.add(leaf)
        for level, place, value in completed[1:]:
            if tables.node(level, place) != value:  # (3)
                self._fail("ledger.node-mismatch", f"hash {level}/{place} is not that of the entries below it")

    def _compare(self, heads: Mapping[int, Checkpoint]) -> None:
        """Compare the root so far with whatever vouches for a tree of this size."""
        size, since = self._frontier.size, self._since
        if since is not None and since.tree_size == size and since.root_hash != self._frontier.root():  # (6)
            self._fail("ledger.fork", f"the checkpoint to compare with has another root for the first {size} entries")
        head = heads.get(size)
        if head is None:
            return
        self._checked += 1
        try:
            checkpoints.verify(head, self._key)  # (4)
        except LedgerError as error:
            self._fail(error.code, f"checkpoint {size}: {error}")
        if head.root_hash != self._frontier.root():
            self._fail("ledger.root-mismatch", f"checkpoint {size} has another root than its entries")
        if head.timestamp < self._last_time:
            text = f"checkpoint {size} is dated before its predecessor: a clock was set back"
            self._note(Severity.INFORMATIONAL, "ledger.clock", text)
        self._last_time = head.timestamp

    def _fail(self, code: str, explanation: str) -> None:
        self._note(Severity.FAILURE, code, explanation)

    def _note(self, severity: Severity, code: str, explanation: str) -> None:
        if len(self._findings) > _MOST_FINDINGS:
            return
        if len(self._findings) == _MOST_FINDINGS:
            severity, code, explanation = Severity.FAILURE, "ledger.more", "there is more than is listed here"
        self._findings.append(
            Finding(
                code=code,
                severity=severity,
                stage=Stage.VERIFY,
                source="ledger-audit",
                source_version=str(entries.FORMAT),
                explanation=explanation,
            )
        )
