"""Thresholds that somebody measured, by category: what a rule compares a score with instead of a number of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.canonical import canonical_digest, exact
from sdsafe.core.decisions import PolicyRef
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMAT", "Thresholds", "parse", "unite"]

FORMAT = "sdsafe.thresholds/1"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Thresholds with the identity of what they were read from."""

    values: Mapping[str, float]
    """Category to threshold, 0 to 1."""
    checks: Mapping[str, tuple[str, str]]
    """Category to name and version of the check that it was measured with."""
    refs: tuple[PolicyRef, ...]
    """Each file, by its digest; they stand among the packs in every decision."""


def parse(data: bytes, name: str) -> Thresholds:
    """Read a threshold file, as ``sdsafe safety calibrate`` writes it.

    Raises:
        ConfigurationError: ``thresholds.format``: it is none; the message names the file and what is wrong.
    """
    try:
        if len(data) > _MAX_BYTES:
            raise _wrong(name, "a file of at most a mebibyte")
        document = json.loads(data, parse_constant=float)
    except (ValueError, RecursionError) as error:
        raise _wrong(name, "JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _wrong(name, f'"format": "{FORMAT}"')
    check, category, threshold = document.get("check"), document.get("category"), document.get("threshold")
    if not (isinstance(check, dict) and _is_name(check.get("name")) and _is_name(check.get("version"))):
        raise _wrong(name, "check with name and version")
    if not isinstance(category, str) or not _is_name(category):
        raise _wrong(name, "category")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise _wrong(name, "a threshold from 0 to 1")
    return Thresholds(
        values={category: float(threshold)},
        checks={category: (check["name"], check["version"])},
        refs=(PolicyRef(id=f"thresholds-{category}", version="1", digest=canonical_digest(exact(document))),),
    )


def unite(given: tuple[Thresholds, ...]) -> Thresholds:
    """Return the thresholds of several files.

    Raises:
        ConfigurationError: Two of them are about the same category.
    """
    values: dict[str, float] = {}
    checks: dict[str, tuple[str, str]] = {}
    for each in given:
        for category in each.values:
            if category in values:
                raise ConfigurationError(
                    f"two threshold files are about {category}", code="thresholds.twice", hint="Keep one of them."
                )
        values |= each.values
        checks |= each.checks
    return Thresholds(values=values, checks=checks, refs=tuple(ref for each in given for ref in each.refs))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()  # noqa: PLR2004 - a line


def _wrong(name: str, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name}: not a threshold file: expected {expected}",
        code="thresholds.format",
        hint="`sdsafe safety calibrate` writes one.",
    )
