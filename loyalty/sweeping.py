"""What is done because time has passed, by name: each verb asks its rows what is due.

All of them may run late, and again at any time; beat and the foreground clock share the list.
"""

from collections.abc import Callable
from datetime import datetime

from loyalty import challenges, checkins, expiry, tiers, vouchers

type Sweep = Callable[..., int]

OFTEN: dict[str, Sweep] = {
    "matured": expiry.mature,
    "expired": expiry.expire,
    "holds released": vouchers.release_lapsed,
    "positions dropped": checkins.forget_positions,
}
NIGHTLY: dict[str, Sweep] = {
    "tiers changed": lambda *, now: tiers.qualify(at=now),
    "lapsed": expiry.lapse_inactive,
    "warned": expiry.warn,
    "challenges completed": challenges.complete_missed,
}


def sweep(*, now: datetime) -> dict[str, int]:
    """Do everything that is due; how many rows or members each verb concerned."""
    return {name: verb(now=now) for name, verb in (OFTEN | NIGHTLY).items()}
