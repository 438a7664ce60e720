"""What a pipeline can do for one request, and what its finished file showed: all that obligations are judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.decisions import Discharge, Obligation
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.organisation import Organisation
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.plans import Label
    from sdsafe.core.report import ManifestSummary
    from sdsafe.core.request import PromptDisclosure, Size
    from sdsafe.core.reviews import Opinion
    from sdsafe.core.softbinding import Detection

__all__ = ["Finished", "Means", "attested_form"]

_FORM = "release_form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What can be done, as far as it is known before generation."""

    disclosure: PromptDisclosure
    """How much of the prompt the caller wants to show."""
    organisation: Organisation
    checked: bool = True
    """Whether output checks will look."""
    size: Size | None = None
    """Size of the finished picture; None: not known yet."""
    attestations: tuple[str, ...] = ()
    label_font: Path | None = None
    reviewed: bool = False
    """Whether pictures can wait for a person."""
    stamped: bool = False
    """Whether time-stamp authorities are asked."""
    sealed: bool = False
    """Whether there is an auditor to seal prompts for."""
    sound: bool = False
    """Whether a sound is made: what only a picture can carry cannot be done then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What was read from the finished file, and what is known of its making."""

    pixels: Pixels = field(repr=False)
    """Decoded from the file; none of a sound."""
    readback: Detection | None
    """What the watermark detector read from those pixels; None: there is no mark."""
    watermark: bytes | None
    """What it had to read."""
    declared: Callable[[Obligation], Discharge]
    """What the file's metadata show of an obligation that metadata can meet."""
    checks: tuple[CheckResult, ...]
    """Of the output gate."""
    attestations: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    """All that were drawn."""
    label_font: Path | None = None
    opinions: tuple[Opinion, ...] = ()
    """Of the people who approved it."""
    blurred: Pixels | None = field(default=None, repr=False)
    """The picture with what had to be hidden hidden, before it was marked; None: nothing had to be."""
    manifest: ManifestSummary | None = None
    """As read back from the signed file; None: not signed yet."""


def attested_form(kind: str | None, attestations: tuple[str, ...]) -> str:
    """Return the id of a release form of this kind that somebody vouches for, or nothing.

    ``release_form=ID`` speaks for every kind, ``release_form:KIND=ID`` for one.
    """
    for each in attestations:
        name, _, form = each.partition("=")
        about, _, which = name.partition(":")
        if about == _FORM and form.strip() and which in {"", kind or ""}:
            return form.strip()
    return ""
