from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.core.placement import Offload
from sdsafe.core.request import Size
from sdsafe.errors import ConfigurationError
from sdsafe.generation.devices import Device
from sdsafe.generation.fitting import GIB, Fit, bytes_of, fit, is_budget
from sdsafe.generation.headers import Weights

CUDA, ROCM, XPU, MPS, CPU = (
    Device(torch="cuda" if name == "rocm" else name, name=name) for name in ("cuda", "rocm", "xpu", "mps", "cpu")
)
# Stable Diffusion XL, as its files say.
XL = {
    "unet": Weights(elements=2_567_463_684, largest=26_214_400),
    "text_encoder": Weights(elements=123_060_480, largest=37_945_344),
    "text_encoder_2": Weights(elements=694_659_840, largest=63_242_240),
    "vae": Weights(elements=83_653_863, largest=2_359_296),
}
SQUARE = Size(width=1024, height=1024)


def _fit(budget: float | None, device: Device = CUDA, dtype: str = "auto", size: Size = SQUARE) -> Fit:
    return fit(XL, device=device, dtype=dtype, half="float16", size=size, budget=bytes_of(budget))


def test_without_a_budget_nothing_is_changed() -> None:
    chosen = _fit(None)
    assert (chosen.dtype, chosen.placement.offload, chosen.placement.tiling) == ("float16", Offload.NONE, False)
    assert chosen.placement.budget is chosen.placement.expected is None
    assert "no budget" in chosen.placement.reason


@pytest.mark.parametrize("device", [CUDA, ROCM, XPU])
@pytest.mark.parametrize(
    ("budget", "side", "offload", "tiling"),
    [
        (24, 1024, Offload.NONE, False),
        (10, 1024, Offload.MODEL, False),
        (11, 2048, Offload.NONE, True),
        (10, 2048, Offload.MODEL, True),
        (2, 1024, Offload.SEQUENTIAL, True),
    ],
)
def test_what_costs_no_pixel_comes_first(
    device: Device, budget: float, side: int, offload: Offload, tiling: bool
) -> None:
    chosen = _fit(budget, device, size=Size(width=side, height=side))
    assert (chosen.placement.offload, chosen.placement.tiling, chosen.dtype) == (offload, tiling, "float16")
    assert chosen.fits
    assert chosen.placement.expected is not None
    assert chosen.placement.expected <= budget * GIB
    assert f"{budget:.1f} GiB" in chosen.placement.reason


def test_what_cannot_fit_is_tried_and_said() -> None:
    chosen = _fit(0.1)
    assert not chosen.fits
    assert chosen.placement.offload is Offload.SEQUENTIAL
    assert "more than the 0.1 GiB allowed" in chosen.placement.reason


def test_a_type_that_was_named_stays() -> None:
    assert _fit(6, dtype="float32").dtype == "float32"
    assert _fit(0.1, CPU, dtype="float32").dtype == "float32"


@pytest.mark.parametrize(("device", "half", "slicing"), [(CPU, "bfloat16", False), (MPS, "float16", True)])
def test_one_memory_means_no_offload_but_half_the_bytes(device: Device, half: str, slicing: bool) -> None:
    plenty, tight = _fit(64, device), _fit(11, device)
    assert (plenty.dtype, plenty.placement.tiling) == ("float32", False)
    assert tight.dtype == half
    assert {plenty.placement.offload, tight.placement.offload} == {Offload.NONE}
    least = _fit(0.1, device)
    assert (least.dtype, least.placement.tiling, least.placement.attention_slicing) == (half, True, slicing)


def test_tiles_are_of_no_use_to_a_picture_that_is_one() -> None:
    small = Size(width=512, height=512)
    assert not _fit(0.1, CPU, size=small).placement.tiling


budgets = st.floats(0.1, 64)
sizes = st.builds(Size, width=st.integers(8, 512).map(lambda n: n * 8), height=st.integers(8, 512).map(lambda n: n * 8))


@settings(max_examples=60)
@given(budget=budgets, size=sizes, device=st.sampled_from([CUDA, MPS, CPU]), more=st.floats(0, 64))
def test_more_memory_never_means_a_more_frugal_way(budget: float, size: Size, device: Device, more: float) -> None:
    tight, ample = _fit(budget, device, size=size), _fit(budget + more, device, size=size)
    assert ample.fits >= tight.fits
    if tight.fits:
        assert tight.placement.expected is not None
        assert tight.placement.expected <= int(budget * GIB)
        assert ample.placement.expected is not None
        assert ample.placement.expected >= tight.placement.expected or not ample.placement.tiling


@settings(max_examples=60)
@given(budget=budgets, size=sizes)
def test_a_plan_depends_on_nothing_but_its_arguments(budget: float, size: Size) -> None:
    assert _fit(budget, size=size) == _fit(budget, size=size)


@pytest.mark.parametrize("value", [0, -1, True, "10", float("nan"), float("inf"), None])
def test_what_is_no_amount_is_refused(value: object) -> None:
    assert not is_budget(value)
    if value is not None:
        with pytest.raises(ConfigurationError, match="memory budget"):
            bytes_of(value)  # type: ignore[arg-type]
