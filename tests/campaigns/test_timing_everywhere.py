"""Every zone of the world on the nights its clocks change, from a campaign's entry to the gate.

However the clock ticks: one moment, one journey and one message for each member and occurrence, at
the wall time asked for, and never in the member's quiet hours.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import entries, planning, sending, timing
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Outcome
from campaigns.models import Campaign, ContactCap, Delivery, Journey
from members.models import Member
from tests.campaigns import scenes
from tests.campaigns.nights import MINUTE, changes, wall_before

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WAKES, SLEEPS = time(8), time(21)
CLOCKS = {"local", "member_date", "occasion", "recurring"}


def wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def first_shown(asked: datetime, zone: str) -> datetime:
    """The first minute at which clocks in the zone show this wall time or, where they skip it, a
    later one: found by waiting for it, with no rule for gaps and repeats."""
    noon = asked.replace(hour=12, tzinfo=ZoneInfo(zone))
    offsets = [(noon + days * DAY).utcoffset() or timedelta() for days in (-1, 0, 1)]
    at = (asked - max(offsets)).replace(tzinfo=UTC)
    while wall(at, zone) < asked:
        at += MINUTE
    return at


def odd_wall(zone: str, change: datetime, jump: timedelta) -> datetime:
    """A wall time in the middle of what this change skips or repeats."""
    return wall_before(change, zone) + jump / 2


# --- Moments ------------------------------------------------------------------------------------
def entry_at(kind: str, asked: datetime) -> dict[str, Any]:
    """An entry of this kind that falls on this wall time."""
    at = {"local_time": f"{asked:%H:%M}"}
    match kind:
        case "local":
            return {"kind": kind, "date": f"{asked:%Y-%m-%d}", **at}
        case "member_date":
            return {"kind": kind, "date": "birthday", "offset_days": -3, **at}
        case "occasion":
            return {"kind": kind, "occasion": "term", "offset_days": -3, **at}
    return {"kind": kind, "crontab": f"{asked:%M %H} * * *"}


def ticks(around: datetime, dice: random.Random, *, many: int) -> list[datetime]:
    """Instants at random, from a day and a half before to two days after."""
    first, last = -36 * 3600, 48 * 3600
    seconds = sorted([first, last, *(dice.uniform(first, last) for _ in range(many))])
    return [around + timedelta(seconds=each) for each in seconds]


@pytest.mark.parametrize("kind", sorted(CLOCKS))
def test_odd_hour_of_every_change_of_every_zone_is_one_moment(kind: str) -> None:
    for zone, change, jump in changes():
        asked = odd_wall(zone, change, jump)
        found = entries.moments(
            entry_at(kind, asked),
            after=change - 12 * HOUR,
            until=change + 12 * HOUR,
            zones=[zone],
            days=[asked.date() + 3 * DAY],
        )
        assert [moment.due_at for moment in found] == [first_shown(asked, zone)], (zone, asked)


@given(
    night=st.sampled_from(range(1_000)),
    kind=st.sampled_from(sorted(CLOCKS)),
    at=st.times(),
    dice=st.randoms(use_true_random=False),
)
@settings(max_examples=200)
def test_moments_do_not_depend_on_when_the_clock_ticks(
    night: int, kind: str, at: time, dice: random.Random
) -> None:
    zone, change, _ = changes()[night]
    asked = datetime.combine(wall_before(change, zone).date(), at.replace(second=0, microsecond=0))
    entry, days = entry_at(kind, asked), [asked.date() + 3 * DAY]
    stops = ticks(change, dice, many=12)

    def between(after: datetime, until: datetime) -> list[entries.Moment]:
        return entries.moments(entry, after=after, until=until, zones=[zone], days=days)

    whole = between(stops[0], stops[-1])
    assert len({(moment.day, moment.occurrence) for moment in whole}) == len(whole)
    assert [moment for pair in pairwise(stops) for moment in between(*pair)] == whole
    # A window that reaches back finds nothing that was not there.
    again = [moment for late in stops[1:] for moment in between(stops[0], late)]
    assert set(again) == set(whole)


@pytest.mark.parametrize("kind", ["local", "recurring"])
def test_every_zone_has_its_moment_on_an_ordinary_day(kind: str) -> None:
    asked = datetime(2027, 1, 13, 10)
    zones = sorted(timing.zones())
    found = entries.moments(
        entry_at(kind, asked),
        after=datetime(2027, 1, 12, 18, tzinfo=UTC),
        until=datetime(2027, 1, 13, 23, tzinfo=UTC),
        zones=zones,
    )
    shown = {(moment.zone, wall(moment.due_at, moment.zone)) for moment in found}
    assert {(zone, asked) for zone in zones} <= shown


# --- From the plan to the gate ------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Season:
    """Some nights close to each other: who changes clocks on which, and what is odd then."""

    night_of: dict[str, date] = field(default_factory=dict)
    walls: Counter[time] = field(default_factory=Counter)


def seasons(year: int) -> list[Season]:
    """Each zone is in one of them in spring and in one in autumn."""
    odd = sorted(
        (odd_wall(zone, change, jump), zone)
        for zone, change, jump in changes()
        if change.year == year
    )
    found: list[Season] = []
    last = date.min
    for asked, zone in odd:
        if asked.date() - last > 4 * DAY:
            found.append(Season())
        last = asked.date()
        found[-1].night_of[zone] = last
        found[-1].walls[asked.time()] += 1
    return found


class Post(scenes.Post):
    """Remembers when each message went out."""

    chunk = 1_000

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[Delivery, datetime]] = []

    def send(self, messages: Any, *, now: datetime) -> list[Outcome]:
        self.sent += [(message.delivery, now) for message in messages]
        return super().send(messages, now=now)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    post = Post()
    monkeypatch.setitem(CARRIERS, "email", lambda: post)
    return post


def inhabitants(season: Season) -> None:
    """A member in each zone, born on the night on which its clocks are changed."""
    members = scenes.readers(len(season.night_of))
    for member, (zone, night) in zip(members, season.night_of.items(), strict=True):
        member.zone, member.birth_date = zone, night.replace(year=1990)
    Member.objects.bulk_update(members, ["zone", "birth_date"])


def campaigns_of(season: Season, dice: random.Random, *, now: datetime) -> Iterator[Campaign]:
    """One at the usual odd hour, which may wake people; one at any odd hour, which may not."""
    ((usual, _),) = season.walls.most_common(1)
    for purpose, at in (("service", usual), ("marketing", dice.choice(sorted(season.walls)))):
        yield scenes.live(
            purpose,
            purpose=purpose,
            entry={"kind": "member_date", "date": "birthday", "local_time": f"{at:%H:%M}"},
            in_quiet_hours="wait",
            expires_hours=400,  # A season is long, and its ticks may all fall into nights.
            now=now,
        )


def run_through(season: Season, dice: random.Random) -> None:
    """Tick at random around the nights; now and then plan twice, or look back."""
    nights = season.night_of.values()
    begins = datetime.combine(min(nights), time(), UTC) - 36 * HOUR
    ends = datetime.combine(max(nights), time(), UTC) + 48 * HOUR
    between = sorted(begins + dice.random() * (ends - begins) for _ in range(7))
    stops = [begins, *between, ends]
    campaigns = list(campaigns_of(season, dice, now=stops[0]))
    # As long as it takes for everybody to be awake at a tick.
    for now in [*stops, *(stops[-1] + later * HOUR for later in (8, 16, 24))]:
        if dice.random() < 0.3:
            planning.look_again(campaigns=campaigns, now=now)
            planning.plan_due(now=now)
        planning.plan_due(now=now)
        while sending.send_due(channel="email", now=now, limit=1_000).claimed:
            pass


@pytest.mark.django_db
@pytest.mark.parametrize("year", [2026, 2027, 2028])
def test_every_zone_gets_one_message_a_night_and_none_while_it_sleeps(
    year: int, post: Post
) -> None:
    ContactCap.objects.update(is_active=False)
    whole_year = seasons(year)
    if year == 2026:  # Where clocks are never changed, one night is as the other.
        first = whole_year[0].night_of
        unchanging = timing.zones().difference(*(season.night_of for season in whole_year))
        first.update(dict.fromkeys(sorted(unchanging), max(first.values())))
    for season in whole_year:
        seed = random.randrange(10**9)
        post.sent.clear()
        with transaction.atomic():
            inhabitants(season)
            run_through(season, random.Random(seed))
            check(season, post, f"{season.night_of}, seed {seed}")
            transaction.set_rollback(True)


def check(season: Season, post: Post, where: str) -> None:
    journeys = Journey.objects.select_related("campaign")
    assert journeys.count() == 2 * len(season.night_of), where
    for journey in journeys:
        at = time.fromisoformat(journey.campaign.entry["local_time"])
        asked = datetime.combine(season.night_of[journey.zone], at)
        assert journey.due_at == first_shown(asked, journey.zone), (where, journey.zone)
    times = Counter(delivery.pk for delivery, _ in post.sent)
    assert set(times.values()) == {1}, where
    assert times.keys() == set(Delivery.objects.values_list("pk", flat=True)), where
    for delivery, now in post.sent:
        zone = delivery.journey.zone
        assert now >= delivery.journey.due_at, (where, zone)
        if delivery.campaign.purpose == "marketing":
            assert WAKES <= wall(now, zone).time() < SLEEPS, (where, zone)
