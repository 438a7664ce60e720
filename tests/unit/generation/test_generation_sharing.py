"""Threads that share a generator, and models laid out to fit: over real pipelines with random weights."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.placement import Offload, Placement
from sdsafe.errors import CancelledError
from sdsafe.generation._diffusers import DiffusersGenerator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.states import Generated

    Make = Callable[..., list[Generated]]


@pytest.mark.parametrize("scheduler", ["euler", "dpmpp"])
def test_eight_threads_make_what_eight_calls_in_a_row_make(
    make: Make, generator: DiffusersGenerator, scheduler: str
) -> None:
    def picture(seed: int) -> str:
        (made,) = make(generator, seed=seed, scheduler=scheduler, steps=4)
        return made.pixels_sha256

    in_a_row = [picture(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(picture, range(8)))
    assert together == in_a_row
    assert len(set(together)) == 8


class _Stops:
    """Says stop once it is told to."""

    def __init__(self) -> None:
        self.begun, self.stop = threading.Event(), threading.Event()

    def step(self, _image: int, _step: int, _total: int) -> None:
        self.begun.set()
        self.stop.wait(10)

    def cancelled(self) -> bool:
        return self.stop.is_set()


def test_whoever_is_cancelled_leaves_nothing_to_the_next(make: Make, generator: DiffusersGenerator) -> None:
    (plain,) = make(generator, scheduler="dpmpp", steps=3)
    watch, waiting = _Stops(), _Stops()
    waiting.stop.set()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(make, generator, watch, scheduler="dpmpp", steps=3, seed=1)
        assert watch.begun.wait(30)
        second = pool.submit(make, generator, waiting)  # has to wait for its turn, and gives up instead
        with pytest.raises(CancelledError):
            second.result(10)
        watch.stop.set()
        with pytest.raises(CancelledError):
            first.result(10)
    (again,) = make(generator, scheduler="dpmpp", steps=3)
    assert again.pixels_sha256 == plain.pixels_sha256


def test_one_thread_may_read_two_requests_by_turns(
    generator: DiffusersGenerator, ask: Callable[..., Any], admit: Callable[..., Any]
) -> None:
    streams = [generator.generate(admit(generator.resolve(ask(seed=seed, count=2)))) for seed in (1, 5)]
    assert [(a.seed, b.seed) for a, b in zip(*streams, strict=True)] == [(1, 5), (2, 6)]


def test_offload_changes_no_pixel(make: Make, tiny_folder: Path, picture: Callable[..., Any]) -> None:
    # With the processor as the device nothing moves, but every hook of diffusers and accelerate is in its place.
    from sdsafe.core.request import Task
    from sdsafe.generation import _models
    from sdsafe.generation.fitting import fit

    folder, edit = str(tiny_folder), {"task": Task.TRANSFORM, "size": None}
    inputs = (picture("image", np.full((64, 64, 3), 99, np.uint8)),)
    plain = DiffusersGenerator(device="cpu", threads=1)
    expected = [make(plain, model=folder)[0], make(plain, model=folder, inputs=inputs, **edit)[0]]
    offloaded = DiffusersGenerator(device="cpu", threads=1, vram_budget=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_models, "fit", lambda *a, **k: _with(fit(*a, **k), Placement(offload=Offload.MODEL)))
        found = [
            make(offloaded, model=folder)[0],
            make(offloaded, model=folder, inputs=inputs, **edit)[0],
            make(offloaded, model=folder)[0],
        ]
    assert [each.pixels_sha256 for each in found] == [each.pixels_sha256 for each in (*expected, expected[0])]
    placement = found[0].execution.placement
    assert placement is not None
    assert placement.offload is Offload.MODEL


def _with(chosen: Any, placement: Placement) -> Any:
    from dataclasses import replace

    return replace(chosen, placement=placement)


def test_a_budget_is_kept_to_and_measured(make: Make, tiny_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    generator = DiffusersGenerator(device="cpu", threads=1, vram_budget=0.1)
    (made,) = make(generator, model=str(tiny_folder))
    placement, peak = made.execution.placement, made.execution.peak
    assert placement is not None
    assert peak is not None
    assert made.execution.dtype == "bfloat16"
    assert placement.budget == int(0.1 * (1 << 30))
    assert placement.expected is not None
    assert placement.expected > placement.budget
    assert peak.of == "process"
    assert peak.used >= peak.before > 0
    assert [record.message.split()[0] for record in caplog.records].count("memory:") == 2


def test_tiles_and_slices_are_set_for_one_picture_and_taken_back() -> None:
    from sdsafe.generation import _tiny
    from sdsafe.generation._placing import Seats

    pipe, seats = _tiny.build(), Seats("cpu", Offload.NONE)
    pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size = 1024, 128
    ordinary = set(map(type, pipe.unet.attn_processors.values()))
    wanted = Placement(tiling=True, attention_slicing=True)
    assert seats.arrange(pipe, wanted) == wanted
    assert (pipe.vae.use_tiling, pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size) == (True, 512, 64)
    assert set(map(type, pipe.unet.attn_processors.values())) != ordinary
    seats.arrange(pipe, Placement())
    assert not pipe.vae.use_tiling
    assert set(map(type, pipe.unet.attn_processors.values())) == ordinary


@pytest.mark.parametrize(("device", "of"), [("cuda", "device"), ("xpu", "device"), ("mps", "pool")])
def test_each_device_is_asked_in_its_own_way(monkeypatch: pytest.MonkeyPatch, device: str, of: str) -> None:
    from types import SimpleNamespace

    from sdsafe.generation import _placing

    reset: list[bool] = []
    counter = SimpleNamespace(
        reset_peak_memory_stats=lambda: reset.append(True),
        memory_allocated=lambda: 5,
        max_memory_allocated=lambda: 9,
        driver_allocated_memory=iter((5, 9)).__next__,
    )
    monkeypatch.setattr(_placing, "torch", SimpleNamespace(**{device: counter}))
    peak = _placing.meter(device)()
    assert peak is not None
    assert (peak.before, peak.used, peak.of) == (5, 9, of)
    assert reset == [True] * (of == "device")


@pytest.mark.parametrize(
    ("offload", "call"),
    [
        (Offload.NONE, ("to", ("xpu",), {})),
        (Offload.MODEL, ("enable_model_cpu_offload", (), {"device": "xpu"})),
        # Not with a real pipe: accelerate's layer hooks do not work where the device is the processor itself.
        (Offload.SEQUENTIAL, ("enable_sequential_cpu_offload", (), {"device": "xpu"})),
    ],
)
def test_each_offload_is_asked_of_the_pipe(offload: Offload, call: tuple[str, Any, Any]) -> None:
    from diffusers import DiffusionPipeline

    from sdsafe.generation._placing import Seats

    calls: list[Any] = []

    class Pipe:
        def __getattr__(self, name: str) -> Any:
            assert hasattr(DiffusionPipeline, name)
            return lambda *args, **options: calls.append((name, args, options))

    Seats("xpu", offload).seat(Pipe())
    assert calls == [call]
