"""A campaign rehearsed: how many it would reach, how many are left alone, and by which channel.

The questions are planning's own, asked of the audience at this moment; nothing is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from campaigns import audiences, holdouts
from campaigns.models import Campaign, Step
from campaigns.reach import allowed_sql, reachable_sql, wanted_sql
from config.errors import Refusal

TOLERANCE_PERCENT = 10


class AudienceChanged(Refusal):
    """More members, or fewer, than whoever launches was shown."""

    code = "audience_changed"
    status = 409


@dataclass(frozen=True, slots=True)
class Way:
    """One channel: who allows it, who has an address for it, both, and who would get it here."""

    channel: str
    allowed: int
    reachable: int
    able: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What planning would make of the audience at this moment."""

    audience: int
    held_out: int
    unreached: int
    ways: tuple[Way, ...]

    @property
    def treated(self) -> int:
        return self.audience - self.held_out

    @property
    def reached(self) -> int:
        return self.treated - self.unreached


def count(definition: object, *, at: datetime) -> int:
    """How many members are in an audience."""
    return audiences.members(definition, at=at).count()


def rehearse(campaign: Campaign, *, now: datetime, step: Step | None = None) -> Rehearsal:
    """Count the audience, the held out, and whom each channel of a step (the first) reaches;
    what a step's condition will say is not known yet."""
    step = step or campaign.steps.earliest("position")
    audience, values = (
        audiences.members(campaign.audience.definition, at=now)
        .order_by()
        .values("pk")
        .query.sql_with_params()
    )
    able = {c: _able(c, campaign) for c in step.channels}
    held = holdouts.held_out_sql(campaign="%s::text", member="m.id", below="%s")
    columns = ", ".join(
        f"count(*) FILTER (WHERE {allowed_sql(channel=c, purpose=campaign.purpose)}),"
        f" count(*) FILTER (WHERE {reachable_sql(channel=c)}),"
        f" count(*) FILTER (WHERE {able[c]}),"
        f" count(*) FILTER (WHERE NOT x.held AND {_chosen(step, c, able)})"
        for c in step.channels
    )
    sql = (
        f"SELECT count(*), count(*) FILTER (WHERE x.held),"
        f" count(*) FILTER (WHERE NOT (x.held OR {' OR '.join(able.values())})), {columns}"
        f" FROM members_member m CROSS JOIN LATERAL (SELECT {held} AS held) AS x"
        f" WHERE m.id IN ({audience})"
    )
    with connection.cursor() as cursor:
        limit = round(campaign.holdout_percent * 100)
        code = (campaign.replaces or campaign).code
        cursor.execute(sql, [code, limit, *values])
        total, held_out, unreached, *counts = cursor.fetchone()
    ways = [Way(c, *counts[4 * n : 4 * n + 4]) for n, c in enumerate(step.channels)]
    return Rehearsal(total, held_out, unreached, tuple(ways))


def confirm(campaign: Campaign, *, shown: int, now: datetime) -> None:
    """Refuse to go on when the audience is no longer the one that was shown."""
    found = count(campaign.audience.definition, at=now)
    if abs(found - shown) * 100 > shown * TOLERANCE_PERCENT:
        raise AudienceChanged(
            f"The audience was {shown:,} and is {found:,} members now: look again before launch."
        )


def _able(channel: str, campaign: Campaign) -> str:
    return (
        f"({allowed_sql(channel=channel, purpose=campaign.purpose)}"
        f" AND {reachable_sql(channel=channel)} AND {wanted_sql(topic_id=campaign.topic_id)})"
    )


def _chosen(step: Step, channel: str, able: Mapping[str, str]) -> str:
    """Whether this channel would be the one: the member's preferred, else the first that can."""
    if step.send == Step.Send.ALL:
        return able[channel]
    earlier = [able[c] for c in step.channels[: step.channels.index(channel)]]
    prefers_it = f"m.preferred_channel = '{channel}'"
    others = [f"(m.preferred_channel = '{c}' AND {able[c]})" for c in step.channels if c != channel]
    no_better = [f"NOT {sql}" for sql in (*earlier, *others)]
    first = " AND ".join(no_better) or "true"
    return f"({able[channel]} AND ({prefers_it} OR ({first})))"
