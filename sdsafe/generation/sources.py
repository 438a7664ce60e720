"""Models on their way into memory: what was found and hashed, how it is laid out, and what ran in the end."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.placement import Offload, Placement
from sdsafe.core.states import Execution
from sdsafe.generation import marking
from sdsafe.generation.fitting import GIB

if TYPE_CHECKING:
    from sdsafe.core.request import ModelRef
    from sdsafe.generation._adopting import Adopted
    from sdsafe.generation._engine import Engine
    from sdsafe.generation._rendering import Rendered
    from sdsafe.generation._sounding import Sounded
    from sdsafe.generation.adapters import Adapter
    from sdsafe.generation.devices import Device
    from sdsafe.generation.identity import Model
    from sdsafe.protocols import NoiseMarker

__all__ = ["Loaded", "Source", "execution_of", "taken_over", "warn"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A model whose files were hashed, and how it is to be loaded."""

    ref: ModelRef
    device: Device
    dtype: str
    placement: Placement
    model: Model | None = None
    """None: it is built in memory, or was taken over."""
    adopted: Adopted | None = None

    @property
    def key(self) -> tuple[ModelRef, Device, str, Offload]:
        """What must be equal for a loaded model to be used again."""
        return self.ref, self.device, self.dtype, self.placement.offload

    def open(self) -> Engine:
        """Load it."""
        from sdsafe.generation import _loading

        if self.adopted is not None:
            return self.adopted.engine
        if self.model is None:
            return _loading.load_tiny(self.device)
        return _loading.load(self.model, dtype=self.dtype, device=self.device, offload=self.placement.offload)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A model that is ready to run."""

    key: tuple[ModelRef, Device, str, Offload]
    engine: Engine


def taken_over(adopted: Adopted) -> Source:
    """Return a model that was taken over; ``GenerationError`` where it is not any more what it was then."""
    adopted.require_unchanged()
    placement = Placement(reason="it runs as it was handed over")
    return Source(ref=adopted.ref, device=adopted.device, dtype=adopted.dtype, placement=placement, adopted=adopted)


def warn(rendered: Rendered | Sounded) -> None:
    """Say which texts the model does not read to the end, never what stands in them; and what took too much memory."""
    for each in rendered.encoded:
        if each.cut:
            _log.warning(
                "%s was cut: %s reads %d of its %d tokens",
                each.name,
                each.encoder,
                each.limit,
                each.tokens,
            )
    budget, peak = rendered.placement.budget, rendered.peak
    if budget is not None and peak is not None and peak.used > budget:
        _log.warning("memory: %.1f GiB were used, %.1f GiB were allowed", peak.used / GIB, budget / GIB)


def execution_of(
    source: Source, rendered: Rendered | Sounded, adapters: tuple[Adapter, ...], marker: NoiseMarker | None
) -> Execution:
    """Return the record of what ran: the model, what was fitted onto it, and the machine."""
    from sdsafe.generation import _loading

    return Execution(
        model=source.ref,
        device=source.device.name,
        dtype=source.dtype,
        scheduler=rendered.scheduler,
        scheduler_digest=rendered.scheduler_digest,
        libraries=_loading.libraries(),
        threads=_loading.threads(),
        ms=rendered.ms,
        encoded=rendered.encoded,
        placement=rendered.placement,
        peak=rendered.peak,
        adapters=tuple(each.ref for each in adapters),
        noise_mark=marking.said(marker, rendered.drawn),
        unvouched=source.adopted.unvouched if source.adopted is not None else (),
    )
