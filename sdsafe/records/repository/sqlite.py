"""The manifest repository in SQLite: found by id and by soft binding, sealed, erasable, shared by processes.

``repository.sqlite`` holds ciphertext and what a search needs; ``record-keys.sqlite`` holds one key per record.
Erasing is forgetting the key: record and manifest become noise, the ledger's digest of the record still fits.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sdsafe._internal.clock import rfc3339
from sdsafe._internal.database import TIMEOUT_S, Database
from sdsafe.core.digests import sha256_hex
from sdsafe.errors import PluginError, RepositoryError
from sdsafe.protocols import StoredManifest
from sdsafe.records.repository import record as records
from sdsafe.records.repository.search import Search
from sdsafe.records.repository.session import Session, is_alive
from sdsafe.records.repository.tables import SCHEMA, StoredRow, Tables
from sdsafe.records.sealing import vault
from sdsafe.records.sealing.keyring import Keyring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.core.ids import AssetId
    from sdsafe.core.places import Places
    from sdsafe.core.softbinding import SoftBinding
    from sdsafe.core.states import Signed
    from sdsafe.records.repository.record import PrivateRecord

__all__ = ["FAULT_POINTS", "RecordInfo", "SqliteRepository"]

FAULT_POINTS = (
    "repository.put.begun",
    "repository.put.key-kept",
    "repository.put.written",
    "repository.put.committed",
    "repository.discard.begun",
    "repository.discard.key-forgotten",
    "repository.discard.committed",
    "repository.erase.begun",
    "repository.erase.committed",
    "repository.deliver.written",
    "repository.deliver.committed",
)
"""Where a test may kill the process to see what is left."""

_PAGE = 1000


def _reach(_point: str) -> None:
    """Do nothing; tests put a kill in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordInfo:
    """What can be told of a record without opening it."""

    asset_id: AssetId
    asset_sha256: str
    media_type: str
    recorded_at: str
    record_sha256: str
    """Of the sealed private record: what the ledger entry binds."""
    delivered_at: str | None
    """None: not delivered, or under way."""
    erased: bool


class SqliteRepository:
    """Manifests and private records in the state folder. The files come into being with the first ``put``.

    Looking for a record has three outcomes: it is there, it was erased (``repository.erased``), or it was never
    here (``repository.unknown``).
    """

    def __init__(self, places: Places, *, timeout: float = TIMEOUT_S, read_only: bool = False) -> None:
        """Note where things are; nothing is opened or created yet.

        Args:
            places: ``places.state`` holds the files.
            timeout: Seconds to wait for another process.
            read_only: Refuse to change anything.
        """
        self._sessions = places.state / "sessions"
        self._session: Session | None = None
        self._keys = Keyring(places.state / "record-keys.sqlite", timeout=timeout, read_only=read_only)
        self._database = Database(
            path=places.state / "repository.sqlite",
            schema=SCHEMA,
            error=RepositoryError,
            area="repository",
            timeout=timeout,
            read_only=read_only,
        )
        self._lock = threading.Lock()
        self._search = Search()

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a repository; the one option is ``timeout``, in seconds."""
        timeout = options.get("timeout", TIMEOUT_S)
        if set(options) - {"timeout"} or isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise PluginError("repository sqlite: unknown option or value", hint="Known: timeout = SECONDS.")
        return cls(places, timeout=timeout)

    @classmethod
    def open_existing(cls, places: Places) -> Self | None:
        """Return the repository for reading, or None when there is none; never creates anything.

        Raises:
            RepositoryError: There is something, and it cannot be read as a repository.
        """
        repository = cls(places, read_only=True)
        with repository._reading() as tables:
            return None if tables is None else repository

    def put(self, signed: Signed, /) -> str:
        """Seal and store manifest and private record, durably; return the SHA-256 of the sealed record.

        Raises:
            RepositoryError: ``repository.exists``: the asset id is taken; or the files are locked, damaged, not
                writable or out of disk. Nothing is stored then.
        """
        asset_id = signed.encoded.marked.cleared.generated.asset_id
        when, key = rfc3339(), vault.new_key()
        record = vault.seal(key, asset_id, "record", records.render(records.record_of(signed, when)))
        manifest = vault.seal(key, asset_id, "manifest", signed.manifest_store)
        row = StoredRow(
            asset_id=asset_id,
            asset_sha256=sha256_hex(signed.asset.data),
            media_type=signed.asset.media_type,
            recorded_at=when,
            record_sha256=sha256_hex(record),
            session=self._present(),
            delivered_at=None,
        )
        with self._writing() as tables:
            _reach("repository.put.begun")
            self._refuse(asset_id, tables)
            # The key first: a key without a record is harmless, a record without its key is lost.
            self._keys.put(asset_id, key)
            _reach("repository.put.key-kept")
            tables.add(row, record, manifest, signed.encoded.soft_bindings)
            _reach("repository.put.written")
        _reach("repository.put.committed")
        return row.record_sha256

    def discard(self, asset_id: AssetId, /) -> None:
        """Take back a ``put`` whose ledger entry was never made; a no-op for unknown ids."""
        if not self.has(asset_id):
            return
        _reach("repository.discard.begun")
        with self._writing() as tables:
            self._keys.forget(asset_id)  # the freed pages still hold the ciphertext
            _reach("repository.discard.key-forgotten")
            tables.remove(asset_id)
        _reach("repository.discard.committed")

    def erase(self, asset_id: AssetId, /) -> None:
        """Forget the key of a record, for good: neither it nor its manifest can be read again.

        Erasing what is erased does nothing, so an erasure that was cut off can be repeated.

        Raises:
            RepositoryError: ``repository.unknown``; or the keys cannot be written.
        """
        if not self.has(asset_id):
            raise _unknown(asset_id)
        _reach("repository.erase.begun")
        self._keys.forget(asset_id)
        _reach("repository.erase.committed")

    def mark_delivered(self, asset_id: AssetId, /) -> None:
        """Note that the asset has reached its caller, or was withdrawn; ``repository.unknown`` for unknown ids."""
        with self._writing() as tables:
            if not tables.deliver(asset_id, rfc3339()):
                raise _unknown(asset_id)
            _reach("repository.deliver.written")
        _reach("repository.deliver.committed")

    def undelivered(self) -> tuple[AssetId, ...]:
        """Return the assets that a process stored and did not live to deliver, oldest first.

        What a living process has under way is not among them. Whoever opens a pipeline looks each up in the ledger:
        with an entry it is withdrawn and marked delivered, without one it is discarded.
        """
        waiting = [row for _, row in self._rows(undelivered=True)]
        try:
            dead = {token for token in {row.session for row in waiting} if not is_alive(self._sessions, token)}
        except OSError as error:
            raise _unreachable(error) from error
        return tuple(row.asset_id for row in waiting if row.session in dead)

    def has(self, asset_id: AssetId, /) -> bool:
        """Say whether the id is taken; erased records keep theirs."""
        with self._reading() as tables:
            return tables is not None and tables.number(asset_id) is not None

    def find(self, binding: SoftBinding, /, *, within: float = 0.0) -> Iterator[StoredManifest]:
        """Yield stored manifests, nearest first; erased ones are passed over.

        Args:
            binding: A watermark is looked up by equality, a fingerprint by distance.
            within: Largest normalised Hamming distance of a fingerprint, 0 to 1.

        Raises:
            RepositoryError: A record that fits was changed, or its key is lost.
        """
        with self._reading() as tables:
            candidates = self._search.candidates(tables, binding, within) if tables else []
        for number, distance in candidates:
            stored = self._stored(number, distance)
            if stored is not None:
                yield stored

    def opening(self, asset_id: AssetId, /) -> PrivateRecord:
        """Return the private record: the prompts, the salt, the parameters, the decisions.

        Raises:
            RepositoryError: ``repository.unknown``, ``repository.erased``, or it cannot be read.
        """
        with self._reading() as tables:
            number = tables.number(asset_id) if tables else None
            if tables is None or number is None:
                raise _unknown(asset_id)
            sealed = tables.blob(number, "record")
        key = self._keys.get(asset_id)
        if key is None:
            raise RepositoryError(
                f"the record of asset {asset_id} was erased",
                code="repository.erased",
                hint="Its key is gone for good; the ledger still shows that the asset was released.",
            )
        return records.parse(vault.unseal(key, asset_id, "record", sealed))

    def erased(self) -> tuple[AssetId, ...]:
        """Return the ids of erased records, oldest first."""
        return tuple(info.asset_id for info in self.list_records() if info.erased)

    def list_records(self) -> Iterator[RecordInfo]:
        """Yield what can be told of every record without opening it, oldest first."""
        forgotten = self._keys.forgotten()
        for _, row in self._rows():
            yield RecordInfo(
                asset_id=row.asset_id,
                asset_sha256=row.asset_sha256,
                media_type=row.media_type,
                recorded_at=row.recorded_at,
                record_sha256=row.record_sha256,
                delivered_at=row.delivered_at,
                erased=row.asset_id.value in forgotten,
            )

    def _stored(self, number: int, distance: float | None) -> StoredManifest | None:
        with self._reading() as tables:
            row = tables.row(number) if tables else None
            if tables is None or row is None:
                return None
            sealed, bindings = tables.blob(number, "manifest"), tables.bindings(number)
        key = self._keys.get(row.asset_id)
        if key is None:
            return None
        return StoredManifest(
            asset_id=row.asset_id,
            manifest_store=vault.unseal(key, row.asset_id, "manifest", sealed),
            asset_sha256=row.asset_sha256,
            media_type=row.media_type,
            bindings=bindings,
            recorded_at=row.recorded_at,
            distance=distance,
        )

    def _rows(self, *, undelivered: bool = False) -> Iterator[tuple[int, StoredRow]]:
        last = 0
        while True:
            with self._reading() as tables:
                rows = tables.rows(last, _PAGE, undelivered=undelivered) if tables else []
            yield from rows
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def _refuse(self, asset_id: AssetId, tables: Tables) -> None:
        if tables.number(asset_id) is not None:
            raise RepositoryError(
                f"asset {asset_id} is stored already",
                code="repository.exists",
                hint="Every asset has an id of its own; generate it again.",
            )
        if tables.rows(0, 1) and not self._keys.exists():
            raise self._database.damaged("the keys of its records are gone")

    def _present(self) -> str:
        """Return the token of this process's session, beginning one with the first ``put``."""
        if self._database.read_only:
            return ""
        with self._lock:
            try:
                if self._session is None or not self._session.is_mine:
                    self._session = Session(self._sessions)
            except OSError as error:
                raise _unreachable(error) from error
            return self._session.token

    @contextmanager
    def _reading(self) -> Iterator[Tables | None]:
        with self._database.reading() as connection:
            yield None if connection is None else Tables(connection, self._database.damaged)

    @contextmanager
    def _writing(self) -> Iterator[Tables]:
        with self._database.writing() as connection:
            yield Tables(connection, self._database.damaged)


def _unknown(asset_id: AssetId) -> RepositoryError:
    return RepositoryError(
        f"there is no record of asset {asset_id}",
        code="repository.unknown",
        hint="`sdsafe records list` shows what is kept here.",
    )


def _unreachable(error: OSError) -> RepositoryError:
    return RepositoryError(
        f"the repository cannot be reached: {error.strerror or type(error).__name__}",
        code="repository.unreachable",
        hint="Check the rights of the state folder (SDSAFE_HOME, else the XDG data folder).",
    )
