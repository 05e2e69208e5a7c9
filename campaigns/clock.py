"""One turn of the clock: everything that is due, in the order a day needs it.

Beat and its workers run the same verbs piecemeal; `tick` runs them in the foreground, at any time.
"""

from dataclasses import dataclass
from datetime import datetime

from campaigns import planning, sending, triggers
from loyalty import sweeping
from members import announcing, geocoding


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn did, by name; everything zero means idle."""

    done: dict[str, int]

    @property
    def is_idle(self) -> bool:
        return not any(self.done.values())


def turn(*, now: datetime) -> Turn:
    """Do one batch of everything that is due."""
    done = sweeping.sweep(now=now)
    done["located"] = geocoding.geocode_unlocated()
    done["leases expired"] = sending.reap()
    done["answered"] = triggers.answer(now=now)
    done["planned"] = planning.plan_due(now=now).deliveries
    for channel in sending.CHANNELS:
        done[f"claimed for {channel}"] = sending.send_due(channel=channel, now=now).claimed
    done["announced"] = announcing.deliver(now=now).claimed
    done["announcements dropped"] = announcing.forget(now=now)
    done["finished"] = sending.finish(now=now)
    return Turn(done)
