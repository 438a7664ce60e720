"""Writing marks in batches with torch, on any device: the only module of the watermark that imports it.

The same steps as `embedding` at the standard quality, on stacks of pictures of one size. Both paths agree to within
one grey level almost everywhere (a test holds it): torch measures the picture's lines exactly where numpy folds pixels
into cells, and its resampling rounds differently. Reading needs no torch and is done by the numpy detector.

Nothing here accumulates in an order that depends on timing (no scatter-add), so results are the same run after run on
the same device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from sdsafe.bindings.watermark import embedding, frame, mask, strength
from sdsafe.bindings.watermark.carrier import Carrier
from sdsafe.bindings.watermark.framing import Framing
from sdsafe.bindings.watermark.keys import KeySchedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdsafe.core.pixels import Pixels

__all__ = ["BatchEmbedder"]

_GRID = embedding.GRID


class BatchEmbedder:
    """Marks stacks of pictures of one size at the standard quality. It does not read back: the caller does."""

    def __init__(self, key: bytes, device: str = "cpu") -> None:
        """Derive the mark of ``key`` and put its tables on ``device``."""
        self._keys = KeySchedule(key)
        self._framing = Framing(self._keys)
        self._carrier = Carrier(self._keys)
        self._device = torch.device(device)
        self._direction = torch.from_numpy(mask.DIRECTION).to(self._device)
        self._luma = torch.from_numpy(frame.LUMA).to(self._device)

    def embed(self, images: Sequence[Pixels], payloads: Sequence[bytes]) -> list[Pixels]:
        """Return marked copies of pictures of one size, each with its payload of 8 bytes.

        Raises:
            ValueError: Sizes differ, or the panorama is longer than the canonical frame.
        """
        if len({each.shape for each in images}) > 1:
            raise ValueError("a batch has pictures of one size")
        if not images:
            return []
        height, width = images[0].shape[:2]
        shape = frame.frame_shape(height, width)
        if max(shape) > frame.LONGEST:
            raise ValueError("panoramas are marked one by one")
        with torch.no_grad():
            stack = torch.from_numpy(np.stack(images)).to(self._device)
            plane = self._resized(stack.float() @ self._luma, shape)
            change = self._change(plane, payloads)
            change = self._resized(change, (height, width))
            marked = (stack + change[..., None] * self._direction).round_().clamp_(0, 255).to(torch.uint8)
            return list(marked.cpu().numpy())

    def _change(self, plane: torch.Tensor, payloads: Sequence[bytes]) -> torch.Tensor:
        """Return what to add to the luma of canonical frames (n, h, w)."""
        seen, contrast = _front_end(plane)
        weight = _mask(plane)
        heard = (weight * (contrast + frame.FLOOR) ** (-1 - frame.BEYOND) / frame.CLIP).mean((1, 2))
        amplitude = torch.from_numpy(self._carrier.amplitude).to(self._device)
        shifts = np.stack([self._keys.stream(b"phase", each).uniform(2) for each in payloads])
        lines = self._lines(seen, shifts)
        response = embedding.RESPONSE * heard / (2 * len(amplitude)) ** 0.5
        host = torch.view_as_real(lines) / (response[:, None] * amplitude)[..., None]
        wanted = np.stack([self._carrier.symbols(self._framing.encoded(each)) for each in payloads])
        render = _Renderer(self._carrier, plane.shape[1:], shifts, self._device)
        return self._settled(host, torch.from_numpy(wanted).to(self._device), weight, render)

    def _settled(
        self, host: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor, render: _Renderer
    ) -> torch.Tensor:
        """Return the change at the strength that the mask allows, within the PSNR limits of the standard quality."""
        level = torch.full((len(host), 1, 1), strength.VISIBILITY, device=self._device)
        change = render(_informed(host / level, wanted)) * weight * level
        aim = _psnr(change, self._direction).clamp(strength.WORST_DB, strength.BEST_DB)
        for _ in range(strength.ROUNDS):
            off = _psnr(change, self._direction) - aim
            level = (
                level
                * torch.where(off.abs() < strength.SETTLED_DB, 0, off).div(20).mul(np.log(10)).exp()[:, None, None]
            )
            change = render(_informed(host / level, wanted)) * weight * level
        return change

    def _lines(self, seen: torch.Tensor, shifts: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> torch.Tensor:
        """Return the pictures' values on the lines, turned to the symbols' axes, (n, lines): two matrix products."""
        frequencies = self._carrier.index @ self._carrier.lattice().linear
        waves = []
        for side, frequency in zip(seen.shape[1:], frequencies.T, strict=True):
            at = np.arange(side) - (side - 1) / 2
            waves.append(
                torch.from_numpy(np.exp(-2j * np.pi * np.outer(at, frequency))).to(self._device, torch.complex64)
            )
        rows = seen.to(torch.complex64) @ waves[1]  # (n, h, lines)
        sums = (rows * waves[0]).sum(1) / (seen.shape[1] * seen.shape[2])
        turn = self._carrier.phase.conj() * np.exp(-2j * np.pi * (shifts @ self._carrier.index.T))
        return sums * torch.from_numpy(turn).to(self._device, torch.complex64)

    def _resized(self, planes: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
        if planes.shape[1:] == shape:
            return planes
        resized = functional.interpolate(
            planes[:, None], size=shape, mode="bicubic", antialias=True, align_corners=False
        )
        return resized[:, 0]


class _Renderer:
    """Lays tiles over canonical frames, each at its own shift."""

    def __init__(
        self,
        carrier: Carrier,
        shape: torch.Size,
        shifts: np.ndarray[tuple[int, int], np.dtype[np.float64]],
        device: torch.device,
    ) -> None:
        self._amplitude = torch.from_numpy(carrier.phase * carrier.amplitude).to(device)
        self._rows = torch.from_numpy(carrier.index[:, 0] % _GRID).to(device)
        self._columns = torch.from_numpy(carrier.index[:, 1]).to(device)
        self._axis = self._columns == 0
        y, x = (torch.arange(side, device=device, dtype=torch.float32) - (side - 1) / 2 for side in shape)
        (a, b), (c, d) = (carrier.lattice().linear * _GRID).tolist()
        first, second = torch.from_numpy(shifts * _GRID).float().to(device)[:, :, None, None].unbind(1)
        v = (a * y[:, None] + first) + b * x
        u = (c * y[:, None] + second) + d * x
        self._cells = (v.round().int() % _GRID).long() * _GRID + (u.round().int() % _GRID)

    def __call__(self, symbols: torch.Tensor) -> torch.Tensor:
        """Return the pattern of ``symbols`` (n, lines, 2) at unit strength, (n, h, w)."""
        values = torch.view_as_complex(symbols.contiguous()) * self._amplitude
        spectrum = torch.zeros(len(values), _GRID, _GRID // 2 + 1, dtype=torch.complex64, device=values.device)
        spectrum[:, self._rows, self._columns] = values
        spectrum[:, -self._rows[self._axis] % _GRID, 0] = values[:, self._axis].conj()
        tiles = torch.fft.irfft2(spectrum, (_GRID, _GRID), norm="forward") / (2 * len(self._rows)) ** 0.5
        laid: torch.Tensor = tiles.flatten(1).gather(1, self._cells.flatten(1)).view(self._cells.shape)
        return laid


def _informed(host: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """As `embedding.pattern`: cancel what the picture has, and say what is wanted."""
    sign = wanted.sign()
    said = sign * (wanted.abs() - embedding.CANCEL * sign * host).clamp(0, embedding.MOST)
    return torch.where(wanted != 0, said, -embedding.CANCEL * host.clamp(-1, 1) / 2)


def _psnr(change: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    error = change.square().mean((1, 2)) * direction.square().mean() + 1 / 12
    return 10 * torch.log10(255.0**2 / error)


def _front_end(plane: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As `frame.front_end`."""
    detail = plane - _blurred(plane, frame.SMOOTH)
    contrast = _blurred(detail.square(), frame.NEIGHBOURHOOD).clamp_min(0).sqrt()
    level = contrast + frame.FLOOR
    return torch.tanh(detail / (level * frame.CLIP)) * level**-frame.BEYOND, contrast


def _mask(plane: torch.Tensor) -> torch.Tensor:
    """As `mask.perceptual_mask`."""
    ones = torch.full((mask.WINDOW,), 1 / mask.WINDOW, device=plane.device)
    centred = plane - 128
    spread = (_filtered(centred.square(), ones) - _filtered(centred, ones).square()).clamp_min(0).sqrt()
    away = mask.APART
    padded = functional.pad(spread[:, None], (away,) * 4, mode="replicate")[:, 0]
    height, width = plane.shape[1:]
    inner_y, inner_x = slice(away, away + height), slice(away, away + width)
    around = [padded[:, :height, inner_x], padded[:, 2 * away :, inner_x]]
    around += [padded[:, inner_y, :width], padded[:, inner_y, 2 * away :]]
    activity = torch.stack(around).amin(0).clamp_max(mask.MOST_ACTIVITY) + frame.FLOOR
    light = (plane / mask.DARK).clamp(mask.LEAST, 1) * ((275 - plane) / (275 - mask.BRIGHT)).clamp(mask.LEAST, 1)
    shaped: torch.Tensor = activity**mask.EXPONENT * light
    return shaped


def _blurred(plane: torch.Tensor, sigma: float) -> torch.Tensor:
    reach = int(3 * sigma + 0.5)
    at = torch.arange(-reach, reach + 1, device=plane.device, dtype=torch.float32)
    kernel = torch.exp(-at.square() / (2 * sigma * sigma))
    return _filtered(plane, kernel / kernel.sum())


def _filtered(plane: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Filter rows and columns; at the border the picture is mirrored, edge pixel included, as scipy's "reflect"."""
    reach = len(kernel) // 2
    for axis in (1, 2):
        side = plane.shape[axis]
        at = torch.arange(-reach, side + reach, device=plane.device) % (2 * side)
        padded = plane.index_select(axis, torch.where(at < side, at, 2 * side - 1 - at))
        shape = (1, 1, -1, 1) if axis == 1 else (1, 1, 1, -1)
        plane = functional.conv2d(padded[:, None], kernel.view(shape))[:, 0]
    return plane
