"""A manifest as a report shows it (crJSON), with nothing assumed about the types in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sdsafe._internal.shapes import mapping, mappings, text

__all__ = ["MISSING", "Json", "Manifest"]

Json: TypeAlias = Mapping[str, object]

MISSING = "MISSING_VALIDATION_RESULTS"
"""Stands for a code where the report says nothing of what the validator found."""


class Manifest:
    """One manifest as crJSON shows it, with nothing assumed about the types in it."""

    __slots__ = ("_data",)

    def __init__(self, data: Json) -> None:
        """Keep the manifest; it may come from anybody."""
        self._data = data

    @property
    def label(self) -> str:
        """Its URN, or nothing."""
        return text(self._data.get("label"))

    @property
    def assertions(self) -> Json:
        """Assertions by label."""
        return mapping(self._data.get("assertions"))

    @property
    def bodies(self) -> list[Json]:
        """The assertions themselves."""
        return [mapping(each) for each in self.assertions.values()]

    @property
    def claim(self) -> Json:
        """The claim, version 2."""
        return mapping(self._data.get("claim.v2"))

    @property
    def actions(self) -> list[Json]:
        """The actions of all actions assertions, in order."""
        return [each for body in self.bodies for each in mappings(body.get("actions"))]

    @property
    def ingredients(self) -> list[Json]:
        """The ingredient assertions: whatever states a relationship."""
        return [body for body in self.bodies if body.get("relationship") is not None]

    @property
    def results(self) -> Json | None:
        """What the validator found; None where the report says nothing."""
        found = self._data.get("validationResults")
        return mapping(found) if found is not None else None

    @property
    def failures(self) -> list[str]:
        """Codes of failures."""
        results = self.results
        if results is None:
            return [MISSING]
        return [text(each.get("code")) for each in mappings(results.get("failure"))]
