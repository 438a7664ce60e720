"""The contract suites of checks: of prompts, and of generated pictures."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.core.findings import Finding, Stage
from sdsafe.core.request import TEXT_FIELDS
from sdsafe.testing._requiring import (
    SMALL_SIZES,
    flat,
    require,
    require_measured,
    require_named,
    require_sourced,
)
from sdsafe.testing.samples import sample_generated, sample_picture, sample_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest
    from sdsafe.protocols import OutputCheck, PromptCheck

__all__ = ["OutputCheckContract", "PromptCheckContract"]

_NASTY = (
    "",
    " ",
    "\x00",
    "\u202eabc\u202c",
    "a\u200bb",
    "\U000e0041\U000e0042",
    "\ud800",
    "e\u0301" * 50,
    "x" * 100_000,
    "{}%s${y}\\",
)
"""Texts that any check has to answer."""


class OutputCheckContract(ABC):
    """What an output check has to show. Weights it needs must be present."""

    @abstractmethod
    def make(self) -> OutputCheck:
        """Return the check under test."""

    def look(self, picture: Pixels) -> tuple[Finding, ...]:
        """Return what the check finds."""
        return tuple(self.make().check(sample_generated(picture)))

    def test_it_says_what_it_is(self) -> None:
        """Name and version are there."""
        require_named(self.make())

    def test_it_always_measures_something(self) -> None:
        """Every picture gives at least one score, and every score is a number from 0 to 1."""
        for picture in (sample_picture(), flat(0, 0, 0), flat(255, 255, 255)):
            require_measured(self.look(picture))

    def test_findings_name_their_source(self) -> None:
        """Stage, source and version are those of the check."""
        findings = self.look(sample_picture())
        require_sourced(findings, self.make(), Stage.OUTPUT)
        require(all(each.category for each in findings), "no category: policy rules could not refer to it")

    def test_it_is_deterministic(self) -> None:
        """The same picture gives the same findings, from any instance."""
        require(self.look(sample_picture()) == self.look(sample_picture()), "two runs differ")

    def test_it_changes_nothing(self) -> None:
        """The picture is left as it was."""
        picture = sample_picture()
        picture.setflags(write=False)
        self.look(picture)
        require(np.array_equal(picture, sample_picture()), "the picture was changed")

    def test_every_size_is_looked_at(self) -> None:
        """From one pixel upwards, square or not."""
        for height, width in (*SMALL_SIZES, (520, 300)):
            require(self.look(sample_picture(height=height, width=width)), f"nothing for {width}x{height}")


class PromptCheckContract(ABC):
    """What a prompt check has to show."""

    @abstractmethod
    def make(self) -> PromptCheck:
        """Return the check under test."""

    def triggering(self) -> str | None:
        """Return a text in which the check must find something; None where it has no such text."""
        return None

    def look(self, request: GenerationRequest) -> tuple[Finding, ...]:
        """Return what the check finds."""
        return tuple(self.make().check(request))

    def test_it_says_what_it_is(self) -> None:
        """Name and version are there."""
        require_named(self.make())

    def test_any_text_is_answered(self) -> None:
        """Empty, hidden, broken and very long texts give findings or none, never an exception."""
        for text in _NASTY:
            self.require_sound(sample_request(text), self.look(sample_request(text)))

    def test_it_is_deterministic(self) -> None:
        """The same request gives the same findings, from any instance."""
        request = sample_request(f"a house {self.triggering() or ''}")
        require(self.look(request) == self.look(request), "two runs differ")

    def test_every_text_field_is_looked_at(self) -> None:
        """What triggers in the prompt triggers in every other field, and the span says in which."""
        text = self.triggering()
        if text is None:
            return
        for field in TEXT_FIELDS:
            # By keyword mapping: the field's name is the variable here.
            request = replace(sample_request("a house"), **{field: text})  # type: ignore[arg-type]
            findings = self.look(request)
            require(findings, f"nothing found in {field}")
            self.require_sound(request, findings)
            spans = [each.span for each in findings if each.span is not None]
            require(all(span.field == field for span in spans), f"a span points elsewhere than {field}")

    def require_sound(self, request: GenerationRequest, findings: Sequence[Finding]) -> None:
        """Fail unless every finding names its source and points at characters that exist."""
        require_sourced(findings, self.make(), Stage.PROMPT)
        texts = dict(request.texts())
        for finding in findings:
            if finding.span is not None:
                length = len(texts[finding.span.field])
                require(0 <= finding.span.start < finding.span.end <= length, f"span {finding.span}")
            if finding.score is not None:
                require(math.isfinite(finding.score) and 0 <= finding.score <= 1, f"score {finding.score}")
