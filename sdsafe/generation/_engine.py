"""The pipe itself: the only module that calls diffusers pipelines.

An ``Engine`` keeps its pipe in a closure. Pipelines for pictures that go in are made of the same components, when
they are first asked for. It takes plain values, gives back checked pixels, and is used by one
thread at a time: pipelines and schedulers keep state between steps.
"""

from __future__ import annotations

import inspect
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from PIL import Image

from sdsafe.core.placement import Offload, Placement
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation import _placing
from sdsafe.generation._adapting import Adapting
from sdsafe.generation._encoding import encoded_texts
from sdsafe.generation._inverting import inverter
from sdsafe.generation._libraries import diffusers, torch
from sdsafe.generation._noise import initial_noise
from sdsafe.generation._output import pixels_of, watch_for_overflow
from sdsafe.generation._sounding import Sounded, sounder
from sdsafe.generation._translating import translated
from sdsafe.generation.schedulers import config_digest
from sdsafe.generation.tasks import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.placement import MemoryPeak
    from sdsafe.core.request import Size
    from sdsafe.core.states import EncodedText
    from sdsafe.generation._noise import Drawn
    from sdsafe.generation.adapters import Adapter
    from sdsafe.generation.devices import Device
    from sdsafe.generation.schedulers import SchedulerChoice
    from sdsafe.generation.tasks import Canvas

__all__ = ["MAKERS", "Engine", "Rendered", "Step"]

MAKERS = {
    Kind.TEXT: diffusers.AutoPipelineForText2Image,
    Kind.IMAGE: diffusers.AutoPipelineForImage2Image,
    Kind.INPAINTING: diffusers.AutoPipelineForInpainting,
}
"""What finds the class of each way, from the class of a model."""

Step = "Callable[[int, int], None]"
"""Told the step and the total, both from 1; stops the run by raising."""


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


class Engine:
    """Owns one pipe. No attribute leads to it; it can be neither copied nor pickled."""

    __slots__ = ("__accepted", "__fit", "__invert", "__render", "__sound", "__spoiled", "pipeline")

    def __init__(
        self, pipe: Any, device: Device, offload: Offload | None = Offload.NONE, *, way: Kind = Kind.TEXT
    ) -> None:
        """Take over ``pipe``: strip it of its own checks and marks, and move it to ``device``.

        Args:
            pipe: Of no further use to anybody else.
            device: Where it runs.
            offload: Where its weights wait; None leaves them where and as they are.
            way: Which way ``pipe`` itself goes.
        """
        if type(pipe)._load_connected_pipes:  # noqa: SLF001 - diffusers has no public name for it
            raise RequestError(f"{type(pipe).__name__} pulls a second model that would go unrecorded")
        _set_aside(pipe)
        seats = _Seats(device.torch, offload)
        seats.seat(pipe)
        self.pipeline: str = type(pipe).__name__
        """Class name."""
        pipes = _pipes(pipe, way)
        adapting = Adapting(pipe, partial(_steered, pipe))
        self.__fit, self.__spoiled, self.__accepted = _fitter(pipes, adapting)
        lock = threading.Lock()  # one for all pipes of a model: they share their components
        self.__render = _renderer(pipe, pipes, seats, adapting, lock)
        self.__sound = sounder(pipe, seats, lock, _scheduler)
        self.__invert = inverter(pipes, seats, lock)

    def accepted(self, kind: Kind) -> frozenset[str]:
        """Return the names in the call signature of the class that goes this way.

        Raises:
            RequestError: The model has no class for it.
        """
        return self.__accepted(kind)

    def spoiled(self) -> bool:
        """Say whether it must not be used any more."""
        return self.__spoiled()

    def fit(self, adapters: tuple[Adapter, ...]) -> None:
        """Make sure that exactly these adapters are fitted onto the model.

        Raises:
            RequestError: One does not fit the model.
            GenerationError: One cannot be read, or taken off.
        """
        self.__fit(adapters)

    def render(  # noqa: PLR0913 - one picture needs all of it
        self,
        arguments: Mapping[str, Any],
        *,
        canvas: Canvas,
        seed: int,
        scheduler: SchedulerChoice,
        step: Callable[[int, int], None],
        placement: Placement | None = None,
        draw: Callable[[tuple[int, ...]], npt.NDArray[np.float32]] | None = None,
    ) -> Rendered:
        """Make one image.

        Args:
            arguments: Call arguments that ``parameters.call_arguments`` has checked.
            canvas: Which way it goes, the pictures that go in, and the size that the result measures before it is
                finished.
            seed: Of a fresh CPU generator, so that it means the same on every device.
            scheduler: Built anew from the pipe's own configuration.
            step: Called after every step; what it raises ends the run, and there is no image.
            placement: Whether this picture is computed in tiles and slices; the offload is the engine's own.
            draw: Returns the initial noise, where that does not come from the seed.

        Raises:
            RequestError: The scheduler does not fit the model.
            GenerationError: Out of memory, NaN or infinity in the output, or anything else that went wrong.
        """
        return self.__render(arguments, canvas, seed, scheduler, step, placement or Placement(), draw)

    def invert(
        self, arguments: Mapping[str, Any], pixels: Pixels, placement: Placement | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the initial noise that leads to ``pixels``, in the shape in which the pipe draws it.

        Args:
            arguments: As for ``render``; with them the picture would have been made from text.
            pixels: Of the size that they name.
            placement: As for ``render``.

        Raises:
            RequestError: ``request.pipeline``: this cannot be done with the model.
            GenerationError: Out of memory, or anything else that went wrong.
        """
        return self.__invert(arguments, pixels, placement or Placement())

    def sound(
        self,
        arguments: Mapping[str, Any],
        *,
        seed: int,
        scheduler: SchedulerChoice,
        step: Callable[[int, int], None],
        placement: Placement | None = None,
    ) -> Sounded:
        """Make one sound.

        Args:
            arguments: Call arguments that ``sounds.call_arguments`` has checked.
            seed: As for ``render``, as is everything below.
            scheduler: Built anew.
            step: Called after every step; some classes tell nobody about theirs.
            placement: As for ``render``.

        Raises:
            RequestError: The model makes no sounds, or the scheduler does not fit it.
            GenerationError: Out of memory, NaN or infinity in the output, or anything else that went wrong.
        """
        return self.__sound(arguments, seed, scheduler, step, placement or Placement())

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse: a copy would be a pipe without its lock."""
        raise TypeError("an Engine can be neither copied nor pickled")


class _Seats:
    """Keeps the pipe that runs next in place; the pipes of a model share their components."""

    def __init__(self, device: str, offload: Offload | None) -> None:
        self.device = device
        self._offload = offload
        self._seated: Any = None
        self._arranged: Placement | None = None

    def seat(self, pipe: Any) -> None:
        if self._offload is not None and pipe is not self._seated:
            self._seated = None
            _placing.seat(pipe, self.device, self._offload)
        self._seated = pipe

    def arrange(self, pipe: Any, placement: Placement) -> Placement:
        if self._offload is None:  # somebody else has arranged it
            return placement
        self._arranged = _placing.arrange(pipe, placement, self._arranged)
        return self._arranged


def _set_aside(pipe: Any) -> None:
    # Ours run at egress, once, and are recorded; theirs paint pictures black or mark them unasked.
    for name in ("safety_checker", "watermark", "watermarker"):
        if getattr(pipe, name, None) is not None:
            setattr(pipe, name, None)
    pipe.set_progress_bar_config(disable=True)


def _pipes(pipe: Any, way: Kind) -> Callable[[Kind], Any]:
    """Return what gives the pipe of each kind: made of the very components of ``pipe``, once."""
    made = {way: pipe}
    making = threading.Lock()

    def of(kind: Kind) -> Any:
        with making:
            if kind not in made:
                made[kind] = _derived(pipe, kind)
            return made[kind]

    return of


def _steered(pipe: Any, kind: Kind, net: Any) -> Any:
    """Return the pipe of a kind that a ControlNet steers, made of the components of ``pipe``."""
    steered = _derived(pipe, kind, controlnet=net)
    if kind is not Kind.TEXT and not {"image", "control_image"} <= _accepted(steered):
        raise _no_class(pipe, kind)  # it has other ideas of what goes in
    return steered


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
    _set_aside(derived)
    return derived


def _no_class(pipe: Any, kind: Kind) -> RequestError:
    return RequestError(
        f"{type(pipe).__name__} has no class for {kind.value} with such pictures in the installed diffusers",
        code="request.task",
        hint="Choose a model of another family, such as Stable Diffusion XL.",
    )


def _fitter(
    pipes: Callable[[Kind], Any], adapting: Adapting
) -> tuple[Callable[[tuple[Adapter, ...]], None], Callable[[], bool], Callable[[Kind], frozenset[str]]]:
    """Return what fits adapters, what says whether that failed for good, and what tells what a pipe then takes."""

    def fit(adapters: tuple[Adapter, ...]) -> None:
        adapting.fit(adapters)

    def spoiled() -> bool:
        return adapting.spoiled

    def accepted(kind: Kind) -> frozenset[str]:
        return _accepted(adapting.pipe(kind, pipes(kind)))

    return fit, spoiled, accepted


def _accepted(pipe: Any) -> frozenset[str]:
    return frozenset(inspect.signature(type(pipe).__call__).parameters) - {"self"}


def _pictures(canvas: Canvas, accepted: frozenset[str]) -> dict[str, Any]:
    given = (
        ("image", canvas.image),
        ("mask_image", canvas.mask),
        ("control_image" if "control_image" in accepted else "image", canvas.control),
        ("ip_adapter_image", canvas.reference),
    )
    return {name: Image.fromarray(pixels) for name, pixels in given if pixels is not None}


def _renderer(
    first: Any, pipes: Callable[[Kind], Any], seats: _Seats, adapting: Adapting, lock: threading.Lock
) -> Callable[..., Rendered]:
    """Return what runs a pipe."""
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
            pictures = _pictures(canvas, _accepted(pipe))
            started, peak = time.perf_counter(), _placing.meter(seats.device)
            seats.seat(pipe)
            arranged = seats.arrange(pipe, placement)
            overflow.clear()
            pipe.scheduler = _scheduler(own, choice)
            scheduler = pipe.scheduler
            given = {**arguments, **pictures, **adapting.arguments(), **_fixed(_accepted(pipe), step, canvas.size)}
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


def _fixed(accepted: frozenset[str], step: Callable[[int, int], None], size: Size) -> dict[str, Any]:
    """Return the call arguments that no caller may choose."""
    fixed: dict[str, Any] = {"output_type": "np", "return_dict": True}
    if "_auto_resize" in accepted:  # they would choose the size: the request does
        fixed |= {"_auto_resize": False, "max_area": size.width * size.height}
    if "num_images_per_prompt" in accepted:
        fixed["num_images_per_prompt"] = 1

    def on_step_end(pipe: Any, index: int, _timestep: object, tensors: dict[str, Any]) -> dict[str, Any]:
        step(index + 1, max(index + 1, getattr(pipe, "num_timesteps", None) or 0))
        return tensors

    def legacy(index: int, _timestep: object, _latents: object) -> None:
        step(index + 1, index + 1)

    if "callback_on_step_end" in accepted:
        fixed |= {"callback_on_step_end": on_step_end, "callback_on_step_end_tensor_inputs": []}
    elif "callback" in accepted:
        fixed |= {"callback": legacy, "callback_steps": 1}
    return fixed


def _scheduler(own: Any, choice: SchedulerChoice) -> Any:
    cls = type(own) if choice.cls == type(own).__name__ else getattr(diffusers, choice.cls, None)
    # LCMScheduler declares no relations, but distilled adapters are merged into models of this kind for its sake.
    fits = cls in own.compatibles or (choice.cls == "LCMScheduler" and diffusers.DDIMScheduler in own.compatibles)
    if cls is None or not fits:
        raise RequestError(
            f"the scheduler {choice.cls} does not fit a model with {type(own).__name__}",
            code="request.scheduler",
            hint="Leave the scheduler out to use the model's own.",
        )
    with translated("given its scheduler"):
        return cls.from_config(own.config, **choice.overrides)
