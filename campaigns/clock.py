"""One turn of the clock: everything that is due, in the order a day needs it.

Beat and its workers run the same verbs piecemeal; `tick` runs them in the foreground, at any time.
"""

from dataclasses import dataclass
from datetime import datetime

from campaigns import (
    arbitration,
    arrivals,
    gifts,
    journeys,
    planning,
    sending,
    tasks_for_people,
    triggers,
)
from loyalty import sweeping
from members import announcing, confirmations, geocoding

TALK: dict[str, sweeping.Sweep] = {
    "confirmations asked": confirmations.send_due,
    "located": lambda *, now: geocoding.geocode_unlocated(),  # noqa: PLW0108
    "leases expired": lambda *, now: sending.reap(),  # noqa: PLW0108
    "answered": triggers.answer,
    "planned": lambda *, now: planning.plan_due(now=now).deliveries,
    "moved on": journeys.advance,
    "arrived": arrivals.note,
    "lost to rivals": arbitration.arbitrate,
    **{
        f"claimed for {channel}": lambda *, now, channel=channel: (
            sending.send_due(channel=channel, now=now).claimed
        )
        for channel in sending.CHANNELS
    },
    "calls withdrawn": tasks_for_people.withdraw,
    "announced": lambda *, now: announcing.deliver(now=now).claimed,
    "announcements dropped": lambda *, now: announcing.forget(now=now),
    "vouchers taken back": gifts.take_back,
    "finished": sending.finish,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn did, by name; everything zero means idle."""

    done: dict[str, int]

    @property
    def is_idle(self) -> bool:
        return not any(self.done.values())


def turn(*, now: datetime) -> Turn:
    """Do one batch of everything that is due; `ExceptionGroup` at the end when a verb failed."""
    return Turn(sweeping.each(sweeping.OFTEN | sweeping.NIGHTLY | TALK, now=now))
