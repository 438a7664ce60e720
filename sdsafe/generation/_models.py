"""The models of a generator: found, hashed, laid out for a machine; and the last one stays loaded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from sdsafe.core.placement import Placement
from sdsafe.generation.devices import resolve_device
from sdsafe.generation.families import family_of
from sdsafe.generation.fitting import bytes_of, fit
from sdsafe.generation.headers import read_weights
from sdsafe.generation.identity import TINY, Locator, expect
from sdsafe.generation.sound_families import sound_family_of
from sdsafe.generation.sources import Loaded, Source, taken_over

if TYPE_CHECKING:
    from sdsafe.core.request import ModelRef, Size
    from sdsafe.generation._adopting import Adopted
    from sdsafe.generation._engine import Engine
    from sdsafe.generation.adapters import Adapter
    from sdsafe.generation.hub import Hub
    from sdsafe.generation.identity import Located

__all__ = ["Models"]

_log = logging.getLogger(__name__)


class Models:
    """Gives out engines, one at a time: no two models are in memory at once. Its owner sees to turns."""

    __slots__ = ("__budget", "__device", "__dtype", "__loaded", "__locator", "__threads", "adopted")

    def __init__(self, hub: Hub, *, device: str, dtype: str, vram_budget: float | None, threads: int | None) -> None:
        """Keep the options; nothing is imported or loaded. They are those of ``DiffusersGenerator``."""
        self.__locator = Locator(hub)
        self.__device = device
        self.__dtype = dtype
        self.__budget = bytes_of(vram_budget)
        self.__threads = threads
        self.__loaded: Loaded | None = None
        self.adopted: Adopted | None = None
        """A pipe that was taken over: then it is the only model."""

    def locate(self, ref: ModelRef) -> Located:
        """Return what a reference names, and what is known of it before its weights are here."""
        return (self.adopted or self.__locator).locate(ref)

    def find(self, located: Located, size: Size) -> Source:
        """Bring the files of a model here, hash them, and decide how it is laid out for a picture of this size."""
        from sdsafe.generation import _loading

        if self.adopted is not None:
            return taken_over(self.adopted)
        device = resolve_device(self.__device, _loading.probe())
        if located.ref.repo == TINY:
            ref = _loading.tiny_ref(located.ref)
            expect(located.ref, ref)
            return Source(ref=ref, device=device, dtype="float32", placement=Placement(reason="it is tiny"))
        model = self.__locator.identify(located)
        expect(located.ref, model.ref)
        sound = located.defaults.sound is not None
        half = (sound_family_of if sound else family_of)(located.pipeline).half
        weights = read_weights(model.folder, model.selection.files) if self.__budget is not None else {}
        chosen = fit(weights, device=device, dtype=self.__dtype, half=half, size=size, budget=self.__budget)
        if not chosen.fits:
            _log.warning("memory: %s", chosen.placement.reason)
        return Source(ref=model.ref, device=device, dtype=chosen.dtype, placement=chosen.placement, model=model)

    def fitted(self, source: Source, adapters: tuple[Adapter, ...]) -> Engine:
        """Return the engine of ``source`` with exactly these adapters; one that was spoiled is dropped."""
        engine = self.__loaded_from(source)
        try:
            engine.fit(adapters)
        finally:
            if engine.spoiled():
                self.__loaded = None
        return engine

    def __loaded_from(self, source: Source) -> Engine:
        """Return the engine of ``source``, loading it unless the very same files are loaded in the same way."""
        from sdsafe.generation import _loading

        if self.__threads is not None:
            _loading.set_threads(self.__threads)
        if self.__loaded is None or self.__loaded.key != source.key:
            self.__loaded = None  # frees the memory of the last model before the next one needs it
            self.__loaded = Loaded(key=source.key, engine=source.open())
        return self.__loaded.engine

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse: a copy would carry the pipe outside."""
        raise TypeError("models can be neither copied nor pickled")
