"""The keyed carriers of a mark: where in the spectrum of the lattice it lives, and what each place means. Pure.

A mark is a periodic pattern, one *tile* repeated over the picture, so its spectrum is a lattice of lines. The 64-bit
payload and its code sit on the lines with 2.5 to 14 periods per tile: lower ones drown in the picture, higher ones
in JPEG. Twenty-four of them, one per sector of angle, carry no data but known phases: the *template* by which the
detector finds the lattice again after turning, scaling and cropping (in the spirit of Pereira and Pun, "Robust
template matching for affine resistant image watermarks", IEEE Trans. Image Processing 9, 2000). The rest carry QPSK.

Everything is drawn from the key: the angle of the lattice and its period too. With one lattice for everybody the
informed embedding of a second mark cancels the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from sdsafe.bindings.watermark.framing import CODE_BITS
from sdsafe.bindings.watermark.geometry import LatticeMap, rotation

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.bindings.watermark.keys import KeySchedule

__all__ = ["TEMPLATE_LINES", "Carrier"]

TEMPLATE_LINES = 24
_LEAST, _MOST = 2.5, 14.0  # periods per tile
_TEMPLATE_BAND = (4.5, 12.8)  # periods per tile: survive small thumbnails, and turn fast enough to fix the angle
_TEMPLATE_SHARE = 0.25  # of the energy
_SLOPE = 0.25  # amplitude grows with the fourth root of frequency: the picture's own spectrum falls
_PERIODS = (60.0, 68.0)  # pixels of the canonical frame


class Carrier:
    """The lines of one key.

    Attributes:
        angle: Of the lattice, radians, in [0, pi/2).
        period: Of a tile, pixels of the canonical frame.
        index: Line numbers (ky, kx), periods per tile, (n, 2); one of each conjugate pair.
        phase: Unit complex number of each line, (n,).
        amplitude: Relative amplitude of each line, mean square 1.
        template: Which lines are the template.
        data: Which lines carry code bits, two each.
        order: For each of the ``2 * len(data)`` real dimensions, which code bit it carries.
    """

    def __init__(self, keys: KeySchedule) -> None:
        """Draw everything from the key."""
        stream = keys.stream(b"carrier")
        turn, stretch = stream.uniform(2)
        self.angle = float(turn * np.pi / 2)
        self.period = float(_PERIODS[0] + (_PERIODS[1] - _PERIODS[0]) * stretch)
        self.index, radius = _half_plane()
        count = len(self.index)
        self.phase = np.exp(2j * np.pi * stream.uniform(count)).astype(np.complex64)
        self.template = _template(self.index, radius, stream.uniform(TEMPLATE_LINES))
        self.data = np.setdiff1d(np.arange(count), self.template)
        self.amplitude = _amplitudes(radius, self.template, self.data)
        self.radius = radius
        slots = np.resize(np.arange(CODE_BITS), 2 * len(self.data))
        self.order = slots[stream.permutation(len(slots))]

    def lattice(self) -> LatticeMap:
        """Return the map from the canonical frame of an unchanged picture, before its own shift."""
        return LatticeMap.affine(rotation(-self.angle) / self.period)

    def symbols(self, code_bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return what each line should carry, as (n, 2) real and imaginary parts of unit energy."""
        wanted = np.zeros((len(self.index), 2), np.float32)
        wanted[self.template, 0] = 1
        signs = (1 - 2 * code_bits[self.order].astype(np.float32)) * np.float32(2**-0.5)
        wanted[self.data] = signs.reshape(-1, 2)
        return wanted

    def soft(self, lines: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """Return one soft value per code bit from weighted lines (n,): the inverse of ``symbols``, summed."""
        derotated = (lines * self.phase.conj())[self.data]
        parts = np.stack([derotated.real, derotated.imag], axis=-1).ravel()
        return np.bincount(self.order, weights=parts, minlength=CODE_BITS).astype(np.float32)

    def tile(self, symbols: npt.NDArray[np.float32], grid: int) -> npt.NDArray[np.float32]:
        """Return one tile, sampled ``grid`` times per side, whose lines carry ``symbols``."""
        values = (symbols[:, 0] + 1j * symbols[:, 1]) * self.phase * self.amplitude
        spectrum = np.zeros((grid, grid // 2 + 1), np.complex64)
        spectrum[self.index[:, 0] % grid, self.index[:, 1]] = values
        # A column of its own mirror image would need both halves; kx = 0 lines come with ky > 0 only.
        spectrum[-self.index[self.index[:, 1] == 0, 0] % grid, 0] = values[self.index[:, 1] == 0].conj()
        plane = fft.irfft2(spectrum, (grid, grid), norm="forward")
        return np.asarray(plane / np.float32(np.sqrt(2 * len(self.index))), np.float32)


def _half_plane() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    most = int(_MOST)
    ky, kx = (each.ravel() for each in np.mgrid[-most : most + 1, 0 : most + 1])
    radius = np.hypot(ky, kx)
    keep = (radius >= _LEAST) & (radius <= _MOST) & ((kx > 0) | (ky > 0))
    return np.stack([ky, kx], axis=1)[keep], radius[keep]


def _template(
    index: npt.NDArray[np.int64], radius: npt.NDArray[np.float64], draws: npt.NDArray[np.float64]
) -> npt.NDArray[np.intp]:
    """Choose one line per sector of angle, so that no direction is left without."""
    sector = np.floor((np.arctan2(index[:, 0], index[:, 1]) / np.pi + 0.5) * TEMPLATE_LINES) % TEMPLATE_LINES
    inside = (radius >= _TEMPLATE_BAND[0]) & (radius <= _TEMPLATE_BAND[1])
    chosen = []
    for each, draw in enumerate(draws):
        candidates = np.flatnonzero(inside & (sector == each))
        chosen.append(candidates[int(draw * len(candidates))])
    return np.sort(np.array(chosen))


def _amplitudes(
    radius: npt.NDArray[np.float64], template: npt.NDArray[np.intp], data: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    amplitude = (radius / _LEAST) ** _SLOPE
    for lines, share in ((template, _TEMPLATE_SHARE), (data, 1 - _TEMPLATE_SHARE)):
        amplitude[lines] *= np.sqrt(share * len(radius) / np.square(amplitude[lines]).sum())
    return amplitude.astype(np.float32)
