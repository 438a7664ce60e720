"""From about where the lattice lies to exactly where, block by block. Pure.

Along a map that is nearly right, each block of 32x32 pixels gives one complex number per template line: the line,
demodulated. A small error of the map turns these numbers by known phases, so shift, shape and perspective follow from
a few steps of a Gauss-Newton iteration on 6,000 numbers, without touching the picture again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sdsafe.bindings.watermark.geometry import LatticeMap
from sdsafe.bindings.watermark.template import Found

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier

__all__ = ["Blocks", "grown", "refined"]

_BLOCK = 32
_ROUNDS = 12
_CENTRES = np.array([[0.0, 0.0], [0.4, 0.4], [-0.4, 0.4], [0.4, -0.4], [-0.4, -0.4]])  # of half the longer side
_PROMISING = 6.8  # a middle that fits no better is not worth four more attempts
_GROWTH = ((0.35, False), (0.45, True), (0.6, True), (0.8, True))
_UNIT = 256.0  # pixels: coordinates in the equations are about 1


class Blocks:
    """The template lines of every block, demodulated along a first map."""

    def __init__(self, plane: npt.NDArray[np.float32], carrier: Carrier, first: LatticeMap) -> None:
        """Demodulate; the tilt of ``first`` is left out."""
        self.first = LatticeMap.affine(first.linear, first.shift)
        self.index = carrier.index[carrier.template]
        frequencies = self.index @ self.first.linear
        rows, columns = (-(-side // _BLOCK) for side in plane.shape)
        padded = np.zeros((rows * _BLOCK, columns * _BLOCK), np.float32)
        padded[: plane.shape[0], : plane.shape[1]] = plane
        y = np.arange(rows * _BLOCK) - (plane.shape[0] - 1) / 2
        x = np.arange(columns * _BLOCK) - (plane.shape[1] - 1) / 2
        wave_y = np.exp(-2j * np.pi * np.outer(y, frequencies[:, 0])).astype(np.complex64)
        wave_x = np.exp(-2j * np.pi * np.outer(x, frequencies[:, 1])).astype(np.complex64)
        strips = padded.reshape(-1, columns, _BLOCK).transpose(1, 0, 2)
        waves = wave_x.reshape(columns, _BLOCK, -1)
        part = strips @ waves.real + 1j * (strips @ waves.imag)  # (columns, rows * block, lines)
        part *= wave_y
        sums = part.reshape(columns, rows, _BLOCK, -1).sum(axis=2)
        turn = carrier.phase[carrier.template].conj() * np.exp(-2j * np.pi * (self.index @ self.first.shift))
        self.values = (sums * turn).reshape(columns * rows, -1)
        noise = np.sqrt(np.mean(np.square(np.abs(self.values)), axis=0) + 1e-12)
        self.values = self.values * (carrier.amplitude[carrier.template] / noise)
        centre = (_BLOCK - 1) / 2
        grid = np.meshgrid(x[::_BLOCK] + centre, y[::_BLOCK] + centre, indexing="ij")
        self.points = np.stack([grid[1].ravel(), grid[0].ravel()], axis=1)
        self.deviation = float(np.sqrt(np.square(np.abs(self.values)).sum() / 2))

    def turned(self, where: LatticeMap) -> npt.NDArray[np.complex128]:
        """Return the values as they would be along ``where``, (blocks, lines): real and positive where it is right."""
        moved = where.at(self.points) - self.first.at(self.points)
        return np.asarray(self.values * np.exp(-2j * np.pi * (moved @ self.index.T)))


def refined(
    blocks: Blocks,
    start: LatticeMap,
    *,
    tilt: bool = False,
    near: float | None = None,
    centre: npt.NDArray[np.float64] | None = None,
) -> Found:
    """Return the map near ``start`` along which the template fits best.

    Args:
        blocks: The demodulated picture.
        start: Where to begin; within a third of the template's wavelength of the truth.
        tilt: Fit perspective too.
        near: Look only at blocks about this far from ``centre`` (standard deviation, pixels); None for all.
        centre: Where ``near`` is, pixels; None for the middle.
    """
    weight = np.ones(len(blocks.points))
    if near is not None:
        away = blocks.points if centre is None else blocks.points - centre
        weight = np.exp(-np.square(away).sum(axis=1) / (2 * near * near))
    where, turned = start, blocks.turned(start)
    score, damping = float((weight @ turned.real).sum()), 0.1
    for _ in range(_ROUNDS):
        slope, curve = _equations(blocks, where, turned, weight, tilt=tilt)
        step = np.linalg.solve(curve + np.diag(damping * np.diag(curve) + 1e-9 * np.trace(curve) + 1e-30), slope)
        moved = _moved(where, np.asarray(step, np.float64))
        candidate = blocks.turned(moved)
        value = float((weight @ candidate.real).sum())
        if value > score:
            gained = value - score
            where, turned, score, damping = moved, candidate, value, damping / 3
            if gained < 1e-3 * abs(score):
                break
        else:
            damping *= 8
    return Found(float(turned.real.sum()) / max(blocks.deviation, 1e-9), where)


def grown(blocks: Blocks, start: LatticeMap) -> Found:
    """Return the best projective map, fitted near one point first and from there over growing surroundings.

    Under perspective the lattice's scale differs over the picture, so the search finds the part where its affine
    shape happens to hold. Where the middle promises something, other parts are tried too.
    """
    side = np.abs(blocks.points).max()
    best = Found(0.0, start)
    for number, centre in enumerate(_CENTRES):
        if number and best.z < _PROMISING:
            break
        where = start
        for reach, tilt in _GROWTH:
            where = refined(blocks, where, tilt=tilt, near=reach * side, centre=side * centre).where
        found = refined(blocks, where, tilt=True)
        best = max(best, found, key=lambda each: each.z)
    return best


def _equations(
    blocks: Blocks,
    where: LatticeMap,
    turned: npt.NDArray[np.complex128],
    weight: npt.NDArray[np.float64],
    *,
    tilt: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return gradient and (expected, positive) curvature of the fit in shift, shape and tilt."""
    unit = blocks.points / _UNIT
    one = np.ones(len(unit))
    basis = np.stack([one, unit[:, 0], unit[:, 1]], axis=1)
    u = where.at(blocks.points)
    # Movement of u by each parameter, (parameters, blocks, 2): v-shift, v-shape, u-shift, u-shape, tilt.
    zero = np.zeros_like(basis)
    moves = [np.stack([basis, zero], axis=-1), np.stack([zero, basis], axis=-1)]
    if tilt:
        moves.append(-u[:, None, :] * unit[:, :, None])
    jacobian = np.concatenate(moves, axis=1)  # (blocks, parameters, 2)
    # A line's phase moves by 2 pi its index times u, so all lines together are two numbers a block, and a 2x2 matrix.
    weighted = jacobian * weight[:, None, None]
    slope = 2 * np.pi * (weighted * (turned.imag @ blocks.index)[:, None, :]).sum(axis=(0, 2))
    strength = np.maximum((weight @ turned.real) / weight.sum(), 1e-3 * np.abs(turned).mean())
    stiffness = 4 * np.pi**2 * (blocks.index.T * strength) @ blocks.index
    return slope, np.tensordot(weighted @ stiffness, jacobian, axes=([0, 2], [0, 2]))


def _moved(where: LatticeMap, step: npt.NDArray[np.float64]) -> LatticeMap:
    shift = where.shift + step[[0, 3]]
    linear = where.linear + np.stack([step[1:3], step[4:6]]) / _UNIT
    tilt = where.tilt + step[6:8] / _UNIT if len(step) > 6 else where.tilt  # noqa: PLR2004 - six of shape, two of tilt
    return LatticeMap(linear, shift, tilt)
