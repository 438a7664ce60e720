"""The spine, top to bottom: admit, generate, clear, mark, encode, sign, record.

Refusals travel as exceptions inside and come out as outcomes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from sdsafe import egress, release
from sdsafe.admission import admit
from sdsafe.clearing import clear
from sdsafe.core.findings import Stage
from sdsafe.errors import RefusedError
from sdsafe.gates.hard.gate import is_hard
from sdsafe.holding import approved, hold, queue_of
from sdsafe.judgement import Abilities, Judges
from sdsafe.parts import Parts, UnsafeNoOutputCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Cleared, Generated, Outcome, Recorded
    from sdsafe.protocols import Watch

__all__ = ["Parts", "Pipeline", "UnsafeNoOutputCheck"]

_log = logging.getLogger(__name__)


class Pipeline:
    """Makes released assets out of requests. What it is made of does not leave it."""

    __slots__ = ("__judges", "__parts")

    def __init__(self, parts: Parts) -> None:
        """Keep the parts; warn when output checks are switched off."""
        self.__parts = parts
        can = Abilities(
            checked=parts.checked,
            reviewed=parts.reviews is not None,
            stamped=parts.stamper is not None,
            sealed=parts.recipient is not None,
        )
        self.__judges = Judges(parts.policy, parts.licences, parts.house, can)
        if not parts.checked:
            _log.warning("output checks are switched off; every manifest will say so")

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: a copy would carry the key and the pipe outside."""
        msg = "a Pipeline can be neither copied nor pickled: open one per process"
        raise TypeError(msg)

    def run(
        self,
        request: GenerationRequest,
        *,
        deliver: Callable[[Recorded], None] | None = None,
        watch: Watch | None = None,
    ) -> tuple[Outcome, ...]:
        """Carry a request through and return one outcome per image.

        Args:
            request: What to make.
            deliver: Called with each recorded asset; if it raises, the asset is withdrawn and the error passed on.
            watch: Follows and stops generation.

        Raises:
            RequestError: The request cannot be carried out as asked.
            CancelledError: ``watch`` stopped it. Images released before that stay released.
            SdsafeError: A stage failed; nothing was released for that image.
        """
        return tuple(self.stream(request, deliver=deliver, watch=watch))

    def stream(
        self,
        request: GenerationRequest,
        *,
        deliver: Callable[[Recorded], None] | None = None,
        watch: Watch | None = None,
    ) -> Iterator[Outcome]:
        """Do what ``run`` does, one outcome at a time."""
        try:
            admitted = admit(self.__parts, self.__judges, request)
        except RefusedError as refusal:
            yield from [release.refused(refusal, Stage.PROMPT)] * request.count
            return
        for index, generated in enumerate(self.__parts.generator.generate(admitted, watch)):
            outcome = self._release(generated, deliver)
            del generated  # a generator that waits shows its frame: no unmarked pixels in it
            yield outcome
            if is_hard(outcome):  # no more of that is made
                yield from [outcome] * (admitted.request.count - index - 1)
                return

    def _release(self, generated: Generated, deliver: Callable[[Recorded], None] | None) -> Outcome:
        made = generated.pixels if generated.sound is None else generated.sound.samples
        made.setflags(write=False)  # what one check has seen, no later one changes
        try:
            cleared = clear(self.__parts, self.__judges, generated)
            if cleared.plan.people:
                return hold(self.__parts, cleared)
            return self._finish(cleared, deliver)
        except RefusedError as refusal:
            return release.refused(refusal, Stage.OUTPUT, generated)

    def _finish(self, cleared: Cleared, deliver: Callable[[Recorded], None] | None) -> Recorded:
        """Carry a cleared image to its caller; also where an approved review goes on."""
        parts = self.__parts
        marked = egress.mark(parts, cleared)
        encoded = egress.encode(parts, marked)
        signed = egress.sign(parts, encoded)
        recorded = egress.record(parts, signed)
        return egress.deliver(parts, recorded, deliver)

    def resume(self, ticket: str, *, deliver: Callable[[Recorded], None] | None = None) -> Recorded:
        """Release an image that enough people approved: it is marked, signed and recorded now.

        Args:
            ticket: Of the case.
            deliver: As in ``run``.

        Raises:
            ReviewError: There is no such case, or not enough people have approved it.
            SdsafeError: A stage failed; nothing was released, and the case stays approved.
        """
        reviews = queue_of(self.__parts)
        recorded = self._finish(approved(self.__parts, ticket), deliver)
        reviews.released(ticket)
        return recorded
