"""Writing a mark, open loop: one pass, strength from the picture. Pure, numpy and scipy.

1. Luma, canonical frame, front end: exactly what the detector will do.
2. Fold, and read what the *picture* already has on the mark's lines.
3. Choose what to add on each line so that the sum says what it should: interference is cancelled, not outshouted
   (improved spread spectrum: Malvar and Florencio, IEEE Trans. Signal Processing 51, 2003).
4. Render one tile, repeat it along the lattice, weigh it with the mask, and add it to the pixels.

The tile's phase comes from PRF(key, payload): every picture has another, so that averaging many marked pictures
averages the mark away, and a replay finds the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.bindings.watermark import folding, frame
from sdsafe.bindings.watermark.geometry import LatticeMap, cells
from sdsafe.bindings.watermark.mask import DIRECTION, perceptual_mask

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier
    from sdsafe.bindings.watermark.framing import Framing
    from sdsafe.bindings.watermark.keys import KeySchedule
    from sdsafe.core.pixels import Pixels

__all__ = ["Prepared", "added", "prepare", "psnr", "psnr_of"]

GRID = 256
CANCEL = 1.2  # of the interference: the margin covers what the rounding to pixels loses
MOST = 3.0  # times the amplitude of a line without interference
RESPONSE = 0.83  # of the mark left by high-pass and limiter, relative to mask over contrast (measured: 0.81 to 0.86)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a mark adds to one picture at unit strength, before it is known how strong it has to be."""

    host: npt.NDArray[np.float32]
    """The picture's own values on the lines, (n, 2), turned to the symbols' axes, for a unit response."""
    symbols: npt.NDArray[np.float32]
    mask: npt.NDArray[np.float32]
    where: LatticeMap
    cells: npt.NDArray[np.int32]


def prepare(image: Pixels, payload: bytes, carrier: Carrier, framing: Framing, keys: KeySchedule) -> Prepared:
    """Look at the picture as the detector will, and measure what it has on the lines of ``payload``'s mark."""
    plane = frame.canonical(frame.luma(image))
    seen, contrast = frame.front_end(plane)
    mask = perceptual_mask(plane)
    where = carrier.lattice().shifted(keys.stream(b"phase", payload).uniform(2))
    values, _ = folding.fold(seen, where).lines(carrier.index)
    turned = values * carrier.phase.conj()
    heard = float(np.mean(mask * frame.sensitivity(contrast)))
    response = RESPONSE * heard / np.sqrt(2 * len(carrier.index))
    host = np.stack([turned.real, turned.imag], axis=1) / (response * carrier.amplitude[:, None])
    shape = (plane.shape[0], plane.shape[1])
    return Prepared(host, carrier.symbols(framing.encoded(payload)), mask, where, cells(where, shape, 1, GRID))


def pattern(ready: Prepared, carrier: Carrier, strength: float) -> npt.NDArray[np.float32]:
    """Return what to add to the luma of the canonical frame, grey levels."""
    host, wanted = ready.host / strength, ready.symbols
    sign = np.sign(wanted)
    with_host = sign * np.clip(np.abs(wanted) - CANCEL * sign * host, 0, MOST)
    symbols = np.where(wanted != 0, with_host, -CANCEL * np.clip(host, -1, 1) / 2)
    tile = carrier.tile(symbols.astype(np.float32), GRID)
    return tile.ravel()[ready.cells].reshape(ready.mask.shape) * (ready.mask * np.float32(strength))


def added(image: Pixels, change: npt.NDArray[np.float32]) -> Pixels:
    """Return the picture with a change of the canonical frame's luma added to its pixels."""
    marked = image.copy()
    part = marked[frame.framed(image.shape[0], image.shape[1])]
    change = frame.resampled(change, (part.shape[0], part.shape[1]))
    for channel in range(3):
        moved = part[..., channel] + change * DIRECTION[channel]
        part[..., channel] = np.clip(np.rint(moved, out=moved), 0, 255, out=moved)
    return marked


def psnr(before: Pixels, after: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal pictures."""
    error = float(np.mean(np.square(before.astype(np.int16) - after, dtype=np.float32)))
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def psnr_of(change: npt.NDArray[np.float32]) -> float:
    """Return about what PSNR a change of luma will have, rounding included and clipping not."""
    error = float(np.mean(np.square(change))) * float(np.mean(np.square(DIRECTION))) + 1 / 12
    return float(10 * np.log10(255.0**2 / error))
