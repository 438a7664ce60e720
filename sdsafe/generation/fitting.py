"""How a model is made to fit into the memory it may use: pure arithmetic, from the headers of its files.

What costs no pixel comes first: whole models take turns on the device, before the autoencoder works in tiles, before
layers take turns. Without a budget nothing is changed, so that the same request means the same on every day.
The estimates are rough; the peak that is measured stands in the manifest beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.placement import Offload, Placement
from sdsafe.errors import ConfigurationError
from sdsafe.generation.devices import resolve_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.core.request import Size
    from sdsafe.generation.devices import Device
    from sdsafe.generation.headers import Weights

__all__ = ["GIB", "MAX_BUDGET_GIB", "TILE", "Fit", "bytes_of", "fit", "is_budget"]

MAX_BUDGET_GIB = 4096.0
GIB = 1 << 30

TILE = 512
"""Side, in pixels, of the tiles in which an autoencoder works."""

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}

# Elements that are alive per pixel of the picture: assumptions on the safe side for models of the size of Stable
# Diffusion, not measurements; small models need far less. The autoencoder is counted in float32, because some families
# decode in it whatever type the rest has.
_DECODING = 1024
_DENOISING = 512
_PYTHON = GIB  # of a process that has imported torch and diffusers; counts only where the device is the CPU

_AUTOENCODERS = frozenset({"vae", "movq", "vqvae", "vqgan"})
_DENOISERS = frozenset({"unet", "transformer", "prior", "decoder"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What was chosen."""

    dtype: str
    placement: Placement
    fits: bool
    """False: even the most frugal way is expected to need more than the budget."""


@dataclass(frozen=True, slots=True)
class _Way:
    dtype: str
    offload: Offload = Offload.NONE
    tiling: bool = False
    slicing: bool = False

    def __str__(self) -> str:
        words = [_WORDS[self.offload].format(dtype=self.dtype)]
        words += ["the autoencoder works in tiles"] * self.tiling + ["attention is computed in slices"] * self.slicing
        return ", ".join(words)


_WORDS = {
    Offload.NONE: "all weights on the device in {dtype}",
    Offload.MODEL: "whole models take turns on the device in {dtype}",
    Offload.SEQUENTIAL: "layers take turns on the device in {dtype}",
}


def is_budget(value: object) -> bool:
    """Say whether a value is an amount of memory in GiB: a number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_BUDGET_GIB


def bytes_of(gib: float | None) -> int | None:
    """Return a budget in bytes.

    Raises:
        ConfigurationError: It is no number above 0.
    """
    if gib is None:
        return None
    if not is_budget(gib):
        raise ConfigurationError(
            f"the memory budget must be a number of GiB above 0, at most {MAX_BUDGET_GIB:g}",
            code="device.budget",
            hint="For example 10.",
        )
    return int(gib * GIB)


def fit(  # noqa: PLR0913 - everything that the choice depends on
    weights: Mapping[str, Weights], *, device: Device, dtype: str, half: str, size: Size, budget: int | None
) -> Fit:
    """Return how a model is laid out.

    Args:
        weights: Of each component.
        device: Where it runs. Offload exists only where a device has memory of its own: cuda, rocm, xpu.
        dtype: One of ``devices.DTYPES``; a type that was named is kept, ``auto`` may be halved to fit.
        half: The half-precision type that the model's family was published in.
        size: Of the picture, as the model works at it.
        budget: Bytes; None: no limit.

    Raises:
        ConfigurationError: The dtype is unknown.
    """
    first = resolve_dtype(dtype, device, half)
    if budget is None:
        return Fit(dtype=first, placement=Placement(reason=f"no budget was set: {_Way(first)}"), fits=True)
    ways = tuple(_ways(device, first, halved=_halved(dtype, first, device, half)))
    needs = [_need(weights, way, size, device) for way in ways]
    enough = next((index for index, need in enumerate(needs) if need <= budget), None)
    chosen = needs.index(min(needs)) if enough is None else enough
    way, need = ways[chosen], needs[chosen]
    placement = Placement(
        offload=way.offload,
        attention_slicing=way.slicing,
        tiling=way.tiling,
        budget=budget,
        expected=need,
        reason=_reason(way, need, needs[0], budget),
    )
    return Fit(dtype=way.dtype, placement=placement, fits=enough is not None)


def _reason(way: _Way, need: int, plain: int, budget: int) -> str:
    allowed, expected = f"{budget / GIB:.1f} GiB", f"about {need / GIB:.1f} GiB"
    if need > budget:
        return f"{way}: {expected} expected, more than the {allowed} allowed, and nothing needs less"
    if need == plain:
        return f"{way}: {expected} expected of {allowed}"
    return f"{way}: {expected} expected of {allowed}; without this it would be about {plain / GIB:.1f} GiB"


def _halved(asked: str, first: str, device: Device, half: str) -> str | None:
    """Return the half-precision type that may be used to fit; None: the type stays."""
    if asked != "auto" or first != "float32":
        return None
    return "bfloat16" if device.name == "cpu" else half  # float16 is slow on processors, and overflows


def _ways(device: Device, dtype: str, *, halved: str | None) -> Iterator[_Way]:
    """Yield the ways to lay a model out, the least harmful one first."""
    if device.name in {"cuda", "rocm", "xpu"}:
        yield _Way(dtype)
        yield _Way(dtype, Offload.MODEL)
        yield _Way(dtype, tiling=True)
        yield _Way(dtype, Offload.MODEL, tiling=True)
        yield _Way(dtype, Offload.SEQUENTIAL, tiling=True)
        return
    # Processor and device share one memory: moving weights to and fro would free nothing. torch computes attention
    # without large matrices of its own accord, except on mps.
    slicing = device.name == "mps"
    for each in dict.fromkeys((dtype, halved or dtype)):
        yield _Way(each)
        yield _Way(each, tiling=True, slicing=slicing)


def _need(weights: Mapping[str, Weights], way: _Way, size: Size, device: Device) -> int:
    itemsize = _BYTES[way.dtype]
    pixels = size.width * size.height
    decoding = (min(pixels, TILE * TILE) if way.tiling else pixels) * _DECODING * 4
    denoising = pixels * _DENOISING * itemsize
    sizes = {name: each.elements * itemsize + each.fixed for name, each in weights.items()}
    base = _PYTHON if device.name == "cpu" else 0
    match way.offload:
        case Offload.NONE:
            return base + sum(sizes.values()) + max(decoding, denoising)
        case Offload.MODEL:
            busy = {**dict.fromkeys(_AUTOENCODERS, decoding), **dict.fromkeys(_DENOISERS, denoising)}
            return max((held + busy.get(name, 0) for name, held in sizes.items()), default=0)
        case Offload.SEQUENTIAL:
            largest = max((each.largest for each in weights.values()), default=0) * itemsize
            return 2 * largest + max(decoding, denoising)
