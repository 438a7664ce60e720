"""What law and standards say about marking AI-generated pictures, as data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdsafe._internal.strict import Day, Line, Name, Strict
from sdsafe.gates.registry.licence import Limit, Source, Term, Verified

__all__ = ["Grace", "Measure", "Regulation", "RegulationFile"]


class Grace(Term):
    """Who has more time, and until when."""

    until: Day


class Measure(Term):
    """One numbered or named part."""

    id: Name


class Regulation(Strict):
    """One article, act or standard."""

    id: Name
    name: Line
    jurisdiction: Annotated[str, Field(pattern=r"^([A-Z]{2}(-[A-Z]{2})?|standard)$")]
    says: Line
    applies_to: Line
    applies_from: Day | None = None
    grace: Grace | None = None
    threshold: Limit | None = None
    """Below it the duty does not bind."""
    measures: tuple[Measure, ...] = ()
    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Names, in order, that software has to write exactly."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    verified: Verified


class RegulationFile(Strict):
    """The whole of ``regulations.yaml``."""

    schema_: Literal["sdsafe.regulations/1"] = Field(alias="schema")
    version: str
    regulations: tuple[Regulation, ...]
