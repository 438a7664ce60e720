"""Finding the lattice when the picture kept its framing: the template's phases at an unknown shift. Pure.

A picture that was only resized, recompressed or recoloured, turned by quarter turns or mirrored, has its lattice where
the canonical frame puts it, up to the eight symmetries of the square and the shift that each picture's payload draws.
One fold serves four of the eight, because the lattice is square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from sdsafe.bindings.watermark import folding
from sdsafe.bindings.watermark.geometry import LatticeMap, quarter_turn

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier

__all__ = ["CLIP", "Found", "best_shifts", "direct", "settled"]

CLIP = 3.0
"""Standard deviations beyond which a line counts no more: a picture's own pattern may hit one line by chance."""
_GRID = 48
_SETTLING = 6


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A place where the template was looked for, and how well it fits."""

    z: float
    """Correlation in standard deviations of an unmarked picture's at *one* place; the largest of many is about 5."""
    where: LatticeMap


def best_shifts(
    carrier: Carrier, values: npt.NDArray[np.complex64], weights: npt.NDArray[np.float32] | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Correlate template lines with the template at all shifts.

    Args:
        carrier: Whose template.
        values: The template's lines, (n, lines), unit variance without a mark.
        weights: How much each line counts, and with what sign, (n, lines); all alike when left out.

    Returns:
        The best correlation of each row in standard deviations, (n,), and its shift in tiles, (n, 2).
    """
    size = np.maximum(np.abs(values) / CLIP, 1)
    ky, kx = carrier.index[carrier.template].T
    planes = np.zeros((len(values), _GRID, _GRID), np.complex64)
    limited = values / size * carrier.phase[carrier.template].conj()
    if weights is None:
        energy: float | npt.NDArray[np.float32] = values.shape[1]
    else:
        limited, energy = limited * weights, np.square(weights).sum(axis=1)
    planes[:, ky % _GRID, kx % _GRID] = limited
    correlation = fft.fft2(planes, overwrite_x=True).real.reshape(len(values), -1)
    best = correlation.argmax(axis=1)
    z = correlation[np.arange(len(values)), best] / np.sqrt(energy / np.float32(2))
    return z, np.stack(np.divmod(best, _GRID), axis=1) / _GRID


def direct(plane: npt.NDArray[np.float32], carrier: Carrier) -> list[tuple[Found, folding.Folded]]:
    """Return the eight framings of a front end's output, best first, each with its fold (shift left out)."""
    found = []
    for mirrored in (False, True):
        base = carrier.lattice()
        if mirrored:
            base = LatticeMap.affine(base.linear * np.array([1.0, -1.0]))
        folded = folding.fold(plane, base)
        for turns in range(4):
            turn = quarter_turn(turns)
            turned = folded.turned(turn)
            values, noise = turned.lines(carrier.index[carrier.template])
            z, shift = best_shifts(carrier, (values / np.sqrt(noise)).astype(np.complex64)[None])
            found.append((Found(float(z[0]), LatticeMap.affine(turn @ base.linear, shift[0])), turned))
    return sorted(found, key=lambda each: -each[0].z)


def settled(
    carrier: Carrier,
    values: npt.NDArray[np.complex64],
    noise: npt.NDArray[np.float32],
    shift: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the shift between the cells of the grid at which all template lines agree best (Newton's method).

    Args:
        carrier: Whose template.
        values: All lines of a fold, (n,), and ...
        noise: ... their noise power.
        shift: Where to start, tiles.
    """
    index = carrier.index[carrier.template]
    seen = (values / noise)[carrier.template] * carrier.phase[carrier.template].conj()
    seen = seen * carrier.amplitude[carrier.template]
    shift = shift.copy()
    for _ in range(_SETTLING):
        turned = seen * np.exp(-2j * np.pi * (index @ shift))
        slope = 2 * np.pi * (turned.imag @ index)
        # Curvature from magnitudes: positive definite wherever it starts.
        curve = 4 * np.pi**2 * (index.T * np.abs(turned)) @ index
        shift += np.clip(np.linalg.solve(curve + (1e-9 * np.trace(curve) + 1e-30) * np.eye(2), slope), -0.02, 0.02)
    return shift
