"""Initial noise that somebody else draws, put where the pipe draws its own.

Pipelines draw in ``prepare_latents``, each in its own shape (Flux packs its numbers), and scale what they drew as their
scheduler wants it. So they are let draw first, for the shape and so that the generator of random numbers stands where
it always stands afterwards, and then once more with the noise given as ``latents``. Everything else stays theirs.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdsafe.generation._inverting import is_invertible
from sdsafe.generation._libraries import torch
from sdsafe.generation.tasks import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    import numpy.typing as npt

__all__ = ["Drawn", "initial_noise"]

_RESTLESS = ("Ancestral", "DDPM", "LCM", "SDE", "TCD")


@dataclass(slots=True)
class Drawn:
    """What became of noise that was to be put in."""

    shape: tuple[int, ...] = ()
    """Of what was put in; empty: nothing was."""
    why_not: str = ""


@contextmanager
def initial_noise(
    pipe: Any,
    draw: Callable[[tuple[int, ...]], npt.NDArray[np.float32]] | None,
    kind: Kind,
    own: Any,
    arguments: Mapping[str, Any],
) -> Iterator[Drawn | None]:
    """Let ``pipe`` begin with the noise that ``draw`` returns, or say why it does not.

    Args:
        pipe: With the scheduler that is going to run.
        draw: Whose noise; None: the pipe's own, and nothing is touched.
        kind: Which way the pipe goes.
        own: The scheduler that came with the model.
        arguments: Of the call.
    """
    if draw is None:
        yield None
        return
    drawn = Drawn(why_not=_why_not(pipe, kind, own, arguments))
    if drawn.why_not:
        yield drawn
        return
    prepare = pipe.prepare_latents
    signature = inspect.signature(prepare)

    def prepared(*args: Any, **kwargs: Any) -> Any:
        theirs = prepare(*args, **kwargs)
        latents = theirs[0] if isinstance(theirs, tuple) else theirs
        drawn.shape = tuple(latents.shape)
        bound = signature.bind(*args, **kwargs)
        bound.arguments["latents"] = torch.from_numpy(draw(drawn.shape)).to(latents.dtype)
        return prepare(*bound.args, **bound.kwargs)

    pipe.prepare_latents = prepared
    try:
        yield drawn
    finally:
        del pipe.prepare_latents  # the method of the class shows again


def _why_not(pipe: Any, kind: Kind, own: Any, arguments: Mapping[str, Any]) -> str:
    if kind is not Kind.TEXT:
        return "the picture begins with another picture, not with noise alone"
    if not is_invertible(pipe, own):
        return f"{type(pipe).__name__} with {type(own).__name__} cannot be run backwards here"
    if _is_restless(pipe.scheduler) or arguments.get("eta"):
        return "the scheduler adds noise of its own at every step, so the first could not be found again"
    return ""


def _is_restless(scheduler: Any) -> bool:
    config = scheduler.config
    named = any(part in type(scheduler).__name__ for part in _RESTLESS)
    return named or "sde" in str(config.get("algorithm_type", "")) or bool(config.get("stochastic_sampling"))
