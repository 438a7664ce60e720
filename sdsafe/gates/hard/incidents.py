"""What is kept of a refusal of the hard layer: an id, a category, the version that refused, and a keyed digest.

No text, no term, no place in a text, no picture, no seed. The digest is an HMAC under a key that only this state
folder has: the same request gives the same digest here, and without the key no guess can be tried against it. A
digest without a key would give a short prompt away.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe._internal import atomic, entropy
from sdsafe._internal.clock import rfc3339
from sdsafe._internal.database import Database, Schema
from sdsafe.errors import AssetError, RepositoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sdsafe.core.places import Places

__all__ = ["Incident", "Incidents"]

_AREA = "incident-log"


def _forbid(verb: str, condition: str = "TRUE") -> str:
    return (
        f"CREATE TRIGGER incidents_no_{verb.lower()} BEFORE {verb} ON incidents WHEN {condition} "
        "BEGIN SELECT RAISE(ABORT, 'the incident log is append-only'); END"
    )


_SCHEMA = Schema(
    application_id=0x5D5AFE04,
    version=1,
    statements=(
        """CREATE TABLE incidents (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, category TEXT NOT NULL,
            version TEXT NOT NULL, digest BLOB NOT NULL)""",
        # The triggers stop mistakes, not attackers: whoever can write the file can drop them.
        _forbid("UPDATE"),
        _forbid("DELETE"),
        # INSERT OR REPLACE deletes without firing a DELETE trigger.
        _forbid("INSERT", "EXISTS (SELECT 1 FROM incidents WHERE number = NEW.number OR id = NEW.id)"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One refusal of the hard layer."""

    id: str
    """The time of the refusal in UTC, and 64 random bits."""
    category: str
    version: str
    """Of the rules and of the terms that refused."""
    digest: bytes
    """HMAC-SHA-256 of the texts of the request, under the key of this state folder."""


class Incidents:
    """The append-only log of a state folder. It comes into being with the first incident."""

    def __init__(self, places: Places) -> None:
        """Note where log and key lie."""
        folder = places.state / "incidents"
        self._key = folder / "digest.key"
        self._database = Database(path=folder / "incidents.sqlite", schema=_SCHEMA, error=RepositoryError, area=_AREA)

    @staticmethod
    def mint_id() -> str:
        """Return a new id."""
        return f"{rfc3339().translate({ord('-'): None, ord(':'): None})}-{entropy.mint_token()}"

    def append(self, incident_id: str, category: str, version: str, texts: Sequence[tuple[str, str]]) -> Incident:
        """Note a refusal durably; ``texts`` leave nothing but their keyed digest.

        Raises:
            RepositoryError: The log or its key cannot be written or read.
        """
        digest = _digest(self._load_key(), texts)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO incidents (id, category, version, digest) VALUES (?, ?, ?, ?)",
                (incident_id, category, version, digest),
            )
        return Incident(id=incident_id, category=category, version=version, digest=digest)

    def entries(self) -> tuple[Incident, ...]:
        """Return every incident, oldest first."""
        with self._database.reading() as connection:
            if connection is None:
                return ()
            rows = connection.execute("SELECT id, category, version, digest FROM incidents ORDER BY number").fetchall()
        return tuple(Incident(id=i, category=c, version=v, digest=d) for i, c, v, d in rows)

    def _load_key(self) -> bytes:
        """Return the key, made by whichever process comes first."""
        try:
            self._key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._key.exists():
                with _unless_there():
                    atomic.write_new(self._key, entropy.mint_salt(), mode=0o600)
            return self._key.read_bytes()
        except (OSError, AssetError) as error:
            raise RepositoryError(
                f"the key of the {_AREA} cannot be kept or read: {type(error).__name__}",
                code="incident-log.key",
                hint="Check the rights of the state folder (SDSAFE_HOME, else the XDG data folder).",
            ) from error


def _digest(key: bytes, texts: Sequence[tuple[str, str]]) -> bytes:
    code = hmac.new(key, digestmod=hashlib.sha256)
    for field, text in texts:
        code.update(f"{field}:{len(text)}:".encode())
        code.update(text.encode("utf-8", "surrogatepass"))  # halves of characters, too, are what somebody asked for
    return code.digest()


@contextmanager
def _unless_there() -> Iterator[None]:
    try:
        yield
    except AssetError as error:
        if error.code != "asset.exists":
            raise
