"""Strict models of a policy pack (``sdsafe.policy/1``): what a pack may say, and nothing else.

A model that exists is well formed in itself. What needs a second look - categories, files, other packs - is
checked by the loader.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from sdsafe._internal.strict import Strict
from sdsafe.core.canonical import canonical_digest, exact
from sdsafe.core.decisions import PolicyRef
from sdsafe.gates.policy.obligations import obligation_mismatch

__all__ = [
    "FORMAT",
    "CategoryNote",
    "Duty",
    "EffectLabel",
    "Pack",
    "Rule",
    "Score",
    "Term",
    "TermList",
]

FORMAT = "sdsafe.policy/1"

EffectLabel = Literal["allow", "annotate", "transform", "review", "deny"]
"""The effects of ``sdsafe.core.decisions.Effect`` by their labels."""

_CategoryName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,63}$")]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
_Line = Annotated[str, Field(min_length=1, max_length=400)]
_TermText = Annotated[str, Field(min_length=1, max_length=200)]
_TermFile = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\.(csv|txt|yaml)$")]
_Year = Annotated[int, Field(ge=-3000, le=3000)]
_PackPath = Annotated[str, Field(min_length=1, max_length=200)]

Score = Annotated[float, Field(ge=0, le=1)]
"""0 (certainly not) to 1 (certainly)."""


class Duty(Strict):
    """An obligation: its code and parameters."""

    code: str
    params: dict[str, str | int | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if mismatch := obligation_mismatch(self.code, self.params):
            raise _mismatch(*mismatch)
        return self


class Rule(Strict):
    """One rule: when it applies at a stage, what it asks for, and why."""

    id: _Name
    stage: Literal["prompt", "input", "output", "export"]
    when: Annotated[str, Field(min_length=1, max_length=2000)]
    """A condition in CEL over the facts of the stage; ``true`` for always."""
    effect: EffectLabel
    obligations: tuple[Duty, ...] = ()
    because: _Line
    citation: str = ""
    since: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """When what is cited began to hold."""
    sources: Annotated[tuple[Annotated[str, Field(pattern=r"^https?://\S{1,400}$")], ...], Field(max_length=16)] = ()
    """Pages where it can be read."""
    on_error: Literal["deny", "review", "apply"] = "deny"
    """Taken when the condition cannot be evaluated: unknown is never a permission."""

    @model_validator(mode="after")
    def _apply_needs_obligations(self) -> Self:
        if self.on_error == "apply" and not self.obligations:
            raise _mismatch("on_error: deny or review", "on_error: apply on a rule without obligations")
        return self


class Term(Strict):
    """One term with other spellings of the same thing."""

    term: _TermText
    aliases: tuple[_TermText, ...] = ()
    note: str = ""
    source: str = ""
    born: _Year | None = None
    died: _Year | None = None
    year: _Year | None = None
    """When it happened."""

    def remark(self) -> str:
        """Return what a person should know of the term, empty where nothing is."""
        facts = (("born", self.born), ("died", self.died), ("", self.year), ("", self.note))
        return ", ".join(f"{what} {value}".strip() for what, value in facts if value not in {None, ""})


def _term_kind(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<term>"


class TermList(Strict):
    """Terms of one category, here or in a file beside the pack."""

    category: _CategoryName
    match: Literal["words", "substring"] = "words"
    """``words``: whole words (scripts that do not separate words always match inside); ``substring``: anywhere."""
    tolerance: Literal[0, 1] = 0
    """1: terms of eight letters or more also match with one letter wrong; for short curated lists only."""
    terms: tuple[
        Annotated[Annotated[_TermText, Tag("<text>")] | Annotated[Term, Tag("<term>")], Discriminator(_term_kind)], ...
    ] = ()
    file: _TermFile | None = None
    note: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.terms and self.file is None:
            raise _mismatch("terms, or a file with terms", "neither")
        return self

    def spellings(self) -> list[str]:
        """Return every term and alias, in order."""
        return [
            text for term in self.terms for text in ((term,) if isinstance(term, str) else (term.term, *term.aliases))
        ]


class CategoryNote(Strict):
    """A category that a plug-in reports and that no term list of the pack has."""

    stage: Literal["prompt", "input", "output"]
    scored: bool
    check: _Name | None = None
    """The check that reports it. A category without scores needs it: silence means *no* only from one who looked."""
    description: _Line

    @model_validator(mode="after")
    def _somebody_answers(self) -> Self:
        if not self.scored and self.check is None:
            raise _mismatch("check: the name of the check that reports it", "neither scores nor a check")
        return self


class Pack(Strict):
    """A whole pack, term files included."""

    format: Literal["sdsafe.policy/1"]
    id: _Name
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    title: _Line
    description: Annotated[str, Field(min_length=1, max_length=4000)]
    extends: Annotated[tuple[_PackPath, ...], Field(max_length=64)] = ()
    categories: dict[_CategoryName, CategoryNote] = Field(default_factory=dict)
    terms: tuple[TermList, ...] = ()
    terms_from: Annotated[tuple[_CategoryName, ...], Field(max_length=64)] = ()
    """Lists that ship with sdsafe, each for the category of its name."""
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.rules and not self.terms and not self.terms_from:
            raise _mismatch("rules or terms", "neither")
        ids = [rule.id for rule in self.rules]
        for index, rule_id in enumerate(ids):
            if rule_id in ids[:index]:
                raise _mismatch("rule ids that differ", f"{rule_id!r} twice")
        return self

    def ref(self) -> PolicyRef:
        """Return id, version and digest: SHA-256 of the canonical form, floats written as ``repr`` writes them.

        Comments, layout and the order of keys do not count; every term, also of a file, does. What has its default
        value is left out: a key that packs may have one day changes no digest, and no signature, of today's packs.
        """
        said = self.model_dump(by_alias=True, exclude_defaults=True)
        return PolicyRef(id=self.id, version=self.version, digest=canonical_digest(exact(said)))


def _mismatch(expected: str, found: str) -> PydanticCustomError:
    return PydanticCustomError("mismatch", "mismatch", {"expected": expected, "found": found})
