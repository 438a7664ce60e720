"""``semantic``: how near the meaning of a prompt is to exemplars of a category. Off unless settings name it.

A list of words sees what is said openly; this check also sees what is said in other words, in the languages of the
model. It compares with counter-exemplars too, because nearness to a fixed phrase alone measures topic and style:
harmless prompts about a subject lie as near to it as harmful ones. What counts is the margin between both sides, and
its threshold is calibrated on harmless prompts of the style that will be judged.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sdsafe._internal.text.normalize import UNICODE
from sdsafe.core.findings import Finding, Severity, Span, Stage
from sdsafe.errors import PluginError
from sdsafe.gates.options import CheckOptions
from sdsafe.gates.pinned import PinnedModel
from sdsafe.gates.policy._embedding import Embedding
from sdsafe.gates.policy.exemplars import Calibration, calibrated, read_exemplars
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sdsafe.core.places import Places
    from sdsafe.core.request import GenerationRequest
    from sdsafe.gates.policy.exemplars import Exemplars

    _Part = tuple[int, int, str]  # first character, the one after the last, and what the model reads there

__all__ = ["SemanticCheck"]

_NEAREST = 3  # so many of each side count, so that one odd exemplar does not decide
_WINDOW = 40  # words that are read together; every model reads that many
_MOST_WORDS = 2_000  # of one text
_LONG_WORD = 20  # letters; of a text without spaces so many count as a word
_WORD = re.compile(r"\S+")
_NEGATIVE = "negative_prompt"  # says what to avoid; nearness cannot tell wanting from avoiding


class SemanticCheck:
    """A ``PromptCheck`` that scores every category of a file of exemplars. Safe to use from several threads."""

    name = "semantic"

    def __init__(self, folder: Path, sha256: str, exemplars: Exemplars, *, device: str = "cpu") -> None:
        """Note what to load; nothing is loaded yet.

        Args:
            folder: A sentence-embedding model as ``save_pretrained`` writes it, with tokenizer.
            sha256: What ``folder_digest`` must return; another folder is ``Unavailable``.
            exemplars: What to compare with.
            device: A torch device.
        """
        self._exemplars = exemplars
        self._sha256 = sha256
        self._model = PinnedModel(folder, sha256, lambda path: _Space(Embedding(path, device), exemplars))

    @classmethod
    def configure(cls, _places: Places, options: Mapping[str, object]) -> Self:
        """Return a check from ``[options.semantic]``: ``path``, ``sha256``, ``exemplars`` and ``device``.

        Raises:
            PluginError: An option is missing, unknown or of the wrong type.
            PolicyFormatError: The file of exemplars does not fit.
        """
        given = CheckOptions("semantic", options)
        folder, sha256 = given.folder("path"), given.sha256("sha256")
        exemplars, device = Path(given.text("exemplars")).expanduser(), given.text("device", "cpu")
        given.done()
        if not exemplars.is_file():
            raise PluginError(
                "semantic: the file of exemplars is not there", hint="Set `exemplars` under [options.semantic]."
            )
        return cls(folder, sha256, read_exemplars(exemplars), device=device)

    @property
    def version(self) -> str:
        """Version of this check and of the Unicode tables, and the beginnings of both digests."""
        return f"1+unicode{UNICODE}+{self._sha256[:12]}+{self._exemplars.digest[:12]}"

    def check(self, request: GenerationRequest, /) -> Iterator[Finding]:
        """Yield the score of every category: that of the part of the text fields that is nearest to it.

        The negative prompt is left out: it says what to avoid, and nearness cannot tell wanting from avoiding.

        Raises:
            Unavailable: The model is missing or was changed, a category is not calibrated with this model, or the
                texts are too long to look at as a whole.
        """
        calibrations = {name: self._calibration(name) for name in self._exemplars.categories}
        space = self._model.get()
        parts = [
            (field, start, end, read)
            for field, text in request.texts()
            if field != _NEGATIVE
            for start, end, read in space.parts(text)
        ]
        margins = space.margins([read for *_, read in parts]) if parts else {}
        for name, calibration in calibrations.items():
            score, span = 0.0, None
            if parts:
                nearest = int(np.argmax(margins[name]))
                field, start, end, _ = parts[nearest]
                score, span = calibration.score(float(margins[name][nearest])), Span(field=field, start=start, end=end)
            yield self._finding(name, score, span)

    def calibrate(self, harmless: Sequence[str], *, false_positives: float = 0.01) -> dict[str, Calibration]:
        """Return what to write under each category's ``calibration``, from harmless prompts in the style of yours.

        Raises:
            ConfigurationError: Too few prompts to tell.
            Unavailable: The model is missing or was changed.
        """
        space = self._model.get()
        measured: dict[str, list[float]] = {name: [] for name in self._exemplars.categories}
        for prompt in harmless:
            if parts := space.parts(prompt):
                for name, margins in space.margins([read for *_, read in parts]).items():
                    measured[name].append(float(margins.max()))
        return {
            name: calibrated(margins, model=self._sha256, false_positives=false_positives)
            for name, margins in measured.items()
        }

    def _calibration(self, name: str) -> Calibration:
        calibration = self._exemplars.categories[name].calibration
        if calibration is None:
            raise Unavailable(f"the category {name!r} of the semantic check has no calibrated threshold")
        if calibration.model != self._sha256:
            raise Unavailable(f"the category {name!r} of the semantic check was calibrated with another model")
        return calibration

    def _finding(self, category: str, score: float, span: Span | None) -> Finding:
        return Finding(
            code="prompt.semantic",
            severity=Severity.INFORMATIONAL,
            stage=Stage.PROMPT,
            source=self.name,
            source_version=self.version,
            category=category,
            score=round(score, 6),
            span=span,
            explanation=f"nearness in meaning to exemplars of {category}",
        )


class _Space:
    """The exemplars of every category in the space of the model."""

    def __init__(self, embedding: Any, exemplars: Exemplars) -> None:
        self._embedding = embedding
        self._sides = {
            name: (embedding(list(map(_read, each.exemplars))), embedding(list(map(_read, each.counter_exemplars))))
            for name, each in exemplars.categories.items()
        }

    def parts(self, text: str) -> list[_Part]:
        """Return parts of a text that the model reads as a whole; every word is in one of them."""
        if len(text.split()) > _MOST_WORDS or len(text) > _MOST_WORDS * _LONG_WORD:
            raise Unavailable(f"a text has more than {_MOST_WORDS:,} words; nothing was looked at")
        return [part for start, end in _windows(text) for part in self._fitting(text, start, end)]

    def _fitting(self, text: str, start: int, end: int) -> Iterator[_Part]:
        read = _read(text[start:end])
        if not read.strip():
            return
        if end - start == 1 or self._embedding.reads(read):
            yield start, end, read
            return
        middle = (start + end) // 2
        yield from self._fitting(text, start, middle)
        yield from self._fitting(text, middle, end)

    def margins(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return, for each category and text, how much nearer the text is to the exemplars: -2 to 2."""
        rows = self._embedding(texts)
        return {name: _near(rows, own) - _near(rows, counter) for name, (own, counter) in self._sides.items()}


def _near(rows: NDArray[np.float32], exemplars: NDArray[np.float32]) -> NDArray[np.float32]:
    nearest: NDArray[np.float32] = np.sort(rows @ exemplars.T, axis=1)[:, -_NEAREST:].mean(axis=1)
    return nearest


def _windows(text: str) -> list[tuple[int, int]]:
    """Return overlapping parts of a text: each starts half a window after the one before.

    So what is said in one place is read in one piece, and is not thinned by everything around it.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    starts = range(0, max(len(words) - _WINDOW // 2, 1), _WINDOW // 2) if words else ()
    return [(words[first][0], words[min(first + _WINDOW, len(words)) - 1][1]) for first in starts]


def _read(text: str) -> str:
    """Return compatibility forms as plain ones, without what nobody sees."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(
        letter for letter in plain if unicodedata.category(letter) not in {"Cf", "Cc", "Cs"} or letter.isspace()
    )
