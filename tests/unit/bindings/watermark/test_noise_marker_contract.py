from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sdsafe.bindings.watermark.latent import LatentMarker
from sdsafe.core.softbinding import Detection, NoiseMatch
from sdsafe.testing.noise_markers import NoiseMarkerContract

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.protocols import NoiseMarker


class TestLatentMarker(NoiseMarkerContract):
    def make(self) -> NoiseMarker:
        return LatentMarker(bytes(range(32)))


class TestWitnessAlone(NoiseMarkerContract):
    def make(self) -> NoiseMarker:
        return LatentMarker(bytes(range(32)), blind=False)


class Constant(LatentMarker):
    """Draws the same noise for everybody."""

    def noise(self, asset_id: bytes, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        return super().noise(asset_id[:0] + bytes(8), shape)


class Credulous(LatentMarker):
    """Finds what it is asked for."""

    def match(self, noise: npt.NDArray[np.float32], asset_id: bytes, /) -> NoiseMatch:
        return NoiseMatch(agreeing=9, compared=9, score=9.0, p_value=1e-9)

    def read(self, noise: npt.NDArray[np.float32], /) -> Detection:
        return Detection(payload=bytes(8), alg=self.alg, p_value=1e-9)


class Loud(LatentMarker):
    """Draws stronger noise than models know."""

    def noise(self, asset_id: bytes, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        return super().noise(asset_id, shape) * np.float32(1.2)


@pytest.mark.parametrize(
    ("kind", "test", "why"),
    [
        (Constant, "test_noise_is_a_function_of_id_and_shape", "are alike"),
        (Constant, "test_what_has_no_room_is_refused", "no WatermarkError"),
        (Credulous, "test_a_poor_inversion_matches_its_id_and_no_other", "another id matches"),
        (Credulous, "test_what_is_read_blind_is_right", "another id reads"),
        (Loud, "test_noise_is_standard_normal", "variance"),
    ],
)
def test_the_suite_notices(kind: type[LatentMarker], test: str, why: str) -> None:
    class Suite(NoiseMarkerContract):
        def make(self) -> NoiseMarker:
            return kind(bytes(range(32)))

    with pytest.raises(AssertionError, match=why):
        getattr(Suite(), test)()
