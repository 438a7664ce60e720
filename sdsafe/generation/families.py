"""What each family of image pipelines may be told, and what none of them may be told.

Every call parameter has one role. Names are classified here once for all pipelines; a family says which texts and
numbers it takes and what its defaults are. A class that no family names gets the careful generic one, which
accepts what both this table and the class's own call signature know.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sdsafe.core.regions import BOXES
from sdsafe.core.request import LANCZOS, TEXT_FIELDS, Size, Task
from sdsafe.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sdsafe.core.request import Scalar

__all__ = [
    "FAMILIES",
    "NETWORK",
    "Bounds",
    "Family",
    "Grammar",
    "Parameter",
    "Role",
    "check_parameters",
    "checked_value",
    "classify",
    "family_of",
    "is_ours",
    "lacks",
]

NETWORK = "onnx"
"""Stands where the name of a pipeline class stands, for a network that needs none."""


class Role(StrEnum):
    """What a call parameter does, as far as a gate is concerned."""

    REQUEST = "request"
    """Filled from a field of the request: texts, size, steps, guidance, seed, count."""
    NUMERIC = "numeric"
    """A number or switch that changes neither what is checked nor where the output goes."""
    IMAGE = "image"
    """A picture: comes in as an input of the request, which goes through the input gate."""
    OURS = "ours"
    """Carried out by sdsafe before and after the pipeline, which never sees it."""
    FORBIDDEN = "forbidden"
    """Leads past a check, into the pipe, or away from what the manifest records."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The accepted type and range of a numeric parameter; both ends are accepted."""

    kind: type[int | float | bool]
    least: float = 0
    most: float = 1

    def __str__(self) -> str:
        """Return the words used in error messages."""
        if self.kind is bool:
            return "true or false"
        return f"{'a whole number' if self.kind is int else 'a number'} from {self.least:g} to {self.most:g}"

    def accepts(self, value: object) -> bool:
        """Say whether ``value`` has the type and lies in the range; NaN does not."""
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        if self.kind is int:
            return isinstance(value, int) and self.least <= value <= self.most
        return isinstance(value, int | float) and math.isfinite(value) and self.least <= value <= self.most


@dataclass(frozen=True, slots=True)
class Grammar:
    """The accepted form of a parameter that is a text, of figures and signs alone: no text of it says anything."""

    pattern: re.Pattern[str]
    says: str
    kind: type[str] = str

    def __str__(self) -> str:
        """Return the words used in error messages."""
        return self.says

    def accepts(self, value: object) -> bool:
        """Say whether ``value`` is a text of this form."""
        return isinstance(value, str) and self.pattern.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Parameter:
    """The classification of one call parameter."""

    role: Role
    why: str = ""
    """For everything that is refused: the reason, as the error says it."""
    bounds: Bounds | Grammar | None = None


def _field(name: str) -> Parameter:
    return Parameter(Role.REQUEST, f"it is set from the request's own field {name}")


def _number(kind: type[int | float | bool], least: float = 0, most: float = 1) -> Parameter:
    return Parameter(Role.NUMERIC, bounds=Bounds(kind, least, most))


def _ours(kind: type[int | float | bool], least: float = 0, most: float = 1) -> Parameter:
    return Parameter(Role.OURS, bounds=Bounds(kind, least, most))


def _no(why: str) -> Parameter:
    return Parameter(Role.FORBIDDEN, why)


_EMBEDS = _no("raw embeddings pass every text check")
_LATENTS = _no("with raw latents the picture does not come from the recorded seed")
_UNSEEN = _no("it is a text that no prompt check sees; negative_prompt reaches every text encoder")
_SPOKEN = _no("it is a text that no prompt check sees")
_REWRITES = _no("it changes the text after it was checked")
_OUTPUT = _no("sdsafe chooses the form of the output: a raw one would pass every output check")
_CALLBACK = _no("callbacks reach the latents and the pipe; follow progress with a watch")
_LAYERS = _no("it reaches into the layers of the model")
_SCHEDULE = _no("the schedule follows from scheduler and steps, which are recorded")
_DERIVED = _no("it is derived from size")
_PASTED = _no("sdsafe itself pads pictures and pastes back what is outside the mask")
_STAGES = _no("it belongs to a part of the pipeline that is not run here")
_SOUNDS_IN = _no("sounds that go in have no gate")
_BEGIN = _no("sounds begin at 0")
_RANGES = re.compile(r"0\.\.1|-1\.\.1|0\.\.255")
_IMAGE = Parameter(Role.IMAGE, "pictures need the input gate: image and mask are inputs of the request")

_EXACT: Mapping[str, Parameter] = {
    **{name: _field(name) for name in TEXT_FIELDS},
    "height": _field("size"),
    "width": _field("size"),
    "num_inference_steps": _field("steps"),
    "guidance_scale": _field("guidance"),
    "generator": _field("seed"),
    "num_images_per_prompt": _field("count"),
    "eta": _number(float),
    "guidance_rescale": _number(float),
    "clip_skip": _number(int, 1, 24),
    "max_sequence_length": _number(int, 1, 2048),
    "true_cfg_scale": _number(float, 0, 100),
    "pag_scale": _number(float, 0, 100),
    "pag_adaptive_scale": _number(float, 0, 100),
    "skip_layer_guidance_scale": _number(float, 0, 100),
    "skip_layer_guidance_start": _number(float),
    "skip_layer_guidance_stop": _number(float),
    "mu": _number(float, -10, 10),
    "cfg_normalization": _number(bool),
    "cfg_truncation": _number(float),
    "cfg_trunc_ratio": _number(float),
    "original_inference_steps": _number(int, 1, 1000),
    "scaling_watershed": _number(float),
    "proportional_attn": _number(bool),
    "use_kv_cache": _number(bool),
    "use_resolution_binning": _number(bool),
    "strength": _number(float, 0.01, 1),
    "aesthetic_score": _number(float, 0, 10),
    "negative_aesthetic_score": _number(float, 0, 10),
    "cfg_normalize": _number(bool),
    "image_guidance_scale": _number(float, 0, 100),
    "noise_level": _number(int, 0, 1000),  # of upscalers: how much of what the picture shows they may redraw
    # Of classes that make sounds; which family takes which, ``sound_families`` says.
    **{name: _field("seconds") for name in ("audio_end_in_s", "audio_length_in_s", "duration", "audio_duration_s")},
    **{name: _field("count") for name in ("num_waveforms_per_prompt", "batch_size")},
    "logsnr_min": _number(float, -20, 20),
    "logsnr_max": _number(float, -20, 20),
    "silence_padding_duration": _number(float, 0, 60),
    "max_new_tokens": _number(int, 1, 512),
    # Ours; no pipeline has parameters of these names, by test.
    "paste_back": _ours(bool),
    "pad_left": _ours(int, 0, 4096),
    "pad_top": _ours(int, 0, 4096),
    "pad_right": _ours(int, 0, 4096),
    "pad_bottom": _ours(int, 0, 4096),
    "scale": _ours(int, 2, 8),
    "boxes": Parameter(Role.OURS, bounds=Grammar(BOXES, "boxes X,Y,WIDTH,HEIGHT, joined by ;")),
    "range": Parameter(Role.OURS, bounds=Grammar(_RANGES, "0..1, -1..1 or 0..255")),
}

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

_PATTERNS: tuple[tuple[Parameter, tuple[str, ...]], ...] = (
    (_EMBEDS, ("*_embeds*", "pooled_*", "*_pooled*", "*attention_mask*", "prior_token*", "text_encoder_out_layers")),
    (_LATENTS, ("latents", "*_latents*", "image_noise_*", "video_noise_*")),
    (_UNSEEN, ("negative_prompt_*", "system_prompt", "complex_human_instruction")),
    (_SPOKEN, ("transcription",)),
    (_SOUNDS_IN, ("initial_audio_*",)),
    (_BEGIN, ("audio_start_in_s",)),
    (
        _REWRITES,
        (
            "*prompt_upsampling*",
            "caption_upsample*",
            "clean_caption",
            "skip_text_*",
            "tokenizer_max_length",
            "use_en_prompt",
        ),
    ),
    (_OUTPUT, ("output_type", "return_dict", "return_index", "output_resolution", "denoising_end", "layers")),
    (_CALLBACK, ("*callback*",)),
    (_IMAGE, ("image", "images", "*_image", "mask_*", "ip_adapter*", "control*", "guess_mode", "source_image*")),
    (_LAYERS, ("*attention_kwargs", "kwargs", "skip_guidance_layers")),
    (_SCHEDULE, ("timesteps", "*_timesteps", "sigmas", "guidance_schedule", "std", "*_steps_list")),
    (_DERIVED, ("*original_size", "*target_size", "*crops_coords*", "max_area", "_auto_resize", "resolution")),
    (_PASTED, ("padding_mask_crop",)),
    (
        _STAGES,
        (
            "denoising_start",
            "prior_*",
            "decoder_*",
            "*video*",
            "num_frames",
            "*_chunk",
            "history_sizes",
            "*first_frame",
            "*zero_*",
        ),
    ),
)


def classify(name: str) -> Parameter | None:
    """Return the classification of the call parameter ``name``; None when nobody has looked at it yet."""
    exact = _EXACT.get(name)
    if exact is not None:
        return exact
    return next((role for role, patterns in _PATTERNS if any(fnmatchcase(name, p) for p in patterns)), None)


def is_ours(name: str) -> bool:
    """Say whether sdsafe itself carries out the parameter ``name``."""
    exact = _EXACT.get(name)
    return exact is not None and exact.role is Role.OURS


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
    ours = frozenset(name for name in of_task if _EXACT[name].role is Role.OURS)
    allowed = _numbers(family_of(pipeline), pipeline) | (of_task - lacks(pipeline))
    if task is not Task.GENERATE:
        allowed |= _WITH_PICTURES if family_of(pipeline).numbers is None else family_of(pipeline).with_pictures
    return allowed if accepted is None else (allowed & frozenset(accepted)) | ours


def _numbers(family: Family, pipeline: str) -> frozenset[str]:
    numeric = frozenset(name for name, parameter in _EXACT.items() if parameter.role is Role.NUMERIC)
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
