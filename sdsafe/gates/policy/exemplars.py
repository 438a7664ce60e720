"""What a semantic check compares with: for each category, texts that mean it and texts that only sound like it.

A file (``sdsafe.exemplars/1``) is one strict YAML document. A category is of no use before its threshold was
calibrated on harmless prompts, with the one model that judges: the numbers of one model mean nothing in another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sdsafe._internal.documents import MAX_BYTES, read_yaml
from sdsafe._internal.strict import Strict, build
from sdsafe.core.canonical import canonical_digest, exact
from sdsafe.errors import ConfigurationError, PolicyFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Calibration", "Category", "Exemplars", "calibrated", "read_exemplars"]

_Text = Annotated[str, Field(min_length=3, max_length=400)]
_Several = Annotated[tuple[_Text, ...], Field(min_length=3, max_length=2000)]
_FLATTEST = 0.005  # of cosine margins; a spread of zero would turn every score into 0 or 1


class Calibration(Strict):
    """Where the threshold of one category lies with one model, and how that is known."""

    model: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the model folder."""
    threshold: Annotated[float, Field(ge=-2, le=2)]
    """Margin that scores 0.5."""
    spread: Annotated[float, Field(gt=0, le=2)]
    """Standard deviation of the margins of the harmless prompts: so much above the threshold scores 0.73."""
    harmless: Annotated[int, Field(gt=0)]
    """So many harmless prompts were measured."""
    false_positives: Annotated[float, Field(ge=0, lt=1)]
    """Share of them that scores 0.5 or more."""

    def score(self, margin: float) -> float:
        """Return 0.5 at the threshold, more above it."""
        return 1 / (1 + math.exp(-max(min((margin - self.threshold) / self.spread, 60.0), -60.0)))


class Category(Strict):
    """One category: what means it, and what only sounds like it."""

    exemplars: _Several
    counter_exemplars: _Several
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _apart(self) -> Self:
        both = {each.casefold() for each in self.exemplars} & {each.casefold() for each in self.counter_exemplars}
        if both:
            context = {"expected": "texts that are on one side only", "found": f"{len(both)} on both"}
            raise PydanticCustomError("mismatch", "mismatch", context)
        return self


class _File(Strict):
    format: Literal["sdsafe.exemplars/1"]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    language: Annotated[str, Field(min_length=2, max_length=60)]
    source: Annotated[str, Field(min_length=1, max_length=400)]
    categories: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,63}$")], Category], Field(min_length=1, max_length=64)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplars:
    """The categories of one file and the digest of what it says."""

    categories: dict[str, Category]
    digest: str


def read_exemplars(path: Path) -> Exemplars:
    """Return what a file of exemplars says.

    Raises:
        PolicyFormatError: It cannot be read or does not fit; names key path, expected and found.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise PolicyFormatError(file=path.name, key="", expected="a file that can be read", found=found) from error
    read = build(_File, read_yaml(data, path.name), path.name)
    return Exemplars(categories=dict(read.categories), digest=canonical_digest(exact(read.model_dump())))


def calibrated(harmless: Sequence[float], *, model: str, false_positives: float = 0.01) -> Calibration:
    """Return the lowest threshold that at most a share of harmless prompts reaches.

    Args:
        harmless: Margins of prompts that are harmless, in the style of those that will be judged. Prompts of another
            style measure the style: a threshold from picture captions flagged most of what people really ask for.
        model: Digest of the model folder that measured them.
        false_positives: The share that may reach it.

    Raises:
        ConfigurationError: Too few prompts to tell: two false positives must be allowed at least.
    """
    allowed = math.floor(false_positives * len(harmless))
    if not 0 < false_positives < 1 or allowed < 2:  # noqa: PLR2004 - said in the message
        needed = math.ceil(2 / false_positives) if 0 < false_positives < 1 else "more"
        raise ConfigurationError(
            f"{len(harmless)} harmless prompts cannot tell a share of {false_positives:g}",
            code="policy.calibration",
            hint=f"Measure at least {needed}.",
        )
    margins = np.sort(np.asarray(harmless, dtype=np.float64))
    below = margins[-allowed - 1]
    above = margins[margins > below]
    threshold = float((below + above[0]) / 2 if above.size else below + _FLATTEST)
    return Calibration(
        model=model,
        threshold=threshold,
        spread=max(float(margins.std()), _FLATTEST),
        harmless=len(margins),
        false_positives=float((margins >= threshold).mean()),
    )
