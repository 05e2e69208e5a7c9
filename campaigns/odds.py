"""How likely an answer is, and how likely each version should be chosen for it. Pure.

Both begin with the same guess: one answer in twenty, worth twenty messages of experience.
"""

import random
from collections.abc import Mapping

GUESS, WORTH = 0.05, 20.0
# Every version keeps a chance: what is never tried is never learned, and an estimate that weighs
# outcomes by one over the propensity must not explode.
LEAST = 0.05
DRAWS = 4_000


def of_answer(*, sent: int, answered: int) -> float:
    """The expected share of answers (0 to 1): the mean of a beta distribution after the record."""
    return (answered + GUESS * WORTH) / (sent + WORTH)


def of_versions(records: Mapping[int, tuple[int, int]], *, seed: int) -> dict[int, float]:
    """How likely each version should be chosen, from its (sent, answered): {version: 0 to 1}.

    Probability matching (Thompson, Biometrika 25, 1933): as likely as it is the best of them,
    measured with draws from the beta distribution of each; then at least `LEAST`, or an equal
    share of many. They add up to 1, and the same records and seed give the same odds.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    betas = {
        version: (answered + GUESS * WORTH, sent - answered + (1 - GUESS) * WORTH)
        for version, (sent, answered) in sorted(records.items())
    }
    won = dict.fromkeys(betas, 0)
    for _ in range(DRAWS):
        won[max(betas, key=lambda version: chance.betavariate(*betas[version]))] += 1
    least = min(LEAST, 1 / len(won))
    rest = 1 - least * len(won)
    return {version: least + rest * times / DRAWS for version, times in won.items()}
