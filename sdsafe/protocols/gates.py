"""Slots of the gates: what looks at words and pictures, and what judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sdsafe.core.context import JudgementContext
    from sdsafe.core.decisions import Decision, PolicyRef
    from sdsafe.core.findings import CheckResult, Finding, Stage
    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.core.states import Generated

__all__ = ["InputCheck", "Named", "OutputCheck", "PolicyEngine", "PromptCheck", "SoundCheck", "Unavailable"]


class Unavailable(Exception):  # noqa: N818 - a state of the check, not a fault of the caller
    """Raised by a check that cannot run here (weights not pulled, wrong hash): status ``unavailable``.

    The message names what is missing and how to get it, and never a prompt or a path.
    """


class Named(Protocol):
    """**Protocol:** what every check says of itself."""

    @property
    def name(self) -> str:
        """Stable name, recorded in the manifest."""
        ...

    @property
    def version(self) -> str:
        """Version of code and data together, recorded in the manifest."""
        ...


class PromptCheck(Protocol):
    """**Protocol:** looks at every text of a request and reports what it sees."""

    @property
    def name(self) -> str:
        """Stable name, recorded in the manifest."""
        ...

    @property
    def version(self) -> str:
        """Version of code and data together, recorded in the manifest."""
        ...

    def check(self, request: GenerationRequest, /) -> Iterable[Finding]:
        """Return findings; raise ``Unavailable`` when it cannot look."""
        ...


class OutputCheck(Protocol):
    """**Protocol:** looks at one generated image and reports scores. It never decides and never changes it."""

    @property
    def name(self) -> str:
        """Stable name, recorded in the manifest."""
        ...

    @property
    def version(self) -> str:
        """Version of code and weights together, recorded in the manifest."""
        ...

    def check(self, generated: Generated, /) -> Iterable[Finding]:
        """Return at least one scored finding; raise ``Unavailable`` when it cannot look.

        Returning nothing is an error, not a pass: a check that looked says what it measured.
        """
        ...


class SoundCheck(OutputCheck, Protocol):
    """**Protocol:** looks at one generated sound and reports scores, as an ``OutputCheck`` does at pictures.

    It is asked with ``generated.sound``; ``generated.pixels`` is empty. Checks of pictures are never asked about a
    sound, and the manifest says which they were.
    """


@runtime_checkable
class InputCheck(Protocol):
    """**Protocol:** what an output check offers besides where it can also look at pictures that go in.

    Without it, a request with pictures is refused: what nobody looked at is not a pass.
    """

    def check_input(self, image: InputImage, /) -> Iterable[Finding]:
        """Return at least one scored finding of stage ``INPUT``; raise ``Unavailable`` when it cannot look."""
        ...


class PolicyEngine(Protocol):
    """**Protocol:** turns findings into a decision."""

    @property
    def refs(self) -> tuple[PolicyRef, ...]:
        """The packs that judge; never empty."""
        ...

    def judge(self, stage: Stage, context: JudgementContext, results: Sequence[CheckResult], /) -> Decision:
        """Evaluate every rule of ``stage`` over the results and the context; the most severe effect wins.

        A check that is not ``ok``, and an empty list of results, are denied: unknown is not a pass.
        """
        ...

    def preview(self, stage: Stage, context: JudgementContext, results: Sequence[CheckResult], /) -> Decision:
        """Say what the rules of a later stage say already; those that cannot be answered yet are ``undecided``."""
        ...
