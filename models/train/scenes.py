"""Captioned scenes: what is in a picture, drawn from a seed, without any file or third-party data.

A `Scene` is the complete description. `sample` draws one from a seed, `draw` paints it, and
`train.captions.caption` says it in words. The same scene and size give the same pixels.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from train.objects import DRAWINGS
from train.pen import Pen
from train.terrains import OBJECT_LIGHT, PAINTERS, SKIES, Ground, Picture
from train.vocabulary import COLOURS, KINDS, RGB, TERRAINS, TIMES

HELD_OUT_SHARE: Final = 10  # one combination of kind, colour and terrain in ten is never trained on
_WEATHER: Final = (("clear", 0.50), ("cloudy", 0.26), ("rain", 0.08), ("snowfall", 0.08), ("fog", 0.08))
_GREY: Final = {"clear": 0.0, "cloudy": 0.06, "rain": 0.42, "snowfall": 0.30, "fog": 0.45}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One kind of object in one colour, some number of times."""

    kind: str
    colour: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything a picture shows; `seed` decides what the words do not (places, shapes, phases)."""

    terrain: str
    time: str
    weather: str
    body: str
    main: Thing
    second: Thing | None
    seed: int


def _pick(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]


def _allowed(kind: str, terrain: str) -> bool:
    place = KINDS[kind].place
    if place == "water":
        return terrain in {"sea", "beach"}
    return terrain != "sea" or place == "air" or kind in {"house", "lighthouse", "palm", "castle", "tower", "tree"}


def sample(seed: int) -> Scene:
    """Draw a scene from a seed."""
    rng = np.random.default_rng([seed, 1])
    kind = _pick(rng, tuple(KINDS))
    terrain = _pick(rng, tuple(TERRAINS))
    while not _allowed(kind, terrain):
        terrain = _pick(rng, tuple(TERRAINS))
    time = _pick(rng, tuple(TIMES))
    weather = str(rng.choice([name for name, _ in _WEATHER], p=[share for _, share in _WEATHER]))
    body = "none"
    if weather in {"clear", "cloudy"} and rng.random() < 0.6:
        body = "moon" if time == "night" else "sun"
    count = int(rng.choice((1, 2, 3), p=(0.76, 0.16, 0.08)))
    main = Thing(kind=kind, colour=_pick(rng, tuple(COLOURS)), count=count)
    second = None
    if count == 1 and rng.random() < 0.18:
        other = _pick(rng, tuple(KINDS))
        if _allowed(other, terrain) and other != kind:
            second = Thing(kind=other, colour=_pick(rng, tuple(COLOURS)))
    return Scene(terrain=terrain, time=time, weather=weather, body=body, main=main, second=second, seed=seed)


def held_out(scene: Scene) -> bool:
    """Say whether a scene's combination of kind, colour and terrain is kept from training."""
    key = f"{scene.main.kind}/{scene.main.colour}/{scene.terrain}".encode()
    return hashlib.sha256(key).digest()[0] * HELD_OUT_SHARE < 256


def draw(scene: Scene, size: int = 512) -> NDArray[np.uint8]:
    """Paint a scene: uint8 RGB, (size, size, 3)."""
    rng = np.random.default_rng([scene.seed, 2])
    horizon = float(rng.uniform(0.50, 0.58))
    sky, haze = _sky(scene, size, rng, horizon)
    ground = Ground(sky, scene.time, haze, rng, horizon=horizon)
    PAINTERS[scene.terrain](ground)
    picture = ground.picture
    if scene.weather == "fog":
        veil = np.clip(1 - np.abs(ground.y - horizon - 0.05) / 0.5, 0, 1)[..., None] * 0.62
        picture += (np.asarray(haze, np.float32) - picture) * veil.astype(np.float32)
    _place_all(scene, picture, rng)
    _precipitation(scene, picture, rng)
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), np.uint8)


def _sky(scene: Scene, size: int, rng: np.random.Generator, horizon: float) -> tuple[Picture, RGB]:
    stops = np.asarray(SKIES[scene.time], np.float32)
    grey = stops.mean(axis=1, keepdims=True) * 0.92
    stops = stops + (grey - stops) * _GREY[scene.weather]
    y = (np.arange(size, dtype=np.float32) + 0.5) / size
    place = np.clip(y / (horizon + 0.05), 0, 1)
    column = np.stack([np.interp(place, (0.0, 0.55, 1.0), stops[:, channel]) for channel in range(3)], axis=1)
    sky = np.repeat(column.astype(np.float32)[:, None, :], size, axis=1)
    if scene.time == "night" and scene.weather == "clear":
        _stars(sky, rng, horizon)
    if scene.body != "none":
        _sun_or_moon(scene, sky, rng, horizon)
    if scene.weather in {"cloudy", "rain", "snowfall"}:
        _clouds(scene, sky, rng, horizon)
    red, green, blue = (float(channel) for channel in stops[2])
    return sky, (red, green, blue)


def _stars(sky: Picture, rng: np.random.Generator, horizon: float) -> None:
    size = sky.shape[0]
    radius = max(1, round(size / 300))
    for x, y in rng.uniform(0.02, 0.98, (36, 2)):
        left, top = int(x * size), int(y * horizon * size)
        sky[top : top + radius + 1, left : left + radius + 1] = (0.95, 0.95, 0.85)


def _disc(size: int, x: float, y: float, radius: float) -> tuple[Picture, Picture]:
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size
    distance = np.hypot(grid[None, :] - np.float32(x), grid[:, None] - np.float32(y))
    cover = np.clip((radius - distance) * size + 0.5, 0, 1)
    glow = np.exp(-np.maximum(distance - radius, 0) / 0.10)
    return cover[..., None].astype(np.float32), glow[..., None].astype(np.float32)


def _sun_or_moon(scene: Scene, sky: Picture, rng: np.random.Generator, horizon: float) -> None:
    size = sky.shape[0]
    x = float(rng.choice((rng.uniform(0.12, 0.26), rng.uniform(0.74, 0.88))))
    low = scene.time in {"sunset", "dawn"}
    y = horizon - 0.16 if low else float(rng.uniform(0.12, 0.20))
    radius = 0.085 if low else 0.065
    colour = {"day": (1.0, 0.94, 0.55), "sunset": (1.0, 0.90, 0.45), "dawn": (1.0, 0.97, 0.80)}.get(
        scene.time, (0.96, 0.95, 0.86)
    )
    cover, glow = _disc(size, x, y, radius)
    shine = np.asarray(colour, np.float32)
    sky += (shine - sky) * glow * np.float32(0.30 if scene.body == "moon" else 0.55)
    sky += (shine - sky) * cover
    if scene.body == "moon":
        for dx, dy, r in ((-0.02, -0.015, 0.014), (0.022, 0.012, 0.018), (-0.012, 0.03, 0.010)):
            crater, _ = _disc(size, x + dx, y + dy, r)
            sky += (shine * np.float32(0.84) - sky) * crater


def _clouds(scene: Scene, sky: Picture, rng: np.random.Generator, horizon: float) -> None:
    small = 128
    mask = Image.new("L", (small, small), 0)
    pen = ImageDraw.Draw(mask)
    number = 4 if scene.weather == "cloudy" else 8
    for x, y in zip(rng.uniform(0, 1, number), rng.uniform(0.05, 0.62, number) * horizon, strict=True):
        width = rng.uniform(0.10, 0.17)
        for dx, dy, part in ((-0.6, 0.012, 0.55), (0.0, -0.012, 0.75), (0.6, 0.012, 0.55), (0.0, 0.02, 1.0)):
            rx, ry = width * part * 0.8, 0.05 * (0.6 if part == 1.0 else 0.9)
            cx, cy = x + dx * width, y + dy
            pen.ellipse([small * (cx - rx), small * (cy - ry), small * (cx + rx), small * (cy + ry)], fill=255)
    soft = mask.filter(ImageFilter.GaussianBlur(1.6)).resize((sky.shape[0], sky.shape[0]), Image.Resampling.BICUBIC)
    cover = (np.asarray(soft, np.float32) / 255)[..., None]
    tone = {"day": (1.0, 1.0, 1.0), "sunset": (1.0, 0.66, 0.52), "night": (0.26, 0.29, 0.42), "dawn": (1.0, 0.93, 0.93)}
    colour = np.asarray(tone[scene.time], np.float32)
    if scene.weather != "cloudy":
        colour = colour * np.float32(0.78)
    sky += (colour - sky) * cover * np.float32(0.88)


def _places(scene: Scene, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Return foot x, foot y and height share for each copy of the main thing, far ones first."""
    air = KINDS[scene.main.kind].place == "air"
    foot = float(rng.uniform(0.50, 0.60) if air else rng.uniform(0.82, 0.90))
    if KINDS[scene.main.kind].place == "water" and scene.terrain == "beach":
        foot -= 0.13  # afloat, not ashore
    scale = float(rng.uniform(1.0, 1.18))
    if scene.main.count == 1:
        middle = 0.5 if scene.second is None else float(rng.choice((0.36, 0.64)))
        return [(middle + float(rng.uniform(-0.09, 0.09)), foot, scale)]
    if scene.main.count == 2:
        return [
            (0.27 + float(rng.uniform(-0.04, 0.04)), foot, 0.72),
            (0.73 + float(rng.uniform(-0.04, 0.04)), foot, 0.72),
        ]
    lift = -0.14 if air else 0.05
    return [(0.5, foot - abs(lift), 0.52), (0.20, foot, 0.54), (0.80, foot, 0.54)]


def _place_all(scene: Scene, picture: Picture, rng: np.random.Generator) -> None:
    places = _places(scene, rng)
    if scene.second is not None:
        x = 0.86 if places[0][0] < 0.5 else 0.14
        air = KINDS[scene.second.kind].place == "air"
        y = float(rng.uniform(0.26, 0.34) if air else rng.uniform(0.74, 0.80))
        _place(scene, scene.second, picture, (x, y, 0.48))
    for place in places:
        _place(scene, scene.main, picture, place)


def _place(scene: Scene, thing: Thing, picture: Picture, place: tuple[float, float, float]) -> None:
    kind, size = KINDS[thing.kind], picture.shape[0]
    height = max(8, round(kind.height * place[2] * size))
    width = max(8, round(height * kind.aspect))
    pen = Pen(width, height, COLOURS[thing.colour])
    DRAWINGS[thing.kind](pen)
    colour, cover = pen.pixels()
    colour = colour * np.asarray(OBJECT_LIGHT[scene.time], np.float32)
    left, top = round(place[0] * size - width / 2), round(place[1] * size - height)
    if kind.place == "ground":
        _stand(scene, picture, (place[0], place[1], width / size))
    y0, y1, x0, x1 = max(0, top), min(size, top + height), max(0, left), min(size, left + width)
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    target = picture[y0:y1, x0:x1]
    target += (colour[part] - target) * cover[part]


def _stand(scene: Scene, picture: Picture, foot: tuple[float, float, float]) -> None:
    """Put a soft shadow under a thing, and at sea an island."""
    size = picture.shape[0]
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y, width = foot
    rows = slice(max(0, int((y - 0.12) * size)), min(size, int((y + 0.14) * size)))
    across, down = grid[None, :] - np.float32(x), grid[rows, None] - np.float32(y)
    target = picture[rows]
    if scene.terrain == "sea":
        reach = np.hypot(across / (0.62 * width + 0.10), (down - 0.02) / 0.055)
        cover = np.clip((1 - reach) * 24, 0, 1)[..., None]
        sand = np.asarray((0.80, 0.68, 0.42), np.float32) * np.asarray(OBJECT_LIGHT[scene.time], np.float32) * 0.9
        target += (sand - target) * cover.astype(np.float32)
    reach = np.hypot((across - 0.12 * width) / (0.62 * width), down / 0.028)
    shade = np.clip(1.25 - reach, 0, 1)[..., None] * np.float32(0.42)
    target *= 1 - shade.astype(np.float32)


def _precipitation(scene: Scene, picture: Picture, rng: np.random.Generator) -> None:
    if scene.weather not in {"rain", "snowfall"}:
        return
    size = picture.shape[0]
    mask = Image.new("L", (size, size), 0)
    pen = ImageDraw.Draw(mask)
    for x, y in rng.uniform(0, 1, (70, 2)) * size:
        if scene.weather == "rain":
            pen.line([x, y, x - 0.016 * size, y + 0.07 * size], fill=150, width=max(1, round(size / 150)))
        else:
            radius = size * 0.0085
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=235)
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(size / 500)), np.float32)[..., None] / 255
    colour = np.asarray((0.80, 0.87, 0.96) if scene.weather == "rain" else (0.98, 0.98, 1.0), np.float32)
    picture += (colour - picture) * soft * np.float32(0.75 if scene.time != "night" else 0.6)
