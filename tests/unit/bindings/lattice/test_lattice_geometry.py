from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from sdsafe.bindings.watermark import folding
from sdsafe.bindings.watermark.carrier import TEMPLATE_LINES, Carrier
from sdsafe.bindings.watermark.geometry import LatticeMap, cells, quarter_turn, rotation
from sdsafe.bindings.watermark.keys import KeySchedule
from sdsafe.bindings.watermark.refining import Blocks, grown, refined
from sdsafe.bindings.watermark.search import Searcher
from sdsafe.bindings.watermark.template import direct, settled

if TYPE_CHECKING:
    from sdsafe.bindings.watermark.framing import Framing


def rendered(carrier: Carrier, where: LatticeMap, payload: bytes, framing: Framing, side: int = 512) -> np.ndarray:
    tile = carrier.tile(carrier.symbols(framing.encoded(payload)), 256)
    return tile.ravel()[cells(where, (side, side), 1, 256)].reshape(side, side)


def noisy(plane: np.ndarray, deviation: float, seed: int = 0) -> np.ndarray:
    return (plane + np.random.default_rng(seed).normal(0, deviation, plane.shape)).astype(np.float32)


def apart(a: LatticeMap, b: LatticeMap, side: int = 512) -> float:
    """Return the largest distance between two maps over a picture, in tiles, whole tiles left out."""
    points = np.stack(np.meshgrid([-side / 2, 0, side / 2], [-side / 2, 0, side / 2]), axis=-1).reshape(-1, 2)
    off = a.at(points) - b.at(points)
    return float(np.abs(off - np.rint(off[4])).max())


def test_a_map_zooms_with_its_picture() -> None:
    where = LatticeMap(rotation(0.3) / 64, np.array([0.2, 0.7]), np.array([1e-4, -2e-4]))
    points = np.random.default_rng(0).uniform(-200, 200, (50, 2))
    assert np.allclose(where.zoomed(1.7).at(points * 1.7), where.at(points))
    assert where.period() == pytest.approx(64)


def test_quarter_turns_are_exact() -> None:
    assert np.array_equal(quarter_turn(1) @ quarter_turn(3), np.eye(2))
    assert np.allclose(quarter_turn(1), rotation(np.pi / 2))


def test_keys_have_lattices_of_their_own() -> None:
    carriers = [Carrier(KeySchedule(bytes([k]) * 32)) for k in range(12)]
    assert len({round(each.angle, 3) for each in carriers}) == 12
    assert all(0 <= each.angle < np.pi / 2 and 60 <= each.period <= 68 for each in carriers)
    assert all(len(each.template) == TEMPLATE_LINES for each in carriers)
    assert all(np.square(each.amplitude).mean() == pytest.approx(1, abs=1e-3) for each in carriers)


def test_folding_returns_what_the_tile_was_made_of(carrier: Carrier, framing: Framing) -> None:
    where = carrier.lattice().shifted(np.array([0.31, 0.77]))
    symbols = carrier.symbols(framing.encoded(b"abcdefgh"))
    values, noise = folding.fold(rendered(carrier, where, b"abcdefgh", framing), where).lines(carrier.index)
    turned = values * carrier.phase.conj() / carrier.amplitude * np.sqrt(2 * len(carrier.index))
    read = np.stack([turned.real, turned.imag], axis=1)
    assert np.abs(read - symbols).max() < 0.25
    assert np.corrcoef(read.ravel(), symbols.ravel())[0, 1] > 0.99
    assert noise.max() < 0.1 * np.square(np.abs(values)).mean()


def test_folding_measures_the_noise_around_each_line(carrier: Carrier) -> None:
    plane = noisy(np.zeros((512, 512), np.float32), 1)
    _, noise = folding.fold(plane, carrier.lattice()).lines(carrier.index)
    assert noise.mean() == pytest.approx(1 / plane.size, rel=0.1)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_the_eight_framings_are_found_directly(carrier: Carrier, framing: Framing, turns: int, mirrored: bool) -> None:
    shift = np.array([0.4, 0.1])
    plane = noisy(rendered(carrier, carrier.lattice().shifted(shift), b"abcdefgh", framing), 3)
    seen = np.rot90(plane[:, ::-1] if mirrored else plane, turns)
    (found, folded), *_ = direct(np.ascontiguousarray(seen), carrier)
    assert found.z > 9
    values, noise = folded.lines(carrier.index)
    settled_at = settled(carrier, values, noise, found.where.shift)
    assert np.abs(settled_at - shift).max() < 0.005


def test_noise_alone_fits_nowhere(carrier: Carrier) -> None:
    plane = noisy(np.zeros((512, 512), np.float32), 1)
    assert direct(plane, carrier)[0][0].z < 5.5


@pytest.mark.parametrize(("angle", "zoom", "stretch"), [(5, 1, 1), (117, 1.3, 1), (-33, 0.8, 1), (0, 1, 1.22)])
def test_the_search_finds_turned_and_scaled_lattices(
    carrier: Carrier, framing: Framing, angle: float, zoom: float, stretch: float
) -> None:
    truth = LatticeMap.affine(
        carrier.lattice().linear @ rotation(np.deg2rad(angle)) @ np.diag([stretch**0.5, stretch**-0.5]) / zoom,
        np.array([0.3, 0.6]),
    )
    plane = noisy(rendered(carrier, truth, b"abcdefgh", framing), 3)
    found = Searcher(carrier).candidates(plane, 3)[0]
    best = refined(Blocks(plane, carrier, found.where), found.where)
    assert best.z > 9
    assert apart(best.where, truth) < 0.02


def test_refining_follows_a_small_error(carrier: Carrier, framing: Framing) -> None:
    truth = carrier.lattice().shifted(np.array([0.3, 0.6]))
    plane = noisy(rendered(carrier, truth, b"abcdefgh", framing), 3)
    start = LatticeMap.affine(truth.linear @ np.array([[1.003, -0.002], [0.002, 1.001]]), truth.shift + 0.01)
    assert apart(start, truth) > 0.015
    assert apart(refined(Blocks(plane, carrier, start), start).where, truth) < 0.005


def test_perspective_is_followed(carrier: Carrier, framing: Framing) -> None:
    lattice = carrier.lattice()
    truth = LatticeMap(lattice.linear, np.array([0.3, 0.6]), np.array([9e-5, -7e-5]))
    plane = noisy(rendered(carrier, truth, b"abcdefgh", framing), 2)
    start = LatticeMap.affine(lattice.linear, truth.shift)
    blocks = Blocks(plane, carrier, start)
    assert apart(refined(blocks, start).where, truth) > 0.1
    best = grown(blocks, start)
    assert best.z > 12
    assert apart(best.where, truth) < 0.03


def test_a_shifted_picture_has_a_shifted_map(carrier: Carrier, framing: Framing) -> None:
    where = carrier.lattice()
    plane = rendered(carrier, where, b"abcdefgh", framing)
    moved = ndimage.shift(plane, (7, -11), order=1, mode="wrap")[32:-32, 32:-32]
    values, _ = folding.fold(moved, where.shifted(where.linear @ np.array([-7.0, 11.0]))).lines(carrier.index)
    turned = (values * carrier.phase.conj())[carrier.template]
    assert (turned.real > 5 * np.abs(turned.imag)).mean() > 0.9
