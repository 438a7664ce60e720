"""Enlarging without a model: Lanczos, which invents nothing. The result goes through the same gates as any picture."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe._internal import images
from sdsafe._internal.versions import version
from sdsafe.core.request import LANCZOS, ModelRef, Task
from sdsafe.errors import CancelledError, RequestError
from sdsafe.generation.families import check_parameters
from sdsafe.generation.processing import execution_without_diffusion, only_picture
from sdsafe.generation.tasks import resolve_pictures

if TYPE_CHECKING:
    from sdsafe.core.request import GenerationRequest, Size
    from sdsafe.core.states import Admitted, Generated
    from sdsafe.protocols import Watch

__all__ = ["enlarge", "is_meant", "refuse_idle", "require_room", "resolve"]

_REPLACEABLE = ("builtin:scenes", LANCZOS)  # the first is what a request says that says nothing
_MAX_PIXELS = images.MAX_PIXELS


def is_meant(request: GenerationRequest) -> bool:
    """Say whether a request is one for enlarging without a model."""
    return request.task is Task.UPSCALE and request.model.repo in _REPLACEABLE


def resolve(request: GenerationRequest) -> GenerationRequest:
    """Return an upscale request with everything filled in and checked; see ``Generator.resolve``.

    Raises:
        RequestError: It states something that has no effect here, or the result would be too large.
    """
    if not is_meant(request):
        raise RequestError(f"no model enlarges here, and {request.model.repo[:200]!r} was named", code="request.model")
    refuse_idle(request, "plain enlarging")
    resolved = resolve_pictures(request)
    require_room(resolved)
    return replace(
        resolved,
        model=ModelRef(repo=LANCZOS, revision=version("pillow"), license="Apache-2.0"),
        parameters=check_parameters(resolved.parameters, LANCZOS, task=resolved.task),
    )


def refuse_idle(request: GenerationRequest, who: str) -> None:
    """Refuse what has no effect where no diffusion model takes part.

    Args:
        request: As it was stated.
        who: Has no use for it, as the message names it.

    Raises:
        RequestError: ``request.parameter``; it names the fields.
    """
    idle = {
        "prompt": request.prompt or None,
        "prompt_2": request.prompt_2,
        "prompt_3": request.prompt_3,
        "negative_prompt": request.negative_prompt,
        "seconds": request.seconds,
        "steps": request.steps,
        "guidance": request.guidance,
        "scheduler": request.scheduler,
        "count": None if request.count == 1 else request.count,
        "adapters": request.adapters or None,
    }
    given = [name for name, value in idle.items() if value is not None]
    if given:
        raise RequestError(
            f"{who} has no use for {', '.join(given)}",
            code="request.parameter",
            hint="Leave it out. To let a model add detail, give one to upscale, or transform the result with a low "
            "strength.",
        )


def require_room(resolved: GenerationRequest, times: int = 1) -> Size:
    """Return the size of the result.

    Args:
        resolved: Its size is filled in.
        times: How many times as large a model makes the picture, whatever the scale that was asked for.

    Raises:
        RequestError: ``request.size``: it would be too large.
    """
    size = resolved.size
    (picture,) = (each.pixels for each in resolved.inputs)
    if size is not None and picture.shape[0] * picture.shape[1] * times * times > _MAX_PIXELS:
        raise RequestError(
            f"the model makes it {times} times as wide and as high: more than {_MAX_PIXELS:,} pixels",
            code="request.size",
            hint="Use a smaller picture.",
        )
    if size is None or size.width * size.height > _MAX_PIXELS:
        raise RequestError(
            f"the result would measure {size}, the limit is {_MAX_PIXELS:,} pixels",
            code="request.size",
            hint="Use a smaller scale.",
        )
    return size


def enlarge(admitted: Admitted, watch: Watch | None = None) -> Generated:
    """Return the enlarged picture of a resolved request.

    Raises:
        CancelledError: ``watch`` says so.
    """
    request = resolve(admitted.request)
    if watch is not None and watch.cancelled():
        raise CancelledError("cancelled on request; there is no picture")
    started = time.perf_counter()
    (picture,) = request.inputs
    if request.size is None or request.seed is None:
        raise RequestError("the request is not resolved: size or seed is open")
    pixels = images.resize(picture.pixels, request.size.width, request.size.height)
    execution = execution_without_diffusion(request.model, started)
    return only_picture(admitted, request.seed, pixels, execution)
