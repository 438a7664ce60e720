"""Requests for sounds: validation, defaults, and what the pipeline is told. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdsafe._internal import wav
from sdsafe.core.request import Size
from sdsafe.errors import RequestError
from sdsafe.generation.families import checked_value
from sdsafe.generation.parameters import MAX_COUNT, MAX_SEED, MAX_STEPS, check_text, checked_guidance, checked_whole
from sdsafe.generation.schedulers import choose
from sdsafe.generation.sound_families import sound_family_of
from sdsafe.generation.ways import require_way

if TYPE_CHECKING:
    from collections.abc import Collection

    from sdsafe.core.request import GenerationRequest
    from sdsafe.generation.identity import Located
    from sdsafe.generation.sound_families import SoundFamily, SoundLimits

__all__ = ["NO_SIZE", "call_arguments", "resolve"]

NO_SIZE = Size(width=0, height=0)
"""Of the picture that a sound is not: where memory is planned, only the weights count."""

_WRITABLE = ("image/png", wav.MEDIA_TYPE)  # the first is what a request says that says nothing


def resolve(request: GenerationRequest, located: Located) -> GenerationRequest:
    """Return a request for a sound with everything filled in and everything checked.

    Args:
        request: As the caller stated it; the seed may still be open.
        located: The model it means.

    Raises:
        RequestError: An argument is unknown, out of range, without effect, or not allowed for this model's family.
    """
    require_way(request.task, located.ways, located.pipeline)
    family, defaults = sound_family_of(located.pipeline), located.defaults
    if defaults.sound is None:
        raise RequestError("the model says nothing about sounds", code="model.malformed")
    _refuse_idle(request)
    _check_texts(request, family)
    steps = checked_whole("steps", defaults.steps if request.steps is None else request.steps, 1, MAX_STEPS)
    name = request.scheduler or defaults.scheduler
    choose(name, defaults.own_scheduler)
    count = checked_whole("count", request.count, 1, MAX_COUNT)
    if request.seed is not None:
        checked_whole("seed", request.seed, 0, MAX_SEED - count + 1)
    further = {
        key: checked_value(key, value, located.pipeline, family.numbers) for key, value in request.parameters.items()
    }
    return replace(
        request,
        model=located.ref,
        media_type=wav.MEDIA_TYPE,
        seconds=_seconds(request, defaults.sound),
        steps=steps,
        guidance=_guidance(request, family, defaults.guidance),
        scheduler=name,
        parameters=further,
    )


def call_arguments(request: GenerationRequest, pipeline: str, accepted: Collection[str]) -> dict[str, Any]:
    """Return what the caller contributes to the call of the pipeline: texts, seconds, steps, guidance, numbers.

    Args:
        request: A resolved request.
        pipeline: Class name of the pipeline.
        accepted: Names in its call signature.

    Raises:
        RequestError: The class does not take something that the request states, or the request is not resolved.
    """
    family = sound_family_of(pipeline)
    if request.seconds is None or request.steps is None or request.seed is None:
        raise RequestError("the request is not resolved: seconds, steps or seed is open")
    arguments: dict[str, Any] = {
        **{name: text for name, text in request.texts() if name in family.texts},
        family.length: request.seconds,
        "num_inference_steps": request.steps,
        **({} if family.guidance is None else {"guidance_scale": request.guidance}),
        **{name: checked_value(name, each, pipeline, family.numbers) for name, each in request.parameters.items()},
    }
    missing = sorted(arguments.keys() - set(accepted))
    if missing:
        raise RequestError(
            f"{pipeline} does not take {', '.join(missing)}",
            code="request.parameter",
            hint="Leave it out of the request, or choose another model.",
        )
    return arguments


def _refuse_idle(request: GenerationRequest) -> None:
    """Refuse what is about pictures: it would be recorded, and have had no effect."""
    given = {
        "size": request.size,
        "adapters": request.adapters or None,
        "inputs": request.inputs or None,
        "quality": request.quality,
        "media_type": None if request.media_type in _WRITABLE else request.media_type,
    }
    idle = [name for name, value in given.items() if value is not None]
    if idle:
        raise RequestError(
            f"a sound has no use for {', '.join(idle)}",
            code="request.parameter",
            hint="Leave it out of the request.",
        )


def _check_texts(request: GenerationRequest, family: SoundFamily) -> None:
    check_text("prompt", request.prompt)  # texts() leaves out what is None
    for name, text in request.texts():
        check_text(name, text)
        if name not in family.texts and (text or name != "prompt"):
            raise RequestError(
                f"models of the family {family.name} have no {name}",
                code="request.parameter",
                hint=f"Texts of this family: {', '.join(family.texts) or 'none; it makes what it was trained on'}.",
            )
    if family.texts and not request.prompt.strip():
        raise RequestError(
            f"models of the family {family.name} need a prompt",
            code="request.text",
            hint="Say what is to be heard.",
        )


def _seconds(request: GenerationRequest, limits: SoundLimits) -> float:
    seconds: object = limits.seconds if request.seconds is None else request.seconds
    # NaN compares false, so it is in no range.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not limits.least <= seconds <= limits.most:
        raise RequestError(
            f"seconds must be a number from {limits.least:.4g} to {limits.most:.6g} for this model",
            code="request.seconds",
            hint="Longer sounds need another model, or several that are joined afterwards.",
        )
    return float(seconds)


def _guidance(request: GenerationRequest, family: SoundFamily, default: float) -> float | None:
    if family.guidance is not None:
        return checked_guidance(default if request.guidance is None else request.guidance)
    if request.guidance is not None:
        raise RequestError(
            f"models of the family {family.name} take no guidance",
            code="request.guidance",
            hint="Leave it out: there is no prompt to follow more or less closely.",
        )
    return None
