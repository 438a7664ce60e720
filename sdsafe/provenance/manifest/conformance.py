"""What the C2PA conformance program asks of a manifest, as checks of ours over the report on it (crJSON).

The program publishes its asset rubric as a file for an evaluator of its own: "Conformance 0.2 / Spec 2.4", version 1.0
of 2026-08-06, https://github.com/c2pa-org/conformance-public. These are the same questions, under the same names, in
Python with types: they run on every file before it is released, and a test holds them against the rubric's own file.
A manifest can be *valid* and still fail here: the library checks what was signed, the program what should be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.provenance.manifest._questions import CHECKS, Check
from sdsafe.provenance.manifest._shown import Manifest

if TYPE_CHECKING:
    from sdsafe.provenance.manifest._shown import Json

__all__ = ["CHECKS", "Check", "Result", "conformance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one check found."""

    check: Check
    found: tuple[str, ...]
    """What is amiss, in the words of the manifest; empty: nothing."""

    @property
    def passed(self) -> bool:
        """Whether nothing is amiss."""
        return not self.found


def conformance(manifest: Json) -> tuple[Result, ...]:
    """Ask every question about an active manifest (crJSON, ``manifests[0]``) and return the answers, in order."""
    subject = Manifest(manifest)
    return tuple(Result(check=each, found=tuple(each.find(subject))) for each in CHECKS)
