"""What marketplaces say about AI-generated pictures, as data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdsafe._internal.strict import Line, Name, Strict
from sdsafe.gates.registry.licence import Source, Term

__all__ = ["ForbiddenWords", "Marketplace", "MarketplaceFile", "Technical"]

_Decimal = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]


class Technical(Term):
    """What files have to be like. Sizes are decimal text, so that digests do not depend on floats."""

    formats: tuple[str, ...] = ()
    """Media types; empty: not stated."""
    colour: str = ""
    min_megapixels: _Decimal | None = None
    max_megapixels: _Decimal | None = None
    min_pixels: int | None = None
    """Of each side."""
    max_pixels: int | None = None
    min_megabytes: _Decimal | None = None
    max_megabytes: _Decimal | None = None


class ForbiddenWords(Term):
    """Categories of names that may not stand in text that comes with the picture."""

    fields: tuple[str, ...]
    categories: tuple[str, ...]


class Marketplace(Strict):
    """One marketplace."""

    id: Name
    name: Line
    accepts_ai: Literal["yes", "no", "unknown"]
    since: str = ""
    verified: Literal["primary", "secondary", "memory", "unread"]
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    label: tuple[Term, ...] = ()
    forbidden_in: ForbiddenWords | None = None
    forbidden: tuple[Term, ...] = ()
    releases: Term | None = None
    technical: Technical | None = None
    keywords: Term | None = None
    penalty: Term | None = None
    note: str = ""


class MarketplaceFile(Strict):
    """The whole of ``marketplaces.yaml``."""

    schema_: Literal["sdsafe.marketplaces/1"] = Field(alias="schema")
    version: str
    marketplaces: tuple[Marketplace, ...]
