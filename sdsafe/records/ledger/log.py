"""The ledger in SQLite: append-only, proven by O(log n) reads, shared by any number of processes.

Every commit ends in a signed checkpoint. Nobody appends to a log whose right edge does not hash to the last one.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sdsafe._internal.clock import rfc3339
from sdsafe._internal.database import TIMEOUT_S, Database
from sdsafe.core.receipts import EntryKind, InclusionProof, Receipt
from sdsafe.errors import LedgerError, PluginError
from sdsafe.records.ledger import checkpoint as checkpoints
from sdsafe.records.ledger import entry as entries
from sdsafe.records.ledger import key as keys
from sdsafe.records.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_inclusion,
)
from sdsafe.records.ledger.tables import SCHEMA, Row, Tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from sqlite3 import Connection

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from sdsafe.core.places import Places
    from sdsafe.core.receipts import Checkpoint, LedgerEntry

__all__ = ["FAULT_POINTS", "Consistency", "Logged", "SqliteLedger"]

FAULT_POINTS = ("ledger.append.begun", "ledger.append.written", "ledger.append.committed")
"""Where a test may kill the process to see what is left."""

_ID = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PAGE = 1000


def _reach(_point: str) -> None:
    """Do nothing; tests put a kill in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """An entry and its place in the log."""

    index: int
    entry: LedgerEntry
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """The proof that a log of ``old_size`` entries is a prefix of the one that ``checkpoint`` signs."""

    old_size: int
    checkpoint: Checkpoint
    hashes: tuple[bytes, ...]


class SqliteLedger:
    """An append-only log in ``ledger.sqlite`` of the state folder, signed with ``ledger-key.pem`` beside it.

    Both come into being with the first append. Clocks may jump: order is by index, times are for people.
    """

    def __init__(self, places: Places, *, timeout: float = TIMEOUT_S, read_only: bool = False) -> None:
        """Note where things are; nothing is opened or created yet.

        Args:
            places: ``places.state`` holds the files.
            timeout: Seconds to wait for another process.
            read_only: Refuse to append.
        """
        self._key_file = places.state / "ledger-key.pem"
        self._private: Ed25519PrivateKey | None = None
        self._database = Database(
            path=places.state / "ledger.sqlite",
            schema=SCHEMA,
            error=LedgerError,
            area="ledger",
            timeout=timeout,
            read_only=read_only,
            populate=self._begin_log,
        )

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a ledger; the one option is ``timeout``, in seconds."""
        timeout = options.get("timeout", TIMEOUT_S)
        if set(options) - {"timeout"} or isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise PluginError("ledger sqlite: unknown option or value", hint="Known: timeout = SECONDS.")
        return cls(places, timeout=timeout)

    @classmethod
    def open_existing(cls, places: Places) -> Self | None:
        """Return the ledger for reading, or None when there is none; never creates anything.

        Raises:
            LedgerError: There is something, and it cannot be read as a ledger.
        """
        ledger = cls(places, read_only=True)
        with ledger.reading() as tables:
            return None if tables is None else ledger

    @property
    def public_key(self) -> Ed25519PublicKey | None:
        """The key that checks this log's checkpoints; None while there is no log."""
        with self.reading() as tables:
            return None if tables is None else tables.public_key()

    def append(self, entry: LedgerEntry, /) -> Receipt:
        """Append an entry durably and return its receipt; see ``append_all``."""
        (receipt,) = self.append_all([entry])
        return receipt

    def append_all(self, batch: Sequence[LedgerEntry], /) -> list[Receipt]:
        """Append entries in order, all or none, under one checkpoint; durable when it returns.

        Raises:
            LedgerError: An entry has a field that is neither id nor digest; an asset id is released twice; or the
                log is locked, damaged, not writable, out of disk, or lacks its key.
        """
        bodies = [entries.render(entry) for entry in batch]
        if not bodies:
            return []
        with self._database.writing() as connection:
            _reach("ledger.append.begun")
            tables = Tables(connection, self._database.damaged)
            frontier = self._right_edge(tables)
            start = frontier.size
            for entry, body in zip(batch, bodies, strict=True):
                frontier = self._add(tables, frontier, entry, body)
            head = checkpoints.sign(frontier.size, frontier.root(), rfc3339(), self._signing_key(tables))
            tables.add_checkpoint(head)
            receipts = [self._receipt(tables, start + i, head) for i in range(len(bodies))]
            _reach("ledger.append.written")
        _reach("ledger.append.committed")
        return receipts

    def prove(self, digest: str, /) -> Receipt | None:
        """Return a receipt for the newest entry with this asset id, asset digest or manifest digest.

        Args:
            digest: 16 hex digits (asset id) or 64 (SHA-256), lower case.

        Raises:
            LedgerError: ``ledger.bad-digest`` for anything else; or the log is damaged or cannot be read.
        """
        if not (_ID.fullmatch(digest) or _DIGEST.fullmatch(digest)):
            raise LedgerError(
                "neither an asset id nor a digest",
                code="ledger.bad-digest",
                hint="An asset id has 16 lower-case hex digits, a SHA-256 has 64.",
            )
        wanted = bytes.fromhex(digest)
        with self.reading() as tables:
            if tables is None:
                return None
            search = tables.newest_with_id if _ID.fullmatch(digest) else tables.newest_with_digest
            index = search(wanted)
            return None if index is None else self._receipt(tables, index, tables.newest_checkpoint())

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Logged]:
        """Yield entries in order, from index ``start`` up to, not including, ``stop`` (default: all there are)."""
        while stop is None or start < stop:
            with self.reading() as tables:
                page = start + _PAGE if stop is None else min(start + _PAGE, stop)
                rows = tables.rows(start, page) if tables else []
            if not rows:
                return
            for row in rows:
                yield Logged(index=row.index, entry=entries.parse(row.body), body=row.body)
            start += _PAGE

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest signed checkpoint; None while there is no log."""
        with self.reading() as tables:
            return None if tables is None else tables.newest_checkpoint()

    def consistency(self, old_size: int) -> Consistency:
        """Prove that the log of ``old_size`` entries is a prefix of the present one.

        Raises:
            LedgerError: ``ledger.no-such-size``: the log has never been, or is no longer, that large.
        """
        with self.reading() as tables:
            head = tables.newest_checkpoint() if tables else None
            if tables is None or head is None or not 0 <= old_size <= head.tree_size:
                raise LedgerError(
                    f"the ledger has no state with {old_size} entries",
                    code="ledger.no-such-size",
                    hint="If somebody holds a checkpoint of that size, the log was rolled back: audit it.",
                )
            hashes = consistency_proof(old_size, head.tree_size, tables.node)
            return Consistency(old_size=old_size, checkpoint=head, hashes=hashes)

    @contextmanager
    def reading(self) -> Iterator[Tables | None]:
        """Yield the tables inside a read transaction, for audit and export; None while there is no log."""
        with self._database.reading() as connection:
            yield None if connection is None else Tables(connection, self._database.damaged)

    def _begin_log(self, connection: Connection) -> None:
        keys.make(self._key_file)
        self._private = keys.load(self._key_file)
        empty = checkpoints.sign(0, EMPTY_ROOT, rfc3339(), self._private)
        Tables(connection, self._database.damaged).begin_log(self._private.public_key(), empty)

    def _signing_key(self, tables: Tables) -> Ed25519PrivateKey:
        private = self._private or keys.load(self._key_file)
        if checkpoints.log_id(private.public_key()) != checkpoints.log_id(tables.public_key()):
            raise LedgerError(
                f"{self._key_file.name} is not the key of this ledger",
                code="ledger.key",
                hint="Restore ledger and key from the same backup.",
            )
        self._private = private
        return private

    def _right_edge(self, tables: Tables) -> Frontier:
        """Read what appending needs, after making sure that it is what the last checkpoint signed."""
        head = tables.newest_checkpoint()
        checkpoints.verify(head, tables.public_key())
        frontier = Frontier.read(head.tree_size, tables.node)
        if tables.count() != head.tree_size or frontier.root() != head.root_hash:
            raise self._database.damaged("its entries are not those of its last checkpoint")
        return frontier

    def _add(self, tables: Tables, frontier: Frontier, entry: LedgerEntry, body: bytes) -> Frontier:
        leaf = leaf_hash(body)
        row = Row.of(frontier.size, entry, body, leaf)
        released = EntryKind.RELEASED
        if entry.kind is released and tables.newest_with_id(row.asset_id, released) is not None:
            raise LedgerError(
                f"asset {entry.asset_id} is in the ledger already",
                code="ledger.duplicate",
                hint="Every asset has an id of its own; generate it again.",
            )
        tables.add_row(row)
        frontier, completed = frontier.add(leaf)
        for level, index, value in completed[1:]:
            tables.add_node(level, index, value)
        return frontier

    def _receipt(self, tables: Tables, index: int, head: Checkpoint) -> Receipt:
        row = tables.row(index)
        try:
            entry = entries.parse(row.body)
            hashes = inclusion_proof(index, head.tree_size, tables.node)
            verify_inclusion(leaf_hash(row.body), index, head.tree_size, hashes, head.root_hash)
        except (LedgerError, ValueError) as error:
            raise self._database.damaged(f"entry {index} is not in the tree of its checkpoint") from error
        return Receipt(
            entry=entry,
            log_index=index,
            log_id=head.log_id,
            integrated_time=tables.first_checkpoint_over(index).timestamp,
            body=row.body,
            inclusion_proof=InclusionProof(
                log_index=index, tree_size=head.tree_size, root_hash=head.root_hash, hashes=hashes
            ),
            checkpoint=head,
        )
