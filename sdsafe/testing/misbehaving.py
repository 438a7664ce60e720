"""A check that does every wrong thing a check can do: for tests of what stands around checks."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from sdsafe.core.findings import Box, Finding, Severity, Span, Stage
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MisbehavingCheck"]


class MisbehavingCheck:
    """Does what its ``kind`` says: finds, nan, nothing, junk, raises, dies, hangs, unavailable, pid, cannot-be-made."""

    name = "fake"
    version = "1"

    def __init__(self, kind: str) -> None:
        """Choose what to do; ``cannot-be-made`` does it here."""
        if kind == "cannot-be-made":
            raise ValueError(kind)
        self._kind = kind

    def check(self, _subject: object, /) -> Iterable[Finding]:
        """Answer, or do not."""
        return self._answer(Stage.OUTPUT)

    def check_input(self, _image: object, /) -> Iterable[Finding]:
        """Answer about an input, or do not."""
        return self._answer(Stage.INPUT)

    def _answer(self, stage: Stage) -> Iterable[Any]:
        match self._kind:
            case "raises":
                raise ValueError(self._kind)
            case "dies":
                os._exit(9)
            case "hangs":
                time.sleep(3600)
            case "unavailable":
                raise Unavailable("weights are missing")
            case "nothing":
                return ()
            case "junk":
                return ({"score": 0.5},)
            case "nan":
                return (_finding(stage, float("nan"), "seen"),)
            case "pid":
                return (_finding(stage, 0.25, str(os.getpid())),)
        return (_finding(stage, 0.25, "seen"),)


def _finding(stage: Stage, score: float, explanation: str) -> Finding:
    return Finding(
        code=f"{stage}.score",
        severity=Severity.INFORMATIONAL,
        stage=stage,
        source="fake",
        source_version="1",
        category="nudity",
        score=score,
        span=Span(field="prompt", start=0, end=2),
        box=Box(left=1, top=2, right=3, bottom=4),
        explanation=explanation,
        data={"views": 1},
    )
