"""One drawing function for each kind of object; each fills its tile from foot (y = 1) to top (y = 0)."""

import math
from collections.abc import Callable
from typing import Final

from train.pen import Pen
from train.vocabulary import RGB

WOOD: Final[RGB] = (0.40, 0.25, 0.14)
DARK: Final[RGB] = (0.16, 0.17, 0.20)
CREAM: Final[RGB] = (0.96, 0.90, 0.74)
GLASS: Final[RGB] = (0.70, 0.86, 0.95)
STONE: Final[RGB] = (0.62, 0.62, 0.64)
SKIN: Final[RGB] = (0.99, 0.78, 0.30)


def _house(p: Pen) -> None:
    p.rect(0.74, 0.05, 0.84, 0.35, STONE)
    p.rect(0.10, 0.42, 0.90, 1.0, p.main())
    p.poly([(0.5, 0.04), (1.0, 0.45), (0.0, 0.45)], p.main(0.55))
    p.rect(0.42, 0.64, 0.60, 1.0, WOOD)
    for x in (0.17, 0.68):
        p.rect(x, 0.55, x + 0.16, 0.76, CREAM)


def _church(p: Pen) -> None:
    p.rect(0.34, 0.50, 0.98, 1.0, p.main())
    p.poly([(0.34, 0.50), (0.44, 0.34), (0.90, 0.34), (1.0, 0.50)], p.main(0.55))
    p.rect(0.05, 0.38, 0.38, 1.0, p.main(1.12))
    p.poly([(0.02, 0.40), (0.215, 0.10), (0.41, 0.40)], p.main(0.55))
    p.rect(0.195, 0.0, 0.235, 0.14, DARK)
    p.rect(0.14, 0.03, 0.29, 0.065, DARK)
    p.ellipse(0.215, 0.54, 0.07, 0.065, CREAM)
    p.rect(0.13, 0.76, 0.30, 1.0, WOOD)
    for x in (0.47, 0.63, 0.79):
        p.rect(x, 0.62, x + 0.09, 0.86, CREAM)


def _castle(p: Pen) -> None:
    p.rect(0.15, 0.45, 0.85, 1.0, p.main(0.9))
    for x in (0.20, 0.36, 0.52, 0.68):
        p.rect(x, 0.36, x + 0.10, 0.50, p.main(0.9))
    for x in (0.02, 0.74):
        p.rect(x, 0.30, x + 0.24, 1.0, p.main())
        p.poly([(x - 0.02, 0.32), (x + 0.12, 0.03), (x + 0.26, 0.32)], p.main(0.5))
        p.rect(x + 0.08, 0.45, x + 0.16, 0.60, DARK)
    p.half_disc(0.5, 0.82, 0.12, 0.17, DARK)
    p.rect(0.38, 0.81, 0.62, 1.0, DARK)


def _tower(p: Pen) -> None:
    p.rect(0.16, 0.22, 0.84, 1.0, p.main())
    p.rect(0.03, 0.14, 0.97, 0.28, p.main(0.75))
    for x in (0.03, 0.39, 0.75):
        p.rect(x, 0.02, x + 0.22, 0.16, p.main(0.75))
    for y in (0.38, 0.58):
        p.rect(0.38, y, 0.62, y + 0.11, DARK)
    p.half_disc(0.5, 0.88, 0.18, 0.09, WOOD)
    p.rect(0.32, 0.87, 0.68, 1.0, WOOD)


def _lighthouse(p: Pen) -> None:
    p.poly([(0.27, 0.22), (0.73, 0.22), (0.95, 1.0), (0.05, 1.0)], p.main())
    for top, bottom in ((0.38, 0.54), (0.70, 0.86)):
        inner, outer = 0.27 - 0.28 * (top - 0.22), 0.27 - 0.28 * (bottom - 0.22)
        p.poly([(inner, top), (1 - inner, top), (1 - outer, bottom), (outer, bottom)], (0.97, 0.97, 0.96))
    p.rect(0.15, 0.20, 0.85, 0.24, DARK)
    p.rect(0.30, 0.09, 0.70, 0.20, (1.0, 0.93, 0.45))
    p.poly([(0.20, 0.10), (0.5, 0.0), (0.80, 0.10)], p.main(0.6))


def _windmill(p: Pen) -> None:
    p.poly([(0.36, 0.34), (0.64, 0.34), (0.78, 1.0), (0.22, 1.0)], p.main())
    p.half_disc(0.5, 0.36, 0.17, 0.12, p.main(0.55))
    p.rect(0.42, 0.80, 0.58, 1.0, WOOD)
    p.rect(0.44, 0.54, 0.56, 0.66, CREAM)
    for angle in (0.6, 0.6 + math.pi / 2, 0.6 + math.pi, 0.6 + 3 * math.pi / 2):
        cos, sin = math.cos(angle), math.sin(angle)
        x, y = 0.5 + 0.49 * cos, 0.34 + 0.34 * sin
        side = (-sin * 0.09, cos * 0.07)
        p.poly([(0.5, 0.34), (x, y), (x + side[0], y + side[1]), (0.5 + side[0], 0.34 + side[1])], CREAM)
        p.line([(0.5, 0.34), (x, y)], 0.018, WOOD)
    p.ellipse(0.5, 0.34, 0.05, 0.045, DARK)


def _tent(p: Pen) -> None:
    p.poly([(0.5, 0.02), (1.0, 1.0), (0.0, 1.0)], p.main())
    p.poly([(0.5, 0.02), (0.78, 1.0), (0.34, 1.0)], p.main(0.72))
    p.poly([(0.5, 0.30), (0.66, 1.0), (0.42, 1.0)], DARK)


def _pyramid(p: Pen) -> None:
    p.poly([(0.5, 0.0), (0.68, 1.0), (0.0, 1.0)], p.main())
    p.poly([(0.5, 0.0), (1.0, 1.0), (0.68, 1.0)], p.main(0.62))
    for y in (0.3, 0.55, 0.8):
        p.line([(0.5 - 0.5 * y, y), (0.5 + 0.18 * y, y)], 0.02, p.main(0.82))


def _igloo(p: Pen) -> None:
    p.half_disc(0.45, 1.0, 0.45, 0.98, p.main())
    for y in (0.30, 0.54, 0.78):
        half = 0.45 * math.sqrt(max(0.0, 1 - ((1 - y) / 0.98) ** 2))
        p.line([(0.45 - half, y), (0.45 + half, y)], 0.025, p.main(0.74))
    p.half_disc(0.76, 1.0, 0.24, 0.58, p.main(0.82))
    p.half_disc(0.78, 1.0, 0.15, 0.42, DARK)


def _tree(p: Pen) -> None:
    p.poly([(0.44, 0.5), (0.56, 0.5), (0.62, 1.0), (0.38, 1.0)], WOOD)
    p.ball(0.28, 0.46, 0.27, 0.22, p.main(0.9))
    p.ball(0.72, 0.46, 0.27, 0.22, p.main(0.85))
    p.ball(0.5, 0.28, 0.36, 0.28, p.main())


def _pine(p: Pen) -> None:
    p.rect(0.42, 0.84, 0.58, 1.0, WOOD)
    for top, bottom, half, light in ((0.46, 0.88, 0.5, 0.75), (0.23, 0.64, 0.39, 0.88), (0.0, 0.40, 0.28, 1.0)):
        p.poly([(0.5, top), (0.5 + half, bottom), (0.5 - half, bottom)], p.main(light))


def _palm(p: Pen) -> None:
    p.poly([(0.52, 0.25), (0.60, 0.25), (0.56, 1.0), (0.42, 1.0)], WOOD)
    for dx, dy in ((-0.52, 0.06), (-0.46, 0.28), (-0.22, -0.22), (0.22, -0.22), (0.42, 0.06), (0.36, 0.28)):
        tip = (0.56 + dx, 0.25 + dy)
        lift = (0.56 + dx * 0.55, 0.25 + dy * 0.55 - 0.13)
        p.poly([(0.56, 0.21), lift, tip, (0.56 + dx * 0.5, 0.25 + dy * 0.5 + 0.02), (0.56, 0.30)], p.main(0.9))
    p.ball(0.56, 0.27, 0.07, 0.06, p.main(0.7))


def _cactus(p: Pen) -> None:
    for x, top, bottom in ((0.10, 0.28, 0.62), (0.76, 0.18, 0.52)):
        p.rect(x, top, x + 0.16, bottom, p.main(0.85))
        p.ellipse(x + 0.08, top, 0.08, 0.05, p.main(0.85))
    p.rect(0.10, 0.52, 0.5, 0.63, p.main(0.85))
    p.rect(0.5, 0.42, 0.92, 0.53, p.main(0.85))
    p.rect(0.36, 0.10, 0.64, 1.0, p.main())
    p.ellipse(0.5, 0.10, 0.14, 0.09, p.main())
    p.rect(0.44, 0.10, 0.48, 1.0, p.main(1.25))


def _flower(p: Pen) -> None:
    p.rect(0.465, 0.4, 0.535, 1.0, (0.16, 0.48, 0.16))
    p.ellipse(0.30, 0.80, 0.20, 0.06, (0.16, 0.48, 0.16))
    p.ellipse(0.70, 0.72, 0.20, 0.06, (0.16, 0.48, 0.16))
    for step in range(6):
        angle = step * math.pi / 3
        p.ball(0.5 + 0.30 * math.cos(angle), 0.30 + 0.20 * math.sin(angle), 0.19, 0.125, p.main(0.95))
    p.ball(0.5, 0.30, 0.16, 0.11, (0.45, 0.27, 0.10))


def _mushroom(p: Pen) -> None:
    p.poly([(0.36, 0.45), (0.64, 0.45), (0.70, 1.0), (0.30, 1.0)], CREAM)
    p.half_disc(0.5, 0.56, 0.5, 0.55, p.main())
    p.poly([(0.0, 0.55), (1.0, 0.55), (0.86, 0.64), (0.14, 0.64)], p.main(0.6))
    for x, y, r in ((0.28, 0.36, 0.08), (0.52, 0.20, 0.09), (0.74, 0.40, 0.07)):
        p.ellipse(x, y, r, r, (0.99, 0.97, 0.93))


def _snowman(p: Pen) -> None:
    white = (0.96, 0.97, 1.0)
    p.ball(0.5, 0.78, 0.42, 0.22, white)
    p.ball(0.5, 0.48, 0.32, 0.18, white)
    p.ball(0.5, 0.26, 0.24, 0.15, white)
    p.rect(0.20, 0.36, 0.80, 0.44, p.main())
    p.rect(0.60, 0.40, 0.74, 0.62, p.main(0.85))
    p.rect(0.20, 0.13, 0.80, 0.18, p.main(0.9))
    p.rect(0.30, 0.0, 0.70, 0.15, p.main())
    for x in (0.42, 0.58):
        p.ellipse(x, 0.25, 0.035, 0.022, DARK)
    p.poly([(0.5, 0.28), (0.72, 0.31), (0.5, 0.325)], (0.98, 0.5, 0.1))


def _wheels(p: Pen, places: tuple[float, ...], y: float, radius: float, aspect: float) -> None:
    for x in places:
        p.ellipse(x, y, radius / aspect, radius, DARK)
        p.ellipse(x, y, radius * 0.5 / aspect, radius * 0.5, STONE)


def _car(p: Pen) -> None:
    p.poly([(0.22, 0.42), (0.34, 0.05), (0.68, 0.05), (0.82, 0.42)], p.main(0.85))
    p.poly([(0.28, 0.40), (0.37, 0.13), (0.49, 0.13), (0.49, 0.40)], GLASS)
    p.poly([(0.53, 0.40), (0.53, 0.13), (0.65, 0.13), (0.75, 0.40)], GLASS)
    p.poly([(0.02, 0.50), (0.12, 0.38), (0.90, 0.38), (0.98, 0.52), (0.98, 0.80), (0.02, 0.80)], p.main())
    p.ellipse(0.95, 0.54, 0.03, 0.07, CREAM)
    _wheels(p, (0.24, 0.76), 0.79, 0.21, 1.9)


def _bus(p: Pen) -> None:
    p.rect(0.02, 0.05, 0.98, 0.86, p.main())
    p.rect(0.02, 0.60, 0.98, 0.66, p.main(0.65))
    for x in (0.07, 0.25, 0.43, 0.61):
        p.rect(x, 0.17, x + 0.14, 0.46, GLASS)
    p.rect(0.80, 0.17, 0.95, 0.80, GLASS)
    _wheels(p, (0.22, 0.72), 0.84, 0.16, 1.9)


def _truck(p: Pen) -> None:
    p.rect(0.0, 0.04, 0.64, 0.80, p.main())
    for x in (0.14, 0.32, 0.50):
        p.rect(x, 0.04, x + 0.025, 0.80, p.main(0.75))
    p.poly([(0.67, 0.26), (0.86, 0.26), (0.99, 0.52), (0.99, 0.80), (0.67, 0.80)], p.main(0.7))
    p.poly([(0.72, 0.33), (0.84, 0.33), (0.93, 0.53), (0.72, 0.53)], GLASS)
    _wheels(p, (0.17, 0.46, 0.82), 0.83, 0.17, 1.7)


def _tractor(p: Pen) -> None:
    p.rect(0.22, 0.02, 0.60, 0.09, p.main(0.7))
    p.rect(0.26, 0.08, 0.31, 0.5, DARK)
    p.rect(0.52, 0.08, 0.57, 0.5, DARK)
    p.rect(0.31, 0.09, 0.52, 0.46, GLASS)
    p.rect(0.18, 0.44, 0.95, 0.74, p.main())
    p.rect(0.76, 0.18, 0.81, 0.46, DARK)
    _wheels(p, (0.28,), 0.69, 0.31, 1.3)
    _wheels(p, (0.82,), 0.81, 0.19, 1.3)


def _rocket(p: Pen) -> None:
    p.poly([(0.36, 0.86), (0.5, 1.0), (0.64, 0.86)], (1.0, 0.65, 0.1))
    p.poly([(0.22, 0.58), (0.0, 0.92), (0.26, 0.86)], p.main(0.6))
    p.poly([(0.78, 0.58), (1.0, 0.92), (0.74, 0.86)], p.main(0.6))
    p.rect(0.22, 0.28, 0.78, 0.88, p.main())
    p.poly([(0.5, 0.0), (0.64, 0.12), (0.78, 0.29), (0.22, 0.29), (0.36, 0.12)], p.main(0.75))
    p.ellipse(0.5, 0.42, 0.18, 0.09, STONE)
    p.ellipse(0.5, 0.42, 0.13, 0.065, GLASS)
    p.rect(0.22, 0.68, 0.78, 0.73, p.main(1.35))


def _robot(p: Pen) -> None:
    p.rect(0.47, 0.0, 0.53, 0.12, DARK)
    p.ellipse(0.5, 0.03, 0.06, 0.035, p.main())
    p.rect(0.26, 0.08, 0.74, 0.34, p.main(1.15))
    for x in (0.38, 0.62):
        p.ellipse(x, 0.19, 0.08, 0.055, (1.0, 0.95, 0.5))
    p.rect(0.36, 0.27, 0.64, 0.30, DARK)
    p.rect(0.0, 0.40, 0.16, 0.72, p.main(0.7))
    p.rect(0.84, 0.40, 1.0, 0.72, p.main(0.7))
    p.rect(0.18, 0.37, 0.82, 0.74, p.main())
    p.rect(0.32, 0.46, 0.68, 0.62, GLASS)
    p.rect(0.24, 0.74, 0.44, 1.0, p.main(0.7))
    p.rect(0.56, 0.74, 0.76, 1.0, p.main(0.7))


def _cat(p: Pen) -> None:
    p.line([(0.74, 0.92), (0.95, 0.86), (0.96, 0.6), (0.88, 0.5)], 0.07, p.main(0.8))
    p.ball(0.48, 0.76, 0.34, 0.26, p.main())
    p.poly([(0.20, 0.32), (0.20, 0.0), (0.44, 0.18)], p.main(0.8))
    p.poly([(0.76, 0.32), (0.76, 0.0), (0.52, 0.18)], p.main(0.8))
    p.ball(0.48, 0.33, 0.31, 0.23, p.main())
    for x in (0.37, 0.59):
        p.ellipse(x, 0.30, 0.055, 0.05, (0.98, 0.98, 0.7))
        p.ellipse(x, 0.30, 0.025, 0.045, DARK)
    p.poly([(0.44, 0.39), (0.52, 0.39), (0.48, 0.43)], DARK)
    for x in (0.34, 0.60):
        p.ellipse(x, 0.96, 0.12, 0.045, p.main(1.2))


def _rabbit(p: Pen) -> None:
    for x in (0.34, 0.66):
        p.ellipse(x, 0.18, 0.11, 0.18, p.main(0.95))
        p.ellipse(x, 0.19, 0.05, 0.13, (0.98, 0.75, 0.78))
    p.ball(0.5, 0.76, 0.38, 0.24, p.main())
    p.ball(0.5, 0.44, 0.32, 0.19, p.main())
    for x in (0.38, 0.62):
        p.ellipse(x, 0.42, 0.045, 0.035, DARK)
    p.ellipse(0.5, 0.50, 0.045, 0.022, (0.9, 0.4, 0.5))
    p.ellipse(0.5, 0.78, 0.20, 0.14, p.main(1.4))
    for x in (0.30, 0.70):
        p.ellipse(x, 0.96, 0.17, 0.04, p.main(1.15))


def _sheep(p: Pen) -> None:
    for x in (0.28, 0.42, 0.64, 0.76):
        p.rect(x, 0.7, x + 0.07, 1.0, DARK)
    for x, y in ((0.30, 0.52), (0.30, 0.36), (0.52, 0.28), (0.74, 0.36), (0.76, 0.54), (0.53, 0.60), (0.53, 0.44)):
        p.ball(x, y, 0.20, 0.24, p.main())
    p.ellipse(0.13, 0.40, 0.12, 0.19, DARK)
    p.ellipse(0.24, 0.28, 0.07, 0.06, DARK)
    p.ellipse(0.11, 0.35, 0.022, 0.03, CREAM)


def _umbrella(p: Pen) -> None:
    p.rect(0.48, 0.03, 0.52, 1.0, WOOD)
    p.half_disc(0.5, 0.52, 0.5, 0.46, p.main())
    for left, right in ((0.17, 0.33), (0.50, 0.67), (0.83, 1.0)):
        p.poly([(0.5, 0.07), (left, 0.52), (right, 0.52)], p.main(1.55))


def _sailboat(p: Pen) -> None:
    p.rect(0.475, 0.0, 0.51, 0.8, WOOD)
    p.poly([(0.53, 0.03), (0.95, 0.70), (0.53, 0.70)], p.main())
    p.poly([(0.455, 0.12), (0.455, 0.70), (0.10, 0.70)], p.main(0.78))
    p.poly([(0.02, 0.77), (0.98, 0.77), (0.80, 1.0), (0.18, 1.0)], WOOD)
    p.poly([(0.02, 0.77), (0.98, 0.77), (0.95, 0.82), (0.06, 0.82)], CREAM)


def _ship(p: Pen) -> None:
    p.rect(0.34, 0.05, 0.44, 0.4, p.main(0.75))
    p.rect(0.54, 0.05, 0.64, 0.4, p.main(0.75))
    p.rect(0.34, 0.05, 0.44, 0.12, DARK)
    p.rect(0.54, 0.05, 0.64, 0.12, DARK)
    p.rect(0.22, 0.34, 0.78, 0.62, (0.95, 0.95, 0.93))
    for x in (0.28, 0.40, 0.52, 0.64):
        p.rect(x, 0.42, x + 0.07, 0.53, DARK)
    p.poly([(0.0, 0.58), (1.0, 0.58), (0.88, 1.0), (0.12, 1.0)], p.main())
    p.poly([(0.0, 0.58), (1.0, 0.58), (0.97, 0.67), (0.03, 0.67)], p.main(0.65))


def _duck(p: Pen) -> None:
    p.poly([(0.72, 0.62), (1.0, 0.46), (0.90, 0.84)], p.main(0.9))
    p.ball(0.52, 0.74, 0.43, 0.27, p.main())
    p.ball(0.30, 0.28, 0.24, 0.26, p.main())
    p.poly([(0.10, 0.25), (0.10, 0.40), (-0.02, 0.36)], (0.98, 0.5, 0.05))
    p.ellipse(0.24, 0.22, 0.04, 0.04, DARK)
    p.ellipse(0.60, 0.70, 0.22, 0.14, p.main(0.75))


def _whale(p: Pen) -> None:
    p.line([(0.30, 0.34), (0.30, 0.08), (0.20, 0.02)], 0.05, GLASS)
    p.line([(0.30, 0.12), (0.40, 0.02)], 0.05, GLASS)
    p.poly(
        [(0.74, 0.72), (0.90, 0.52), (0.84, 0.24), (0.95, 0.36), (1.0, 0.18), (1.0, 0.55), (0.84, 0.95)], p.main(0.85)
    )
    p.ball(0.42, 0.70, 0.42, 0.37, p.main())
    p.poly([(0.08, 0.90), (0.12, 0.80), (0.55, 0.84), (0.74, 1.0), (0.20, 1.0)], p.main(1.65))
    p.ellipse(0.18, 0.62, 0.025, 0.04, DARK)


def _balloon(p: Pen) -> None:
    p.ball(0.5, 0.36, 0.5, 0.36, p.main())
    p.ellipse(0.5, 0.36, 0.22, 0.355, p.main(1.45))
    p.ellipse(0.5, 0.36, 0.10, 0.355, p.main())
    p.poly([(0.16, 0.60), (0.84, 0.60), (0.60, 0.80), (0.40, 0.80)], p.main(0.8))
    p.line([(0.41, 0.79), (0.42, 0.88)], 0.012, DARK)
    p.line([(0.59, 0.79), (0.58, 0.88)], 0.012, DARK)
    p.rect(0.38, 0.87, 0.62, 1.0, WOOD)


def _bird(p: Pen) -> None:
    p.poly([(0.46, 0.62), (0.30, 0.22), (0.02, 0.02), (0.16, 0.42), (0.38, 0.78)], p.main(0.82))
    p.poly([(0.54, 0.62), (0.70, 0.22), (0.98, 0.02), (0.84, 0.42), (0.62, 0.78)], p.main(0.95))
    p.ball(0.5, 0.74, 0.20, 0.20, p.main())
    p.poly([(0.32, 0.76), (0.14, 1.0), (0.40, 0.92)], p.main(0.75))
    p.ball(0.68, 0.66, 0.09, 0.15, p.main())
    p.poly([(0.75, 0.62), (0.86, 0.70), (0.75, 0.74)], (0.98, 0.6, 0.1))
    p.ellipse(0.70, 0.62, 0.015, 0.025, DARK)


def _kite(p: Pen) -> None:
    p.poly([(0.5, 0.0), (0.98, 0.30), (0.5, 0.74), (0.02, 0.30)], p.main())
    p.poly([(0.5, 0.0), (0.98, 0.30), (0.5, 0.30)], p.main(0.68))
    p.poly([(0.5, 0.74), (0.02, 0.30), (0.5, 0.30)], p.main(1.4))
    p.line([(0.5, 0.74), (0.60, 0.82), (0.46, 0.90), (0.56, 1.0)], 0.02, DARK)
    for x, y in ((0.58, 0.82), (0.48, 0.91)):
        p.ellipse(x, y, 0.08, 0.025, p.main(0.8))


def _airplane(p: Pen) -> None:
    p.poly([(0.02, 0.12), (0.14, 0.12), (0.26, 0.46), (0.06, 0.46)], p.main(0.75))
    p.ball(0.5, 0.52, 0.48, 0.20, p.main())
    p.poly([(0.44, 0.52), (0.62, 0.52), (0.40, 1.0), (0.26, 1.0)], p.main(0.65))
    p.poly([(0.46, 0.42), (0.58, 0.42), (0.46, 0.08), (0.38, 0.08)], p.main(0.6))
    for x in (0.28, 0.38, 0.60, 0.70):
        p.ellipse(x, 0.47, 0.025, 0.05, GLASS)
    p.poly([(0.82, 0.38), (0.92, 0.42), (0.95, 0.49), (0.82, 0.49)], GLASS)


def _butterfly(p: Pen) -> None:
    for side in (-1, 1):
        p.ball(0.5 + side * 0.27, 0.32, 0.23, 0.30, p.main())
        p.ball(0.5 + side * 0.22, 0.74, 0.18, 0.24, p.main(0.82))
        p.ellipse(0.5 + side * 0.29, 0.30, 0.10, 0.13, p.main(1.6))
        p.line([(0.5, 0.18), (0.5 + side * 0.10, 0.02)], 0.02, DARK)
    p.ellipse(0.5, 0.50, 0.045, 0.36, DARK)


def _ufo(p: Pen) -> None:
    p.half_disc(0.5, 0.52, 0.24, 0.50, GLASS)
    p.ellipse(0.5, 0.66, 0.5, 0.28, p.main(0.7))
    p.ellipse(0.5, 0.58, 0.5, 0.22, p.main())
    for x in (0.16, 0.33, 0.5, 0.67, 0.84):
        p.ellipse(x, 0.72, 0.035, 0.06, (1.0, 0.95, 0.55))


DRAWINGS: Final[dict[str, Callable[[Pen], None]]] = {
    name[1:]: function
    for name, function in list(globals().items())
    if name.startswith("_") and not name.startswith("__") and callable(function) and name != "_wheels"
}
