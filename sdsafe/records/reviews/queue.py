"""The review queue: sealed pictures in SQLite, each under a key of its own, and what people said about them.

A picture is readable only while its case waits or is approved. Rejecting, releasing and expiring forget the key in
place (see ``records.sealing.keyring``) and delete what was sealed. What stays is who decided what, when and why.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from sdsafe._internal.clock import now, rfc3339
from sdsafe._internal.database import Database, Schema
from sdsafe.core.reviews import Case, CaseState, Opinion
from sdsafe.errors import RepositoryError, ReviewError
from sdsafe.records.reviews import codec
from sdsafe.records.sealing import vault
from sdsafe.records.sealing.keyring import Keyring

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sdsafe.core.ids import AssetId
    from sdsafe.core.places import Places

__all__ = ["DEFAULT_DAYS", "SqliteReviews"]

DEFAULT_DAYS = 14
"""How long a case waits before it expires."""

_LONGEST_TEXT = 2000
_NAME = re.compile(r"[^\x00-\x1f\x7f]{2,120}")

_SCHEMA = Schema(
    application_id=0x5D5AFE05,
    version=1,
    statements=(
        """CREATE TABLE cases (
            ticket BLOB PRIMARY KEY, state TEXT NOT NULL, rules TEXT NOT NULL, people INTEGER NOT NULL,
            roles TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL, opinions TEXT NOT NULL, sealed BLOB
        )""",
    ),
)
_ALL = "SELECT ticket, state, rules, people, roles, created_at, expires_at, opinions FROM cases"
_LATE = f"{_ALL} WHERE state IN ('waiting', 'approved') AND expires_at <= ?"
_OPEN = (CaseState.WAITING, CaseState.APPROVED)


class SqliteReviews:
    """Cases that wait for a person, in ``reviews.sqlite`` of the state folder, their keys in ``review-keys.sqlite``."""

    def __init__(self, places: Places, *, days: int = DEFAULT_DAYS) -> None:
        """Note where the files are; they come into being with the first case."""
        self._database = Database(
            path=places.state / "reviews.sqlite",
            schema=_SCHEMA,
            error=RepositoryError,
            area="review queue",
            pragmas=("journal_mode = DELETE", "synchronous = EXTRA", "secure_delete = ON"),
        )
        self._keys = Keyring(places.state / "review-keys.sqlite")
        self._days = days

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> SqliteReviews:
        """Return a queue; the one option is ``days`` until a case expires."""
        days = options.get("days", DEFAULT_DAYS)
        if set(options) - {"days"} or not isinstance(days, int) or isinstance(days, bool) or days < 1:
            raise ReviewError(
                "the review queue has one option: days, an integer from 1", code="review.option", hint="Correct it."
            )
        return cls(places, days=days)

    def put(
        self, asset_id: AssetId, held: object, *, rules: tuple[str, ...], people: int, roles: tuple[str, ...]
    ) -> Case:
        """Seal ``held`` durably and return its case.

        Args:
            asset_id: The id that the asset will have.
            held: Core values with everything that a release needs.
            rules: ``pack.rule`` of every rule that asked for a person.
            people: How many different people have to approve, from 1.
            roles: Roles that may approve; empty: any.
        """
        created = now()
        case = Case(
            ticket=str(asset_id),
            state=CaseState.WAITING,
            rules=rules,
            people=max(1, people),
            roles=roles,
            created_at=rfc3339(created),
            expires_at=rfc3339(created + timedelta(days=self._days)),
        )
        key = vault.new_key()
        sealed = vault.seal(key, asset_id, "review", codec.encode(held))
        self._keys.put(asset_id, key)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    asset_id.value,
                    case.state,
                    json.dumps(case.rules),
                    case.people,
                    json.dumps(case.roles),
                    case.created_at,
                    case.expires_at,
                    "[]",
                    sealed,
                ),
            )
        return case

    def cases(self) -> tuple[Case, ...]:
        """Return all cases, oldest first; those whose time has run out are expired first."""
        self._expire()
        with self._database.reading() as connection:
            if connection is None:
                return ()
            rows = connection.execute(f"{_ALL} ORDER BY created_at, ticket").fetchall()
        return tuple(_case(row) for row in rows)

    def case(self, ticket: str) -> Case:
        """Return one case.

        Raises:
            ReviewError: ``review.unknown``.
        """
        for each in self.cases():
            if each.ticket == ticket.lower():
                return each
        raise ReviewError(
            f"no case {ticket[:40]!r}", code="review.unknown", hint="`sdsafe review list` shows the cases."
        )

    def open(self, ticket: str) -> Any:
        """Return what was held.

        Raises:
            ReviewError: ``review.unknown``, or ``review.closed``: it was decided, and what was held is gone.
        """
        case = self.case(ticket)
        if case.state not in _OPEN:
            raise _closed(case)
        with self._database.reading() as connection:
            row = None
            if connection is not None:
                query = "SELECT sealed FROM cases WHERE ticket = ?"
                row = connection.execute(query, (case.asset_id.value,)).fetchone()
        key = self._keys.get(case.asset_id)
        if row is None or row[0] is None or key is None:
            raise self._database.damaged(f"the picture of case {case.ticket} is missing")
        return codec.decode(vault.unseal(key, case.asset_id, "review", row[0]))

    def say(self, ticket: str, opinion: Opinion) -> Case:
        """Add a person's opinion and return the case as it then stands.

        One rejection ends a case and erases what was held. Approvals count once a person, and only of the roles that
        the case asks for.

        Raises:
            ReviewError: The case is unknown or closed, the person has no name, gave no reason, has spoken already,
                or has a role that may not approve.
        """
        case = self.case(ticket)
        _require_sound(opinion)
        if case.state is not CaseState.WAITING:
            raise _closed(case)
        if any(_same(each.reviewer, opinion.reviewer) for each in case.opinions):
            raise ReviewError(
                "this person has spoken about this case already",
                code="review.twice",
                hint="Another person has to look.",
            )
        if opinion.approves and case.roles and opinion.role not in case.roles:
            raise ReviewError(
                f"this case is for {' or '.join(case.roles)}",
                code="review.role",
                hint="Somebody in that role has to approve; say so with --role.",
            )
        opinions = (*case.opinions, opinion)
        approvals = sum(each.approves for each in opinions)
        state = CaseState.WAITING if approvals < case.people else CaseState.APPROVED
        if not opinion.approves:
            state = CaseState.REJECTED
        self._close(case, state, opinions)
        return self.case(ticket)

    def released(self, ticket: str) -> None:
        """Note that the asset was released, and erase what was held."""
        case = self.case(ticket)
        self._close(case, CaseState.RELEASED, case.opinions)

    def _close(self, case: Case, state: CaseState, opinions: tuple[Opinion, ...]) -> None:
        if state not in _OPEN:
            self._keys.forget(case.asset_id)
        erase = "" if state in _OPEN else ", sealed = NULL"
        with self._database.writing() as connection:
            # Two people at once: whoever comes second finds another list of opinions and is told to look again.
            changed = connection.execute(
                f"UPDATE cases SET state = ?, opinions = ?{erase} WHERE ticket = ? AND state = ? AND opinions = ?",  # noqa: S608 - no value is pasted in
                (state, _dumped(opinions), case.asset_id.value, case.state, _dumped(case.opinions)),
            ).rowcount
        if not changed:
            raise ReviewError(
                "somebody else decided at the same moment", code="review.changed", hint="Look at the case again."
            )

    def _expire(self) -> None:
        moment = rfc3339(now())
        with self._database.reading() as connection:
            if connection is None:
                return
            late = [_case(row) for row in connection.execute(_LATE, (moment,))]
        for case in late:
            self._close(case, CaseState.EXPIRED, case.opinions)


def _case(row: tuple[Any, ...]) -> Case:
    ticket, state, rules, people, roles, created_at, expires_at, opinions = row
    return Case(
        ticket=bytes(ticket).hex(),
        state=CaseState(state),
        rules=tuple(json.loads(rules)),
        people=people,
        roles=tuple(json.loads(roles)),
        created_at=created_at,
        expires_at=expires_at,
        opinions=tuple(Opinion(**each) for each in json.loads(opinions)),
    )


def _dumped(opinions: tuple[Opinion, ...]) -> str:
    return json.dumps([asdict(each) for each in opinions])


def _require_sound(opinion: Opinion) -> None:
    if not _NAME.fullmatch(opinion.reviewer.strip()):
        raise ReviewError(
            "a review needs the name of the person who decides", code="review.nameless", hint="--reviewer NAME"
        )
    if not opinion.reason.strip() or len(opinion.reason) > _LONGEST_TEXT:
        raise ReviewError(
            f"a review needs a reason in words, of at most {_LONGEST_TEXT} characters",
            code="review.reasonless",
            hint="--reason TEXT",
        )


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def _closed(case: Case) -> ReviewError:
    return ReviewError(
        f"case {case.ticket} is {case.state}",
        code="review.closed",
        hint="What it held is gone or about to be released.",
    )
