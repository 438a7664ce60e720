"""Skies and terrains: everything behind and below the objects, as float pictures in 0..1."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.vocabulary import RGB

Picture = NDArray[np.float32]

SKIES: Final[dict[str, tuple[RGB, RGB, RGB]]] = {
    "day": ((0.22, 0.50, 0.90), (0.48, 0.73, 0.97), (0.80, 0.92, 0.99)),
    "sunset": ((0.34, 0.18, 0.48), (0.90, 0.38, 0.26), (1.00, 0.76, 0.32)),
    "night": ((0.02, 0.03, 0.12), (0.06, 0.08, 0.24), (0.14, 0.18, 0.40)),
    "dawn": ((0.58, 0.66, 0.88), (0.95, 0.74, 0.84), (1.00, 0.90, 0.78)),
}
LIGHT: Final[dict[str, RGB]] = {
    "day": (1.0, 1.0, 1.0),
    "sunset": (0.92, 0.66, 0.58),
    "night": (0.36, 0.42, 0.66),
    "dawn": (0.98, 0.86, 0.90),
}
OBJECT_LIGHT: Final[dict[str, RGB]] = {
    "day": (1.0, 1.0, 1.0),
    "sunset": (0.97, 0.88, 0.84),
    "night": (0.70, 0.72, 0.82),
    "dawn": (1.0, 0.95, 0.96),
}


class Ground:
    """Paints terrain layers over a sky, from far to near; haze takes the sky's lowest colour."""

    def __init__(self, sky: Picture, time: str, haze: RGB, rng: np.random.Generator, *, horizon: float) -> None:
        self.picture = sky
        self.size = sky.shape[0]
        self.horizon = horizon
        self._haze = np.asarray(haze, np.float32)
        self.light = np.asarray(LIGHT[time], np.float32)
        self._rng = rng
        self.x = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        self.y = self.x[:, None]

    def wave(self, height: float, swing: float, waves: float) -> Picture:
        """Return a smooth outline: one height for each column."""
        phase = self._rng.uniform(0, 2 * np.pi, 3)
        line = np.sin(2 * np.pi * waves * self.x + phase[0]) + 0.45 * np.sin(
            2 * np.pi * waves * 2.3 * self.x + phase[1]
        )
        return np.asarray(height + swing * line / 1.45, np.float32)

    def peaks(self, height: float, swing: float, count: int) -> Picture:
        """Return an outline of pointed peaks."""
        outline = np.full(self.size, height, np.float32)
        for centre in (np.arange(count) + self._rng.uniform(0.2, 0.8, count)) / count:
            top = swing * self._rng.uniform(0.65, 1.0)
            slope = self._rng.uniform(1.1, 1.5)
            outline = np.minimum(outline, height - top + slope * np.abs(self.x - centre))
        return outline

    def layer(
        self, outline: Picture, near: RGB, far: RGB, *, haze: float = 0.0, pattern: Picture | None = None
    ) -> None:
        """Fill below an outline with a gradient from far (at the outline) to near, optionally patterned."""
        top = int(max(0.0, float(outline.min())) * self.size)
        if top >= self.size:
            return
        y = self.y[top:]
        cover = np.clip((y - outline[None]) * self.size + 0.5, 0, 1)[..., None]
        depth = np.clip((y - outline[None]) / max(0.08, 1 - float(outline.mean())), 0, 1)[..., None]
        colour = np.asarray(far, np.float32) * (1 - depth) + np.asarray(near, np.float32) * depth
        if pattern is not None:
            colour = colour * pattern[top:, :, None]
        colour = colour * self.light * (1 - haze) + self._haze * haze
        self.picture[top:] += (colour - self.picture[top:]) * cover

    def perspective(self) -> Picture:
        """Return 1 / distance of each row below the horizon: 0 at the horizon, 1 at the lower edge."""
        return np.asarray(np.clip((self.y - self.horizon) / (1 - self.horizon), 1e-3, 1), np.float32)

    def ripples(self, rows: float, strength: float) -> Picture:
        """Return horizontal soft stripes that grow towards the viewer."""
        depth = self.perspective()
        stripes = np.sin(2 * np.pi * rows * np.sqrt(depth) + 1.3 * np.sin(2 * np.pi * 2 * self.x + 9 * depth))
        return np.asarray(1 + strength * stripes * np.clip(depth * 3, 0, 1), np.float32)

    def furrows(self, count: float, strength: float) -> Picture:
        """Return stripes that run to a vanishing point at the horizon."""
        depth = self.perspective()
        across = (self.x - self._rng.uniform(0.35, 0.65)) / (depth + 0.12)
        return np.asarray(1 + strength * np.sin(2 * np.pi * count * across) * np.clip(depth * 4, 0, 1), np.float32)

    def block(self, left: float, top: float, right: float, bottom: float, colour: Picture) -> None:
        """Fill an axis-aligned rectangle."""
        x0, x1 = (round(min(1, max(0, v)) * self.size) for v in (left, right))
        y0, y1 = (round(min(1, max(0, v)) * self.size) for v in (top, bottom))
        self.picture[y0:y1, x0:x1] = colour

    def uniform(self, low: float, high: float) -> float:
        """Draw one number."""
        return float(self._rng.uniform(low, high))


def _hills(g: Ground) -> None:
    h = g.horizon
    g.layer(g.wave(h - 0.04, 0.05, 1.3), (0.40, 0.66, 0.40), (0.50, 0.74, 0.44), haze=0.30)
    g.layer(g.wave(h + 0.07, 0.06, 0.9), (0.26, 0.58, 0.24), (0.42, 0.74, 0.32), haze=0.10)
    g.layer(g.wave(h + 0.18, 0.05, 0.7), (0.16, 0.44, 0.14), (0.36, 0.70, 0.24))


def _mountains(g: Ground) -> None:
    h = g.horizon + 0.06
    far = g.peaks(h, 0.26, 3)
    g.layer(far, (0.34, 0.38, 0.50), (0.52, 0.54, 0.64), haze=0.28)
    near = g.peaks(h + 0.02, 0.36, 2)
    snow = near.copy()
    g.layer(snow, (0.34, 0.34, 0.42), (0.97, 0.98, 1.0), haze=0.04)
    line = np.maximum(near, float(near.min()) + 0.11 + 0.02 * np.sin(60 * g.x))
    g.layer(np.asarray(line, np.float32), (0.26, 0.28, 0.36), (0.40, 0.41, 0.50), haze=0.06)
    g.layer(g.wave(h + 0.08, 0.02, 1.2), (0.20, 0.34, 0.22), (0.34, 0.46, 0.34))


def _sea(g: Ground) -> None:
    flat = np.full(g.size, g.horizon, np.float32)
    g.layer(flat, (0.04, 0.26, 0.52), (0.22, 0.58, 0.78), pattern=g.ripples(11, 0.13))


def _desert(g: Ground) -> None:
    h = g.horizon
    g.layer(g.wave(h, 0.035, 1.4), (0.84, 0.62, 0.34), (0.93, 0.76, 0.48), haze=0.2)
    g.layer(g.wave(h + 0.09, 0.05, 0.8), (0.80, 0.56, 0.26), (0.96, 0.80, 0.48))
    g.layer(g.wave(h + 0.20, 0.04, 0.6), (0.76, 0.50, 0.20), (0.95, 0.76, 0.40), pattern=g.ripples(14, 0.05))


def _city(g: Ground) -> None:
    base = g.horizon + 0.08
    sky = g.picture[int(base * g.size) - 1, 0].copy()
    for depth, count in ((0.45, 9), (0.1, 7)):
        edge = -0.05
        while edge < 1:
            width = g.uniform(0.8, 1.25) / count
            tone = g.uniform(0.36, 0.52)
            wall = g.light * np.asarray((tone, tone, tone * 1.12), np.float32) * (1 - depth) + sky * depth
            top = base - g.uniform(0.16, 0.40) * (1.15 if depth > 0.3 else 0.85)
            g.block(edge, top, edge + width * 0.94, base + 0.02, wall)
            if depth < 0.3:
                _windows(g, (edge, top, edge + width * 0.94, base))
            edge += width
    flat = np.full(g.size, base, np.float32)
    g.layer(flat, (0.30, 0.30, 0.33), (0.46, 0.46, 0.48))
    g.block(0, base, 1, base + 0.025, g.light * np.float32(0.62))


def _windows(g: Ground, box: tuple[float, float, float, float]) -> None:
    left, top, right, base = box
    pane = np.asarray((0.98, 0.86, 0.48), np.float32)  # lit from inside: the time of day does not dim it
    for column in np.arange(left + 0.022, right - 0.03, 0.042):
        for row in np.arange(top + 0.03, base - 0.03, 0.055):
            if g.uniform(0, 1) < 0.7:
                g.block(float(column), float(row), float(column) + 0.022, float(row) + 0.03, pane)


def _forest(g: Ground) -> None:
    h = g.horizon + 0.08
    for drop, count, far, near, haze in (
        (0.0, 13, (0.20, 0.42, 0.28), (0.14, 0.32, 0.20), 0.30),
        (0.04, 8, (0.10, 0.34, 0.16), (0.05, 0.20, 0.10), 0.06),
    ):
        tooth = np.abs(((g.x * count + g.uniform(0, 1)) % 1) - 0.5) * 2
        swing = 0.24 + 0.05 * np.sin(2 * np.pi * count * 0.37 * g.x + g.uniform(0, 6))
        outline = h + drop - swing * (1 - tooth)
        g.layer(np.asarray(outline, np.float32), near, far, haze=haze)
    g.layer(g.wave(h + 0.06, 0.015, 1.5), (0.12, 0.30, 0.10), (0.24, 0.44, 0.18))


def _snow(g: Ground) -> None:
    h = g.horizon
    g.layer(g.wave(h, 0.03, 1.2), (0.78, 0.85, 0.96), (0.88, 0.93, 1.0), haze=0.15)
    g.layer(g.wave(h + 0.08, 0.04, 0.8), (0.80, 0.87, 0.98), (0.97, 0.98, 1.0))
    g.layer(g.wave(h + 0.20, 0.04, 0.6), (0.84, 0.90, 0.99), (1.0, 1.0, 1.0))


def _beach(g: Ground) -> None:
    flat = np.full(g.size, g.horizon, np.float32)
    g.layer(flat, (0.06, 0.42, 0.62), (0.18, 0.56, 0.78), pattern=g.ripples(8, 0.06))
    shore = g.wave(g.horizon + 0.14, 0.035, 0.6)
    g.layer(shore - np.float32(0.022), (0.97, 0.99, 1.0), (0.92, 0.98, 1.0))
    g.layer(shore, (0.95, 0.84, 0.58), (0.86, 0.74, 0.50))


def _canyon(g: Ground) -> None:
    h = g.horizon + 0.06
    y = g.y
    strata = np.asarray(1 + 0.13 * np.sin(2 * np.pi * 16 * y + 0.6 * np.sin(7 * g.x)), np.float32)
    outline = np.full(g.size, h, np.float32)
    for left, width, top in (
        (g.uniform(-0.15, 0.0), g.uniform(0.28, 0.38), g.uniform(0.26, 0.38)),
        (g.uniform(0.38, 0.48), g.uniform(0.14, 0.22), g.uniform(0.14, 0.22)),
        (g.uniform(0.68, 0.76), g.uniform(0.30, 0.45), g.uniform(0.22, 0.38)),
    ):
        gap = np.maximum(left - g.x, g.x - (left + width))
        outline = np.minimum(outline, np.where(gap < 0, h - top, h - top + 6 * gap))
    g.layer(np.asarray(outline, np.float32), (0.56, 0.22, 0.12), (0.84, 0.42, 0.24), haze=0.05, pattern=strata)
    g.layer(g.wave(h + 0.04, 0.02, 1.1), (0.66, 0.30, 0.16), (0.80, 0.44, 0.26))


def _fields(g: Ground) -> None:
    h = g.horizon
    g.layer(g.wave(h - 0.02, 0.02, 1.1), (0.30, 0.50, 0.26), (0.36, 0.56, 0.32), haze=0.25)
    flat = np.full(g.size, h + 0.03, np.float32)
    g.layer(flat, (0.82, 0.66, 0.16), (0.92, 0.80, 0.32), pattern=g.furrows(2.2, 0.17))


PAINTERS: Final = {
    "hills": _hills,
    "mountains": _mountains,
    "sea": _sea,
    "desert": _desert,
    "city": _city,
    "forest": _forest,
    "snow": _snow,
    "beach": _beach,
    "canyon": _canyon,
    "fields": _fields,
}
