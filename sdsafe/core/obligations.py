"""The obligations that exist: their codes, and the typed parameters that each takes. One table for all who need it.

The loader of packs refuses what is not in it, planning refuses what cannot be done, and discharging shows from the
finished file that it was done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from sdsafe.core.request import PromptDisclosure

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AREAS", "CORNERS", "LABEL_TEXT", "OBLIGATION_KINDS", "ObligationKind", "Parameter", "obligation_mismatch"]

CORNERS = ("bottom-right", "bottom-left", "top-right", "top-left")
"""Where a visible label may stand; the first is the default."""

AREAS = ("region", "whole")
"""What is hidden: the places that checks point at, or everything. Where no place is known, everything."""

LABEL_TEXT = "AI-generated"
"""What a visible label says when the rule does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an obligation."""

    kind: type
    """``str``, ``int`` or ``bool``."""
    says: str
    required: bool = False
    values: tuple[str, ...] = ()
    """All that it may be; empty: anything of its kind."""
    longest: int = 200
    """Characters of a text."""
    least: int = 1
    most: int = 1000

    def fault(self, value: object) -> str:
        """Return what a value would have to be, or nothing if it is that."""
        if type(value) is not self.kind:
            return {str: "text", int: "a whole number", bool: "true or false"}[self.kind]
        if self.values and value not in self.values:
            return f"one of {', '.join(self.values)}"
        if isinstance(value, str) and not (value.strip() and len(value) <= self.longest and value.isprintable()):
            return f"one line of 1 to {self.longest} characters"
        if type(value) is int and not self.least <= value <= self.most:
            return f"{self.least} to {self.most}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationKind:
    """One thing that a rule may oblige to."""

    says: str
    """What it takes for it to be met."""
    params: Mapping[str, Parameter] = field(default_factory=lambda: MappingProxyType({}))


def _kind(says: str, **params: Parameter) -> ObligationKind:
    return ObligationKind(says=says, params=MappingProxyType(params))


OBLIGATION_KINDS: Mapping[str, ObligationKind] = MappingProxyType(
    {
        "watermark": _kind("the invisible mark reads back from the finished file"),
        "sign_c2pa": _kind(
            "the finished file carries a C2PA manifest that reads back as valid",
            timestamp=Parameter(kind=bool, says="true: with a time-stamp of an authority"),
        ),
        "iptc": _kind("the file's IPTC digital source type says that a model made the picture"),
        "aigc_label": _kind(
            "the file carries the implicit label of GB 45438-2025 (TC260 AIGC)",
            provider=Parameter(kind=str, says="name of the provider; default: that of the settings", longest=100),
            code=Parameter(kind=str, says="code of the provider; default: that of the settings", longest=100),
        ),
        "visible_label": _kind(
            "people see in the picture that a model made it",
            text=Parameter(kind=str, says=f"what the label says; default: {LABEL_TEXT}", longest=60),
            corner=Parameter(kind=str, says=f"where it stands; default: {CORNERS[0]}", values=CORNERS),
        ),
        "blur": _kind(
            "what a check saw is hidden in the picture, and a second look finds nothing that has to be hidden",
            area=Parameter(kind=str, says=f"how much; default: {AREAS[0]}", values=AREAS),
        ),
        "human_review": _kind(
            "people looked at the picture and approved it",
            roles=Parameter(kind=str, says="who may approve, separated by commas", longest=100),
            count=Parameter(kind=int, says="how many people; default: 1", most=10),
        ),
        "classifier_or_review": _kind("a classifier measured the picture, or a person looked at it"),
        "attribution": _kind(
            "the file's metadata carry this text",
            text=Parameter(kind=str, says="the words that the licence asks for", required=True, longest=400),
            manner=Parameter(kind=str, says="what the licence says about where they stand", longest=100),
        ),
        "min_megapixels": _kind(
            "the picture has at least so many million pixels",
            value=Parameter(kind=int, says="millions of pixels", required=True),
        ),
        "prompt_disclosure": _kind(
            "the manifest shows as much of the prompt as the rule says",
            mode=Parameter(
                kind=str, says="how much", required=True, values=tuple(mode.value for mode in PromptDisclosure)
            ),
        ),
        "release_form": _kind(
            "somebody vouches for a signed release",
            kind=Parameter(kind=str, says="which: model, property, ...", longest=40),
        ),
        "disclosure": _kind(
            "the manifest says that a model made the picture",
            text=Parameter(kind=str, says="the words that the licence asks for", longest=400),
            manner=Parameter(kind=str, says="when or where the licence asks for it", longest=100),
        ),
    }
)
"""Every obligation by its code."""


def obligation_mismatch(code: str, params: Mapping[str, object]) -> tuple[str, str] | None:
    """Return what was expected and what was found, or None for an obligation that exists with fitting parameters."""
    kind = OBLIGATION_KINDS.get(code)
    if kind is None:
        return f"an obligation: {', '.join(OBLIGATION_KINDS)}", repr(code[:60])
    known = ", ".join(f"{name} ({each.kind.__name__})" for name, each in kind.params.items()) or "none"
    for name, value in params.items():
        if name not in kind.params:
            return f"parameters of {code}: {known}", repr(name[:60])
        if fault := kind.params[name].fault(value):
            found = type(value).__name__ if type(value) is not kind.params[name].kind else repr(value)[:60]
            return f"{name} of {code}: {fault}", found
    missing = [name for name, each in kind.params.items() if each.required and name not in params]
    return (f"{missing[0]} of {code}", "nothing") if missing else None
