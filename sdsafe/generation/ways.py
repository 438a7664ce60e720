"""Which ways a model can go: read from its class name and the width of its denoiser's input, before it is loaded.

Most models make pictures from text, and diffusers derives the other two ways from the same components. Some cannot:
a denoiser that was widened for a mask and a masked picture only inpaints, a refiner has no use for a prompt alone.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sdsafe.errors import RequestError
from sdsafe.generation.layout import read_json
from sdsafe.generation.tasks import Kind, kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.request import Task
    from sdsafe.generation.layout import Components

__all__ = ["ALL", "read_ways", "require_way", "ways_of"]

ALL = (Kind.TEXT, Kind.IMAGE, Kind.INPAINTING)
"""What a text-to-image model can do; the first way of a model is how it is loaded."""

_MASKED = 9  # latents, mask, latents of the masked picture: 4 + 1 + 4

_BY_CLASS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    # Order matters: the first pattern that fits decides.
    *((each, (Kind.SOUND,)) for each in ("*Audio*", "*Music*", "AceStep*", "DanceDiffusion*")),
    ("*Upscale*", (Kind.UPSCALING,)),
    ("FluxFill*", (Kind.INPAINTING,)),
    ("*InstructPix2Pix*", (Kind.IMAGE,)),
    ("QwenImageEditPlus*", (Kind.IMAGE,)),
    ("QwenImageEdit*", (Kind.IMAGE, Kind.INPAINTING)),
    ("FluxKontext*", (Kind.TEXT, Kind.IMAGE)),
    ("Flux2*", (Kind.TEXT, Kind.IMAGE)),
)


def ways_of(components: Components, channels: int | None) -> tuple[Kind, ...]:
    """Return the ways of a model, in the order of preference.

    Args:
        components: What its index names.
        channels: Of the input of its U-Net; None where it has none or does not say.
    """
    pipeline = components.pipeline
    for pattern, ways in _BY_CLASS:
        if fnmatchcase(pipeline, pattern):
            return ways
    if channels == _MASKED:
        return (Kind.INPAINTING,)
    if "Img2Img" in pipeline and "text_encoder" in components.absent:
        return (Kind.IMAGE,)  # a refiner: of the two text encoders of its family it has the second only
    return ALL


def read_ways(folder: Path, components: Components) -> tuple[Kind, ...]:
    """Return the ways of the model in ``folder``.

    Raises:
        RequestError: The configuration of its U-Net cannot be read.
    """
    config = read_json(folder / "unet" / "config.json")
    channels = config.get("in_channels") if isinstance(config, dict) else None
    return ways_of(components, channels if isinstance(channels, int) else None)


def require_way(task: Task, ways: tuple[Kind, ...], pipeline: str) -> None:
    """Make sure that a model can go the way of a task.

    Raises:
        RequestError: ``request.task``; the message says what the model is made for.
    """
    if (kind := kind_of(task)) not in ways:
        raise RequestError(
            f"{pipeline} of this model does {' and '.join(ways)}, not {kind.value}",
            code="request.task",
            hint=f"Choose another task, or a model that is made for {kind.value}.",
        )
