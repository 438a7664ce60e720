"""What a licence says, as data: every statement with its clause, its source and how well it was verified.

Own words, not legal advice. Silence of a licence is recorded as silence (``unstated``), not as a restriction.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sdsafe._internal.strict import Day, Line, Name, Strict

__all__ = [
    "COMMERCIAL",
    "VERIFIED",
    "Applies",
    "Commercial",
    "CommercialTerm",
    "Derivatives",
    "Duty",
    "Enforced",
    "Licence",
    "Limit",
    "Outputs",
    "Restriction",
    "Source",
    "Term",
    "Territory",
    "Verified",
    "strictest_commercial",
    "weakest",
]

Verified = Literal["primary", "secondary", "memory"]
"""``primary``: the text itself was read; ``secondary``: a copy, quotation or summary; ``memory``: not checked."""

VERIFIED: tuple[Verified, ...] = ("primary", "secondary", "memory")
"""From the strongest to the weakest."""

Commercial = Literal["allowed", "conditional", "forbidden"]

COMMERCIAL: tuple[Commercial, ...] = ("allowed", "conditional", "forbidden")
"""From the mildest to the strictest."""

Enforced = Literal["automatic", "attested", "none"]
"""Who sees to a use restriction: a built-in check, a person's declaration, or nobody."""

Applies = Literal["any", "business", "commercial", "distribution"]
"""When a duty binds: always; in a business; when money is made with it; when the *model* is passed on or served."""


class Source(Strict):
    """Where a fact was read: a file of a repository at a commit, or a page."""

    repo: str | None = None
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,40}$")] | None = None
    path: str | None = None
    sha256_prefix: Annotated[str, Field(pattern=r"^[0-9a-f]{16,64}$")] | None = None
    """First hex digits of the SHA-256 of the text that was read."""
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    note: str = ""
    accessed: Day

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not (self.repo or self.url or self.note):
            msg = "a repo, a url or a note that says where it was read"
            raise ValueError(msg)
        return self

    def __str__(self) -> str:
        """Name the place in one line."""
        place = self.url or "/".join(filter(None, (self.repo, self.path))) or self.note
        commit = f" at {self.commit[:8]}" if self.commit else ""
        return f"{place}{commit}, accessed {self.accessed}"


class Term(Strict):
    """One statement: what it says in our words, where, and how well that is known."""

    says: Line
    clause: str = ""
    verified: Verified | None = None
    """None: as well as the licence as a whole."""


class CommercialTerm(Term):
    """Whether the weights may be used commercially; ``conditional``: within limits or after registration."""

    value: Commercial


class Limit(Term):
    """A ceiling on the licensee, with its boundary: crossed when ``metric op value`` is true."""

    metric: Literal["annual_revenue_usd", "monthly_users"]
    op: Literal[">", ">="]
    value: Annotated[int, Field(gt=0)]
    scope: str = ""
    """Whose revenue or users count."""

    def crossed(self, amount: int) -> bool:
        """Say whether ``amount`` is beyond the limit."""
        return amount > self.value if self.op == ">" else amount >= self.value


class Territory(Term):
    """Where nothing is licensed."""

    excluded: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...], Field(min_length=1)]
    """ISO 3166-1 alpha-2 codes, and ``EU``."""
    binds_outputs: bool = False
    """True: pictures may not be used there either."""


class Outputs(Term):
    """What is said about pictures."""

    owner: Literal["user", "no_claim", "unstated"]
    commercial: Literal["allowed", "disputed", "forbidden", "unstated"]
    """``disputed``: clauses of the text pull in two directions; a person has to decide."""
    use_restrictions_bind: bool = False


class Derivatives(Term):
    """What a derivative of the model must keep."""

    value: Literal["free", "keep_restrictions", "same_terms", "forbidden"]


class Duty(Term):
    """Something that must be done."""

    code: Literal[
        "attribution",
        "bind_users",
        "classifier_or_review",
        "disclosure",
        "flow_down",
        "keep_provenance",
        "latest_version",
        "licence_copy",
        "mark_changes",
        "naming",
        "registration",
        "retain_notices",
        "use_policy",
    ]
    applies: Applies
    phase: Literal["release", "conduct"] = "conduct"
    """``release``: shown on the finished file; ``conduct``: done by people, outside of it."""
    text: str = ""
    """The words to display, the page to follow or the address to register at."""
    manner: str = ""


class Restriction(Strict):
    """A use that is forbidden, under a code that licences share."""

    says: Line
    enforced: Enforced
    by: str = ""
    """For ``automatic``: which check, and how much of the restriction it sees."""

    @model_validator(mode="after")
    def _automatic_names_a_check(self) -> Self:
        if (self.enforced == "automatic") != bool(self.by):
            msg = "`by` with enforced: automatic, and only there"
            raise ValueError(msg)
        return self


class Licence(Strict):
    """One licence text, version by version."""

    id: Name
    name: Line
    published: Day | None = None
    aliases: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+_-]{0,79}$")], ...] = ()
    """Further names under which models declare it (hub tags, SPDX ids), in lower case."""
    text_sha256: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()
    """SHA-256 of texts that are this licence, where known in full."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    verified: Verified
    commercial: CommercialTerm
    outputs: Outputs
    derivatives: Derivatives
    limits: tuple[Limit, ...] = ()
    territory: Territory | None = None
    duties: tuple[Duty, ...] = ()
    restrictions: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{2,40}$")], ...] = ()
    restrictions_clause: str = ""
    note: str = ""

    def is_text(self, prefix: str) -> bool:
        """Say whether the SHA-256 beginning with ``prefix`` is that of a text of this licence that was read."""
        known = (*self.text_sha256, *(each.sha256_prefix for each in self.sources if each.sha256_prefix))
        return any(each.startswith(prefix) or prefix.startswith(each) for each in known)

    def certainty(self, term: Term) -> Verified:
        """Return how well one statement of this licence is known: never better than the licence."""
        return weakest((self.verified, term.verified or self.verified))

    def cite(self, clause: str) -> str:
        """Return name, clause and source in one line."""
        return f"{self.name}{f', {clause}' if clause else ''} ({self.sources[0]})"


def weakest(values: tuple[Verified, ...]) -> Verified:
    """Return the least certain of ``values``; nothing at all is as good as memory."""
    return max(values, key=VERIFIED.index, default="memory")


def strictest_commercial(values: tuple[Commercial, ...]) -> Commercial:
    """Return the strictest of ``values``, which are not empty."""
    return max(values, key=COMMERCIAL.index)
