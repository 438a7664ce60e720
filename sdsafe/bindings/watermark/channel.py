"""What is left of a mark on each of its lines, learned from the lines themselves. Pure.

Compression, scaling, blur and averaging are a *channel* to the mark: each line comes out multiplied by a gain that
varies smoothly with its frequency, and maximum-ratio combining needs to know the gains. Nobody sent a test signal, but
the template's phases are known and those of the data are known up to signs. Expectation-maximisation (Dempster, Laird
and Rubin, J. Royal Statistical Society B 39, 1977) goes back and forth between the two unknowns: given gains, it takes
the expectation of each sign; given those, it fits the gains as a sum of a few smooth *shapes* by least squares.

Gains may come out negative: then a line says the opposite of what it carries (`averaging`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier

__all__ = ["Channel", "Heard", "fading", "heard", "learned"]

_ROUNDS = 6
_RIDGE = 1e-4  # of the mean diagonal: keeps a shape that no line can tell from the others near zero
_HALF = np.float32(2**-0.5)  # a data line splits its energy over two dimensions
_WIDTHS = (0.04, 0.08, 0.16)  # cycles per pixel: of the low-pass filters that compression and scaling amount to
_START_WIDTH = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """The lines of a lattice at a known shift, in units of their noise."""

    lines: npt.NDArray[np.complex64]
    """(n,), unit noise variance in the real and the imaginary part."""
    level: npt.NDArray[np.float32]
    """What a line would hold if the channel left it alone, up to a factor common to all, (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """How the lines of one picture came through."""

    gain: npt.NDArray[np.float32]
    """Of each line, (n,), up to a factor common to all."""
    fit: float
    """Log-likelihood ratio of these gains against none of the mark being there."""
    combined: npt.NDArray[np.complex64]
    """The lines (n,), weighted as maximum-ratio combining wants them."""


def heard(
    carrier: Carrier,
    values: npt.NDArray[np.complex64],
    noise: npt.NDArray[np.float32],
    shift: npt.NDArray[np.float64],
) -> Heard:
    """Return lines (n,) of noise power ``noise`` as if the lattice, which lies at ``shift``, lay at none."""
    turned = values * np.exp(-2j * np.pi * (carrier.index @ shift))
    deviation = np.sqrt(noise / 2)
    return Heard((turned / deviation).astype(np.complex64), np.asarray(carrier.amplitude / deviation, np.float32))


def fading(carrier: Carrier) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the gain (n,) to begin with and the shapes (n, k) of a channel that loses more the higher the frequency."""
    frequency = (carrier.radius / carrier.period).astype(np.float32)
    return lowpass(frequency, _START_WIDTH), np.stack(
        [np.ones_like(frequency), *(lowpass(frequency, width) for width in _WIDTHS)], axis=1
    )


def lowpass(frequency: npt.NDArray[np.float32], width: float) -> npt.NDArray[np.float32]:
    """Return the gains of a Gaussian filter at frequencies of any unit, in which ``width`` is its deviation."""
    return np.exp(-np.square(frequency) / np.float32(2 * width**2))


def learned(carrier: Carrier, seen: Heard, start: npt.NDArray[np.float32], shapes: npt.NDArray[np.float32]) -> Channel:
    """Learn the channel.

    Args:
        carrier: Whose lines.
        seen: What came out.
        start: Gains (n,) to begin with; their signs matter, their size does not.
        shapes: What the gains are a sum of, (n, k).
    """
    upright = seen.lines * carrier.phase.conj()
    known, data = carrier.template, carrier.data
    scaled = shapes * seen.level[:, None]
    normal = scaled.T @ scaled
    normal += np.float32(_RIDGE * np.trace(normal) / len(normal)) * np.eye(len(normal), dtype=np.float32)
    said = upright.real.copy()
    expected = start * seen.level
    energy = np.square(expected[known]).sum()
    expected *= (expected[known] @ said[known]) / np.maximum(energy, np.float32(1e-12))
    parts = np.stack([upright.real[data], upright.imag[data]])
    for _ in range(_ROUNDS):
        said[data] = (_HALF * np.tanh(_HALF * expected[data] * parts) * parts).sum(axis=0)
        expected = scaled @ np.linalg.solve(normal, scaled.T @ said)
    likelihood = expected[known] @ said[known] + _log_cosh(_HALF * expected[data] * parts).sum()
    fit = float(likelihood - np.square(expected).sum() / 2)
    return Channel(expected / seen.level, fit, seen.lines * expected)


def _log_cosh(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(np.logaddexp(x, -x) - np.log(np.float32(2)))
