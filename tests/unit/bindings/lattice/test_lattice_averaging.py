from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from sdsafe.bindings.watermark import averaging, folding
from sdsafe.bindings.watermark.geometry import LatticeMap, cells, quarter_turn, rotation
from sdsafe.bindings.watermark.lattice import LatticeWatermarker
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from sdsafe.bindings.watermark.carrier import Carrier
    from sdsafe.bindings.watermark.framing import Framing

SHIFT = np.array([0.37, 0.71])
PAYLOAD = b"abcdefgh"


def folded(carrier: Carrier, framing: Framing, window: int, noise: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines of a mark that was averaged over a window, and their noise."""
    where = carrier.lattice().shifted(SHIFT)
    tile = carrier.tile(carrier.symbols(framing.encoded(PAYLOAD)), 256)
    plane = tile.ravel()[cells(where, (512, 512), 1, 256)].reshape(512, 512).astype(np.float32)
    plane = ndimage.uniform_filter(plane, window, mode="wrap") if window else np.zeros_like(plane)
    plane += np.random.default_rng(0).normal(0, noise, plane.shape).astype(np.float32)
    return folding.fold(plane, carrier.lattice()).lines(carrier.index)


def true_gain(carrier: Carrier, window: float) -> np.ndarray:
    return np.prod(np.sinc(window * (carrier.index @ carrier.lattice().linear)), axis=-1)


def best(found: list[averaging.Averaged]) -> averaging.Averaged:
    return max(found, key=lambda each: each.z)


@pytest.mark.parametrize("window", [9, 15])
def test_the_window_is_found(carrier: Carrier, framing: Framing, window: int) -> None:
    found = averaging.likely(carrier, *folded(carrier, framing, window), carrier.lattice(), 6.5)
    assert best(found).z > 8
    assert best(found).window == pytest.approx(window, abs=2)
    assert all(each.z >= 6.5 for each in found)
    assert np.corrcoef(best(found).gain, true_gain(carrier, window))[0, 1] > 0.95


def test_the_gains_of_reversed_lines_are_learned(carrier: Carrier, framing: Framing) -> None:
    found = best(averaging.likely(carrier, *folded(carrier, framing, 15), carrier.lattice(), 6.5))
    came = averaging.learned(carrier, found)
    true = true_gain(carrier, 15)
    assert np.corrcoef(came.gain, true)[0, 1] > 0.98
    assert (came.gain[true < -0.05] < 0).mean() > 0.95
    symbols = carrier.symbols(framing.encoded(PAYLOAD))
    upright = came.combined * carrier.phase.conj()
    agrees = (np.stack([upright.real, upright.imag], axis=1) * symbols)[carrier.data]
    strong = np.abs(true[carrier.data]) > 0.1
    assert (agrees[strong] > 0).mean() > 0.95


def test_areas_that_were_averaged_otherwise_are_learned_together(carrier: Carrier, framing: Framing) -> None:
    where = carrier.lattice().shifted(SHIFT)
    tile = carrier.tile(carrier.symbols(framing.encoded(PAYLOAD)), 256)
    plane = tile.ravel()[cells(where, (512, 512), 1, 256)].reshape(512, 512).astype(np.float32)
    both, one = ndimage.uniform_filter(plane, 15, mode="wrap"), ndimage.uniform_filter1d(plane, 15, axis=1, mode="wrap")
    texture = 0.3 * ndimage.gaussian_filter(plane, 1)
    plane = np.concatenate([both[:, :300], one[:, 300:400], texture[:, 400:]], axis=1)
    plane += np.random.default_rng(0).normal(0, 0.1, plane.shape).astype(np.float32)
    lines = folding.fold(plane, carrier.lattice()).lines(carrier.index)
    found = best(averaging.likely(carrier, *lines, carrier.lattice(), 6.5))
    frequency = carrier.index @ carrier.lattice().linear
    rows, columns = np.sinc(15 * frequency).T
    rest = 0.3 * np.exp(-2 * np.pi**2 * np.square(frequency).sum(axis=1))
    true = 300 * rows * columns + 100 * columns + 112 * rest
    assert np.corrcoef(found.gain, true)[0, 1] < 0.8
    assert np.corrcoef(averaging.learned(carrier, found).gain, true)[0, 1] > 0.99


def test_the_window_lies_along_the_sides_of_the_picture(carrier: Carrier, framing: Framing) -> None:
    lines = folded(carrier, framing, 15)
    lattice = carrier.lattice()

    def fits(where: LatticeMap) -> float:
        return best(averaging.likely(carrier, *lines, where, 0)).z

    assert fits(LatticeMap.affine(quarter_turn(1) @ lattice.linear)) == pytest.approx(fits(lattice))
    assert fits(lattice.zoomed(1.2)) == pytest.approx(fits(lattice), rel=0.1)  # a larger window, a larger picture
    assert fits(LatticeMap.affine(lattice.linear @ rotation(np.pi / 4))) < 0.9 * fits(lattice)


def test_noise_fits_no_window_well(carrier: Carrier, framing: Framing) -> None:
    assert averaging.likely(carrier, *folded(carrier, framing, 0, 1), carrier.lattice(), 6.5) == []


@pytest.mark.parametrize("window", [9, 15])
def test_a_box_blur_is_read_through(window: int) -> None:
    marker = LatticeWatermarker(bytes(range(32)))
    image = sample_picture(height=512, width=512)
    marked = marker.embed([image], [PAYLOAD])[0]
    blurred = ndimage.uniform_filter(marked, (window, window, 1), mode="nearest")
    detection = marker.detect([blurred])[0]
    assert detection.payload == PAYLOAD
    assert detection.p_value is not None
    assert detection.p_value <= 1e-6
    assert marker.detect([ndimage.uniform_filter(image, (window, window, 1), mode="nearest")])[0].payload is None
