"""What is done because time has passed, by name: each verb asks its rows what is due.

All of them may run late, and again at any time; beat and the foreground clock share the list.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from loyalty import (
    acts,
    challenges,
    checkins,
    expiry,
    guests,
    hesitations,
    issuing,
    referrals,
    rewards,
    tender,
    tiers,
    vouchers,
)
from members import birthdays, lead_scores, lifecycle, profiles

log = structlog.get_logger(__name__)

type Sweep = Callable[..., int]

OFTEN: dict[str, Sweep] = {
    "matured": expiry.mature,
    "expired": expiry.expire,
    "holds released": vouchers.release_lapsed,
    "points let go": tender.release_lapsed,
    "seats filled": rewards.fill_seats,
    "vouchers issued": issuing.issue_due,
    "positions dropped": checkins.forget_positions,
    "birthdays": birthdays.celebrate,
    "acts paid": acts.pay_recent,
    "hesitations noted": hesitations.note,
    "late points counted": lead_scores.catch_up,
}
NIGHTLY: dict[str, Sweep] = {
    "tiers changed": lambda *, now: tiers.qualify(at=now),
    "lapsed": expiry.lapse_inactive,
    "warned": expiry.warn,
    "referrals counted": referrals.pay_kept,
    "profiles complete": lambda *, now: profiles.complete(now=now),
    "guests' receipts dropped": guests.drop,
    "challenges completed": challenges.complete_missed,
    "stages changed": lifecycle.review,
}


def each(verbs: Mapping[str, Sweep], *, now: datetime) -> dict[str, int]:
    """Try every verb: one that fails holds up no other; how many rows or members each concerned.

    Raises `ExceptionGroup` after the last if any failed.
    """
    done: dict[str, int] = {}
    failures: dict[str, Exception] = {}
    for name, verb in verbs.items():
        try:
            done[name] = verb(now=now)
        except Exception as error:
            log.exception("sweep_failed", verb=name)
            failures[name] = error
    if failures:
        raise ExceptionGroup(f"Failed: {', '.join(failures)}.", list(failures.values()))
    return done
