"""The contract suite of noise markers: what every plug-in of that slot has to show.

It is used as those of ``sdsafe.testing.contracts`` are.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.errors import WatermarkError
from sdsafe.testing._requiring import require

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.protocols import NoiseMarker

__all__ = ["NoiseMarkerContract"]

_DEVIATIONS = 5.0


class NoiseMarkerContract(ABC):
    """What a noise marker has to show."""

    @abstractmethod
    def make(self) -> NoiseMarker:
        """Return the noise marker under test: the same key at every call."""

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Return shapes that it must be able to fill: as U-Nets, and as transformers that pack draw them."""
        return ((1, 4, 64, 64), (1, 256, 64))

    def asset_id(self, index: int = 0) -> bytes:
        """Return an id, another one for each index."""
        return bytes((89 * (index + 1) + 31 * at) % 256 for at in range(8))

    def recovered(self, shape: tuple[int, ...], correlation: float, index: int = 0) -> npt.NDArray[np.float32]:
        """Return what a poor inversion gives back of the noise of ``asset_id(index)``."""
        other = np.random.default_rng([1, index]).standard_normal(shape)
        true = self.make().noise(self.asset_id(index), shape)
        return np.asarray(correlation * true + math.sqrt(1 - correlation**2) * other, np.float32)

    def test_it_says_what_it_is(self) -> None:
        """Name, version and key are named."""
        marker = self.make()
        marker.noise(self.asset_id(), self.shapes()[0])  # where the key is made by the first use
        for name in ("alg", "version", "key_id"):
            require(getattr(marker, name), f"{name} is empty")

    def test_noise_is_a_function_of_id_and_shape(self) -> None:
        """The same id draws the same noise; another one draws one that has nothing to do with it."""
        for shape in self.shapes():
            noise = self.make().noise(self.asset_id(), shape)
            require(noise.shape == shape, "another shape was asked for")
            require(noise.dtype == np.float32, "noise is not float32")
            require(np.array_equal(noise, self.make().noise(self.asset_id(), shape)), "the same id drew other noise")
            other = self.make().noise(self.asset_id(1), shape)
            rho = float(np.corrcoef(noise.ravel(), other.ravel())[0, 1])
            require(abs(rho) < 0.3, f"noises of two ids are alike: {rho:.2f}")  # noqa: PLR2004 - a part may be shared

    def test_noise_is_standard_normal(self) -> None:
        """Mean, variance and tails are those of the noise that a model was trained on."""
        for shape in self.shapes():
            noise = self.make().noise(self.asset_id(), shape).astype(np.float64)
            n = noise.size
            require(np.isfinite(noise).all(), "noise is not finite")
            require(abs(noise.mean()) < _DEVIATIONS / math.sqrt(n), "the mean is not 0")
            require(abs(noise.var() - 1) < _DEVIATIONS * math.sqrt(2 / n), "the variance is not 1")
            require(abs((noise**4).mean() - 3) < _DEVIATIONS * math.sqrt(96 / n), "the tails are not normal")

    def test_a_poor_inversion_matches_its_id_and_no_other(self) -> None:
        """A correlation of 0.25 tells one id from others, with p-values that mean what they say."""
        for shape in self.shapes():
            seen = self.recovered(shape, 0.25)
            own = self.make().match(seen, self.asset_id())
            require(own.p_value < 1e-6, f"its own id has a p-value of {own.p_value:.1e}")  # noqa: PLR2004 - the default rate
            others = [self.make().match(seen, self.asset_id(i)).p_value for i in range(1, 20)]
            require(min(others) > 1e-5, "another id matches")  # noqa: PLR2004 - 19 are tried
            require(own.agreeing > own.compared / 2, "no more signs agree than by chance")

    def test_what_is_read_blind_is_right(self) -> None:
        """From its own noise it reads the id, or nothing; from other noise, holes and zeros nothing, without raising."""
        shape = self.shapes()[0]
        read = self.make().read(self.make().noise(self.asset_id(), shape))
        require(read.payload in {None, self.asset_id()}, "another id reads")
        require(read.payload is None or read.p_value is not None, "a reading has no p-value")
        for nothing in (self.recovered(shape, 0.0), np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32)):
            require(self.make().read(nothing).payload is None, "an id reads where none is")
            require(self.make().match(nothing, self.asset_id()).p_value > 1e-5, "an id matches where none is")  # noqa: PLR2004 - by chance once in 100,000

    def test_what_has_no_room_is_refused(self) -> None:
        """Ids of another length, and shapes without room, raise."""
        for asset_id, shape in ((b"short", self.shapes()[0]), (self.asset_id(), (1, 1, 1, 1))):
            try:
                self.make().noise(asset_id, shape)
            except WatermarkError:
                continue
            raise AssertionError(f"no WatermarkError for an id of {len(asset_id)} bytes in {shape}")
