"""What a model is best asked for: size, steps, guidance, scheduler.

Taken from a small ``sdsafe.json`` beside the index where there is one, else from the family and from the
configurations of the denoiser and the autoencoder. Keys of ``sdsafe.json``, all optional: ``size``
(``"512x512"``), ``multiple``, ``steps``, ``guidance``, ``scheduler``, ``license``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sdsafe.core.request import Size
from sdsafe.errors import RequestError
from sdsafe.generation.families import family_of
from sdsafe.generation.layout import read_json
from sdsafe.generation.schedulers import name_of
from sdsafe.generation.sound_families import read_limits, sound_family_of
from sdsafe.generation.tasks import Kind
from sdsafe.generation.ways import ways_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sdsafe.generation.layout import Components
    from sdsafe.generation.sound_families import SoundLimits

__all__ = ["TINY_DEFAULTS", "Defaults", "defaults_of", "read_defaults"]

_SIDECAR = "sdsafe.json"
_FACTOR = 8  # of every autoencoder whose configuration does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What is filled in where the request says nothing, and what limits the size."""

    size: Size
    multiple: int
    """Width and height are multiples of this."""
    steps: int
    guidance: float
    scheduler: str
    """Short name, or a class name that has none."""
    own_scheduler: str
    """Class name of the scheduler that came with the model."""
    license: str | None = None
    times: int = 1
    """How many times as wide and as high the picture of an upscaler comes out."""
    sound: SoundLimits | None = None
    """Of a model that makes sounds; its ``size`` is 0x0."""


TINY_DEFAULTS = Defaults(
    size=Size(width=256, height=256),
    multiple=8,
    steps=4,
    guidance=5.0,
    scheduler="ddim",
    own_scheduler="DDIMScheduler",
    license="Apache-2.0",
)


def read_defaults(folder: Path, components: Components) -> Defaults:
    """Return the defaults of the model in ``folder``.

    Raises:
        RequestError: ``sdsafe.json`` or a configuration cannot be read or holds a wrong value, or the pipeline
            class cannot be used.
    """
    if ways_of(components, None) == (Kind.SOUND,):
        return _of_sounds(folder, components)
    vae, unet = (read_json(folder / name / "config.json") for name in ("vae", "unet"))
    return defaults_of(components, vae=vae, unet=unet, said=_sidecar(folder))


def defaults_of(
    components: Components, *, vae: object, unet: object, said: Mapping[str, Any] = MappingProxyType({})
) -> Defaults:
    """Return the defaults of a model whose configurations are at hand.

    Args:
        components: What it is made of.
        vae: Configuration of its autoencoder; anything but a mapping is none.
        unet: Configuration of its U-Net, likewise.
        said: What its makers, or whoever installed it, say is best.

    Raises:
        RequestError: The pipeline class cannot be used.
    """
    family = family_of(components.pipeline)
    factor = _autoencoder_factor(vae)
    own = components.loaded.get("scheduler", ("", ""))[1]
    times, multiple = 1, factor * family.patch
    if ways_of(components, None) == (Kind.UPSCALING,):
        times, multiple = _upscaling(components.pipeline, factor, unet)
    return Defaults(
        size=said.get("size") or _trained_size(unet, factor) or family.size,
        multiple=said.get("multiple") or multiple,
        times=times,
        steps=said.get("steps") or family.steps,
        guidance=said.get("guidance", family.guidance),
        scheduler=said.get("scheduler") or name_of(own),
        own_scheduler=own,
        license=said.get("license"),
    )


def _upscaling(pipeline: str, factor: int, unet: object) -> tuple[int, int]:
    """Return how many times an upscaler enlarges, and of what the sides of a picture have to be multiples.

    One kind denoises at the size of the picture itself, and its autoencoder enlarges; the other denoises latents of
    twice the size. Either halves what it denoises at every level of its U-Net but one, and either scales a picture
    first whose sides are no multiples of its autoencoder's factor.
    """
    blocks = unet.get("block_out_channels") if isinstance(unet, dict) else None
    halved = 2 ** (len(blocks) - 1) if isinstance(blocks, list | tuple) and blocks else _FACTOR
    if "Latent" in pipeline:
        return 2, factor * max(1, halved // 2)
    return factor, math.lcm(factor, halved)


def _of_sounds(folder: Path, components: Components) -> Defaults:
    family, said = sound_family_of(components.pipeline), _sidecar(folder)
    own = components.loaded.get("scheduler", ("", ""))[1]
    return Defaults(
        size=Size(width=0, height=0),
        multiple=1,
        steps=said.get("steps") or family.steps,
        guidance=said.get("guidance", family.guidance or 0.0),
        scheduler=said.get("scheduler") or name_of(own),
        own_scheduler=own,
        license=said.get("license"),
        sound=read_limits(folder, components.pipeline),
    )


def _sidecar(folder: Path) -> dict[str, Any]:
    values = read_json(folder / _SIDECAR)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise _wrong("(top level)", "an object")
    return {key: _READERS[key](key, value) for key, value in values.items() if key in _READERS}


def _size(key: str, value: object) -> Size:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value) if isinstance(value, str) else None
    if match is None:
        raise _wrong(key, "WIDTHxHEIGHT")
    return Size(width=int(match[1]), height=int(match[2]))


def _whole(key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _wrong(key, "a whole number above 0")
    return value


def _number(key: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(key, "a number")
    return float(value)


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(key, "a text")
    return value


_READERS: dict[str, Callable[[str, object], Any]] = {
    "size": _size,
    "multiple": _whole,
    "steps": _whole,
    "guidance": _number,
    "scheduler": _text,
    "license": _text,
}


def _autoencoder_factor(config: object) -> int:
    """Return how many pixels one latent pixel stands for: every block but the last one halves."""
    if isinstance(config, dict):
        for key in ("block_out_channels", "encoder_block_out_channels"):
            blocks = config.get(key)
            if isinstance(blocks, list | tuple) and blocks:
                return 1 << (len(blocks) - 1)
    return _FACTOR


def _trained_size(config: object, factor: int) -> Size | None:
    side = config.get("sample_size") if isinstance(config, dict) else None
    return Size(width=side * factor, height=side * factor) if isinstance(side, int) and side > 0 else None


def _wrong(key: str, expected: str) -> RequestError:
    return RequestError(
        f"{_SIDECAR} of the model: {key}: expected {expected}",
        code="model.malformed",
        hint="Correct the file or remove it.",
    )
