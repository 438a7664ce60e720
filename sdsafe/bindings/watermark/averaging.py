"""Averaging over a window, and the phases that it turns round. Pure.

Non-local means in a smooth area, a box blur and a lens out of focus all replace a pixel by a mean over a window. The
transfer function of a mean is a sinc in each direction: beyond its first zero it is *negative*, and the lines there say
the opposite of what they carry (contrast reversal: Goodman, "Introduction to Fourier Optics", chapter 6). So most of a
mark that such a filter seems to have removed is still there, with the wrong sign.

How wide the window was is not known, nor what share of the mark it left alone (texture has no like neighbours to be
averaged with). All of a grid of both are tried on the template, whose phases are known; the best few turn the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.bindings.watermark.template import best_shifts, settled

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier
    from sdsafe.bindings.watermark.geometry import LatticeMap

__all__ = ["Averaged", "likely"]

WINDOWS = np.arange(4.5, 24.1, 0.75)
"""Pixels of the canonical frame. Below the first no line is reversed, above the last hardly any is left."""
SHARES = np.array([0.0, 0.05, 0.1, 0.2])
"""Of the mark outside the averaged areas, relative to what is inside."""


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """One averaging that a picture may have gone through."""

    z: float
    """How well the template fits, in standard deviations at one place."""
    gain: npt.NDArray[np.float32]
    """What is left of each line, (n,); negative where it is reversed."""
    shift: npt.NDArray[np.float64]
    """Where the lattice lies then, tiles."""


def likely(
    carrier: Carrier,
    values: npt.NDArray[np.complex64],
    noise: npt.NDArray[np.float32],
    where: LatticeMap,
    count: int,
) -> list[Averaged]:
    """Return the ``count`` windows that fit the template best, each with its best share and shift.

    Args:
        carrier: Whose template.
        values: All lines of a fold along ``where``, (n,), whatever its shift, and ...
        noise: ... their noise power.
        where: Which way the lines run across the picture.
        count: How many windows to return.
    """
    frequency = carrier.index @ where.linear
    window = np.prod(np.sinc(WINDOWS[:, None, None] * frequency), axis=-1)
    gains = (SHARES[:, None] + window[:, None]).reshape(-1, len(frequency)).astype(np.float32)
    template = carrier.template
    seen = (values / np.sqrt(noise))[template].astype(np.complex64)
    weights = gains[:, template] * (carrier.amplitude / np.sqrt(noise))[template]
    z, shifts = best_shifts(carrier, np.broadcast_to(seen, weights.shape), weights)
    best = z.reshape(len(WINDOWS), -1).argmax(axis=1) + len(SHARES) * np.arange(len(WINDOWS))
    best = best[np.argsort(-z[best], kind="stable")][:count]
    return [
        Averaged(float(z[each]), gains[each], settled(carrier, values * gains[each], noise, shifts[each]))
        for each in best
    ]
