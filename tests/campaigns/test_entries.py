"""When an entry lets members in. Pure: no database."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import entries, timing
from campaigns.entries import Moment
from config.errors import Invalid
from tests.campaigns.scenes import utc

ZONES = sorted(timing.zones())
FEW = ["Pacific/Kiritimati", "Europe/Berlin", "America/Denver", "Pacific/Pago_Pago"]
DENVER = ["America/Denver"]
BIRTHDAY = {"kind": "member_date", "date": "birthday"}
SCHOOL = {"kind": "occasion", "occasion": "school-start", "offset_days": -14}
WEEKLY = {"kind": "recurring", "crontab": "30 9 * * mon"}


def moments(
    entry: dict[str, Any], after: str, until: str, zones: list[str] = DENVER, **more: Any
) -> list[Moment]:
    return entries.moments(entry, after=utc(after), until=utc(until), zones=zones, **more)


# --- What an entry may say ----------------------------------------------------------------------
@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "moment", "at": "2027-03-01T10:00:00-07:00"},
        {"kind": "local", "date": "2027-03-01"},
        {"kind": "local", "date": "2027-03-01", "local_time": "09:30"},
        SCHOOL,
        {"kind": "member_date", "date": "joined", "offset_days": 30, "local_time": "08:00"},
        {"kind": "interaction", "interaction": "view", "delay_minutes": 60, "sku": "PACK"},
        WEEKLY,
    ],
    ids=lambda entry: entry["kind"],
)
def test_entry_of_each_kind_is_taken(entry: dict[str, Any]) -> None:
    entries.check(entry)


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (None, "kind"),
        ([], "kind"),
        ({}, "kind"),
        ({"kind": "someday"}, "kind"),
        ({"kind": ["moment"]}, "kind"),
        ({"kind": "moment"}, "at"),
        ({"kind": "moment", "at": "2027-03-01T10:00:00Z", "zone": "UTC"}, "zone"),
        ({"kind": "moment", "at": "2027-03-01T10:00:00"}, "at"),
        ({"kind": "moment", "at": "soon"}, "at"),
        ({"kind": "moment", "at": 1_800_000_000}, "at"),
        ({"kind": "moment", "at": "2027-03-01T10:00:00Z\x00"}, "at"),
        ({"kind": "local", "date": "2027-02-29"}, "date"),
        ({"kind": "local", "date": "9999-12-31"}, "date"),
        ({"kind": "local", "date": "0001-01-01"}, "date"),
        ({"kind": "local", "date": "2027-03-01", "local_time": "25:00"}, "local_time"),
        ({"kind": "local", "date": "2027-03-01", "local_time": "10:00+02:00"}, "local_time"),
        ({"kind": "local", "date": "2027-03-01", "offset_days": 1}, "offset_days"),
        ({**SCHOOL, "offset_days": 401}, "offset_days"),
        ({**SCHOOL, "offset_days": "-14"}, "offset_days"),
        ({**SCHOOL, "offset_days": True}, "offset_days"),
        ({**SCHOOL, "offset_days": 1.5}, "offset_days"),
        ({**SCHOOL, "occasion": ""}, "occasion"),
        ({**SCHOOL, "occasion": "x" * 101}, "occasion"),
        ({"kind": "member_date", "date": "wedding"}, "date"),
        ({"kind": "interaction"}, "interaction"),
        ({"kind": "interaction", "interaction": "view", "delay_minutes": -1}, "delay_minutes"),
        ({"kind": "interaction", "interaction": "view", "place": None}, "place"),
        ({"kind": "recurring", "crontab": "0 10 * *"}, "crontab"),
        ({"kind": "recurring", "crontab": "0 10 30 2 *"}, "crontab"),
    ],
)
def test_entry_that_cannot_be_is_refused_at_its_key(entry: object, key: str) -> None:
    with pytest.raises(Invalid) as caught:
        entries.check(entry)
    assert caught.value.pointer == f"/entry/{key}"


# --- The moments of each kind -------------------------------------------------------------------
def test_moment_is_one_for_everybody() -> None:
    entry = {"kind": "moment", "at": "2027-03-01T10:00:00-07:00"}
    found = moments(entry, "2027-03-01T16:00", "2027-03-01T18:00", FEW)
    assert found == [Moment(entries.EVERYWHERE, None, utc("2027-03-01T17:00"), "once")]


def test_local_time_comes_to_each_zone_in_its_turn() -> None:
    entry = {"kind": "local", "date": "2027-07-01", "local_time": "09:30"}
    found = moments(entry, "2027-06-29T00:00", "2027-07-03T00:00", FEW)
    assert [(m.zone, m.due_at, m.occurrence) for m in found] == [
        ("Pacific/Kiritimati", utc("2027-06-30T19:30"), "once"),
        ("Europe/Berlin", utc("2027-07-01T07:30"), "once"),
        ("America/Denver", utc("2027-07-01T15:30"), "once"),
        ("Pacific/Pago_Pago", utc("2027-07-01T20:30"), "once"),
    ]


def test_local_time_defaults_to_ten() -> None:
    (found,) = moments({"kind": "local", "date": "2027-07-01"}, "2027-07-01", "2027-07-02")
    assert found.due_at == utc("2027-07-01T16:00")


def test_occasion_comes_its_offset_before_each_date_and_keeps_the_date() -> None:
    days = [date(2027, 8, 16), date(2027, 8, 23), date(2028, 8, 21)]
    found = moments(SCHOOL, "2027-08-01T00:00", "2027-08-10T00:00", days=days)
    assert found == [
        Moment("America/Denver", date(2027, 8, 16), utc("2027-08-02T16:00"), "2027"),
        Moment("America/Denver", date(2027, 8, 23), utc("2027-08-09T16:00"), "2027"),
    ]


def test_occasion_before_the_new_year_belongs_to_the_year_of_its_date() -> None:
    days = [date(2028, 1, 5)]
    (found,) = moments(SCHOOL, "2027-12-20T00:00", "2027-12-24T00:00", days=days)
    assert (found.due_at, found.occurrence) == (utc("2027-12-22T17:00"), "2028")


def test_birthday_comes_at_the_members_date_in_the_members_zone() -> None:
    found = moments(BIRTHDAY, "2027-03-04T10:00", "2027-03-05T10:00", ["Asia/Tokyo", *DENVER])
    assert [(m.zone, m.day, m.due_at) for m in found] == [
        ("America/Denver", date(2027, 3, 4), utc("2027-03-04T17:00")),
        ("Asia/Tokyo", date(2027, 3, 5), utc("2027-03-05T01:00")),
    ]


def test_birthday_with_an_offset_keeps_the_date_itself() -> None:
    entry = {**BIRTHDAY, "offset_days": -7}
    (found,) = moments(entry, "2027-12-27T00:00", "2027-12-28T00:00")
    assert (found.day, found.occurrence) == (date(2028, 1, 3), "2028")


@pytest.mark.parametrize(
    ("day", "keys"),
    [
        (date(2027, 2, 28), [(2, 28), (2, 29)]),
        (date(2028, 2, 28), [(2, 28)]),
        (date(2028, 2, 29), [(2, 29)]),
        (date(2027, 3, 1), [(3, 1)]),
    ],
)
def test_birthday_on_29_february_is_kept_on_the_28th_in_other_years(
    day: date, keys: list[tuple[int, int]]
) -> None:
    assert entries.anniversary_keys(day) == keys


def test_every_birthday_is_celebrated_once_a_year() -> None:
    for year in (2027, 2028):
        first = date(year, 1, 1)
        days = [first + timedelta(days=n) for n in range(366)]
        keys = Counter(
            key for day in days if day.year == year for key in entries.anniversary_keys(day)
        )
        assert set(keys.values()) == {1}
        assert len(keys) == 366


def test_recurring_runs_by_the_clock_on_the_wall() -> None:
    found = moments(WEEKLY, "2027-03-07T00:00", "2027-03-16T00:00")
    assert [(m.due_at, m.occurrence) for m in found] == [
        (utc("2027-03-08T16:30"), "run 2027-03-08T09:30"),
        (utc("2027-03-15T15:30"), "run 2027-03-15T09:30"),
    ]


def test_recurring_has_one_name_in_all_zones_so_that_a_traveller_gets_it_once() -> None:
    found = moments(WEEKLY, "2027-03-07T00:00", "2027-03-09T00:00", FEW)
    assert len(found) == 4
    assert {m.occurrence for m in found} == {"run 2027-03-08T09:30"}


def test_recurring_that_runs_every_minute_is_bounded() -> None:
    entry = {"kind": "recurring", "crontab": "* * * * *"}
    assert len(moments(entry, "2027-03-01T00:00", "2028-03-01T00:00")) == 1_000


def test_interaction_has_no_moment_of_its_own() -> None:
    entry = {"kind": "interaction", "interaction": "view"}
    assert moments(entry, "2027-01-01", "2028-01-01") == []


def test_moment_at_the_first_instant_belongs_to_the_time_before() -> None:
    entry = {"kind": "moment", "at": "2027-03-01T10:00:00Z"}
    assert moments(entry, "2027-03-01T10:00", "2027-03-01T11:00") == []
    assert len(moments(entry, "2027-03-01T09:00", "2027-03-01T10:00")) == 1


# --- Whatever the zone, the date and the turns of the clock -------------------------------------
WALLS = st.times().map(lambda wall: wall.strftime("%H:%M"))


@settings(max_examples=60)
@given(
    zones=st.lists(st.sampled_from(ZONES), unique=True, min_size=1, max_size=8),
    day=st.dates(date(2026, 1, 1), date(2030, 12, 31)),
    wall=WALLS,
    offset=st.integers(-30, 30),
)
def test_each_zone_has_one_moment_for_each_date(
    zones: list[str], day: date, wall: str, offset: int
) -> None:
    around = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=offset)
    window = {"after": around - timedelta(days=3), "until": around + timedelta(days=3)}
    entry = {**SCHOOL, "local_time": wall, "offset_days": offset}
    found = entries.moments(entry, **window, zones=zones, days=[day])
    assert sorted(m.zone for m in found) == sorted(zones)
    for moment in found:
        local = moment.due_at.astimezone(ZoneInfo(moment.zone))
        # A clock change may skip the time, and Samoa once a day: then the next there is.
        assert (
            local.replace(tzinfo=None)
            - datetime.combine(
                day + timedelta(days=offset), datetime.strptime(wall, "%H:%M").time()
            )
            in (timedelta(0), timedelta(minutes=30), timedelta(hours=1))
            or local.fold
        )


@settings(max_examples=60)
@given(
    entry=st.sampled_from(
        [
            BIRTHDAY,
            {**BIRTHDAY, "offset_days": -3, "local_time": "02:30"},
            SCHOOL,
            WEEKLY,
            {"kind": "recurring", "crontab": "*/20 * * * *"},
            {"kind": "local", "date": "2027-03-28", "local_time": "02:30"},
        ]
    ),
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2027, 3, 1), datetime(2027, 4, 20), timezones=st.just(UTC)),
    cuts=st.lists(st.integers(1, 60 * 60 * 72), min_size=1, max_size=6),
)
def test_turns_of_the_clock_lose_no_moment_and_double_none(
    entry: dict[str, Any], zone: str, start: datetime, cuts: list[int]
) -> None:
    days = [date(2027, 4, 12), date(2027, 4, 13)]
    turns = [start + timedelta(seconds=sum(cuts[:n])) for n in range(len(cuts) + 1)]
    apart = [
        moment
        for after, until in pairwise(turns)
        for moment in entries.moments(entry, after=after, until=until, zones=[zone], days=days)
    ]
    at_once = entries.moments(entry, after=turns[0], until=turns[-1], zones=[zone], days=days)
    assert sorted(apart, key=str) == sorted(at_once, key=str)
    assert len({(m.zone, m.day, m.occurrence) for m in at_once}) == len(at_once)


# --- Interactions and endings -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wanted", "is_in"),
    [
        ({}, True),
        ({"place": "peak"}, True),
        ({"place": "lake"}, False),
        ({"category": "tents", "sku": "T1"}, True),
        ({"category": "tents", "sku": "T2"}, False),
        ({"interest": "hiking"}, True),
        ({"interest": "snow"}, False),
        ({"interaction": "purchase"}, False),
        ({"kind": "moment"}, False),
    ],
)
def test_interaction_enters_by_kind_and_filters(wanted: dict[str, str], is_in: bool) -> None:
    facts = {"place": "peak", "category": "tents", "sku": "T1", "interests": ["hiking", "camping"]}
    entry = {"kind": "interaction", "interaction": "view", **wanted}
    assert entries.matches(entry, kind="view", facts=facts) is is_in


@pytest.mark.parametrize(
    ("entry", "last"),
    [
        ({"kind": "moment", "at": "2027-03-01T10:00:00Z"}, "2027-03-01T10:00"),
        ({"kind": "local", "date": "2027-03-01", "local_time": "10:00"}, "2027-03-02T01:00"),
    ],
    ids=["moment", "local"],
)
def test_entry_is_over_when_its_moment_has_passed_everywhere(
    entry: dict[str, Any], last: str
) -> None:
    assert not entries.is_over(entry, now=utc(last) - timedelta(seconds=1))
    assert entries.is_over(entry, now=utc(last))


@pytest.mark.parametrize("entry", [BIRTHDAY, SCHOOL, WEEKLY], ids=lambda entry: entry["kind"])
def test_entry_that_comes_round_is_never_over(entry: dict[str, Any]) -> None:
    assert not entries.is_over(entry, now=utc("2999-01-01"))


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_moment_outside_the_calendar_is_refused(at: str) -> None:
    with pytest.raises(Invalid) as refusal:
        entries.check({"kind": "moment", "at": at})
    assert refusal.value.pointer == "/entry/at"
