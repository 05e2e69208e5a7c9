"""The brushes of Cairn's landscapes: a time of day, and a painter of skies, hills, firs and people.

Pure and deterministic: all chance comes from the dice a painter is given. Every picture here has
`WIDTH` x `HEIGHT` pixels; other sizes are cut out of it.
"""

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from PIL import Image, ImageDraw, ImageOps

type Colour = tuple[int, int, int]
type Shape = list[tuple[float, float]]

WIDTH, HEIGHT = 1200, 628  # of every scene; other sizes are cut out of it
WHITE, DARK = (255, 255, 255), (16, 20, 36)


@dataclass(frozen=True)
class Light:
    """A time of day: the sky from top to horizon, the sun, far and near ridges, the ground."""

    sky: tuple[Colour, Colour, Colour]
    sun: Colour
    far: Colour
    near: Colour
    ground: Colour


def light_of(colours: str) -> Light:
    top, middle, low, *others = (
        (int(each[:2], 16), int(each[2:4], 16), int(each[4:], 16)) for each in colours.split()
    )
    return Light((top, middle, low), *others)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b


def _fade(
    width: int, height: int, top: Colour, bottom: Colour, middle: Colour | None = None
) -> Image.Image:
    column = Image.linear_gradient("L").crop((0, 0, 1, 256)).resize((1, height))
    shades = ImageOps.colorize(column, top, bottom, middle)
    return shades.resize((width, height), Image.Resampling.NEAREST)


@lru_cache(maxsize=16)
def _halo(size: int) -> Image.Image:
    fade = Image.radial_gradient("L").point(lambda level: round(max(0, 1 - level / 181) ** 2 * 190))
    return fade.resize((size, size), Image.Resampling.BILINEAR)


@lru_cache(maxsize=8)
def _circle(power: float) -> Shape:
    turns = [math.tau * step / 36 for step in range(36)]
    across, down = (
        [math.copysign(abs(at) ** power, at) for at in map(way, turns)]
        for way in (math.cos, math.sin)
    )
    return list(zip(across, down, strict=True))


def oval(x: float, y: float, rx: float, ry: float = 0, *, power: float = 1) -> Shape:
    """An ellipse or, with a power below 1, the rounder rectangle that water makes of a stone."""
    return [(x + rx * dx, y + (ry or rx) * dy) for dx, dy in _circle(power)]


def mountains(dice: random.Random, level: float, rise: float, *, climb: float = 0) -> Shape:
    """A mountain range by midpoint displacement, rising by `climb` from left to right."""
    heights = [dice.uniform(-rise, rise), climb + dice.uniform(-rise, rise)]
    spread = rise
    while len(heights) < 200:
        middles = [
            (one + two) / 2 + dice.uniform(-spread, spread) for one, two in pairwise(heights)
        ]
        heights = [y for pair in zip(heights, middles, strict=False) for y in pair] + heights[-1:]
        spread *= 0.55
    return [(WIDTH * at / (len(heights) - 1), level - y) for at, y in enumerate(heights)]


def _pine(x: float, y: float, size: float) -> Shape:
    """A fir of that height standing at (x, y)."""
    half = ((0, 1), (9, 0.72), (5, 0.72), (15, 0.42), (8, 0.42), (20, 0.08), (3, 0.08), (3, 0))
    right = [(x + dx * size / 100, y - dy * size) for dx, dy in half]
    return right + [(2 * x - at, height) for at, height in reversed(right)]


class Painter:
    """A picture in the making, with what more than one scene needs."""

    def __init__(self, light: Light, dice: random.Random) -> None:
        self.light, self.dice = light, dice
        self.image = Image.new("RGB", (WIDTH, HEIGHT))
        top, middle, low = light.sky
        self.image.paste(_fade(WIDTH, 480, top, low, middle))

    def fill(
        self, *shapes: Shape, top: Colour, bottom: Colour | None = None, opacity: float = 1
    ) -> None:
        """Polygons with smooth edges, in one colour or fading from top to bottom."""
        xs, ys = zip(*(point for shape in shapes for point in shape), strict=True)
        left, upper = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
        width = min(WIDTH, math.ceil(max(xs)) + 1) - left
        height = min(HEIGHT, math.ceil(max(ys)) + 1) - upper
        if width <= 0 or height <= 0:
            return
        finer = 2 if width * height > 40_000 else 4
        mask = Image.new("L", (width * finer, height * finer))
        pen = ImageDraw.Draw(mask)
        for shape in shapes:
            outline = [((x - left) * finer, (y - upper) * finer) for x, y in shape]
            pen.polygon(outline, fill=round(255 * opacity))
        paint = top if bottom is None else _fade(width, height, top, bottom)
        self.image.paste(paint, (left, upper, left + width, upper + height), mask.reduce(finer))

    def glow(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self.image.paste(colour, (round(x - radius), round(y - radius)), _halo(round(radius * 2)))

    def sun(self, x: float, y: float, radius: float) -> None:
        self.glow(x, y, radius * 6, self.light.sun)
        self.fill(oval(x, y, radius), top=self.light.sun)

    def clouds(self, count: int) -> None:
        for _ in range(count):
            x, y = self.dice.uniform(-50, WIDTH), self.dice.uniform(190, 300)
            wide = self.dice.uniform(60, 160)
            puffs = ((0, 0, 1.0, 5), (0.5, -5, 0.56, 9), (-0.4, -3, 0.44, 8))
            shapes = [oval(x + wide * dx, y + dy, wide * rx, ry) for dx, dy, rx, ry in puffs]
            self.fill(*shapes, top=WHITE, opacity=0.35)

    def ridge(self, level: float, rise: float, depth: float, *, trees: float = 0) -> None:
        """A range of hills with fog at its foot, far away at depth 0 and near at 1."""
        skyline, x = mountains(self.dice, level, rise), -10.0
        forest: list[Shape] = []
        while trees and x < WIDTH:
            size = trees * self.dice.uniform(0.6, 1.3)
            _, foot = skyline[min(max(0, round(x / WIDTH * 256)), 256)]
            forest.append(_pine(x, foot + size / 5, size))
            x += size * self.dice.choice((0.25, 0.3, 0.4, 0.9))
        colour = mix(self.light.far, self.light.near, depth)
        fog = mix(colour, self.light.sky[2], 0.67 - 0.55 * depth)
        self.fill([*skyline, (WIDTH, HEIGHT), (0, HEIGHT)], *forest, top=colour, bottom=fog)

    def meadow(self, level: float, wave: float) -> None:
        """Rolling ground in front."""
        shift, ground = self.dice.uniform(0, 6), self.light.ground
        top: Shape = [
            (x, level - wave * (math.sin(x / 210 + shift) + math.sin(x / 71) / 3))
            for x in range(0, WIDTH + 20, 20)
        ]
        outline = [*top, (WIDTH, HEIGHT), (0, HEIGHT)]
        self.fill(outline, top=mix(ground, self.light.sun, 0.18), bottom=mix(ground, DARK, 0.25))

    def frame(self, *xs: float, size: float) -> None:
        """Tall firs in front, at both sides."""
        pines = [_pine(x, HEIGHT + 4, size * self.dice.uniform(0.5, 1.2)) for x in xs]
        near = self.light.near
        self.fill(*pines, top=mix(near, DARK, 0.3), bottom=mix(near, DARK, 0.7))

    def figure(self, pose: str, x: float, y: float, size: float) -> None:
        """A person in silhouette, standing at (x, y); a pose is as the constants below."""
        shapes: list[Shape] = []
        for limb in pose.split(";"):
            wide, *chain = limb.split()
            half = int(wide) * size / 200
            places = (joint.split(",") for joint in chain)
            joints = [(x + int(dx) * size / 100, y - int(dy) * size / 100) for dx, dy in places]
            shapes += [oval(joint_x, joint_y, half) for joint_x, joint_y in joints]
            for (x1, y1), (x2, y2) in pairwise(joints):
                length = math.hypot(x2 - x1, y2 - y1)
                dx, dy = (y1 - y2) / length * half, (x2 - x1) / length * half
                shapes.append(
                    [(x1 + dx, y1 + dy), (x2 + dx, y2 + dy), (x2 - dx, y2 - dy), (x1 - dx, y1 - dy)]
                )
        self.fill(*shapes, top=mix(self.light.near, DARK, 0.75))

    def cairn(self, x: float, y: float, size: float) -> None:
        """Stones on stones: somebody was here."""
        self.fill(oval(x, y, size * 0.62, size * 0.07), top=DARK, opacity=0.35)
        stones = (
            (50, 14, 0, 0),
            (40, 12, 3, 0.7),
            (31, 11, -4, 0.1),
            (22, 9, 2, 0.9),
            (12, 7, -1, 0.4),
        )
        for rx, ry, shift, tone in stones:
            grey = mix((106, 104, 112), (164, 150, 134), tone)
            y -= ry * size / 100
            stone = oval(x + shift * size / 100, y, rx * size / 100, ry * size / 100, power=0.72)
            self.fill(stone, top=mix(grey, self.light.sun, 0.45), bottom=mix(grey, DARK, 0.55))
            y -= ry * size / 116

    def peak(self, x: float, y: float, half: float) -> None:
        """A snow mountain with a lit and a shaded face."""
        left, spine, right = (
            [
                (x + way * at / 12 + self.dice.uniform(-9, 9) * (at > 0), y + (520 - y) * at / 12)
                for at in range(13)
            ]
            for way in (-half, -half / 10, half)
        )
        far, near = self.light.far, self.light.near
        self.fill(left + right[::-1], top=WHITE, bottom=mix(far, WHITE, 0.35))
        self.fill(spine + right[::-1], top=mix(far, near, 0.2), bottom=mix(far, near, 0.45))
