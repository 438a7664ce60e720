"""Folding: all tiles of a picture laid on top of each other, where the mark adds up and the picture does not. Pure.

The picture is folded with *twice* the mark's period. Then the even lines of the spectrum hold mark and picture, the
odd ones between them only picture: a measurement of the noise around each line, in its own direction, from the same
picture and without knowing the mark. Folding drops each pixel into the nearest cell, the adjoint of how the mark was
rendered; nothing is interpolated, so a map costs a few milliseconds whatever its shape.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, ndimage

from sdsafe.bindings.watermark.geometry import LatticeMap, cells

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Folded", "fold"]

_TILES = 2
_GRID = 256
_REACH = 3  # odd lines within this distance (half periods) measure the noise of a line


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """The spectrum of a folded picture, per pixel folded."""

    spectrum: npt.NDArray[np.complex64]
    """(grid, grid); line k of the mark at [2 ky, 2 kx], conjugate of what the mark carries there turned back."""
    noise: npt.NDArray[np.float32]
    """Mean power of the odd lines near each place, (grid, grid)."""
    turn: npt.NDArray[np.int64] = field(default_factory=lambda: np.eye(2, dtype=np.int64))
    """By which quarter turn the lines change places, (2, 2)."""

    def lines(self, index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.float32]]:
        """Return value and noise power of the lines ``index`` (n, 2)."""
        at = (_TILES * index @ self.turn) % _GRID
        return self.spectrum[at[:, 0], at[:, 1]], self.noise[at[:, 0], at[:, 1]]

    def turned(self, turn: npt.NDArray[np.int64]) -> Folded:
        """Return the fold as it would have been along the lattice turned by quarter turns."""
        return replace(self, turn=turn @ self.turn)


def fold(plane: npt.NDArray[np.float32], where: LatticeMap) -> Folded:
    """Fold the output of the front end along ``where``."""
    into = cells(where, (plane.shape[0], plane.shape[1]), _TILES, _GRID)
    summed = np.bincount(into, weights=plane.ravel(), minlength=_GRID * _GRID)
    summed = summed.reshape(_GRID, _GRID).astype(np.float32)
    # The mark is Re(c exp(+2 pi i k.u)): the forward transform demodulates it.
    spectrum = fft.fft2(summed) / np.float32(plane.size)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    odd = np.ones((_GRID, _GRID), np.float32)
    odd[::_TILES, ::_TILES] = 0
    width = 2 * _REACH + 1
    noise = ndimage.uniform_filter(power * odd, width, mode="wrap")
    share = ndimage.uniform_filter(odd, width, mode="wrap")
    return Folded(spectrum, np.maximum(noise / share, np.float32(1e-12)))
