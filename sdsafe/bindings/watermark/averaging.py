"""Averaging over a window, and the phases that it turns round. Pure.

Non-local means in a smooth area, a box blur and a lens out of focus all replace a pixel by a mean over a window. The
transfer function of a mean is a sinc in each direction: beyond its first zero it is *negative*, and the lines there say
the opposite of what they carry (contrast reversal: Goodman, "Introduction to Fourier Optics", chapter 6). So most of a
mark that such a filter seems to have removed is still there, with the wrong sign.

How wide the window was is not known, nor what share of the mark it left alone (texture has no like neighbours to be
averaged with). All of a grid of both are tried on the template, whose phases are known. From the likeliest the exact
gains are learned (`channel`), because a picture is never averaged alike everywhere: where colours run one way, windows
reach the other way only, and what was left alone lost some of its high frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.bindings.watermark import channel
from sdsafe.bindings.watermark.template import best_shifts, settled

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier
    from sdsafe.bindings.watermark.geometry import LatticeMap

__all__ = ["Averaged", "learned", "likely"]

WINDOWS = np.arange(4.5, 24.1, 0.75)
"""Pixels of the canonical frame. Below the first no line is reversed, above the last hardly any is left."""
SHARES = np.array([0.0, 0.05, 0.1, 0.2])
"""Of the mark outside the averaged areas, relative to what is inside."""
_REST_WIDTH = 0.12  # cycles per pixel: what is lost of the rest


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """One averaging that a picture may have gone through."""

    z: float
    """How well the template fits, in standard deviations at one place."""
    window: float
    """Pixels."""
    gain: npt.NDArray[np.float32]
    """What is left of each line, (n,); negative where it is reversed."""
    seen: channel.Heard
    """The lines at the shift that fits."""
    where: LatticeMap


def likely(
    carrier: Carrier,
    values: npt.NDArray[np.complex64],
    noise: npt.NDArray[np.float32],
    where: LatticeMap,
    least: float,
) -> list[Averaged]:
    """Return the windows that fit the template with a ``z`` of ``least`` or more, each with its best share and shift.

    Args:
        carrier: Whose template.
        values: All lines of a fold along ``where``, (n,), whatever its shift, and ...
        noise: ... their noise power.
        where: Which way the lines run across the picture.
        least: Standard deviations.
    """
    means = np.prod(np.sinc(WINDOWS[:, None, None] * (carrier.index @ where.linear)), axis=-1)
    gains = (SHARES[:, None] + means[:, None]).reshape(-1, len(values)).astype(np.float32)
    template = carrier.template
    seen = (values / np.sqrt(noise))[template].astype(np.complex64)
    weights = gains[:, template] * (carrier.amplitude / np.sqrt(noise))[template]
    z, shifts = best_shifts(carrier, np.broadcast_to(seen, weights.shape), weights)
    best = z.reshape(len(WINDOWS), -1).argmax(axis=1) + len(SHARES) * np.arange(len(WINDOWS))
    found = []
    for window, at in zip(WINDOWS, best, strict=True):
        if z[at] >= least:
            shift = settled(carrier, values * gains[at], noise, shifts[at])
            lines = channel.heard(carrier, values, noise, shift)
            found.append(Averaged(float(z[at]), float(window), gains[at], lines, where))
    return found


def learned(carrier: Carrier, found: Averaged) -> channel.Channel:
    """Learn the gains, starting from those of a square window."""
    return channel.learned(carrier, found.seen, found.gain, _shapes(carrier, found.where, found.window))


def _shapes(carrier: Carrier, where: LatticeMap, window: float) -> npt.NDArray[np.float32]:
    """Return what the gains of a channel with such a window are a sum of, (n, 8).

    Untouched, averaged both ways, and averaged one way only, because the picture changes the other way; and all of
    these again with fewer high frequencies.
    """
    frequency = carrier.index @ where.linear
    rows, columns = np.sinc(window * frequency).T
    sharp = np.stack([np.ones_like(rows), rows * columns, rows, columns], axis=1)
    soft = channel.lowpass(np.hypot(*frequency.T), _REST_WIDTH)
    return np.concatenate([sharp, sharp * soft[:, None]], axis=1).astype(np.float32)
