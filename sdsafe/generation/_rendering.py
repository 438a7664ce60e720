"""Runs a pipe that makes pictures, and brings what comes out of it into one shape."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from sdsafe.generation._encoding import encoded_texts
from sdsafe.generation._libraries import torch
from sdsafe.generation._noise import initial_noise
from sdsafe.generation._output import pixels_of, watch_for_overflow
from sdsafe.generation._pipes import call_names
from sdsafe.generation._placing import meter
from sdsafe.generation._scheduling import scheduler_of
from sdsafe.generation._stepping import callbacks
from sdsafe.generation._translating import translated
from sdsafe.generation.schedulers import config_digest

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.placement import MemoryPeak, Placement
    from sdsafe.core.request import Size
    from sdsafe.core.states import EncodedText
    from sdsafe.generation._adapting import Adapting
    from sdsafe.generation._noise import Drawn
    from sdsafe.generation._placing import Seats
    from sdsafe.generation.schedulers import SchedulerChoice
    from sdsafe.generation.tasks import Canvas, Kind

__all__ = ["Rendered", "renderer"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rendered:
    """One image and what was learnt while making it."""

    pixels: Pixels
    scheduler: str
    """Class name."""
    scheduler_digest: str
    encoded: tuple[EncodedText, ...]
    """What the text encoders read."""
    ms: float
    placement: Placement
    """What could really be set of what was wanted."""
    peak: MemoryPeak | None
    drawn: Drawn | None = None
    """What became of noise that was given; None: none was."""


def renderer(
    first: Any, pipes: Callable[[Kind], Any], seats: Seats, adapting: Adapting, lock: threading.Lock
) -> Callable[..., Rendered]:
    """Return what runs the pipes of a model, of which ``first`` was loaded; see ``Engine.render``."""
    overflow = watch_for_overflow(first)
    own = first.scheduler

    def render(  # noqa: PLR0913, PLR0917 - those of Engine.render
        arguments: Mapping[str, Any],
        canvas: Canvas,
        seed: int,
        choice: SchedulerChoice,
        step: Callable[[int, int], None],
        placement: Placement,
        draw: Callable[[tuple[int, ...]], npt.NDArray[np.float32]] | None,
    ) -> Rendered:
        with lock:
            pipe = adapting.pipe(canvas.kind, pipes(canvas.kind))
            pictures = _pictures(canvas, call_names(pipe))
            started, peak = time.perf_counter(), meter(seats.device)
            seats.seat(pipe)
            arranged = seats.arrange(pipe, placement)
            overflow.clear()
            pipe.scheduler = scheduler_of(own, choice)
            scheduler = pipe.scheduler
            given = {**arguments, **pictures, **adapting.arguments(), **_fixed(call_names(pipe), step, canvas.size)}
            try:
                noise = initial_noise(pipe, draw, canvas.kind, own, arguments)
                with (
                    translated("run", quiet=True),
                    _inpaintable(pipe, pictures),
                    adapting.running(pipe),
                    noise as drawn,
                ):
                    encoded = encoded_texts(pipe, arguments)  # tokenizers, too, serve one thread at a time
                    output = pipe(**given, generator=torch.Generator("cpu").manual_seed(seed))
            finally:
                pipe.scheduler = own
                pipe.maybe_free_model_hooks()
            pixels = pixels_of(getattr(output, "images", None), canvas.size, overflowed=bool(overflow))
            return Rendered(
                pixels=pixels,
                scheduler=type(scheduler).__name__,
                scheduler_digest=config_digest(scheduler.config),
                encoded=encoded,
                ms=(time.perf_counter() - started) * 1000,
                placement=arranged,
                peak=peak(),
                drawn=drawn,
            )

    return render


def _pictures(canvas: Canvas, accepted: frozenset[str]) -> dict[str, Any]:
    given = (
        ("image", canvas.image),
        ("mask_image", canvas.mask),
        ("control_image" if "control_image" in accepted else "image", canvas.control),
        ("ip_adapter_image", canvas.reference),
    )
    return {name: Image.fromarray(pixels) for name, pixels in given if pixels is not None}


def _fixed(accepted: frozenset[str], step: Callable[[int, int], None], size: Size) -> dict[str, Any]:
    """Return the call arguments that no caller may choose."""
    fixed: dict[str, Any] = {"output_type": "np", "return_dict": True}
    if "_auto_resize" in accepted:  # they would choose the size: the request does
        fixed |= {"_auto_resize": False, "max_area": size.width * size.height}
    if "num_images_per_prompt" in accepted:
        fixed["num_images_per_prompt"] = 1
    return fixed | callbacks(accepted, step)


@contextmanager
def _inpaintable(pipe: Any, pictures: Mapping[str, Any]) -> Iterator[None]:
    """Let the inpainting class run on models whose latents have neither 4 nor 9 channels.

    It refuses by channel number what it handles for any: it blends with the picture outside the mask.
    """
    unet: Any = getattr(pipe, "unet", None)
    channels = unet.config.in_channels if unet is not None and "mask_image" in pictures else None
    if channels in {None, 4, 9}:
        yield
        return
    unet.register_to_config(in_channels=4)
    try:
        yield
    finally:
        unet.register_to_config(in_channels=channels)
