"""Records of models and adapters, and the registry that finds the record of a reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from sdsafe._internal.strict import Line, Name, Strict
from sdsafe.core.request import AdapterRef, ModelRef
from sdsafe.gates.registry.licence import Licence, Restriction, Source, Term, Verified, weakest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.gates.registry.marketplace import Marketplace

__all__ = ["Found", "Identity", "Record", "Registry", "public_ref"]

Identity = Literal["digest", "repo", "pattern", "declared", "unknown"]
"""How a record was found: by its files, its name, a pattern of names, only by a declared licence, or not at all."""


class Record(Strict):
    """One model or adapter: which files and names it has, and which licence it is under."""

    id: Name
    name: Line
    kind: Literal["base", "merge", "lora", "controlnet", "adapter", "upscaler", "restorer"]
    repos: tuple[
        Annotated[str, Field(pattern=r"^(builtin:[a-z0-9-]+|local:[^/*]+|[\w.-]+/[\w.-]*[\w.-]\*?)$")], ...
    ] = ()
    digests: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()
    licence: Name | None
    """None: no licence is known, which is not the same as none."""
    licence_text: Annotated[str, Field(pattern=r"^[0-9a-f]{16,64}$")] | None = None
    """First digits of the SHA-256 of the text that this model was published under."""
    also: tuple[Name, ...] = ()
    conflict: str = ""
    derived_from: tuple[Name, ...] = ()
    """Ids of records that a merge or fine-tune was made of."""
    training_data: Term | None = None
    depicts_person: bool = False
    """True: made to show one real person."""
    visibility: Literal["public", "private"] = "public"
    alias: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] | None = None
    """What the public manifest calls a private model."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    verified: Verified
    """How well it is known that this model is under this licence."""
    replaces: Name | None = None
    because: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = None
        if not self.repos and not self.digests:
            wrong = "repos or digests: what the record is about"
        elif self.visibility == "private" and self.alias is None:
            wrong = "an alias for a private model"
        elif (self.replaces is None) != (not self.because):
            wrong = "`replaces` and `because` together"
        elif self.also and not self.conflict:
            wrong = "`conflict`: why several licences claim it"
        if wrong:
            raise ValueError(wrong)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the registry knows about one reference."""

    repo: str
    identity: Identity
    record: Record | None = None
    licences: tuple[Licence, ...] = ()
    """All that claim it; empty: unknown."""
    verified: Verified = "memory"
    """How well it is known that it is under these licences."""
    conflict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Licences, records and marketplaces, read and merged. ``loading`` makes one."""

    version: str
    digest: str
    """SHA-256 of the canonical form of everything in it."""
    licences: Mapping[str, Licence]
    records: tuple[Record, ...]
    restrictions: Mapping[str, Restriction]
    marketplaces: Mapping[str, Marketplace]

    def licence(self, name: str) -> Licence | None:
        """Return a licence by its id or an alias, whatever the case."""
        wanted = name.strip().lower()
        for licence in self.licences.values():
            if wanted == licence.id or wanted in licence.aliases:
                return licence
        return None

    def record(self, record_id: str) -> Record | None:
        """Return a record by its id."""
        return next((each for each in self.records if each.id == record_id), None)

    def find(self, ref: ModelRef | AdapterRef) -> Found:
        """Return what is known about a model or an adapter.

        Files count before names, and names before what the model declares about itself. Where a declaration
        contradicts the record, both licences are returned: the strictest statement counts.
        """
        declared = self.licence(ref.license) if ref.license else None
        record, identity = self._record(ref)
        if record is None:
            if declared is None:
                return Found(repo=ref.repo, identity="unknown")
            # Whoever uploaded it says so; nobody has looked.
            return Found(repo=ref.repo, identity="declared", licences=(declared,), verified="secondary")
        names = (*((record.licence,) if record.licence else ()), *record.also)
        licences = tuple(self.licences[name] for name in names)
        found = Found(
            repo=ref.repo,
            identity=identity,
            record=record,
            licences=licences,
            # A later model of the same maker may have a name that fits and another licence: nobody has looked at it.
            verified=weakest((record.verified, "secondary")) if identity == "pattern" else record.verified,
            conflict=record.conflict,
        )
        if record.licence_text and not any(each.is_text(record.licence_text) for each in licences):
            conflict = found.conflict or "the licence text beside it is not one that was read"
            found = replace(found, verified=weakest((found.verified, "secondary")), conflict=conflict)
        if record.digests and ref.digest and identity != "digest":
            found = replace(
                found, verified=weakest((found.verified, "secondary")), conflict="the files are not those of the record"
            )
        if ref.license and declared is None:
            found = replace(found, verified="memory", conflict="the model declares a licence that is not known here")
        elif declared is not None and declared not in licences:
            found = replace(
                found, licences=(*licences, declared), conflict=f"the model itself declares {declared.name}"
            )
        return found

    def _record(self, ref: ModelRef | AdapterRef) -> tuple[Record | None, Identity]:
        if ref.digest:
            by_files = [each for each in self.records if ref.digest in each.digests]
            if by_files:
                return by_files[0], "digest"
        repo = ref.repo.partition("@")[0].casefold()
        best: tuple[int, Record] | None = None
        for record in self.records:
            for pattern in record.repos:
                length = _match(pattern.casefold(), repo)
                if length and (best is None or length > best[0]):
                    best = (length, record)
        if best is None:
            return None, "unknown"
        return best[1], "repo" if best[0] > len(repo) else "pattern"


def public_ref(found: Found, ref: ModelRef) -> ModelRef:
    """Return what a public manifest says of ``ref``: of a private model its alias and its licence, nothing else."""
    if found.record is None or found.record.visibility == "public":
        return ref
    return ModelRef(repo=f"private:{found.record.alias}", license=ref.license)


def _match(pattern: str, repo: str) -> int:
    """Return how many characters of ``pattern`` speak for ``repo``; an exact name beats any pattern."""
    if pattern == repo:
        return len(pattern) + 1
    return len(pattern) - 1 if pattern.endswith("*") and repo.startswith(pattern[:-1]) else 0
