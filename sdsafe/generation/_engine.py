"""A model that is ready to run, and the only way to it: nothing else is ever given a pipe.

An ``Engine`` keeps its pipe in closures. Pipelines for pictures that go in are made of the same components, when
they are first asked for. It takes plain values, gives back checked pixels and sounds, and is used by one thread at a
time: pipelines and schedulers keep state between steps.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from sdsafe.core.placement import Offload, Placement
from sdsafe.errors import RequestError
from sdsafe.generation._adapting import Adapting
from sdsafe.generation._inverting import inverter
from sdsafe.generation._pipes import call_names, pipes_of, set_aside, steered
from sdsafe.generation._placing import Seats
from sdsafe.generation._rendering import renderer
from sdsafe.generation._sounding import sounder
from sdsafe.generation.tasks import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.generation._rendering import Rendered
    from sdsafe.generation._sounding import Sounded
    from sdsafe.generation.adapters import Adapter
    from sdsafe.generation.devices import Device
    from sdsafe.generation.schedulers import SchedulerChoice
    from sdsafe.generation.tasks import Canvas

__all__ = ["Engine"]


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
        set_aside(pipe)
        seats = Seats(device.torch, offload)
        seats.seat(pipe)
        self.pipeline: str = type(pipe).__name__
        """Class name."""
        pipes = pipes_of(pipe, way)
        adapting = Adapting(pipe, partial(steered, pipe))
        self.__fit, self.__spoiled, self.__accepted = _fitter(pipes, adapting)
        lock = threading.Lock()  # one for all pipes of a model: they share their components
        self.__render = renderer(pipe, pipes, seats, adapting, lock)
        self.__sound = sounder(pipe, seats, lock)
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


def _fitter(
    pipes: Callable[[Kind], Any], adapting: Adapting
) -> tuple[Callable[[tuple[Adapter, ...]], None], Callable[[], bool], Callable[[Kind], frozenset[str]]]:
    """Return what fits adapters, what says whether that failed for good, and what tells what a pipe then takes."""

    def fit(adapters: tuple[Adapter, ...]) -> None:
        adapting.fit(adapters)

    def spoiled() -> bool:
        return adapting.spoiled

    def accepted(kind: Kind) -> frozenset[str]:
        return call_names(adapting.pipe(kind, pipes(kind)))

    return fit, spoiled, accepted
