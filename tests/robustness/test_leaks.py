"""A process that goes on and on stays as large as it was. A thousand pictures: benchmarks/leaks.py."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sdsafe.api import save_to
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, ModelRef, Size
from sdsafe.core.states import Recorded, Refused
from sdsafe.errors import AssetError, CancelledError
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.pipeline import Pipeline
from sdsafe.testing.fakes import LsbWatermarker
from sdsafe.testing.pipeline import fake_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measured through /proc, on Linux"),
]

REQUEST = GenerationRequest(
    prompt="waves", model=ModelRef(repo="builtin:tiny"), size=Size(width=256, height=256), steps=1, seed=1
)
PICTURES, WARM_UP = 160, 40
ROUNDS, WARM_UP_ROUNDS = 80, 20


class Stop:
    """A watch that has seen enough."""

    def step(self, *_: int) -> None: ...

    def cancelled(self) -> bool:
        return True


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _size() -> tuple[float, int]:
    """Return resident MiB and the number of open files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(list(Path("/proc/self/fd").iterdir()))


def _assert_flat(before: tuple[float, int], after: tuple[float, int]) -> None:
    assert after[1] <= before[1], f"{after[1] - before[1]} files were left open"
    assert after[0] < 1.05 * before[0], f"{before[0]:.1f} MiB grew to {after[0]:.1f} MiB"


@pytest.mark.usefixtures("one_thread")
def test_making_pictures_takes_no_more_and_no_more(places: Places, tmp_path: Path) -> None:
    pipeline = Pipeline(fake_parts(places, generator=DiffusersGenerator(device="cpu", threads=1)))
    warm = (0.0, 0)
    for index in range(WARM_UP + PICTURES):
        if index == WARM_UP:
            warm = _size()
        (outcome,) = pipeline.run(replace(REQUEST, seed=index), deliver=save_to(tmp_path / "a.png", force=True))
        assert isinstance(outcome, Recorded)
    _assert_flat(warm, _size())


def test_runs_that_end_badly_leave_nothing_behind(places: Places, tmp_path: Path) -> None:
    pipeline = Pipeline(fake_parts(places, watermarker=LsbWatermarker()))
    (tmp_path / "taken.png").write_bytes(b"mine")
    small = replace(REQUEST, size=Size(width=64, height=64))
    warm = (0.0, 0)
    for index in range(WARM_UP_ROUNDS + ROUNDS):
        if index == WARM_UP_ROUNDS:
            warm = _size()
        (refused,) = pipeline.run(replace(small, prompt="sdsafe-canary-refuse-me"))
        assert isinstance(refused, Refused)
        with pytest.raises(CancelledError):
            pipeline.run(small, watch=Stop())
        with pytest.raises(AssetError):
            pipeline.run(small, deliver=save_to(tmp_path / "taken.png"))
        stream = pipeline.stream(replace(small, count=2))
        assert isinstance(next(stream), Recorded)  # and nobody asks for the second
    _assert_flat(warm, _size())
