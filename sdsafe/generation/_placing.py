"""Carries a ``Placement`` out on pipes, and measures the memory that was used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdsafe._internal.memory import process_peak
from sdsafe.core.placement import MemoryPeak, Offload
from sdsafe.generation._libraries import torch
from sdsafe.generation._translating import translated
from sdsafe.generation.fitting import TILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.placement import Placement

__all__ = ["Seats", "meter"]


class Seats:
    """Keeps the pipe that runs next in place; the pipes of a model share their components."""

    def __init__(self, device: str, offload: Offload | None) -> None:
        """Seat pipes on ``device``; without ``offload``, leave them where and as they are."""
        self.device = device
        self._offload = offload
        self._seated: Any = None
        self._arranged: Placement | None = None

    def seat(self, pipe: Any) -> None:
        """Put ``pipe`` where it runs; ``GenerationError`` where it does not fit there."""
        if self._offload is not None and pipe is not self._seated:
            self._seated = None
            _seat(pipe, self.device, self._offload)
        self._seated = pipe

    def arrange(self, pipe: Any, placement: Placement) -> Placement:
        """Set tiles and slices for one picture, and return what was really set: not every class knows both."""
        if self._offload is None:  # somebody else has arranged it
            return placement
        self._arranged = _arrange(pipe, placement, self._arranged)
        return self._arranged


def _seat(pipe: Any, device: str, offload: Offload) -> None:
    """Put a pipe where it runs; pipes of one model share their components, so only the last one seated is in place.

    Raises:
        GenerationError: It does not fit there.
    """
    with translated("moved to the device"):
        match offload:
            case Offload.NONE:
                pipe.to(device)
            case Offload.MODEL:
                pipe.enable_model_cpu_offload(device=device)
            case Offload.SEQUENTIAL:
                pipe.enable_sequential_cpu_offload(device=device)


def _arrange(pipe: Any, placement: Placement, before: Placement | None) -> Placement:
    """Set tiles and slices for one picture, and return what was really set: not every class knows both.

    Args:
        pipe: Whose components are shared by all pipes of the model.
        placement: What is wanted.
        before: What was set by the last call; None: nothing was ever set.
    """
    vae = getattr(pipe, "vae", None)
    tiling = placement.tiling and hasattr(vae, "use_tiling")
    slicing = placement.attention_slicing and any(hasattr(each, "set_attention_slice") for each in _modules(pipe))
    if tiling != (before is not None and before.tiling):
        _tile(vae, on=tiling)
    if slicing != (before is not None and before.attention_slicing):
        # "max" slices even where a model has one head; None goes back to torch's own attention.
        pipe.set_attention_slice("max" if slicing else None)
    return replace(placement, tiling=tiling, attention_slicing=slicing)


def meter(device: str) -> Callable[[], MemoryPeak | None]:
    """Begin to measure, and return what gives the peak since then; None where the device does not say."""
    if device in {"cuda", "xpu"}:
        counter = getattr(torch, device)
        counter.reset_peak_memory_stats()
        held = int(counter.memory_allocated())
        return lambda: MemoryPeak(used=int(counter.max_memory_allocated()), before=held, of="device")
    if device == "mps":
        pool = int(torch.mps.driver_allocated_memory())
        return lambda: MemoryPeak(used=int(torch.mps.driver_allocated_memory()), before=pool, of="pool")
    before = process_peak()

    def process() -> MemoryPeak | None:
        after = process_peak()
        return None if before is None or after is None else MemoryPeak(used=after, before=before, of="process")

    return process


def _modules(pipe: Any) -> list[Any]:
    return [each for each in pipe.components.values() if isinstance(each, torch.nn.Module)]


def _tile(vae: Any, *, on: bool) -> None:
    if not on:
        vae.disable_tiling()
        return
    vae.enable_tiling()
    # Larger models come with tiles as large as the pictures that they were trained on: those save nothing.
    side = getattr(vae, "tile_sample_min_size", None)
    latent = getattr(vae, "tile_latent_min_size", None)
    if isinstance(side, int) and isinstance(latent, int) and side > TILE and not side % TILE:
        vae.tile_sample_min_size, vae.tile_latent_min_size = TILE, latent * TILE // side
