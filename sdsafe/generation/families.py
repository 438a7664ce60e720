"""What each family of image pipelines may be told, and what none of them may be told.

``call_parameters`` says what every name does; a family says which texts and numbers it takes and what its defaults
are. A class that no family names gets the careful generic one, which accepts what both that table and the class's own
call signature know.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sdsafe.core.request import LANCZOS, TEXT_FIELDS, Size, Task
from sdsafe.errors import RequestError
from sdsafe.generation.call_parameters import classify, is_ours, numeric_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sdsafe.core.request import Scalar

__all__ = ["FAMILIES", "NETWORK", "Family", "check_parameters", "checked_value", "family_of", "lacks"]

NETWORK = "onnx"
"""Stands where the name of a pipeline class stands, for a network that needs none."""


_OF_TASK: Mapping[Task, frozenset[str]] = {
    Task.TRANSFORM: frozenset({"strength"}),
    Task.VARY: frozenset({"strength"}),
    Task.INPAINT: frozenset({"strength", "paste_back"}),
    Task.OUTPAINT: frozenset({"strength", "paste_back", "pad_left", "pad_top", "pad_right", "pad_bottom"}),
    Task.UPSCALE: frozenset({"scale"}),
    Task.RESTORE: frozenset({"strength", "boxes"}),
}
"""What tasks take besides; with pictures that go in, ``_WITH_PICTURES`` are known to some classes."""

_WITH_PICTURES = frozenset(
    {"strength", "aesthetic_score", "negative_aesthetic_score", "cfg_normalize", "image_guidance_scale"}
)

_WITH_UPSCALING = frozenset({"noise_level"})

_WITH_SOUND = frozenset({"logsnr_min", "logsnr_max", "silence_padding_duration", "max_new_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Pipelines that are called alike."""

    name: str
    classes: tuple[str, ...]
    """Patterns of class names."""
    texts: tuple[str, ...] = TEXT_FIELDS
    numbers: frozenset[str] | None = None
    """Numeric parameters that it takes; None: whichever the class's call signature has."""
    with_pictures: frozenset[str] = frozenset()
    """Those that it takes besides where a picture goes in."""
    size: Size
    steps: int
    guidance: float
    guidance_parameter: str = "guidance_scale"
    lacks: frozenset[str] = frozenset()
    """Parameters of tasks that it does not have: a model that edits by instruction has no ``strength``."""
    patch: int = 1
    """Latent pixels per token side: sizes are multiples of the autoencoder's factor times this."""
    negative_needs: str | None = None
    """The parameter that must exceed 1 for ``negative_prompt`` to do anything."""
    own_scheduler: bool = False
    """Whether the pipeline runs with the scheduler that came with the model, and with no other."""
    half: str = "float16"
    """Name of the half-precision type it was published in."""


_STRENGTH = frozenset({"strength"})
_MEDIUM, _LARGE = Size(width=512, height=512), Size(width=1024, height=1024)

FAMILIES: tuple[Family, ...] = (
    # Order matters: the first pattern that fits names the family.
    Family(
        name="instruct-pix2pix",
        classes=("StableDiffusionInstructPix2Pix*", "StableDiffusionXLInstructPix2Pix*"),
        texts=("prompt", "negative_prompt"),
        with_pictures=frozenset({"image_guidance_scale"}),
        numbers=frozenset({"eta"}),
        lacks=_STRENGTH,
        size=_MEDIUM,
        steps=50,
        guidance=7.5,
    ),
    Family(
        name="stable-diffusion-xl",
        classes=("StableDiffusionXL*",),
        texts=("prompt", "prompt_2", "negative_prompt"),
        numbers=frozenset({"eta", "guidance_rescale", "clip_skip"}),
        with_pictures=frozenset({"aesthetic_score", "negative_aesthetic_score"}),
        size=_LARGE,
        steps=30,
        guidance=5.0,
    ),
    Family(
        name="stable-diffusion-3",
        classes=("StableDiffusion3*",),
        numbers=frozenset({"clip_skip", "max_sequence_length", "mu"})
        | {f"skip_layer_guidance_{part}" for part in ("scale", "start", "stop")},
        size=_LARGE,
        steps=28,
        guidance=7.0,
        patch=2,
    ),
    Family(
        name="latent-upscaler",
        classes=("StableDiffusionLatentUpscale*",),
        texts=("prompt", "negative_prompt"),
        numbers=frozenset(),
        lacks=_STRENGTH,
        size=_LARGE,
        steps=20,
        guidance=1.0,
        own_scheduler=True,
    ),
    Family(
        name="upscaler",
        classes=("StableDiffusionUpscale*",),
        texts=("prompt", "negative_prompt"),
        numbers=frozenset({"eta", "clip_skip", "noise_level"}),
        lacks=_STRENGTH,
        size=_LARGE,
        steps=50,
        guidance=9.0,
    ),
    Family(
        name="stable-diffusion",
        classes=("StableDiffusion*",),
        texts=("prompt", "negative_prompt"),
        numbers=frozenset({"eta", "guidance_rescale", "clip_skip"}),
        size=_MEDIUM,
        steps=30,
        guidance=7.5,
    ),
    Family(
        name="latent-consistency",
        classes=("LatentConsistencyModel*",),
        texts=("prompt",),
        numbers=frozenset({"original_inference_steps", "clip_skip"}),
        size=_MEDIUM,
        steps=4,
        guidance=8.5,
    ),
    Family(
        name="flux-kontext",
        classes=("FluxKontext*",),
        texts=("prompt", "prompt_2", "negative_prompt"),
        numbers=frozenset({"true_cfg_scale", "max_sequence_length"}),
        negative_needs="true_cfg_scale",
        lacks=_STRENGTH,
        size=_LARGE,
        steps=28,
        guidance=2.5,
        patch=2,
        half="bfloat16",
    ),
    Family(
        name="flux-2",
        classes=("Flux2*",),
        texts=("prompt",),
        numbers=frozenset({"max_sequence_length"}),
        lacks=_STRENGTH,
        size=_LARGE,
        steps=50,
        guidance=4.0,
        patch=2,
        half="bfloat16",
    ),
    Family(
        name="flux",
        classes=("Flux[A-Z]*",),
        texts=("prompt", "prompt_2", "negative_prompt"),
        numbers=frozenset({"true_cfg_scale", "max_sequence_length"}),
        negative_needs="true_cfg_scale",
        size=_LARGE,
        steps=28,
        guidance=3.5,
        patch=2,
        half="bfloat16",
    ),
    Family(
        name="qwen-image-edit",
        classes=("QwenImageEditPipeline", "QwenImageEditPlusPipeline"),
        texts=("prompt", "negative_prompt"),
        numbers=frozenset({"max_sequence_length"}),
        lacks=_STRENGTH,
        size=_LARGE,
        steps=50,
        guidance=4.0,
        guidance_parameter="true_cfg_scale",
        patch=2,
        half="bfloat16",
    ),
    Family(
        name="qwen-image",
        classes=("QwenImage*",),
        texts=("prompt", "negative_prompt"),
        numbers=frozenset({"max_sequence_length"}),
        size=_LARGE,
        steps=50,
        guidance=4.0,
        # Its guidance_scale is for distilled variants that do not exist yet; this is the one that steers.
        guidance_parameter="true_cfg_scale",
        patch=2,
        half="bfloat16",
    ),
    Family(
        name="generic", classes=("*",), size=_LARGE, steps=28, guidance=4.5, patch=2, half="bfloat16"
    ),
)  # fmt: skip

_VIDEO = "it makes video, for which there is no way out yet"
_SOUND = "it makes sound, which is the task audio (`sdsafe audio`)"
_SHAPES = "it makes three-dimensional shapes, for which there is no way out yet"
_CONNECTED = "it pulls a second model that would go unrecorded"
_NEEDS_IMAGE = "it needs a picture to start from, and text to image takes none"
_LAYERED = "it makes a stack of layers, for which there is no way out yet"

_REFUSED: tuple[tuple[str, str], ...] = (
    *((each, _SOUND) for each in ("*Audio*", "*Music*", "AceStep*", "DanceDiffusion*", "SpectrogramDiffusion*")),
    *((each, _VIDEO) for each in ("*Video*", "Allegro*", "AnimateDiff*", "CogVideo*", "EasyAnimate*", "Helios*")),
    *((each, _VIDEO) for each in ("*Skyreels*", "LTX*", "Latte*", "Mochi*", "SkyReels*", "Wan*", "AnyFlow*")),
    *((each, _VIDEO) for each in ("Cosmos3*", "Cosmos2_5*", "Cosmos*World*")),
    ("ShapE*", _SHAPES),
    ("Kandinsky[!3]*", _CONNECTED),
    ("Wuerstchen*", _CONNECTED),
    ("StableCascade*", _CONNECTED),
    ("*ControlNet*", _NEEDS_IMAGE),
    ("*ControlPipeline", _NEEDS_IMAGE),
    ("QwenImageLayered*", _LAYERED),
)


def family_of(pipeline: str) -> Family:
    """Return the family of a pipeline class.

    Args:
        pipeline: Class name, as ``model_index.json`` has it.

    Raises:
        RequestError: The class cannot be used for text to image here; the message says why.
    """
    for pattern, why in _REFUSED:
        if fnmatchcase(pipeline, pattern):
            raise RequestError(
                f"{pipeline} cannot be used for text to image: {why}",
                code="request.pipeline",
                hint="Choose a model with a text-to-image pipeline, such as StableDiffusionXLPipeline.",
            )
    return next(family for family in FAMILIES if any(fnmatchcase(pipeline, p) for p in family.classes))


def lacks(pipeline: str) -> frozenset[str]:
    """Return the parameters of tasks that a pipeline class does not have."""
    return family_of(pipeline).lacks


def check_parameters(
    parameters: Mapping[str, Scalar],
    pipeline: str,
    accepted: Collection[str] | None = None,
    *,
    task: Task = Task.GENERATE,
) -> dict[str, Scalar]:
    """Return the further call arguments of a request, each known to be harmless and in range.

    Args:
        parameters: Name to value.
        pipeline: Class name of the pipeline.
        accepted: Names in the call signature of the class, once it is loaded; None before that.
        task: What is made; a parameter of another task is unknown.

    Raises:
        RequestError: A parameter is forbidden, unknown, out of range, or not one of this pipeline's.
    """
    allowed = _allowed(pipeline, accepted, task)
    return {name: checked_value(name, value, pipeline, allowed) for name, value in parameters.items()}


def _allowed(pipeline: str, accepted: Collection[str] | None, task: Task) -> frozenset[str]:
    of_task = _OF_TASK.get(task, frozenset())
    if pipeline == NETWORK:
        return of_task | {"range"}
    if pipeline == LANCZOS:
        return of_task
    ours = frozenset(name for name in of_task if is_ours(name))
    allowed = _numbers(family_of(pipeline), pipeline) | (of_task - lacks(pipeline))
    if task is not Task.GENERATE:
        allowed |= _WITH_PICTURES if family_of(pipeline).numbers is None else family_of(pipeline).with_pictures
    return allowed if accepted is None else (allowed & frozenset(accepted)) | ours


def _numbers(family: Family, pipeline: str) -> frozenset[str]:
    numeric = numeric_names()
    allowed = numeric - _WITH_PICTURES - _WITH_SOUND - _WITH_UPSCALING if family.numbers is None else family.numbers
    if "PAG" in pipeline:
        allowed |= {"pag_scale", "pag_adaptive_scale"}
    return allowed - {family.guidance_parameter}


def checked_value(name: str, value: Scalar, pipeline: str, allowed: frozenset[str]) -> Scalar:
    """Return the value of a further parameter, known to be harmless and in range.

    Args:
        name: Of the call parameter.
        value: As the caller gave it.
        pipeline: Class name, for the message.
        allowed: Parameters that this pipeline takes.

    Raises:
        RequestError: It is forbidden, unknown, out of range, or not one of this pipeline's.
    """
    parameter = classify(name)
    hint = f"{pipeline} takes: {', '.join(sorted(allowed)) or 'no further parameters'}."
    if parameter is not None and parameter.why:
        raise RequestError(f"parameter {name!r} is refused: {parameter.why}", code="request.parameter", hint=hint)
    if parameter is None or parameter.bounds is None or name not in allowed:
        raise RequestError(f"unknown parameter {name!r} for {pipeline}", code="request.parameter", hint=hint)
    if not parameter.bounds.accepts(value):
        raise RequestError(
            f"parameter {name!r} must be {parameter.bounds}", code="request.parameter", hint="Correct the value."
        )
    return float(value) if parameter.bounds.kind is float else value
