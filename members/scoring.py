"""The arithmetic of interest: how facts add up and fade. Pure.

A fact counts weight x 0.5 ** (age / half-life); facts add; the sum saturates to a score between
0 and 1. Exponential decay folds: the sum at one moment determines the sum at any later one, so a
single number per kind of fact stands for its whole history (Cormode et al., Forward Decay, 2009).
The fading itself is done where the rows are: in SQL, by `interests`.
"""

import math

# Below this an interest is noise.
LEAST_SCORE = 0.05
# A stated level from here on outranks every inference.
STATED_LEVEL = 0.5


def score(*, mass: float) -> float:
    """Turn an unbounded mass into a score in [0, 1): one whole fact of weight 1 gives 0.5."""
    return mass / (1.0 + mass) if mass > 0 else 0.0


def mass_for(*, score: float) -> float:
    """The mass at which `score` is reached (0 <= score < 1): the inverse of `score`."""
    if not 0 <= score < 1:
        raise ValueError("A score lies between 0 and 1.")
    return score / (1.0 - score)


def whole_points(points: float) -> int:
    """The points of a lead score as people are told them, and as a threshold counts them: rounded.

    Fading begins at once: unrounded, two times five points would never again be ten.
    """
    return math.floor(points + 0.5)


def points_for(*, whole: int) -> float:
    """From how many unrounded points on the rounded ones are `whole`."""
    return whole - 0.5
