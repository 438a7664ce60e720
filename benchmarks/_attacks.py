"""Attacks on a watermark: what happens to pictures on their way, as functions of pixels. Only benchmarks use them.

Crop percentages are of each side. An attack may change the picture's size. ``rng`` places what is random, so that
every scheme sees the same attack on the same cover.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels

    Attack = Callable[[Pixels, np.random.Generator], Pixels]

__all__ = ["ATTACKS", "GROUPS"]


def _codec(form: str, quality: int) -> Attack:
    def run(a: Pixels, _rng: np.random.Generator) -> Pixels:
        buffer = io.BytesIO()
        Image.fromarray(a).save(buffer, form, quality=quality)
        return np.array(Image.open(buffer).convert("RGB"))

    return run


def _resize(factor: float, *, back: bool = False) -> Attack:
    def run(a: Pixels, _rng: np.random.Generator) -> Pixels:
        h, w = a.shape[:2]
        small = Image.fromarray(a).resize((round(w * factor), round(h * factor)), Image.Resampling.BICUBIC)
        return np.array(small.resize((w, h), Image.Resampling.BICUBIC) if back else small)

    return run


def _crop(part: float, *, anywhere: bool = False) -> Attack:
    def run(a: Pixels, rng: np.random.Generator) -> Pixels:
        h, w = a.shape[:2]
        height, width = round(h * part), round(w * part)
        y, x = (h - height) // 2, (w - width) // 2
        if anywhere:
            y, x = int(rng.integers(0, h - height + 1)), int(rng.integers(0, w - width + 1))
        return np.ascontiguousarray(a[y : y + height, x : x + width])

    return run


def _rotate(degrees: float, *, expand: bool = False) -> Attack:
    return lambda a, _: np.array(Image.fromarray(a).rotate(degrees, Image.Resampling.BICUBIC, expand=expand))


def _blur(sigma: float) -> Attack:
    return lambda a, _: np.array(Image.fromarray(a).filter(ImageFilter.GaussianBlur(sigma)))


def _window(weights: npt.NDArray[np.float64]) -> Attack:
    return lambda a, _: np.asarray(cv2.filter2D(a, -1, weights / weights.sum()), np.uint8)


def _disk(radius: int) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(np.square(y) + np.square(x) <= radius**2, np.float64)


def _nlm(strength: float, window: int) -> Attack:
    """Non-local means: patches of 7 pixels."""
    return lambda a, _: np.asarray(cv2.fastNlMeansDenoisingColored(a, None, strength, strength, 7, window), np.uint8)


def _noise(sigma: float) -> Attack:
    return lambda a, rng: np.clip(np.rint(a + rng.normal(0, sigma, a.shape)), 0, 255).astype(np.uint8)


def _enhance(kind: type, factor: float) -> Attack:
    return lambda a, _: np.array(kind(Image.fromarray(a)).enhance(factor))


def _gamma(power: float) -> Attack:
    return lambda a, _: np.rint(255 * (a / 255.0) ** power).astype(np.uint8)


def _border(a: Pixels, _rng: np.random.Generator) -> Pixels:
    h, w = a.shape[:2]
    pad_y, pad_x = round(0.06 * h), round(0.06 * w)
    page = np.full((h + 2 * pad_y, w + 2 * pad_x, 3), 245, np.uint8)
    page[pad_y : pad_y + h, pad_x : pad_x + w] = a
    return page


def _occlude(part: float) -> Attack:
    def run(a: Pixels, rng: np.random.Generator) -> Pixels:
        a = a.copy()
        h, w = a.shape[:2]
        height, width = int(h * part**0.5), int(w * part**0.5)
        y, x = int(rng.integers(0, h - height + 1)), int(rng.integers(0, w - width + 1))
        a[y : y + height, x : x + width] = 0
        return a

    return run


def _aspect(a: Pixels, _rng: np.random.Generator) -> Pixels:
    h, w = a.shape[:2]
    return np.array(Image.fromarray(a).resize((round(w * 1.1), round(h * 0.9)), Image.Resampling.BICUBIC))


def _perspective(a: Pixels, rng: np.random.Generator) -> Pixels:
    """Each corner moves by 3 % of the side, in a random direction inwards or outwards per axis."""
    h, w = a.shape[:2]
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    moves = rng.choice([-1.0, 1.0], (4, 2)) * 0.03 * np.array([w, h])
    matrix = cv2.getPerspectiveTransform(corners, (corners + moves).astype(np.float32))
    return np.asarray(cv2.warpPerspective(a, matrix, (w, h), flags=cv2.INTER_CUBIC), np.uint8)


def _then(*parts: Attack) -> Attack:
    def run(a: Pixels, rng: np.random.Generator) -> Pixels:
        for part in parts:
            a = part(a, rng)
        return a

    return run


_jpeg = {q: _codec("JPEG", q) for q in (20, 30, 50, 60, 70, 75, 85, 95)}

GROUPS: dict[str, tuple[float | None, dict[str, Attack]]] = {
    "unchanged, JPEG 95-50, WebP, AVIF": (
        0.995,
        {
            "none": lambda a, _: a,
            "PNG": lambda a, _: a,
            **{f"JPEG {q}": _jpeg[q] for q in (95, 85, 75, 50)},
            "WebP 80": _codec("WEBP", 80),
            "WebP 50": _codec("WEBP", 50),
            "AVIF 50": _codec("AVIF", 50),
        },
    ),
    "JPEG 30, 20, double": (
        0.98,
        {"JPEG 30": _jpeg[30], "JPEG 20": _jpeg[20], "JPEG 60 then 70": _then(_jpeg[60], _jpeg[70])},
    ),
    "resize": (
        0.98,
        {
            **{f"resize {f}": _resize(f) for f in (0.35, 0.5, 0.75, 1.5)},
            **{f"resize {f} and back": _resize(f, back=True) for f in (0.35, 0.5)},
        },
    ),
    "filters": (
        0.95,
        {
            "blur 1": _blur(1),
            "blur 2": _blur(2),
            "median 3": lambda a, _: np.asarray(cv2.medianBlur(a, 3), np.uint8),
            "sharpen": _enhance(ImageEnhance.Sharpness, 2.0),
            "bilateral": lambda a, _: np.asarray(cv2.bilateralFilter(a, 5, 40, 5), np.uint8),
            "NLM": _nlm(5, 15),
        },
    ),
    "noise and tone": (
        0.98,
        {
            "noise 5": _noise(5),
            "noise 10": _noise(10),
            "brightness 0.7": _enhance(ImageEnhance.Brightness, 0.7),
            "brightness 1.3": _enhance(ImageEnhance.Brightness, 1.3),
            "contrast 0.7": _enhance(ImageEnhance.Contrast, 0.7),
            "contrast 1.3": _enhance(ImageEnhance.Contrast, 1.3),
            "gamma 0.7": _gamma(0.7),
            "gamma 1.4": _gamma(1.4),
            "gray": _enhance(ImageEnhance.Color, 0.0),
        },
    ),
    "screenshot": (0.98, {"border, resize 0.8, JPEG 75": _then(_border, _resize(0.8), _jpeg[75])}),
    "occlusion": (0.98, {"occlude 25 %": _occlude(0.25)}),
    "rotate and mirror": (
        0.98,
        {
            **{f"rotate {d}": _rotate(d) for d in (2, 5, 17)},
            "rotate 45": _rotate(45, expand=True),
            "rotate 90": lambda a, _: np.ascontiguousarray(np.rot90(a)),
            "mirror": lambda a, _: np.ascontiguousarray(a[:, ::-1]),
        },
    ),
    "aspect": (0.95, {"aspect 0.9 x 1.1": _aspect}),
    "crop 90, 75": (0.99, {"crop 90": _crop(0.9), "crop 75": _crop(0.75)}),
    "crop 50": (0.96, {"crop 50": _crop(0.5, anywhere=True)}),
    "crop 40": (0.85, {"crop 40": _crop(0.4, anywhere=True)}),
    "perspective": (0.90, {"perspective 3 %": _perspective}),
    "combined": (
        0.97,
        {
            "crop 80, resize 0.7, JPEG 70": _then(_crop(0.8, anywhere=True), _resize(0.7), _jpeg[70]),
            "rotate 5, crop 75, JPEG 75": _then(_rotate(5), _crop(0.75), _jpeg[75]),
        },
    ),
    "thumbnail": (0.98, {"resize 0.5, JPEG 50": _then(_resize(0.5), _jpeg[50])}),
    "averaging": (
        None,
        {
            "NLM 10, window 21": _nlm(10, 21),
            "NLM, JPEG 75": _then(_nlm(5, 15), _jpeg[75]),
            "rotate 5, NLM": _then(_rotate(5), _nlm(5, 15)),
            "box blur 9": _window(np.ones((9, 9))),
            "box blur 15": _window(np.ones((15, 15))),
            "lens blur 5": _window(_disk(5)),
            "lens blur 8": _window(_disk(8)),
            "motion blur 15": _window(np.ones((1, 15))),
        },
    ),
}
"""Group: the rate that is asked for, if one is, and the attacks in it."""

ATTACKS: dict[str, Attack] = {name: run for _, attacks in GROUPS.values() for name, run in attacks.items()}
