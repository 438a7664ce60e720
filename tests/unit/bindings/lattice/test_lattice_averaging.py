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


def apart(a: np.ndarray, b: np.ndarray) -> float:
    off = a - b
    return float(np.abs(off - np.rint(off)).max())


@pytest.mark.parametrize("window", [9, 15])
def test_the_window_and_the_shift_are_found(carrier: Carrier, framing: Framing, window: int) -> None:
    values, noise = folded(carrier, framing, window)
    best, *rest = averaging.likely(carrier, values, noise, carrier.lattice(), 3)
    assert best.z > 8
    assert [each.z for each in rest] == sorted((each.z for each in rest), reverse=True)
    assert apart(best.shift, SHIFT) < 0.01
    true = np.prod(np.sinc(window * (carrier.index @ carrier.lattice().linear)), axis=-1)
    assert np.corrcoef(best.gain, true)[0, 1] > 0.95


def test_reversed_lines_carry_their_symbols_again(carrier: Carrier, framing: Framing) -> None:
    values, noise = folded(carrier, framing, 15)
    best = averaging.likely(carrier, values, noise, carrier.lattice(), 1)[0]
    upright = values * np.exp(-2j * np.pi * (carrier.index @ best.shift)) * carrier.phase.conj()
    symbols = carrier.symbols(framing.encoded(PAYLOAD))
    agrees = np.stack([upright.real, upright.imag], axis=1) * symbols
    reversed_ = best.gain < -0.05
    assert reversed_.sum() > 20
    assert np.sign(agrees[reversed_]).mean() < -0.5
    assert np.sign(agrees[reversed_] * best.gain[reversed_, None]).mean() > 0.5


def test_the_window_lies_along_the_sides_of_the_picture(carrier: Carrier, framing: Framing) -> None:
    values, noise = folded(carrier, framing, 15)
    lattice = carrier.lattice()

    def best(where: LatticeMap) -> float:
        return averaging.likely(carrier, values, noise, where, 1)[0].z

    assert best(LatticeMap.affine(quarter_turn(1) @ lattice.linear)) == pytest.approx(best(lattice))
    assert best(lattice.zoomed(1.2)) == pytest.approx(best(lattice), rel=0.1)  # a larger window of a larger picture
    assert best(LatticeMap.affine(lattice.linear @ rotation(np.pi / 4))) < 0.9 * best(lattice)


def test_noise_fits_no_window_well(carrier: Carrier, framing: Framing) -> None:
    values, noise = folded(carrier, framing, 0, 1)
    assert averaging.likely(carrier, values, noise, carrier.lattice(), 1)[0].z < 6


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
