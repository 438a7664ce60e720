"""Slots of generation: what makes pictures, and who follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Admitted, Generated
    from sdsafe.protocols.bindings import NoiseMarker

__all__ = ["Generator", "Invertible", "Watch"]


class Watch(Protocol):
    """**Protocol:** how a caller follows generation, and stops it. It never sees pixels, latents or the pipe."""

    def step(self, image: int, step: int, total: int) -> None:
        """Be told that step ``step`` of ``total`` (both from 1) of image ``image`` (from 0) is done."""
        ...

    def cancelled(self) -> bool:
        """Say whether to stop; asked after every step."""
        ...


class Generator(Protocol):
    """**Protocol:** owns a diffusion pipeline and makes images from admitted requests."""

    def resolve(self, request: GenerationRequest, /) -> GenerationRequest:
        """Fill in what the caller left open (size, steps, guidance, scheduler, model identity) and validate.

        Cheap: no weights are downloaded or loaded; of a hub model that is not in the cache, its description is
        fetched (a few KB of JSON). The seed is resolved by the pipeline, not here.

        Raises:
            RequestError: An argument is unknown, out of range or not allowed for this model's family.
        """
        ...

    def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
        """Yield one ``Generated`` per asset id, in order, each from its own seed.

        Raises:
            CancelledError: ``watch.cancelled()`` said so; the image under way is dropped.
            GenerationError: The model could not be loaded, or produced no finite image.
        """
        ...


@runtime_checkable
class Invertible(Protocol):
    """**Protocol:** what a generator may offer besides: noise that somebody else draws, and the way back to it."""

    def mark_noise(self, marker: NoiseMarker, /) -> None:
        """Take the initial noise of every picture from ``marker``, where its way begins with noise alone.

        What was done, or why not, stands in ``Execution.noise_mark`` of every picture.
        """
        ...

    def invert(self, image: Pixels, request: GenerationRequest, /) -> npt.NDArray[np.float32]:
        """Return the initial noise from which ``request`` would have made ``image``, as well as that can be told.

        Args:
            image: Measures what ``request.size`` says, where that is given.
            request: Model, prompt, steps and guidance; a prompt may be empty, guidance that is open is left out.

        Raises:
            RequestError: The model cannot be run backwards here, or the picture does not fit it.
            GenerationError: It could not be run.
        """
        ...
