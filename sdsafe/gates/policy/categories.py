"""The categories that the built-in checks report; packs add those of their term lists and of further plug-ins."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sdsafe.core.findings import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BUILTIN", "LEXICON", "PROVENANCE", "TERMS", "Category"]

LEXICON = "lexicon"
"""Name of the check that looks for listed terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """What is known of a category before anything runs."""

    stage: Stage
    """Where it is seen."""
    scored: bool
    """True: a check measures it every time, and a missing score means *unknown*. False: a finding or none."""
    check: str | None = None
    """The check that reports it: without its result, no finding means *unknown*."""
    heard: bool = False
    """True: it is of sounds, which come out and never go in."""


PROVENANCE = "input-provenance"
"""Name of the check that reads the manifests of pictures that go in."""

TERMS = Category(stage=Stage.PROMPT, scored=False, check=LEXICON)
"""What every category of a term list is."""

_PROVENANCE = Category(stage=Stage.INPUT, scored=False, check=PROVENANCE)

_SIGNAL = Category(stage=Stage.OUTPUT, scored=True, heard=True)

BUILTIN: Mapping[str, Category] = MappingProxyType(
    {
        "obfuscation": TERMS,
        "nudity": Category(stage=Stage.OUTPUT, scored=True),
        **{f"sound_{each}": _SIGNAL for each in ("silence", "clipping", "offset", "shortfall")},
        "input_manifest_invalid": _PROVENANCE,
        "input_use_not_allowed": _PROVENANCE,
    }
)
