"""Pictures that were made elsewhere, kept as they are: what is signed goes through the same gates as what is made."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from sdsafe._internal.versions import version
from sdsafe.core.request import AS_IS, ModelRef, Size, Task
from sdsafe.errors import CancelledError, RequestError
from sdsafe.generation.enlarging import refuse_idle
from sdsafe.generation.processing import execution_without_diffusion, only_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Admitted, Generated
    from sdsafe.protocols import Watch

__all__ = ["Keeper"]


class Keeper:
    """A generator that makes nothing: one picture goes in, and the same comes out. Needs no torch."""

    __slots__ = ()

    def resolve(self, request: GenerationRequest, /) -> GenerationRequest:
        """Fill in and validate; see ``Generator.resolve``.

        Raises:
            RequestError: It asks for something to be made, or there is not exactly one picture.
        """
        if request.task is not Task.SIGN:
            raise RequestError(
                f"nothing is made here, and the task is {request.task.value!r}",
                code="request.task",
                hint="Open a pipeline with a generator for it.",
            )
        refuse_idle(request, "signing")
        if idle := [name for name in ("size", "parameters") if getattr(request, name)]:
            raise RequestError(f"signing has no use for {', '.join(idle)}", code="request.parameter")
        if [each.role for each in request.inputs] != ["image"]:
            raise RequestError("signing takes one picture with the role image", code="request.input")
        height, width = request.inputs[0].pixels.shape[:2]
        return replace(
            request,
            model=ModelRef(repo=AS_IS, revision=version("sdsafe"), license="Apache-2.0"),
            size=Size(width=width, height=height),
        )

    def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
        """Yield the picture; see ``Generator.generate``."""
        request = self.resolve(replace(admitted.request, size=None))
        started = time.perf_counter()
        if watch is not None and watch.cancelled():
            raise CancelledError("cancelled on request; nothing was signed")
        if request.seed is None:
            raise RequestError("the request is not resolved: seed is open")
        pixels = request.inputs[0].pixels.copy()
        execution = execution_without_diffusion(request.model, started)
        yield only_picture(admitted, request.seed, pixels, execution)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse, as every generator does."""
        raise TypeError("a generator can be neither copied nor pickled: make one per process")
