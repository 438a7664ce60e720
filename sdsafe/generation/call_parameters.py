"""Every call parameter of every pipeline class, and the one role that it has as far as a gate is concerned.

Names are classified once for all pipelines. What nobody has looked at is refused: a new release of diffusers brings
new names, and a test counts them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sdsafe.core.regions import BOXES
from sdsafe.core.request import TEXT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Bounds", "Grammar", "Parameter", "Role", "classify", "is_ours", "numeric_names"]


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


def numeric_names() -> frozenset[str]:
    """Return the parameters that are numbers or switches and change nothing that is checked."""
    return frozenset(name for name, parameter in _EXACT.items() if parameter.role is Role.NUMERIC)
