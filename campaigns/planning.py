"""Planning: who enters a campaign now, in which arm, variant and channel.

One INSERT ... SELECT built from the audience's query makes the journeys and their deliveries, for
one member or a hundred thousand at a time. Planning twice is free: a journey is unique per
campaign, occurrence and member, a delivery per journey, step and channel. What cannot be sent is
written with its reason.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Max, Min

from campaigns import audiences, entrants, entries, planning_sql, waits
from campaigns.models import Campaign, OccasionArea, Step
from members.models import Member

# How long before its moment a journey is planned: long enough to plan a million members, short
# enough that the audience is the one of the day.
LEAD = timedelta(hours=1)
# How old the moments may be that are planned now: interactions wait two days for an answer.
BACKLOG = timedelta(days=3)
CHUNK = 100_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Planned:
    journeys: int
    deliveries: int

    def __add__(self, other: "Planned") -> "Planned":
        return Planned(self.journeys + other.journeys, self.deliveries + other.deliveries)


NOTHING = Planned(0, 0)


def plan_due(*, now: datetime) -> Planned:
    """Plan every live campaign up to an hour ahead."""
    total = NOTHING
    for pk in Campaign.objects.filter(state=Campaign.State.LIVE).values_list("pk", flat=True):
        try:
            total += plan(campaign_id=pk, now=now)
        except Exception:  # One that cannot be planned does not hold back the others.
            log.exception("planning_failed", campaign=pk)
    return total


def plan(*, campaign_id: int, now: datetime) -> Planned:
    """Plan one campaign's moments that are new since the last time.

    `planned_until` only saves work: were it lost, planning again would add nothing.
    """
    until = now + LEAD
    with transaction.atomic():
        campaign = (
            Campaign.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("audience")
            .filter(pk=campaign_id, state=Campaign.State.LIVE)
            .first()
        )
        if campaign is None or campaign.entry["kind"] == entries.TRIGGERED:
            return NOTHING
        after = campaign.planned_until or campaign.launched_at
        if after is None or after >= until:
            return NOTHING
        planned = _plan_between(campaign, after=after, until=until, now=now)
        Campaign.objects.filter(pk=campaign.pk).update(planned_until=until)
    return planned


def look_again(*, campaigns: Iterable[Campaign], now: datetime) -> None:
    """Make the clock plan recent moments anew: a calendar, an address or a zone has changed."""
    for campaign in campaigns:
        back = max(now - timedelta(hours=campaign.expires_hours), campaign.launched_at or now)
        Campaign.objects.filter(pk=campaign.pk, planned_until__gt=back).update(planned_until=back)


def plan_interactions(
    *, campaign: Campaign, interaction_ids: Sequence[int], now: datetime
) -> Planned:
    """Let the members of these interactions enter, if they are in the audience. Call in a
    transaction: who may enter only once in so many days is looked up under the campaign's lock."""
    if campaign.reentry_days:
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    candidates = entrants.interaction(
        interaction_ids=interaction_ids, delay_minutes=campaign.entry.get("delay_minutes", 0)
    )
    return _execute(campaign, candidates, now=now)


def _plan_between(
    campaign: Campaign, *, after: datetime, until: datetime, now: datetime
) -> Planned:
    zones = list(Member.objects.present().order_by().values_list("zone", flat=True).distinct())
    entry = campaign.entry
    if entry["kind"] != "occasion":
        moments = entries.moments(entry, after=after, until=until, zones=zones)
        if not moments:
            return NOTHING
        if entry["kind"] == "member_date":
            return _plan_everybody(campaign, entrants.anniversary(entry["date"], moments), now=now)
        return _plan_everybody(campaign, entrants.zone(moments), now=now)
    areas = OccasionArea.objects.filter(slug=entry["occasion"])
    days = list(areas.order_by().values_list("date", flat=True).distinct())
    total = NOTHING
    moments = entries.moments(entry, after=after, until=until, zones=zones, days=days)
    for year in sorted({moment.occurrence for moment in moments}):
        candidates = entrants.occasion(
            slug=entry["occasion"],
            year=int(year),
            moments=[moment for moment in moments if moment.occurrence == year],
        )
        total += _plan_everybody(campaign, candidates, now=now)
    for season in _seasons_ending(campaign, days, after=after, until=until):
        total += _plan_everybody(
            campaign,
            entrants.dateless(slug=entry["occasion"], year=season, due_at=until),
            now=now,
        )
    return total


def _seasons_ending(
    campaign: Campaign, days: Sequence[date], *, after: datetime, until: datetime
) -> list[int]:
    """The years whose last date falls due now: whoever has no date by then never gets one."""
    last = {day.year: day for day in sorted(days)}
    return [
        year
        for year, day in last.items()
        if entries.moments(campaign.entry, after=after, until=until, zones=["UTC"], days=[day])
    ]


def _plan_everybody(campaign: Campaign, candidates: entrants.Sql, *, now: datetime) -> Planned:
    """Plan for the whole audience, so many numbers of members at a time: what a database keeps of
    a statement until its commit does not grow with the programme."""
    ids = Member.objects.aggregate(first=Min("pk"), last=Max("pk"))
    total = NOTHING
    for first in range(ids["first"] or 0, (ids["last"] or 0) + 1, CHUNK):
        if total.journeys:
            _settle()
        total += _execute(campaign, candidates, now=now, among=(first, first + CHUNK - 1))
    return total


def _settle() -> None:
    """Let the database check now what it keeps until the commit otherwise."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _execute(
    campaign: Campaign,
    candidates: entrants.Sql,
    *,
    now: datetime,
    among: tuple[int, int] | None = None,
) -> Planned:
    members = audiences.members(campaign.audience.definition, at=now).order_by()
    if among is not None:
        members = members.filter(pk__range=among)
    try:
        audience, values = members.values("pk", "zone").query.sql_with_params()
    except EmptyResultSet:  # An audience that can have nobody, such as {"any": []}.
        return NOTHING
    first, *rest = _steps(campaign)
    delay = timedelta(minutes=campaign.entry.get("delay_minutes", 0))
    since = (now - BACKLOG + delay, now + LEAD + delay)
    following = after(rest[0] if rest else None, since=since)
    entered = planning_sql.entering(
        campaign,
        audience=entrants.Sql(audience, values),
        candidates=candidates,
        following=following,
        now=now,
    )
    return execute(step=first, entered=entered, following=following, now=now)


def _steps(campaign: Campaign) -> list[Step]:
    return list(campaign.steps.select_related("campaign").order_by("position")[:2])


def after(step: Step | None, *, since: tuple[datetime, datetime]) -> planning_sql.Following:
    """The step that journeys wait for next, from moments between these two on."""
    if step is None or step.local_time is None:
        return planning_sql.Following(step)
    wait = timedelta(minutes=step.wait_minutes)
    zones = Member.objects.present().order_by().values_list("zone", flat=True).distinct()
    walls = waits.walls(
        local_time=step.local_time, zones=zones, first=since[0] + wait, last=since[1] + wait
    )
    return planning_sql.Following(step, walls)


def execute(
    *, step: Step, entered: entrants.Sql, following: planning_sql.Following, now: datetime
) -> Planned:
    """Plan a step for the journeys of `entered`."""
    statement = planning_sql.statement(step=step, entered=entered, following=following, now=now)
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        # A chunk of members is joined and sorted in memory, for this transaction only.
        cursor.execute("SET LOCAL work_mem = '32MB'")
        cursor.execute(statement.text, statement.values)
        journeys, deliveries = cursor.fetchone()
    return Planned(journeys, deliveries)
