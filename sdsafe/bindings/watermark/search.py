"""Blind search for the lattice: scale, rotation, mirror, aspect and slight bending, from the spectrum alone. Pure.

A crop moves the phases of the spectrum and leaves its magnitudes; turning and scaling move the lines together. So the
constellation of template lines is first looked for in magnitudes, over a grid of 550,000 shapes (a table look-up per
line and shape), then the best shapes are compared with phases at all shifts, and the best of those climb to a finer
shape. `refining` does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, ndimage

from sdsafe.bindings.watermark.geometry import LatticeMap, quarter_turn, rotation
from sdsafe.bindings.watermark.template import Found, best_shifts

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier

__all__ = ["SHAPES", "Searcher"]

_SIZE = 1024  # of the spectrum: twice the frame, so that a line is two samples wide
_SCALES = np.exp(np.arange(np.log(0.55), np.log(1.8), 0.006))
_ANGLES = np.deg2rad(np.arange(0, 180, 0.2))  # the other half of the circle is the conjugate
_ASPECTS = np.exp(np.arange(-0.34, 0.341, 0.006) / 2)
_NYQUIST = 0.48
_BENT = np.arange(-0.07, 0.0701, 0.01)
"""What perspective does to the middle of a picture: every entry of its matrix by itself."""
SHAPES = 2 * len(_BENT) ** 4 + 2 * len(_SCALES) * len(_ANGLES) + 4 * len(_SCALES) * len(_ASPECTS)
"""How many shapes are tried."""

_WHITENING = 25
_LIMIT = 12.0  # of whitened power
_LEAST_LINES = 8
_PEAKS = {2: 7, 4: 3}  # a peak is higher than this many grid points each way, by dimensions of the grid
_COHERENT = 240
_CLIMBERS = (32, 10)
_STEPS = (0.003, 0.0015)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A grid of shapes: inverse matrices from picture to frame, and where their lines fall in the spectrum."""

    inverse: npt.NDArray[np.float32]
    """(*grid, 2, 2)."""
    cells: npt.NDArray[np.int32]
    """(lines, shapes); the last cell of the map stands for "beyond the spectrum"."""
    weight: npt.NDArray[np.float32]
    """One over the root of the number of lines inside, (shapes,)."""


class Searcher:
    """Looks for the lattice of one key. Its tables (55 MB) are made on first use and kept."""

    def __init__(self, carrier: Carrier) -> None:
        """Remember whose lattice."""
        self._carrier = carrier
        self._lattice = carrier.lattice().linear
        self._lines = carrier.index[carrier.template] @ self._lattice  # cycles per pixel, (lines, 2)

    def candidates(self, plane: npt.NDArray[np.float32], count: int) -> list[Found]:
        """Return the ``count`` best places, best first, for the output of the front end."""
        if not np.any(plane):
            return []  # a flat picture has no spectrum to search
        spectrum = _whitened(plane)
        inverse = self._shapes(spectrum)
        z, shift = self._coherent(spectrum, inverse)
        for keep, step in zip(_CLIMBERS, _STEPS, strict=True):
            best = np.argsort(-z, kind="stable")[:keep]
            inverse, z, shift = self._climbed(spectrum, inverse[best], step)
        order = np.argsort(-z, kind="stable")
        found = [Found(float(z[i]), LatticeMap.affine(self._lattice @ inverse[i], shift[i])) for i in order]
        return _distinct(found)[:count]

    @cached_property
    def _tables(self) -> list[_Table]:
        flip = np.diag([1.0, -1.0])
        tables = []
        for mirror in (np.eye(2), flip):
            turns = np.stack([mirror @ rotation(-angle) for angle in _ANGLES])
            tables.append(self._table(turns[None] / _SCALES[:, None, None, None]))
            for turn in (0, 1):
                stretch = np.zeros((len(_SCALES), len(_ASPECTS), 2, 2))
                stretch[..., 0, 0] = 1 / (_SCALES[:, None] * _ASPECTS)
                stretch[..., 1, 1] = 1 / (_SCALES[:, None] / _ASPECTS)
                tables.append(self._table(mirror @ quarter_turn(-turn) @ stretch))
            bent = np.stack(np.meshgrid(_BENT, _BENT, _BENT, _BENT, indexing="ij"), axis=-1)
            tables.append(self._table(mirror @ (np.eye(2) + bent.reshape(*bent.shape[:-1], 2, 2))))
        return tables

    def _table(self, inverse: npt.NDArray[np.float64]) -> _Table:
        flat = inverse.reshape(-1, 2, 2).astype(np.float32)
        lines = self._lines.astype(np.float32)
        cells = np.empty((len(lines), len(flat)), np.int32)
        inside = np.zeros(len(flat), np.float32)
        for row, line in zip(cells, lines, strict=True):
            f = line @ flat
            within = np.abs(f).max(axis=1) < _NYQUIST
            f = np.rint(np.where(f[:, 1:] < 0, -f, f) * _SIZE).astype(np.int32)
            row[:] = np.where(within, (f[:, 0] % _SIZE) * (_SIZE // 2 + 1) + f[:, 1], _SIZE * (_SIZE // 2 + 1))
            inside += within
        return _Table(
            inverse.astype(np.float32), cells, np.maximum(inside, np.float32(_LEAST_LINES)) ** np.float32(-0.5)
        )

    def _shapes(self, spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float64]:
        """Return the most promising shapes, (n, 2, 2)."""
        power = np.minimum(np.square(spectrum.real) + np.square(spectrum.imag), np.float32(_LIMIT))
        score = np.append(((power - power.mean()) / power.std()).ravel(), np.float32(0))
        scores, shapes = [], []
        for table in self._tables:
            total = np.zeros(table.cells.shape[1], np.float32)
            for row in table.cells:
                total += score[row]
            grid = (total * table.weight).reshape(table.inverse.shape[:-2])
            peaks = np.flatnonzero(grid == ndimage.maximum_filter(grid, _PEAKS[grid.ndim], mode="nearest"))
            best = peaks[np.argsort(-grid.ravel()[peaks], kind="stable")[: _COHERENT // 2]]
            scores.append(grid.ravel()[best])
            shapes.append(table.inverse.reshape(-1, 2, 2)[best])
        order = np.argsort(-np.concatenate(scores), kind="stable")[:_COHERENT]
        return np.concatenate(shapes)[order].astype(np.float64)

    def _coherent(
        self, spectrum: npt.NDArray[np.complex64], inverse: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Return correlation and shift of each shape, of which ``inverse`` becomes the better of two half-turns."""
        values = _sampled(spectrum, self._lines @ inverse)
        z, shift = best_shifts(self._carrier, values)
        other, other_shift = best_shifts(self._carrier, values.conj())
        better = other > z
        inverse[better] *= -1
        return np.where(better, other, z), np.where(better[:, None], other_shift, shift)

    def _climbed(
        self, spectrum: npt.NDArray[np.complex64], inverse: npt.NDArray[np.float64], step: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Return each shape's best neighbour at a distance of ``step``."""
        around = _NEAR if step == _STEPS[0] else _ALL
        tried = np.einsum("nij,mjk->nmik", inverse, np.eye(2) + step * around)
        values = _sampled(spectrum, self._lines @ tried.reshape(-1, 2, 2))
        z, shift = best_shifts(self._carrier, values)
        z, shift = z.reshape(len(inverse), -1), shift.reshape(len(inverse), -1, 2)
        best, row = z.argmax(axis=1), np.arange(len(inverse))
        return tried[row, best], z[row, best], shift[row, best]


def _neighbours(*, sheared: bool) -> npt.NDArray[np.float64]:
    """Return small changes of scale and rotation, and with ``sheared`` of aspect and shear."""
    some = (-1, 0, 1)
    rest = some if sheared else (0,)
    return np.array([[[a + c, b + d], [d - b, a - c]] for a in some for b in some for c in rest for d in rest], float)


_NEAR, _ALL = _neighbours(sheared=False), _neighbours(sheared=True)


def _whitened(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """Return the spectrum (size, size / 2 + 1), about the centre, divided by its local mean magnitude."""
    height, width = (min(side, _SIZE) for side in plane.shape)
    top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    window = np.outer(_window(height), _window(width))
    padded = np.zeros((_SIZE, _SIZE), np.float32)
    padded[:height, :width] = plane[top : top + height, left : left + width] * window
    padded = np.roll(padded, (-(height // 2), -(width // 2)), (0, 1))
    spectrum = fft.rfft2(padded)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    local = ndimage.uniform_filter(power, _WHITENING, mode="wrap")
    # The frame's centre lies between pixels where a side is even: half a pixel of phase.
    turn_y = np.exp(1j * np.pi * (height % 2 - 1) * fft.fftfreq(_SIZE)).astype(np.complex64)
    turn_x = np.exp(1j * np.pi * (width % 2 - 1) * fft.rfftfreq(_SIZE)).astype(np.complex64)
    return np.asarray(spectrum * (turn_y[:, None] * turn_x) / np.sqrt(np.maximum(local, np.float32(1e-9))))


def _window(length: int) -> npt.NDArray[np.float32]:
    """Return a window with soft ends: hard ones put a cross into the spectrum."""
    return np.power(np.hanning(length + 2)[1:-1], 0.25).astype(np.float32)


def _sampled(spectrum: npt.NDArray[np.complex64], f: npt.NDArray[np.float64]) -> npt.NDArray[np.complex64]:
    """Return the spectrum at frequencies (n, lines, 2), bilinear; beyond the spectrum 0."""
    f = f.astype(np.float32)
    other_half = f[..., 1] < 0
    at = np.where(other_half[..., None], -f, f) * _SIZE
    low = np.floor(at).astype(np.int32)
    part = at - low
    row, column = low[..., 0], np.minimum(low[..., 1], _SIZE // 2 - 1)
    columns = _SIZE // 2 + 1
    flat = spectrum.ravel()
    first, second = (row % _SIZE) * columns + column, ((row + 1) % _SIZE) * columns + column
    v, u = part[..., 0], part[..., 1]
    value = (1 - v) * ((1 - u) * flat[first] + u * flat[first + 1]) + v * (
        (1 - u) * flat[second] + u * flat[second + 1]
    )
    value = np.where(other_half, value.conj(), value)
    return np.asarray(np.where(np.abs(f).max(axis=-1) < _NYQUIST, value, 0), np.complex64)


def _distinct(found: list[Found]) -> list[Found]:
    """Drop places that are the same as a better one."""
    kept: list[Found] = []
    for each in found:
        size = 0.004 * float(np.abs(each.where.linear).max())
        if all(np.abs(each.where.linear - other.where.linear).max() > size for other in kept):
            kept.append(each)
    return kept
