"""``LexiconCheck``: looks for listed terms, and for writing that hides what it says, in every text of a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sdsafe.core.findings import Finding, Severity, Span, Stage
from sdsafe.errors import PluginError
from sdsafe.gates.policy.categories import LEXICON
from sdsafe.gates.policy.lexicon import Hit, Lexicon
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.policy.obfuscation import find_obfuscation
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.core.places import Places
    from sdsafe.core.request import GenerationRequest
    from sdsafe.gates.policy.loader import LoadedPolicies

__all__ = ["MAX_CHARACTERS", "LexiconCheck"]

MAX_CHARACTERS = 200_000
"""Longest text, all fields together, that is looked at (a second at worst); no text encoder reads a tenth of it."""

_PER_CATEGORY = 100  # findings; more of the same tell nobody anything new
_NEGATIVE = "negative_prompt"


class LexiconCheck:
    """A ``PromptCheck`` over the term lists of the packs that judge. Safe to use from several threads."""

    name = LEXICON

    def __init__(self, loaded: LoadedPolicies) -> None:
        """Index the terms of ``loaded``."""
        self._lexicon = Lexicon(loaded.entries())
        self._version = loaded.lexicon_version

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:  # noqa: ARG003 - reads no place
        """Return the check for the packs named in ``options``.

        Args:
            places: Not used.
            options: ``policies``, names of packs, default ``["baseline"]``; ``folders`` to look for them in.

        Raises:
            PluginError: An unknown option, or one of the wrong type.
            ConfigurationError: A pack does not load.
        """
        if unknown := set(options) - {"policies", "folders"}:
            raise PluginError(f"lexicon: unknown option {min(unknown)!r}", hint="Known options: policies, folders.")
        names = _sequence(options.get("policies", ("baseline",)), str, "policies")
        folders = _sequence(options.get("folders", ()), (str, Path), "folders")
        return cls(load_policies(names, [Path(folder) for folder in folders]))

    @property
    def version(self) -> str:
        """Version of the code, of its Unicode tables and of the packs."""
        return self._version

    def check(self, request: GenerationRequest, /) -> Iterator[Finding]:
        """Yield findings with the characters they stand at.

        The positive fields are also read as one text, so that a term which begins in one and ends in the next is
        seen; its span is then the part in the first field.

        Raises:
            Unavailable: The texts together are longer than ``MAX_CHARACTERS``.
        """
        texts = request.texts()
        if sum(len(text) for _, text in texts) > MAX_CHARACTERS:
            raise Unavailable(f"the texts are longer than {MAX_CHARACTERS:,} characters; nothing was looked at")
        positive = tuple((field, text) for field, text in texts if field != _NEGATIVE)
        negative = tuple((field, text) for field, text in texts if field == _NEGATIVE)
        kept: Counter[str | None] = Counter()
        for group in (positive, negative):
            for finding in self._group(group):
                kept[finding.category] += 1
                if kept[finding.category] <= _PER_CATEGORY:
                    yield finding

    def _group(self, texts: tuple[tuple[str, str], ...]) -> Iterator[Finding]:
        for hit in self._lexicon.find("\n".join(text for _, text in texts)):
            yield self._term(hit, _place(texts, hit.start, hit.end))
        for field, text in texts:
            for kind, start, end in find_obfuscation(text):
                yield self._finding(
                    "prompt.obfuscation",
                    "obfuscation",
                    Span(field=field, start=start, end=end),
                    f"hidden writing: {kind}",
                    {"kind": kind},
                )

    def _term(self, hit: Hit, spans: tuple[Span, ...]) -> Finding:
        entry = hit.entry
        how = "" if hit.reading == "plain" else f", written with {hit.reading}"
        data: dict[str, object] = {"term": entry.term, "pack": entry.pack, "reading": hit.reading}
        if entry.note:
            data["note"] = entry.note
        if len(spans) > 1:
            data["continues"] = tuple((span.field, span.start, span.end) for span in spans[1:])
        return self._finding("prompt.term", entry.category, spans[0], f"the listed term {entry.term!r}{how}", data)

    def _finding(self, code: str, category: str, span: Span, explanation: str, data: Mapping[str, object]) -> Finding:
        return Finding(
            code=code,
            severity=Severity.INFORMATIONAL,
            stage=Stage.PROMPT,
            source=self.name,
            source_version=self._version,
            category=category,
            span=span,
            explanation=explanation,
            data=data,
        )


def _place(texts: tuple[tuple[str, str], ...], start: int, end: int) -> tuple[Span, ...]:
    """Return where characters of the joined text stand in the fields: one span, or one per field they touch."""
    spans = []
    offset = 0
    for field, text in texts:
        first, last = max(start - offset, 0), min(end - offset, len(text))
        if first < last:
            spans.append(Span(field=field, start=first, end=last))
        offset += len(text) + 1
    return tuple(spans)


def _sequence(value: object, kind: type | tuple[type, ...], name: str) -> Sequence[str]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, kind) for item in value):
        raise PluginError(f"lexicon: {name} is not a list of strings", hint="Write it as a list in the settings.")
    return value
