"""What each family of sound pipelines may be told, and where its configuration says how long and how fast: pure.

Four names exist for the length alone. A class that no family names is refused: its output, its length and its texts
have not been looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdsafe.errors import RequestError
from sdsafe.generation.layout import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Configs = Mapping[str, Mapping[str, Any]]

__all__ = ["SOUND_FAMILIES", "SoundFamily", "SoundLimits", "read_limits", "sound_family_of"]

_LONGEST = 600.0
"""Seconds, where neither family nor model says: an hour would not fit into memory anywhere."""

_SHORTEST = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundLimits:
    """How fast a model samples, and how long its sounds are. Seconds."""

    rate: int
    seconds: float
    """Where the request says nothing."""
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFamily:
    """Sound pipelines that are called alike."""

    name: str
    classes: tuple[str, ...]
    texts: tuple[str, ...] = ("prompt", "negative_prompt")
    """Fields of the request that it takes; none: it is made for one kind of sound, and cannot be told."""
    numbers: frozenset[str] = frozenset()
    """Further parameters."""
    length: str
    """The call parameter that takes the seconds."""
    rate: tuple[str, str]
    """Component, and the key of its configuration that says how many samples make a second."""
    fallback_rate: int | None = None
    """The default of that key, where a configuration may leave it out."""
    usual: Callable[[Configs, int], float] = lambda _configs, _rate: 10.0
    """The length where the request says nothing; as ``longest``."""
    longest: Callable[[Configs, int], float] = lambda _configs, _rate: _LONGEST
    """From the configurations of the components and the rate."""
    shortest: Callable[[Configs, int], float] = lambda _configs, _rate: _SHORTEST
    steps: int
    guidance: float | None
    """None: it takes no guidance."""
    half: str = "float16"


def _denoised_at_once(configs: Configs, rate: int) -> float:
    """Return the length that a transformer of fixed size makes (``StableAudioPipeline.__call__``, step 0)."""
    latents, folded = configs["transformer"]["sample_size"], math.prod(configs["vae"]["downsampling_ratios"])
    return float(latents * folded / rate)


def _three_times_halved(configs: Configs, rate: int) -> float:
    """Return the least that a one-dimensional U-Net takes (``DanceDiffusionPipeline.__call__``)."""
    return 3 * (1 << len(configs["unet"]["up_block_types"])) / rate


def _as_trained(configs: Configs, rate: int) -> float:
    return float(configs["unet"]["sample_size"] / rate)


SOUND_FAMILIES: tuple[SoundFamily, ...] = (
    SoundFamily(
        name="stable-audio",
        classes=("StableAudioPipeline",),
        numbers=frozenset({"eta"}),
        length="audio_end_in_s",
        rate=("vae", "sampling_rate"),
        longest=_denoised_at_once,
        steps=100,
        guidance=7.0,
    ),
    SoundFamily(
        name="stable-audio-3",
        classes=("StableAudio3Pipeline",),
        numbers=frozenset({"logsnr_min", "logsnr_max", "silence_padding_duration"}),
        length="duration",
        rate=("vae", "sampling_rate"),
        fallback_rate=44_100,
        steps=8,
        guidance=1.0,
        half="bfloat16",
    ),
    SoundFamily(
        name="audioldm-2",
        classes=("AudioLDM2Pipeline",),
        numbers=frozenset({"eta", "max_new_tokens"}),
        length="audio_length_in_s",
        rate=("vocoder", "sampling_rate"),
        steps=200,
        guidance=3.5,
    ),
    SoundFamily(
        name="longcat-audio",
        classes=("LongCatAudioDiTPipeline",),
        length="audio_duration_s",
        rate=("vae", "sample_rate"),
        fallback_rate=24_000,
        longest=lambda _configs, _rate: 30.0,  # it cuts what is longer without a word
        steps=16,
        guidance=4.0,
        half="bfloat16",
    ),
    SoundFamily(
        name="dance-diffusion",
        classes=("DanceDiffusionPipeline",),
        texts=(),
        length="audio_length_in_s",
        rate=("unet", "sample_rate"),
        usual=_as_trained,
        shortest=_three_times_halved,
        steps=100,
        guidance=None,
    ),
)


def sound_family_of(pipeline: str) -> SoundFamily:
    """Return the family of a pipeline class.

    Raises:
        RequestError: ``request.pipeline``: nobody has looked at this class.
    """
    for family in SOUND_FAMILIES:
        if pipeline in family.classes:
            return family
    known = ", ".join(cls for family in SOUND_FAMILIES for cls in family.classes)
    raise RequestError(
        f"{pipeline} cannot be used: what it may be told, and what comes out of it, nobody has looked at",
        code="request.pipeline",
        hint=f"Classes that make sounds here: {known}.",
    )


def read_limits(folder: Path, pipeline: str) -> SoundLimits:
    """Return what the configurations of a model in ``folder`` say.

    Raises:
        RequestError: ``model.malformed``: they cannot be read, or do not say how fast it samples.
    """
    family = sound_family_of(pipeline)
    names = ("unet", "transformer", "vae", "vocoder")
    configs = {name: config for name in names if isinstance(config := read_json(folder / name / "config.json"), dict)}
    component, key = family.rate
    rate = configs.get(component, {}).get(key, family.fallback_rate)
    try:
        if type(rate) is not int or rate < 1:
            raise _unclear(pipeline, f"its {component} does not say {key}")
        least, usual, most = (each(configs, rate) for each in (family.shortest, family.usual, family.longest))
    except (KeyError, TypeError, ArithmeticError) as error:
        raise _unclear(pipeline, f"it does not say how long its sounds can be ({type(error).__name__})") from error
    if not 0 < least <= most < math.inf:
        raise _unclear(pipeline, "the lengths that its configuration allows make no sense")
    return SoundLimits(rate=rate, seconds=max(least, min(usual, most)), least=least, most=most)


def _unclear(pipeline: str, why: str) -> RequestError:
    return RequestError(
        f"the model is no usable {pipeline}: {why}",
        code="model.malformed",
        hint="A model folder is laid out as diffusers' save_pretrained writes it.",
    )
