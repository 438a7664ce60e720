"""A pen that draws anti-aliased shapes in unit coordinates on a tile of its own."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from train.vocabulary import RGB

Point = tuple[float, float]
OVERSAMPLING = 3


class Pen:
    """Draws with x and y in 0..1 (y grows downwards) on a transparent tile; `pixels` returns it smoothed and shaded."""

    def __init__(self, width: int, height: int, main: RGB) -> None:
        self._size = (width, height)
        self._big = (width * OVERSAMPLING, height * OVERSAMPLING)
        self._image = Image.new("RGBA", self._big, (*self._bytes(main), 0))
        self._draw = ImageDraw.Draw(self._image)
        self._main = main

    @staticmethod
    def _bytes(colour: RGB) -> tuple[int, int, int]:
        red, green, blue = (min(255, max(0, round(255 * channel))) for channel in colour)
        return red, green, blue

    def main(self, light: float = 1.0) -> RGB:
        """Return the object's own colour, darker below 1, mixed with white above."""
        return lit(self._main, light)

    def poly(self, points: Sequence[Point], colour: RGB) -> None:
        """Fill a polygon."""
        width, height = self._big
        self._draw.polygon([(x * width, y * height) for x, y in points], fill=(*self._bytes(colour), 255))

    def rect(self, left: float, top: float, right: float, bottom: float, colour: RGB) -> None:
        """Fill an axis-aligned rectangle."""
        self.poly([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, colour: RGB) -> None:
        """Fill an ellipse around (x, y)."""
        width, height = self._big
        box = ((x - radius_x) * width, (y - radius_y) * height, (x + radius_x) * width, (y + radius_y) * height)
        self._draw.ellipse(box, fill=(*self._bytes(colour), 255))

    def ball(self, x: float, y: float, radius_x: float, radius_y: float, colour: RGB) -> None:
        """Fill an ellipse that is lit from the upper left, in soft steps."""
        for step in range(7):
            part = 1 - step * 0.12
            shift = step * 0.035
            light = 0.78 + step * 0.055
            self.ellipse(
                x - shift * radius_x, y - shift * radius_y, part * radius_x, part * radius_y, lit(colour, light)
            )

    def line(self, points: Sequence[Point], thickness: float, colour: RGB) -> None:
        """Draw a polyline; thickness is a share of the tile's height."""
        width, height = self._big
        pixels = [(x * width, y * height) for x, y in points]
        self._draw.line(
            pixels, fill=(*self._bytes(colour), 255), width=max(1, round(thickness * height)), joint="curve"
        )

    def half_disc(self, x: float, y: float, radius_x: float, radius_y: float, colour: RGB) -> None:
        """Fill the upper half of an ellipse that stands on y."""
        points = [
            (x + radius_x * math.cos(angle), y - radius_y * math.sin(angle))
            for angle in np.linspace(0, math.pi, 40).tolist()
        ]
        self.poly(points, colour)

    def pixels(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return colour (H, W, 3) and coverage (H, W, 1), both 0..1, with light falling from the left."""
        small = np.asarray(self._image.reduce(OVERSAMPLING), dtype=np.float32) / 255
        colour, coverage = small[..., :3], small[..., 3:]
        # The tile is transparent main colour where nothing is drawn: undo that share at the edges.
        ramp = np.linspace(1.07, 0.86, self._size[0], dtype=np.float32)[None, :, None]
        return np.clip(colour * ramp, 0, 1, dtype=np.float32), coverage.astype(np.float32)


def lit(colour: RGB, light: float) -> RGB:
    """Return a colour darkened (light below 1) or mixed with white (above)."""
    if light <= 1:
        return colour[0] * light, colour[1] * light, colour[2] * light
    rest = light - 1
    return (
        colour[0] + (1 - colour[0]) * rest,
        colour[1] + (1 - colour[1]) * rest,
        colour[2] + (1 - colour[2]) * rest,
    )
