"""The generator of the spine: from an admitted request to images, through a diffusers pipeline that it owns.

This module is light. torch and diffusers are imported by ``_loading`` when the first image is made, so that a
refused prompt costs milliseconds.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from sdsafe.core.digests import pixels_sha256
from sdsafe.core.request import Task
from sdsafe.core.states import Execution, Generated
from sdsafe.errors import CancelledError, MissingExtraError, PluginError, RequestError
from sdsafe.generation import enlarging, parameters
from sdsafe.generation.devices import DEVICES, DTYPES, resolve_device, resolve_dtype
from sdsafe.generation.families import family_of
from sdsafe.generation.hub import Hub, silence
from sdsafe.generation.identity import TINY, Locator, expect, model_digest
from sdsafe.generation.schedulers import choose
from sdsafe.generation.tasks import lay_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sdsafe.core.places import Places
    from sdsafe.core.request import GenerationRequest, ModelRef
    from sdsafe.core.states import Admitted, EncodedText
    from sdsafe.generation._engine import Engine, Rendered
    from sdsafe.generation.devices import Device
    from sdsafe.generation.identity import Located
    from sdsafe.protocols import Watch

__all__ = ["DiffusersGenerator"]

_log = logging.getLogger(__name__)


class DiffusersGenerator:
    """Makes images with diffusers pipelines. The last model stays loaded; nothing of it can be reached from outside.

    Image ``i`` of a request is made on its own from ``seed + i``, so that each can be made again alone.
    Threads may share a generator: each image holds the pipe for itself.
    """

    __slots__ = ("__device", "__dtype", "__loaded", "__loading", "__locator", "__threads")

    def __init__(
        self,
        *,
        device: str = "auto",
        dtype: str = "auto",
        offline: bool = False,
        threads: int | None = None,
        hub_cache: Path | None = None,
    ) -> None:
        """Keep the options; nothing is imported or loaded.

        Args:
            device: ``auto``, ``cuda``, ``rocm``, ``mps``, ``xpu`` or ``cpu``.
            dtype: ``auto``, ``float32``, ``float16`` or ``bfloat16``.
            offline: Never use the network: models are built in, in folders, or in the hub's cache.
            threads: CPU threads of torch, for the whole process; default: torch's own choice.
            hub_cache: Where hub models are kept; default: the hub's own cache, shared with other tools.
        """
        silence(offline=offline)
        self.__device = device
        self.__dtype = dtype
        self.__threads = threads
        self.__locator = Locator(Hub(offline=offline, cache=hub_cache))
        self.__loaded: _Loaded | None = None
        self.__loading = threading.Lock()

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
        return cls(**{name: _option(name, value) for name, value in options.items()})  # type: ignore[arg-type]  # each value went through its check

    def resolve(self, request: GenerationRequest, /) -> GenerationRequest:
        """Fill in what the caller left open and validate; see ``Generator.resolve``."""
        if request.task is Task.UPSCALE:
            return enlarging.resolve(request)
        return parameters.resolve(request, self.__locator.locate(request.model))

    def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
        """Yield one ``Generated`` per asset id; see ``Generator.generate``."""
        request = admitted.request
        if request.task is Task.UPSCALE:
            yield enlarging.enlarge(admitted, watch)
            return
        located = self.__locator.locate(request.model)
        parameters.resolve(request, located)  # for its checks: nothing reaches a model that did not pass them here
        canvas = lay_out(request, located.defaults.multiple)
        loaded = self.__acquire(located)
        engine = loaded.engine
        arguments = parameters.call_arguments(request, engine.pipeline, engine.accepted(canvas.kind), canvas.size)
        seed, name = request.seed, request.scheduler
        if seed is None or name is None:
            raise RequestError("the request is not resolved: seed or scheduler is open")
        scheduler = choose(name, located.defaults.own_scheduler)
        for index, asset_id in enumerate(admitted.asset_ids):
            rendered = engine.render(
                arguments, canvas=canvas, seed=seed + index, scheduler=scheduler, step=_follow(watch, index)
            )
            if index == 0:
                _warn_of_cuts(rendered.encoded)
            pixels = canvas.finish(rendered.pixels)
            yield Generated(
                admitted=admitted,
                index=index,
                asset_id=asset_id,
                seed=seed + index,
                pixels=pixels,
                pixels_sha256=pixels_sha256(pixels),
                execution=_execution(loaded, rendered),
            )

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: a copy would carry the pipe outside."""
        raise TypeError("a generator can be neither copied nor pickled: make one per process")

    def __acquire(self, located: Located) -> _Loaded:
        """Return the model of ``located``, loading it unless the very same files are loaded already."""
        from sdsafe.generation import _loading

        with self.__loading:
            if self.__threads is not None:
                _loading.set_threads(self.__threads)
            device = resolve_device(self.__device, _loading.probe())
            if located.ref.repo == TINY:
                return self.__acquire_tiny(located.ref, device)
            model = self.__locator.identify(located)
            expect(located.ref, model.ref)
            dtype = resolve_dtype(self.__dtype, device, family_of(located.pipeline).half)
            if self.__loaded is None or self.__loaded.key != (model.ref, device, dtype):
                self.__loaded = None  # frees the memory of the last model before the next one needs it
                engine = _loading.load(model, dtype=dtype, device=device)
                self.__loaded = _Loaded(ref=model.ref, device=device, dtype=dtype, engine=engine)
            return self.__loaded

    def __acquire_tiny(self, asked: ModelRef, device: Device) -> _Loaded:
        from sdsafe.generation import _tiny
        from sdsafe.generation._engine import Engine

        if self.__loaded is None or self.__loaded.ref.repo != TINY:
            pipe = _tiny.build()
            files = _tiny.weight_files(pipe)
            digest = model_digest(files)
            ref = replace(asked, revision=digest, digest=digest, files=files)
            expect(asked, ref)
            self.__loaded = _Loaded(ref=ref, device=device, dtype="float32", engine=Engine(pipe, device))
        expect(asked, self.__loaded.ref)
        return self.__loaded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loaded:
    """A model that is ready to run."""

    ref: ModelRef
    device: Device
    dtype: str
    engine: Engine

    @property
    def key(self) -> tuple[ModelRef, Device, str]:
        """What must be equal for it to be used again."""
        return self.ref, self.device, self.dtype


def _follow(watch: Watch | None, index: int) -> Callable[[int, int], None]:
    """Return what is called after every step of image ``index``; it raises when the watch says stop.

    The exception passes through the pipeline. Asking the pipeline to interrupt itself would not do: it then
    returns a half-made picture like any other.
    """

    def check() -> None:
        if watch is not None and watch.cancelled():
            raise CancelledError("cancelled on request; there is no picture", hint="Images released before stay.")

    def step(number: int, total: int) -> None:
        if watch is not None:
            watch.step(index, number, total)
        check()

    check()
    return step


def _warn_of_cuts(encoded: tuple[EncodedText, ...]) -> None:
    """Say which texts the model does not read to the end; never what stands in them."""
    for each in encoded:
        if each.cut:
            _log.warning(
                "%s was cut: %s reads %d of its %d tokens",
                each.name,
                each.encoder,
                each.limit,
                each.tokens,
            )


def _execution(loaded: _Loaded, rendered: Rendered) -> Execution:
    from sdsafe.generation import _loading

    return Execution(
        model=loaded.ref,
        device=loaded.device.name,
        dtype=loaded.dtype,
        scheduler=rendered.scheduler,
        scheduler_digest=rendered.scheduler_digest,
        libraries=_loading.libraries(),
        threads=_loading.threads(),
        ms=rendered.ms,
        encoded=rendered.encoded,
    )


def _option(name: str, value: object) -> object:
    """Return the value of an option; ``PluginError`` where it is unknown or of the wrong kind."""
    expected = _OPTIONS.get(name)
    if expected is None:
        raise PluginError(f"the generator has no option {name[:40]!r}", hint=f"Options: {', '.join(_OPTIONS)}.")
    words, check = expected
    if not check(value):
        raise PluginError(f"option {name} of the generator: expected {words}", hint="Correct the settings.")
    return Path(str(value)) if name == "hub_cache" else value


_OPTIONS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "device": (f"one of {', '.join(DEVICES)}", lambda value: value in DEVICES),
    "dtype": (f"one of {', '.join(DTYPES)}", lambda value: value in DTYPES),
    "offline": ("true or false", lambda value: isinstance(value, bool)),
    "threads": ("a whole number above 0", lambda value: type(value) is int and value > 0),
    "hub_cache": ("a folder", lambda value: isinstance(value, str | Path) and bool(str(value))),
}
