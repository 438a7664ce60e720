"""Maps from picture coordinates to lattice coordinates. Pure.

Picture coordinates are pixels about the picture's centre, (y, x); lattice coordinates count tiles, so that the mark
has period 1 in both. A map is a projective transform ``u = (L x + t) / (1 + h . x)``: affine for what scanners and
editors do (crop, scale, turn, mirror, aspect), ``h`` for a picture photographed at an angle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FRAMINGS", "LatticeMap", "cells", "quarter_turn", "rotation"]


def rotation(angle: float) -> npt.NDArray[np.float64]:
    """Return the matrix that turns (y, x) by ``angle`` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def quarter_turn(turns: int) -> npt.NDArray[np.int64]:
    """Return the exact integer matrix of ``turns`` quarter turns."""
    return np.rint(rotation(turns * np.pi / 2)).astype(np.int64)


FRAMINGS = tuple((mirrored, turns) for mirrored in (False, True) for turns in range(4))
"""The eight ways to lay a square on itself: the dihedral group."""


@dataclass(frozen=True, slots=True, eq=False)
class LatticeMap:
    """A projective map from picture to lattice coordinates."""

    linear: npt.NDArray[np.float64]
    """L, tiles per pixel, (2, 2)."""
    shift: npt.NDArray[np.float64]
    """t, tiles, (2,)."""
    tilt: npt.NDArray[np.float64]
    """h, per pixel, (2,); zero for an affine map."""

    @classmethod
    def affine(cls, linear: npt.NDArray[np.float64], shift: npt.NDArray[np.float64] | None = None) -> Self:
        """Return a map without tilt."""
        return cls(linear, np.zeros(2) if shift is None else shift, np.zeros(2))

    def shifted(self, by: npt.NDArray[np.float64]) -> LatticeMap:
        """Return the map whose lattice coordinates are larger by ``by`` tiles at the centre."""
        return replace(self, shift=self.shift + by)

    def zoomed(self, factor: float) -> LatticeMap:
        """Return the map for the same picture resampled to ``factor`` times its size."""
        return LatticeMap(self.linear / factor, self.shift, self.tilt / factor)

    def period(self) -> float:
        """Return how many pixels a tile spans at the centre, geometric mean of both directions."""
        return float(abs(np.linalg.det(self.linear)) ** -0.5)

    def at(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the lattice coordinates of ``points`` (n, 2)."""
        return np.asarray((points @ self.linear.T + self.shift) / (1 + points @ self.tilt)[:, None])


def cells(where: LatticeMap, shape: tuple[int, int], tiles: int, grid: int) -> npt.NDArray[np.int32]:
    """Return for every pixel the cell it falls into, when ``tiles`` x ``tiles`` tiles repeat over the plane.

    Args:
        where: From picture to lattice.
        shape: Height and width of the picture.
        tiles: How many tiles make one repetition.
        grid: Cells per side of one repetition, a power of two.

    Returns:
        Flat cell numbers below ``grid * grid``, one per pixel, row by row.
    """
    y = (np.arange(shape[0], dtype=np.float32) - (shape[0] - 1) / 2)[:, None]
    x = (np.arange(shape[1], dtype=np.float32) - (shape[1] - 1) / 2)[None]
    scale = grid / tiles
    (a, b), (c, d) = (where.linear * scale).tolist()
    first, second = (where.shift * scale).tolist()
    v = (a * y + first) + b * x
    u = (c * y + second) + d * x
    if where.tilt.any():
        tilt = where.tilt.tolist()
        depth = 1 + tilt[0] * y + tilt[1] * x
        v, u = v / depth, u / depth
    mask = grid - 1
    # rint, not floor: the cell's centre is its sample point.
    v, u = np.rint(v).astype(np.int32) & mask, np.rint(u).astype(np.int32) & mask
    return np.asarray(v * grid + u).ravel()
