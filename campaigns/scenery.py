"""The landscapes of messages: each a function that paints, with the lights it looks good in.

A new scene is one function and one line above it; the admin's choices and the pictures of
interests follow. The same dice give the same landscape.
"""

import math
from collections.abc import Callable
from itertools import pairwise

from campaigns.painting import (
    DARK,
    HEIGHT,
    WHITE,
    WIDTH,
    Light,
    Painter,
    Shape,
    light_of,
    mix,
    mountains,
    oval,
)

_MORNING = light_of("2f7f9e 8cc5c8 fbe6bd fff6d8 a9c6c4 2c5c58 54793f")
_NOON = light_of("1f6fb2 63aede d3ecf5 fffbe6 9fc3d9 2a5a72 5f8f4a")
_EVENING = light_of("3b2a5e c4567a ffc27a ffe9b8 b0628a 35224f 2a1c3d")
_FROST = light_of("3a5f94 87aed6 f3e3e4 fffaf0 a9c0dc 3d5f8c eef4fb")
_ALPENGLOW = light_of("3b2a5e b85c86 ffc9a0 ffe9b8 b88aae 54406f f0dfe8")
_NIGHT = light_of("0b1230 24305f 6a5a8c fdf6dc 3c4375 131a3c 0c1128")


# Limbs, head first: width, then joints as x,y from the feet, in hundredths of the figure's height.
_HIKER = (
    "17 3,91; 17 0,76 -2,50; 19 -13,75 -14,58; 11 -1,47 11,26 10,5; 11 -2,47 -7,25 -17,6;"
    "8 2,75 12,60 22,63; 3 22,68 27,0"
)
_RUNNER = (
    "17 13,91; 16 7,75 -1,52; 11 -1,50 17,42 11,20 17,17; 10 -2,50 -6,26 -29,20 -33,27;"
    "7 6,77 -12,68 -10,52; 7 7,77 17,62 28,72"
)
_CLIMBER = (
    "17 2,90; 17 0,76 -3,50; 8 3,78 16,92 17,112; 8 -3,78 -17,80 -22,97;"
    "11 0,48 17,42 14,20; 11 -5,48 -16,30 -12,6"
)

type Paint = Callable[[Painter], None]
SCENES: dict[str, tuple[Paint, tuple[Light, ...]]] = {}
BY_INTEREST: dict[str, str] = {}


def _scene(name: str, *lights: Light, interests: str = "") -> Callable[[Paint], Paint]:
    """Register a scene, the lights it looks good in, and the interests that call for it."""

    def register(paint: Paint) -> Paint:
        SCENES[name] = paint, lights
        BY_INTEREST.update(dict.fromkeys(interests.split(), name))
        return paint

    return register


@_scene("valley", _MORNING, _EVENING, _NOON)
def _valley(painter: Painter) -> None:
    light, dice = painter.light, painter.dice
    painter.sun(840, 265, 44)
    painter.clouds(4)
    painter.ridge(345, 60, 0.1)
    painter.ridge(400, 45, 0.45)
    painter.ridge(438, 12, 0.8, trees=30)
    lake: Shape = [(0, 452), (WIDTH, 452), (WIDTH, HEIGHT), (0, HEIGHT)]
    painter.fill(
        lake, top=mix(light.sky[2], light.near, 0.2), bottom=mix(light.sky[0], light.near, 0.4)
    )
    for step in range(26):
        glint = oval(840 + dice.uniform(-10, 10), 458 + step * 6.4, dice.uniform(10, 46), 1.7)
        painter.fill(glint, top=light.sun, opacity=0.65 - step * 0.02)
    painter.meadow(604, 20)
    painter.frame(-10, 40, 85, 125, 1080, 1130, 1165, 1210, size=150)


@_scene("trail", _MORNING, _EVENING, _NOON, interests="hiking walking backpacking")
def _trail(painter: Painter) -> None:
    painter.sun(830, 235, 46)
    painter.clouds(4)
    painter.ridge(330, 75, 0)
    painter.ridge(390, 60, 0.3)
    painter.ridge(440, 40, 0.65, trees=24)
    painter.meadow(492, 14)
    steps = [at / 40 for at in range(41)]
    middle = [
        (700 + 70 * math.sin(7 * at) * (0.4 + at) - 150 * at**2, 492 + 140 * at**1.3)
        for at in steps
    ]
    left = [(x - 3 - 60 * at**1.7, y) for (x, y), at in zip(middle, steps, strict=True)]
    right = [(x + 3 + 60 * at**1.7, y) for (x, y), at in zip(middle, steps, strict=True)]
    sand = mix((214, 178, 126), painter.light.ground, 0.2)
    painter.fill(left + right[::-1], top=mix(sand, painter.light.sky[2], 0.4), bottom=sand)
    painter.figure(_HIKER, middle[17][0], middle[17][1] + 4, 84)
    painter.cairn(1000, 598, 205)


@_scene("wall", _NOON, _MORNING, _EVENING, interests="climbing bouldering mountaineering")
def _wall(painter: Painter) -> None:
    light, dice = painter.light, painter.dice
    painter.clouds(4)
    painter.ridge(360, 60, 0.1)
    painter.ridge(430, 45, 0.5, trees=20)
    rock = mix((200, 126, 80), light.near, 0.18)
    edges: list[Shape] = [
        [(x - y * 0.15 + dice.uniform(-16, 16), y) for y in range(-10, 700, 62)]
        for x in range(760, 1400, 62)
    ]
    corners: Shape = [(WIDTH, HEIGHT + 20), (WIDTH, -10)]
    painter.fill(
        edges[0] + corners, top=mix(rock, light.sun, 0.35), bottom=mix(rock, light.near, 0.3)
    )
    for one, two in pairwise(edges):
        cut, tint = dice.randrange(1, 9), dice.choice((DARK, light.sun))
        painter.fill(one[: cut + 2] + two[cut::-1], top=tint, opacity=dice.uniform(0.06, 0.18))
        painter.fill(one[cut:] + two[: cut - 1 : -1], top=DARK, opacity=dice.uniform(0.02, 0.1))
    painter.meadow(590, 14)
    route = zip((905, 880, 930, 900, 960, 940, 975), range(560, -60, -95), strict=True)
    for (x1, y1), (x2, y2) in pairwise(route):
        rope: Shape = [(x1 - 1.5, y1), (x1 + 1.5, y1), (x2 + 1.5, y2), (x2 - 1.5, y2)]
        painter.fill(rope, oval(x2, y2, 6), top=mix(WHITE, light.sun, 0.5), opacity=0.85)
    painter.figure(_CLIMBER, 955, 262, 92)


@_scene("snow", _FROST, _ALPENGLOW, interests="snow skiing ski-touring snowboarding winter")
def _snow(painter: Painter) -> None:
    dice = painter.dice
    painter.sun(1010, 130, 34)
    painter.ridge(360, 60, 0.1)
    for x, y, half in ((1100, 250, 260), (520, 310, 250), (800, 160, 350)):
        painter.peak(x, y, half)
    painter.ridge(500, 12, 0.7, trees=44)
    painter.meadow(545, 16)
    flakes = [
        oval(dice.uniform(0, WIDTH), dice.uniform(0, HEIGHT), dice.choice((1.3, 2, 2.6, 4)))
        for _ in range(170)
    ]
    painter.fill(*flakes, top=WHITE, opacity=0.8)


@_scene("camp", _NIGHT, interests="camping stargazing bikepacking")
def _camp(painter: Painter) -> None:
    dice = painter.dice
    stars = [
        oval(dice.uniform(0, WIDTH), dice.uniform(0, 400), dice.choice((0.7, 0.9, 1.2, 2)))
        for _ in range(190)
    ]
    painter.fill(*stars, top=(255, 250, 230), opacity=0.9)
    painter.sun(1060, 110, 30)
    painter.ridge(380, 80, 0.3)
    painter.ridge(440, 45, 0.6)
    painter.ridge(505, 20, 0.9, trees=75)
    painter.meadow(548, 10)
    painter.glow(845, 530, 250, (255, 170, 80))
    painter.fill([(700, 590), (830, 420), (965, 590)], top=(255, 216, 136), bottom=(238, 128, 48))
    painter.fill([(830, 420), (965, 590), (1030, 572)], top=(196, 96, 52), bottom=(96, 46, 46))
    painter.fill([(830, 445), (802, 590), (860, 590)], top=(140, 66, 40), bottom=(66, 32, 42))
    painter.frame(1090, 1130, 1165, 1210, size=230)


@_scene("ridge", _EVENING, _MORNING, _NOON, interests="trail-running running fastpacking")
def _ridge(painter: Painter) -> None:
    light = painter.light
    painter.sun(800, 290, 60)
    painter.clouds(3)
    painter.ridge(360, 60, 0)
    painter.ridge(410, 50, 0.3)
    painter.ridge(460, 40, 0.6, trees=18)
    crest = mountains(painter.dice, 585, 14, climb=210)
    painter.fill(
        [*crest, (WIDTH, HEIGHT), (0, HEIGHT)], top=light.near, bottom=mix(light.near, DARK, 0.6)
    )
    x, y = crest[len(crest) * 5 // 7]
    painter.figure(_RUNNER, x, y - 6, 112)
