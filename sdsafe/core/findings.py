"""What checks and probes report. Findings never decide: policy does."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Box", "CheckResult", "CheckStatus", "Finding", "Severity", "Span", "Stage"]


class Severity(StrEnum):
    """The three kinds of status code of C2PA 2.x, section 15.2."""

    SUCCESS = "success"
    INFORMATIONAL = "informational"
    FAILURE = "failure"


class Stage(StrEnum):
    """Where in the way of the data something was seen or decided."""

    PROMPT = "prompt"
    INPUT = "input"
    OUTPUT = "output"
    EXPORT = "export"
    VERIFY = "verify"


class CheckStatus(StrEnum):
    """How a check ended. Everything but ``OK`` means that we do not know."""

    OK = "ok"
    ERROR = "error"
    SKIPPED = "skipped"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Characters ``start`` (inclusive) to ``end`` (exclusive) of one text field of the request."""

    field: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle of the image in pixels; origin top left, ``right`` and ``bottom`` exclusive."""

    left: int
    top: int
    right: int
    bottom: int


def _empty() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that one source saw.

    ``explanation`` and ``data`` are for people who may see the prompt: in manifest and ledger they follow
    the disclosure mode, because a matched term gives the prompt away.
    """

    code: str
    """Stable dotted code, such as ``prompt.term`` or ``assertion.dataHash.mismatch``."""
    severity: Severity
    stage: Stage
    source: str
    """Name of the check or probe."""
    source_version: str
    category: str | None = None
    """What policy rules refer to, such as ``nudity`` or ``weapon-instructions``."""
    score: float | None = None
    """0 (certainly not) to 1 (certainly); None where the source does not score."""
    span: Span | None = None
    box: Box | None = None
    explanation: str = ""
    url: str | None = None
    data: Mapping[str, object] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One run of one check: how it ended, what it found, how long it took."""

    check: str
    version: str
    status: CheckStatus
    stage: Stage
    findings: tuple[Finding, ...] = ()
    ms: float = 0.0
    detail: str = ""
    """Why it did not end ``ok``: an error class or a missing file's name, never a prompt or a path."""
    at: str = ""
    """When it ended, RFC 3339; empty where nobody noted it."""
