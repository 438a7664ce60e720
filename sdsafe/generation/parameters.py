"""Validation and defaults of a generation request: pure, and strict enough that nothing odd reaches a model."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdsafe.core.request import Size, Task
from sdsafe.errors import RequestError
from sdsafe.generation.adapters import check_adapters
from sdsafe.generation.call_parameters import is_ours
from sdsafe.generation.enlarging import require_room
from sdsafe.generation.families import check_parameters, family_of, lacks
from sdsafe.generation.schedulers import choose
from sdsafe.generation.tasks import resolve_pictures
from sdsafe.generation.ways import require_way

if TYPE_CHECKING:
    from collections.abc import Collection

    from sdsafe.core.request import GenerationRequest, Scalar
    from sdsafe.generation.families import Family
    from sdsafe.generation.identity import Located

__all__ = [
    "MAX_COUNT",
    "MAX_SEED",
    "MAX_STEPS",
    "MAX_TEXT_BYTES",
    "call_arguments",
    "check_text",
    "checked_guidance",
    "checked_whole",
    "resolve",
]

MAX_SEED = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly
MAX_STEPS = 1000
MAX_COUNT = 1000
MAX_GUIDANCE = 100.0
MAX_TEXT_BYTES = 64 << 10  # UTF-8; no text encoder reads more than a few thousand tokens
_MIN_SIDE, _MAX_SIDE = 64, 8192

# NUL and the other C0 controls but tab, line feed and return, and the two noncharacters, cannot be written in XML:
# a prompt that holds one could not be disclosed in XMP.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def resolve(request: GenerationRequest, located: Located) -> GenerationRequest:
    """Return the request with everything filled in and everything checked.

    Args:
        request: As the caller stated it; the seed may still be open.
        located: The model it means.

    Raises:
        RequestError: An argument is unknown, out of range or not allowed for this model's family.
    """
    family, defaults = family_of(located.pipeline), located.defaults
    if request.seconds is not None:
        raise RequestError("a picture has no seconds", code="request.parameter", hint="Leave them out.")
    check_adapters(request)
    if request.task is Task.UPSCALE and request.adapters:
        raise RequestError("an upscaler takes no adapters", code="request.adapter", hint="Leave them out.")
    _check_texts(request, family)
    require_way(request.task, located.ways, located.pipeline)
    request = resolve_pictures(request, lacks(located.pipeline))
    if request.task is Task.UPSCALE:
        require_room(request, located.defaults.times)
    # A picture that goes in is padded to what the model needs; a picture from text alone has no edges to repeat.
    multiple = defaults.multiple if request.task is Task.GENERATE else 1
    size = _checked_size(request.size or defaults.size, multiple)
    steps = checked_whole("steps", defaults.steps if request.steps is None else request.steps, 1, MAX_STEPS)
    further = check_parameters(request.parameters, located.pipeline, task=request.task)
    _check_strength(further.get("strength"), steps)
    name = request.scheduler or defaults.scheduler
    choose(name, defaults.own_scheduler)
    if family.own_scheduler and name != defaults.scheduler:
        raise RequestError(
            f"models of the family {family.name} run with their own scheduler, {defaults.scheduler}, only",
            code="request.scheduler",
            hint="Leave the scheduler out.",
        )
    count = checked_whole("count", request.count, 1, MAX_COUNT)
    if request.seed is not None:
        checked_whole("seed", request.seed, 0, MAX_SEED - count + 1)
    return replace(
        request,
        model=located.ref,
        size=size,
        steps=steps,
        guidance=checked_guidance(defaults.guidance if request.guidance is None else request.guidance),
        scheduler=name,
        parameters=further,
    )


def call_arguments(
    request: GenerationRequest, pipeline: str, accepted: Collection[str], size: Size | None = None
) -> dict[str, Any]:
    """Return what the caller contributes to the call of the pipeline: texts, size, steps, guidance, numbers.

    Args:
        request: A resolved request.
        pipeline: Class name of the pipeline.
        accepted: Names in the call signature of the class that goes the way of the task.
        size: That the model works at, where it is not that of the result.

    Raises:
        RequestError: The class does not take something that the request states, or the request is not resolved.
    """
    family = family_of(pipeline)
    size = size or request.size
    if size is None or request.steps is None or request.guidance is None or request.seed is None:
        raise RequestError("the request is not resolved: size, steps, guidance or seed is open")
    sides = {"width": size.width, "height": size.height}
    if request.task is not Task.GENERATE:  # some classes take them from the picture
        sides = {name: side for name, side in sides.items() if name in accepted}
    arguments: dict[str, Any] = {
        **dict(request.texts()),
        **sides,
        "num_inference_steps": request.steps,
        family.guidance_parameter: request.guidance,
    }
    missing = sorted(arguments.keys() - set(accepted))
    if missing:
        raise RequestError(
            f"{pipeline} does not take {', '.join(missing)}",
            code="request.parameter",
            hint="Leave it out of the request, or choose another model.",
        )
    further = check_parameters(request.parameters, pipeline, accepted, task=request.task)
    return arguments | {name: value for name, value in further.items() if not is_ours(name)}


def check_text(name: str, text: object) -> None:
    """Make sure that a text can be checked, recorded and written; bidirectional characters are the prompt gate's.

    Raises:
        RequestError: It is not a text, too long, or holds characters that cannot be written. The message names
            the field and the position, never the text.
    """
    if not isinstance(text, str):
        raise RequestError(f"{name} must be a text, found {type(text).__name__}", code="request.text")
    for pattern, what in ((_SURROGATE, "half of a surrogate pair"), (_UNWRITABLE, "a control character")):
        if found := pattern.search(text):
            raise RequestError(
                f"{name} holds {what} (U+{ord(found[0]):04X}) at position {found.start()}",
                code="request.text",
                hint="Remove it: it can be neither encoded nor recorded.",
            )
    if (size := len(text.encode())) > MAX_TEXT_BYTES:
        raise RequestError(
            f"{name} is too long: {size} bytes, at most {MAX_TEXT_BYTES}",
            code="request.text",
            hint="Text encoders read a few hundred words at most.",
        )


def _check_strength(strength: Scalar | None, steps: int) -> None:
    """Refuse what would run no step at all: diffusers runs ``int(steps * strength)`` of them."""
    if strength is not None and int(steps * float(strength)) < 1:
        raise RequestError(
            f"strength {strength} of {steps} steps leaves nothing to do",
            code="request.parameter",
            hint="Use a higher strength or more steps: their product must be at least 1.",
        )


def _check_texts(request: GenerationRequest, family: Family) -> None:
    check_text("prompt", request.prompt)  # texts() leaves out what is None
    for name, text in request.texts():
        check_text(name, text)
        if name not in family.texts:
            raise RequestError(
                f"models of the family {family.name} have no {name}",
                code="request.parameter",
                hint=f"Texts of this family: {', '.join(family.texts)}.",
            )
    needs = family.negative_needs
    scale = request.parameters.get(needs, 1) if needs else None
    if request.negative_prompt and isinstance(scale, int | float) and scale <= 1:
        raise RequestError(
            f"negative_prompt does nothing for the family {family.name} unless {needs} is above 1",
            code="request.parameter",
            hint=f"Set the parameter {needs}, or leave negative_prompt out.",
        )


def _checked_size(size: Size, multiple: int) -> Size:
    for name, side in (("width", size.width), ("height", size.height)):
        checked_whole(name, side, _MIN_SIDE, _MAX_SIDE)
        if side % multiple:
            nearest = max(multiple, round(side / multiple) * multiple)
            raise RequestError(
                f"{name} {side} is not divisible by {multiple}, as this model needs",
                code="request.size",
                hint=f"The nearest that fits is {nearest}.",
            )
    return size


def checked_whole(name: str, value: object, least: int, most: int) -> int:
    """Return a whole number of the request; ``RequestError`` where it is none, or out of range."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RequestError(
            f"{name} must be a whole number from {least} to {most}, found {_shown(value)}",
            code=f"request.{'size' if name in {'width', 'height'} else name}",
            hint="Correct the value.",
        )
    return value


def checked_guidance(value: object) -> float:
    """Return the guidance of the request; ``RequestError`` where it is no number, or out of range."""
    # Comparing comes first: NaN compares false, and an int too large for a float must not be converted.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_GUIDANCE:
        raise RequestError(
            f"guidance must be a number from 0 to {MAX_GUIDANCE:g}, found {_shown(value)}",
            code="request.guidance",
            hint="Common values are 1 to 10.",
        )
    return float(value)


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 64:  # noqa: PLR2004 - Python refuses to print enormous numbers
        return "an enormous number"
    return repr(value) if isinstance(value, int | float) else type(value).__name__
