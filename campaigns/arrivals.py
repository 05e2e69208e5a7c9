"""Who reached the goal on a journey that has no step to come: nobody is asked on the way any more.

Those who did something lately are asked at every turn of the clock, led by what was recorded, not
by how many journeys there are. Once a night all journeys of live campaigns are asked, so that what
was missed is noted late rather than never.
"""

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from campaigns import goals
from campaigns.models import Campaign, Journey
from members.models import Interaction

# Several turns of the clock: one that was late misses nothing.
LATELY = timedelta(minutes=10)
# A journey may begin long before its moment, and a goal counts for a year at most.
LONGEST = timedelta(days=2 * 365)


def note(*, now: datetime) -> int:
    """Note the arrivals of those who did something in the last minutes; returns how many."""
    doers = Interaction.objects.filter(recorded_at__gt=now - LATELY).values("member")
    rows = Journey.objects.filter(
        _asked(now), member__in=doers, entered_at__gt=now - LONGEST
    ).exclude(campaign__goal={})
    campaigns = Campaign.objects.filter(pk__in=set(rows.values_list("campaign", flat=True)))
    return sum(_note(rows, campaign, now=now) for campaign in campaigns)


def note_all(*, now: datetime) -> int:
    """Note the arrivals on every journey of the live campaigns; returns how many."""
    campaigns = Campaign.objects.filter(state=Campaign.State.LIVE).exclude(goal={})
    rows = Journey.objects.filter(_asked(now))
    return sum(_note(rows, campaign, now=now) for campaign in campaigns)


def _asked(now: datetime) -> Q:
    return Q(goal_at=None, next_step=None, due_at__lte=now)


def _note(rows: QuerySet[Journey], campaign: Campaign, *, now: datetime) -> int:
    days = timedelta(days=goals.days_of(campaign.goal))
    due = rows.filter(campaign=campaign, due_at__gt=now - days)
    return due.filter(goals.reached(campaign.goal)).update(goal_at=now)
