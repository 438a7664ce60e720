"""The generator of the spine: from an admitted request to images, through a diffusers pipeline that it owns.

This module is light. torch and diffusers are imported by ``_loading`` when the first image is made, so that a
refused prompt costs milliseconds.
"""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn, Self

from sdsafe._internal.turns import Turns
from sdsafe.core.digests import pixels_sha256
from sdsafe.core.pixels import nothing
from sdsafe.core.placement import Offload, Placement
from sdsafe.core.request import LANCZOS
from sdsafe.core.states import Generated
from sdsafe.errors import MissingExtraError, RequestError
from sdsafe.generation import enlarging, marking, networks, parameters, sounds
from sdsafe.generation._models import Models
from sdsafe.generation._stepping import follow, stop
from sdsafe.generation.adapters import IP_ADAPTER, AdapterLocator
from sdsafe.generation.hub import Hub, silence
from sdsafe.generation.networks import NetworkLocator
from sdsafe.generation.options import checked_option
from sdsafe.generation.schedulers import choose
from sdsafe.generation.sources import execution_of, warn
from sdsafe.generation.tasks import Kind, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.places import Places
    from sdsafe.core.request import GenerationRequest, ModelRef
    from sdsafe.core.states import Admitted
    from sdsafe.generation.adapters import Adapter
    from sdsafe.protocols import NoiseMarker, Watch

__all__ = ["DiffusersGenerator"]


class DiffusersGenerator:
    """Makes images with diffusers pipelines. The last model stays loaded; nothing of it can be reached from outside.

    Image ``i`` of a request is made on its own from ``seed + i``, so that each can be made again alone.
    Threads may share a generator: images take turns, in the order of asking, and no two models are in memory at once.
    """

    __slots__ = ("__adapters", "__marker", "__models", "__networks", "__threads", "__turns")

    def __init__(  # noqa: PLR0913 - one argument per option of the settings
        self,
        *,
        device: str = "auto",
        dtype: str = "auto",
        vram_budget: float | None = None,
        offline: bool = False,
        threads: int | None = None,
        hub_cache: Path | None = None,
    ) -> None:
        """Keep the options; nothing is imported or loaded.

        Args:
            device: ``auto``, ``cuda``, ``rocm``, ``mps``, ``xpu`` or ``cpu``.
            dtype: ``auto``, ``float32``, ``float16`` or ``bfloat16``.
            vram_budget: GiB of the device's memory that may be used (on a CPU: of the process's); see ``fitting``.
            offline: Never use the network: models are built in, in folders, or in the hub's cache.
            threads: CPU threads of torch, for the whole process; default: torch's own choice.
            hub_cache: Where hub models are kept; default: the hub's own cache, shared with other tools.
        """
        silence(offline=offline)
        self.__threads = threads
        hub = Hub(offline=offline, cache=hub_cache)
        self.__models = Models(hub, device=device, dtype=dtype, vram_budget=vram_budget, threads=threads)
        self.__adapters = AdapterLocator(hub)
        self.__networks = NetworkLocator()
        self.__marker: NoiseMarker | None = None
        self.__turns = Turns()

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return an instance from settings; see ``__init__`` for the options.

        Raises:
            PluginError: An option is unknown or has a wrong value.
            MissingExtraError: torch or diffusers is not installed.
        """
        del places  # hub models live in the hub's own cache, built-in ones in the installation
        for name in ("torch", "diffusers", "transformers"):
            if find_spec(name) is None:
                raise MissingExtraError("image generation", extra="generate", detail=f"no module {name}")
        return cls(**{name: checked_option(name, value) for name, value in options.items()})  # type: ignore[arg-type]  # each value went through its check

    @classmethod
    def adopting(cls, pipe: object, model: ModelRef) -> Self:
        """Return a generator that runs a pipe of diffusers which somebody has configured, and nothing else.

        Args:
            pipe: It is left as it is; see ``_adopting``.
            model: What it is called in records, and its licence.

        Raises:
            RequestError: ``request.pipeline``: it cannot be taken over.
        """
        from sdsafe.generation._adopting import Adopted

        generator = cls()
        generator.__models.adopted = Adopted(pipe, model)
        return generator

    def resolve(self, request: GenerationRequest, /) -> GenerationRequest:
        """Fill in what the caller left open and validate; see ``Generator.resolve``."""
        if enlarging.is_meant(request) and not self.__enlarges(request):
            return enlarging.resolve(request)
        if networks.is_meant(request):
            return self.__networks.resolve(request)
        if request.is_sound:
            return sounds.resolve(request, self.__models.locate(request.model))
        request = parameters.resolve(request, self.__models.locate(request.model))
        if self.__models.adopted is not None:
            _require_no_adapters(request)
        return replace(request, adapters=tuple(self.__adapters.locate(each) for each in request.adapters))

    def __enlarges(self, request: GenerationRequest) -> bool:
        """Say whether a pipe was taken over that enlarges: then a request that names no model means it."""
        adopted = self.__models.adopted
        return adopted is not None and request.model.repo != LANCZOS and Kind.UPSCALING in adopted.ways

    def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
        """Yield one ``Generated`` per asset id; see ``Generator.generate``."""
        request = admitted.request
        if enlarging.is_meant(request):
            yield marking.noted(enlarging.enlarge(admitted, watch), self.__marker)
            return
        if networks.is_meant(request):
            yield marking.noted(self.__by_network(admitted, watch), self.__marker)
            return
        if request.is_sound:
            yield from self.__sounds(admitted, watch)
            return
        located = self.__models.locate(request.model)
        parameters.resolve(request, located)  # for its checks: nothing reaches a model that did not pass them here
        seed, name = _settled(request)
        canvas = lay_out(request, located.defaults.multiple, located.defaults.times)
        with self.__turns.turn(lambda: stop(watch)):  # two threads would hash the same files twice
            source = self.__models.find(located, canvas.size)
            adapters = tuple(self.__adapters.identify(each) for each in request.adapters)
            _require_seat(source.placement, adapters)
        scheduler = choose(name, located.defaults.own_scheduler)
        for index, asset_id in enumerate(admitted.asset_ids):
            step = follow(watch, index)
            # Held for one image, not for the request: whoever reads slowly must not keep others waiting, nor himself.
            with self.__turns.turn(lambda: stop(watch)):
                engine = self.__models.fitted(source, adapters)
                arguments = parameters.call_arguments(
                    request, engine.pipeline, engine.accepted(canvas.kind), canvas.size
                )
                rendered = engine.render(
                    arguments,
                    canvas=canvas,
                    seed=seed + index,
                    scheduler=scheduler,
                    step=step,
                    placement=source.placement,
                    draw=marking.drawing(self.__marker, asset_id),
                )
                del engine  # while others have their turn, nothing here keeps a model in memory
            if index == 0:
                warn(rendered)
                marking.warn(rendered.drawn)
            pixels = canvas.finish(rendered.pixels)
            yield Generated(
                admitted=admitted,
                index=index,
                asset_id=asset_id,
                seed=seed + index,
                pixels=pixels,
                pixels_sha256=pixels_sha256(pixels),
                execution=execution_of(source, rendered, adapters, self.__marker),
            )

    def __by_network(self, admitted: Admitted, watch: Watch | None) -> Generated:
        """Return what an ONNX network makes of a picture; it takes its turn, too."""
        from sdsafe.generation import restoring

        request = self.__networks.resolve(admitted.request)  # for its checks, as above
        threads = self.__threads or os.cpu_count() or 1
        with self.__turns.turn(lambda: stop(watch)):
            return restoring.make(admitted, lambda: self.__networks.read(request.model), threads=threads, watch=watch)

    def __sounds(self, admitted: Admitted, watch: Watch | None) -> Iterator[Generated]:
        """Yield one sound per asset id, each from its own seed; they take turns as pictures do."""
        request = admitted.request
        located = self.__models.locate(request.model)
        sounds.resolve(request, located)  # for its checks, as above
        seed, name = _settled(request)
        with self.__turns.turn(lambda: stop(watch)):
            source = self.__models.find(located, sounds.NO_SIZE)
        scheduler = choose(name, located.defaults.own_scheduler)
        for index, asset_id in enumerate(admitted.asset_ids):
            step = follow(watch, index)
            with self.__turns.turn(lambda: stop(watch)):
                engine = self.__models.fitted(source, ())
                sounded = engine.sound(
                    sounds.call_arguments(request, engine.pipeline, engine.accepted(Kind.SOUND)),
                    seed=seed + index,
                    scheduler=scheduler,
                    step=step,
                    placement=source.placement,
                )
                del engine
            if index == 0:
                warn(sounded)
            made = Generated(
                admitted=admitted,
                index=index,
                asset_id=asset_id,
                seed=seed + index,
                pixels=nothing(),
                pixels_sha256="",
                execution=execution_of(source, sounded, (), None),
                sound=sounded.sound,
            )
            yield marking.noted(made, self.__marker, "sounds are not marked")

    def mark_noise(self, marker: NoiseMarker, /) -> None:
        """Take the initial noise from ``marker``; see ``Invertible.mark_noise``."""
        self.__marker = marker

    def invert(self, image: Pixels, request: GenerationRequest, /) -> npt.NDArray[np.float32]:
        """Return the initial noise that leads to ``image``; see ``Invertible.invert``."""
        located = self.__models.locate(request.model)
        resolved = parameters.resolve(marking.backwards(request, image, located), located)
        size = resolved.size
        if size is None or image.shape != (size.height, size.width, 3):
            raise RequestError("the picture does not measure what was asked for", code="request.size")
        with self.__turns.turn(lambda: None):
            source = self.__models.find(located, size)
            engine = self.__models.fitted(source, tuple(self.__adapters.identify(each) for each in resolved.adapters))
            arguments = parameters.call_arguments(resolved, engine.pipeline, engine.accepted(Kind.TEXT), size)
            return engine.invert(arguments, image, source.placement)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: a copy would carry the pipe outside."""
        raise TypeError("a generator can be neither copied nor pickled: make one per process")


def _settled(request: GenerationRequest) -> tuple[int, str]:
    """Return the seed and the name of the scheduler of a request that was resolved."""
    if request.seed is None or request.scheduler is None:
        raise RequestError("the request is not resolved: seed or scheduler is open")
    return request.seed, request.scheduler


def _require_no_adapters(request: GenerationRequest) -> None:
    if request.adapters:
        raise RequestError(
            "adapters cannot be fitted onto a pipeline that was taken over",
            code="request.adapter",
            hint="Fit them before it is taken over; the record then says that they were not looked at.",
        )


def _require_seat(placement: Placement, adapters: tuple[Adapter, ...]) -> None:
    """Refuse what adapters cannot be fitted onto: weights that wait elsewhere, attention that runs in slices."""
    sliced = placement.attention_slicing and any(each.ref.kind == IP_ADAPTER for each in adapters)
    if adapters and (placement.offload is not Offload.NONE or sliced):
        raise RequestError(
            "adapters cannot be fitted onto a model that is laid out in parts to save memory",
            code="request.adapter",
            hint="Use a larger --vram-budget or --dtype float16, or leave the adapters out.",
        )
