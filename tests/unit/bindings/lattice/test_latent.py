from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from sdsafe.bindings.watermark.latent import LatentMarker
from sdsafe.errors import WatermarkError

if TYPE_CHECKING:
    from sdsafe.protocols import NoiseMarker

KEY, ID, OTHER = bytes(range(32)), b"asset--A", b"asset--B"
SHAPE = (4, 64, 64)


def recovered(noise: Any, correlation: float, seed: int = 0) -> Any:
    """What an inversion gives back: the noise, as correlated as that with the truth."""
    other = np.random.default_rng(seed).standard_normal(noise.shape)
    return (correlation * noise + np.sqrt(1 - correlation**2) * other).astype(np.float32)


def test_it_fills_its_slot_and_is_pure() -> None:
    marker: NoiseMarker = LatentMarker(KEY)
    first = marker.noise(ID, SHAPE)
    assert (first.shape, first.dtype) == (SHAPE, np.float32)
    assert np.array_equal(first, LatentMarker(KEY).noise(ID, SHAPE))
    assert abs(np.corrcoef(first.ravel(), marker.noise(OTHER, SHAPE).ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("blind", [True, False])
def test_noise_is_standard_normal_and_white(blind: bool) -> None:
    marker = LatentMarker(KEY, blind=blind)
    noises = np.stack([marker.noise(i.to_bytes(8, "big"), SHAPE) for i in range(12)])
    assert stats.kstest(noises.ravel(), "norm").pvalue > 1e-3
    assert abs(noises.mean()) < 4 / np.sqrt(noises.size)
    assert abs(noises.var() - 1) < 4 * np.sqrt(2 / noises.size)
    for one in noises:
        spectrum = np.abs(np.fft.rfft(one.ravel())[1:-1]) ** 2 / one.size  # exponential where there is no structure
        assert stats.kstest(spectrum, "expon").pvalue > 1e-4


@pytest.mark.parametrize("correlation", [0.3, 0.5, 0.9])
def test_both_readings_at_what_inversions_reach(correlation: float) -> None:
    marker = LatentMarker(KEY)
    for seed in range(3):
        seen = recovered(marker.noise(ID, SHAPE), correlation, seed)
        assert marker.match(seen, ID).p_value < 1e-12
        found = marker.read(seen)
        assert found.payload == ID
        assert found.p_value is not None
        assert found.p_value < 1e-8


def test_little_correlation_matches_where_it_no_longer_reads() -> None:
    marker = LatentMarker(KEY, blind=False)
    seen = recovered(marker.noise(ID, SHAPE), 0.1)
    assert marker.read(seen).payload is None
    assert marker.match(seen, ID).p_value < 1e-6


def test_p_values_of_wrong_candidates_are_uniform_even_for_marked_noise() -> None:
    marker = LatentMarker(KEY)
    marked = marker.noise(ID, SHAPE)
    values = [marker.match(marked, i.to_bytes(8, "big")).p_value for i in range(300)]
    assert stats.kstest(values, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("shape", [(4, 8, 26), (1, 4, 16, 16), (3, 16, 48)])
def test_any_shape_with_room(shape: tuple[int, ...]) -> None:
    marker = LatentMarker(KEY)
    seen = recovered(marker.noise(ID, shape), 0.9)
    assert seen.shape == shape
    assert marker.match(seen, ID).p_value < 1e-6
    assert marker.read(seen).payload == ID


def test_others_read_nothing() -> None:
    noise = LatentMarker(KEY).noise(ID, SHAPE)
    stranger = LatentMarker(bytes(32))
    assert stranger.read(noise).payload is None
    assert stranger.match(noise, ID).p_value > 1e-4
    plain = np.random.default_rng(3).standard_normal(SHAPE).astype(np.float32)
    assert LatentMarker(KEY).read(plain).payload is None


def test_it_survives_holes_and_refuses_what_has_no_room() -> None:
    marker = LatentMarker(KEY)
    seen = marker.noise(ID, SHAPE)
    seen[:2] = np.nan
    assert marker.read(seen).payload == ID
    assert marker.read(np.zeros((4, 8, 8), np.float32)).payload is None
    with pytest.raises(WatermarkError, match="too small"):
        marker.noise(ID, (4, 8, 8))
    with pytest.raises(WatermarkError, match="8 bytes"):
        marker.noise(b"short", SHAPE)
