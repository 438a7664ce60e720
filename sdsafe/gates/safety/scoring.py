"""The common half of every check that scores pictures: views in, one finding per category out. It never decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.findings import Box, Finding, Severity, Stage
from sdsafe.gates.safety.views import views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import InputImage
    from sdsafe.core.states import Generated
    from sdsafe.gates.safety.views import View

__all__ = ["DEFAULT_TILE", "PictureCheck", "Scored"]

DEFAULT_TILE = 1024
"""Side of the tiles that large pictures are also looked at in, in pixels."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A score and where in the picture it was seen, in pixels of the picture that was given."""

    score: float
    box: Box | None = None


class PictureCheck(ABC):
    """A check of output pictures and of input pictures that a subclass only has to score.

    Every category is reported every time, with the highest score of all views: what was measured and found low is
    not the same as what nobody measured.
    """

    tile: int = DEFAULT_TILE

    @property
    @abstractmethod
    def name(self) -> str:
        """Stable name, recorded in the manifest."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Version of the adapter and of its weights together."""

    @abstractmethod
    def scores(self, pictures: Sequence[Pixels], /) -> list[Mapping[str, Scored]]:
        """Return, for each picture in order, every category with its score, 0 to 1.

        Args:
            pictures: Each (H, W, 3) ``uint8``, of any size; not changed.

        Raises:
            Unavailable: The check cannot look here.
        """

    def check(self, generated: Generated, /) -> Iterator[Finding]:
        """Yield the findings of a generated picture."""
        return self._findings(generated.pixels, Stage.OUTPUT)

    def check_input(self, image: InputImage, /) -> Iterator[Finding]:
        """Yield the findings of a picture that goes into generation."""
        return self._findings(image.pixels, Stage.INPUT)

    def look(self, pixels: Pixels, /) -> dict[str, Scored]:
        """Return the highest score of every category over all views of a picture, and where it was seen."""
        looked = views(pixels, tile=self.tile)
        answers = self.scores([view.pixels for view in looked])
        if len(answers) != len(looked) or any(set(each) != set(answers[0]) for each in answers):
            msg = f"{self.name} did not answer the same categories for every view"
            raise ValueError(msg)
        highest = {}
        for category in sorted(answers[0]):
            at = max(range(len(looked)), key=lambda index: _rank(answers[index][category].score))
            seen = answers[at][category]
            highest[category] = Scored(seen.score, _in_picture(seen.box, looked[at]))
        return highest

    def _findings(self, pixels: Pixels, stage: Stage) -> Iterator[Finding]:
        count = len(views(pixels, tile=self.tile))
        for category, seen in self.look(pixels).items():
            yield Finding(
                code=f"{stage}.score",
                severity=Severity.INFORMATIONAL,
                stage=stage,
                source=self.name,
                source_version=self.version,
                category=category,
                score=float(seen.score),
                box=seen.box,
                explanation=f"{category} {seen.score:.3f} by {self.name}",
                data={"views": count},
            )


def _rank(score: float) -> float:
    """Let a score that is not a number win, so that it reaches the guard and is refused there."""
    return score if score == score else float("inf")  # noqa: PLR0124 - NaN is the one value that differs from itself


def _in_picture(box: Box | None, view: View) -> Box | None:
    if box is None or view.box is None:
        return box or view.box
    left, top = view.box.left, view.box.top
    return Box(left=left + box.left, top=top + box.top, right=left + box.right, bottom=top + box.bottom)
