"""A scheduler for one run, built anew from the pipe's own: pipes and schedulers keep state between steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sdsafe.errors import RequestError
from sdsafe.generation._libraries import diffusers
from sdsafe.generation._translating import translated

if TYPE_CHECKING:
    from sdsafe.generation.schedulers import SchedulerChoice

__all__ = ["scheduler_of"]


def scheduler_of(own: Any, choice: SchedulerChoice) -> Any:
    """Return a scheduler as chosen, for a pipe whose own one is ``own``; ``RequestError`` where it does not fit."""
    cls = type(own) if choice.cls == type(own).__name__ else getattr(diffusers, choice.cls, None)
    # LCMScheduler declares no relations, but distilled adapters are merged into models of this kind for its sake.
    fits = cls in own.compatibles or (choice.cls == "LCMScheduler" and diffusers.DDIMScheduler in own.compatibles)
    if cls is None or not fits:
        raise RequestError(
            f"the scheduler {choice.cls} does not fit a model with {type(own).__name__}",
            code="request.scheduler",
            hint="Leave the scheduler out to use the model's own.",
        )
    with translated("given its scheduler"):
        return cls.from_config(own.config, **choice.overrides)
