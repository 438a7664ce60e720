"""The pipes of one model: one for each way, all made of the same components, and stripped of their own checks."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any

from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation._libraries import diffusers
from sdsafe.generation._translating import translated
from sdsafe.generation.tasks import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAKERS", "call_names", "denoiser_of", "pipes_of", "set_aside", "steered"]

MAKERS = {
    Kind.TEXT: diffusers.AutoPipelineForText2Image,
    Kind.IMAGE: diffusers.AutoPipelineForImage2Image,
    Kind.INPAINTING: diffusers.AutoPipelineForInpainting,
}
"""What finds the class of each way, from the class of a model."""


def set_aside(pipe: Any) -> None:
    """Strip ``pipe`` of its own checks and marks.

    Ours run at egress, once, and are recorded; theirs paint pictures black or mark them unasked.
    """
    for name in ("safety_checker", "watermark", "watermarker"):
        if getattr(pipe, name, None) is not None:
            setattr(pipe, name, None)
    pipe.set_progress_bar_config(disable=True)


def pipes_of(pipe: Any, way: Kind) -> Callable[[Kind], Any]:
    """Return what gives the pipe of each kind: made of the very components of ``pipe``, once."""
    made = {way: pipe}
    making = threading.Lock()

    def of(kind: Kind) -> Any:
        with making:
            if kind not in made:
                made[kind] = _derived(pipe, kind)
            return made[kind]

    return of


def steered(pipe: Any, kind: Kind, net: Any) -> Any:
    """Return the pipe of a kind that a ControlNet steers, made of the components of ``pipe``."""
    made = _derived(pipe, kind, controlnet=net)
    if kind is not Kind.TEXT and not {"image", "control_image"} <= call_names(made):
        raise _no_class(pipe, kind)  # it has other ideas of what goes in
    return made


def _derived(pipe: Any, kind: Kind, **components: Any) -> Any:
    known = inspect.signature(type(pipe).__init__).parameters
    switches = {name: False for name in ("requires_safety_checker", "add_watermarker") if name in known}
    try:
        with translated("prepared for pictures that go in"):
            derived = MAKERS[kind].from_pipe(pipe, **switches, **components)
    except GenerationError as error:
        if "AutoPipeline can't find" not in str(error.__cause__):
            raise
        raise _no_class(pipe, kind) from error
    set_aside(derived)
    return derived


def _no_class(pipe: Any, kind: Kind) -> RequestError:
    return RequestError(
        f"{type(pipe).__name__} has no class for {kind.value} with such pictures in the installed diffusers",
        code="request.task",
        hint="Choose a model of another family, such as Stable Diffusion XL.",
    )


def call_names(pipe: Any) -> frozenset[str]:
    """Return the names in the call signature of the class of ``pipe``."""
    return frozenset(inspect.signature(type(pipe).__call__).parameters) - {"self"}


def denoiser_of(pipe: Any) -> Any:
    """Return the network that takes the noise away: a U-Net or a transformer."""
    unet = getattr(pipe, "unet", None)
    return pipe.transformer if unet is None else unet
