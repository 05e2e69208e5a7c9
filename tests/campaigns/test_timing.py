from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.timing import in_quiet_hours, next_run, quiet_until, resolve, zones
from tests.campaigns.nights import MINUTE, changes, wall_before

NEW_YORK = "America/New_York"  # 2027: forward 14 March 02:00, back 7 November 02:00
NIGHT = {"starts": time(22), "ends": time(7)}
HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str = NEW_YORK, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def run(crontab: str, after: str, zone: str = NEW_YORK) -> str:
    found = next_run(crontab=crontab, after=local(after, zone), zone=zone)
    assert found.tzinfo is UTC
    return f"{found.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


def resolved(wall: datetime, zone: str) -> datetime:
    return resolve(day=wall.date(), wall=wall.time(), zone=zone)


def test_resolve_on_a_plain_day_is_the_utc_instant() -> None:
    assert resolve(day=date(2027, 8, 9), wall=time(10), zone="America/Denver") == utc(
        "2027-08-09T16:00"
    )


def test_resolve_of_a_skipped_time_is_the_next_valid_minute() -> None:
    assert resolve(day=date(2027, 3, 14), wall=time(2, 30, 15, 7), zone=NEW_YORK) == utc(
        "2027-03-14T07:00"
    )


def test_resolve_of_a_repeated_time_is_its_first_occurrence() -> None:
    assert resolve(day=date(2027, 11, 7), wall=time(1, 30), zone=NEW_YORK) == utc(
        "2027-11-07T05:30"
    )


def test_resolve_on_a_day_that_a_zone_left_out_is_the_next_day() -> None:
    assert resolve(day=date(2011, 12, 30), wall=time(10), zone="Pacific/Apia") == utc(
        "2011-12-30T10:00"
    )


def test_resolve_of_a_time_skipped_to_half_a_minute_is_the_next_whole_one() -> None:
    # Liberia went from 00:00:00 to 00:44:30 that night.
    found = resolve(day=date(1972, 1, 7), wall=time(0, 10), zone="Africa/Monrovia")
    assert found == utc("1972-01-07T00:45")


@pytest.mark.parametrize(
    "zone",
    ["", "Mars/Base", "america/denver", "localtime", "Factory", "../etc/passwd", "A\0", "\ud800"],
)
def test_resolve_in_an_unknown_zone_is_an_error(zone: str) -> None:
    with pytest.raises(ValueError, match="not an IANA time zone"):
        resolve(day=date(2027, 1, 1), wall=time(10), zone=zone)


@pytest.mark.parametrize(("day", "zone"), [(date.max, "America/Denver"), (date.min, "Asia/Tokyo")])
def test_resolve_beyond_the_calendar_is_an_error(day: date, zone: str) -> None:
    wall = time(23) if day == date.max else time(1)
    with pytest.raises(ValueError, match="outside the calendar"):
        resolve(day=day, wall=wall, zone=zone)


def test_zones_are_all_that_the_time_zone_database_names() -> None:
    assert available_timezones() - zones() <= {"localtime", "posixrules", "Factory"}


def test_resolve_of_every_skipped_minute_from_2026_to_2028_is_the_change_itself() -> None:
    gaps = [change for change in changes() if change[2] > timedelta()]
    assert len(gaps) > 500
    for zone, change, jump in gaps:
        wall = wall_before(change, zone)
        for skipped in (wall, wall + jump / 2, wall + jump - MINUTE):
            assert resolved(skipped, zone) == change, zone


def test_resolve_of_every_repeated_minute_from_2026_to_2028_is_before_the_change() -> None:
    folds = [change for change in changes() if change[2] < timedelta()]
    assert len(folds) > 500
    for zone, change, jump in folds:
        wall = wall_before(change, zone)
        for back in (-jump, -jump / 2, MINUTE):
            assert resolved(wall - back, zone) == change - back, zone


@given(
    zone=st.sampled_from(sorted(zones())),
    wall=st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)),
)
@settings(deadline=None)
def test_resolve_shows_the_wall_time_asked_for_or_a_later_one_of_that_day(
    zone: str, wall: datetime
) -> None:
    shown = resolved(wall, zone).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    skipped = any(
        name == zone and jump > timedelta() and wall_before(at, zone) <= wall < shown
        for name, at, jump in changes()
    )
    assert shown == wall or skipped


@given(
    zone=st.sampled_from(sorted(zones())),
    wall=st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)),
    later=st.timedeltas(timedelta(), timedelta(days=2)),
)
@settings(deadline=None)
def test_resolve_never_swaps_two_wall_times(zone: str, wall: datetime, later: timedelta) -> None:
    assert resolved(wall, zone) <= resolved(wall + later, zone)


@pytest.mark.parametrize(
    ("at", "quiet"),
    [
        ("2027-06-01T21:59", False),
        ("2027-06-01T22:00", True),
        ("2027-06-02T00:00", True),
        ("2027-06-02T06:59", True),
        ("2027-06-02T07:00", False),
    ],
)
def test_quiet_hours_across_midnight_start_on_time_and_end_on_time(at: str, quiet: bool) -> None:
    assert in_quiet_hours(at=local(at), zone=NEW_YORK, **NIGHT) is quiet


@pytest.mark.parametrize(("at", "quiet"), [("12:59", False), ("13:00", True), ("15:00", False)])
def test_quiet_hours_within_a_day_start_on_time_and_end_on_time(at: str, quiet: bool) -> None:
    siesta = in_quiet_hours(
        at=local(f"2027-06-01T{at}", "Europe/Madrid"),
        zone="Europe/Madrid",
        starts=time(13),
        ends=time(15),
    )
    assert siesta is quiet


def test_quiet_hours_that_start_as_they_end_are_none() -> None:
    assert not in_quiet_hours(
        at=local("2027-06-01T22:00"), zone=NEW_YORK, starts=time(22), ends=time(22)
    )


def test_quiet_hours_follow_the_zone_not_the_instants_own() -> None:
    assert in_quiet_hours(at=utc("2027-06-02T03:00"), zone=NEW_YORK, **NIGHT)


def test_quiet_hours_go_on_through_a_repeated_hour() -> None:
    again = local("2027-11-07T01:15", fold=1)
    until = quiet_until(at=again, zone=NEW_YORK, starts=time(22), ends=time(1, 30))
    assert until == utc("2027-11-07T06:30")


def test_quiet_hours_that_end_in_a_skipped_hour_end_after_it() -> None:
    until = quiet_until(
        at=local("2027-03-14T01:00"), zone=NEW_YORK, starts=time(22), ends=time(2, 30)
    )
    assert until == local("2027-03-14T03:00")


def test_quiet_until_skips_a_waking_hour_that_never_comes() -> None:
    until = quiet_until(at=local("2027-03-14T01:00"), zone=NEW_YORK, starts=time(3), ends=time(2))
    assert until == local("2027-03-15T02:00")


def test_quiet_until_outside_quiet_hours_is_now() -> None:
    noon = local("2027-06-01T12:00")
    assert quiet_until(at=noon, zone=NEW_YORK, **NIGHT) == noon


def test_quiet_until_is_in_utc() -> None:
    assert quiet_until(at=local("2027-06-01T12:00"), zone=NEW_YORK, **NIGHT).tzinfo is UTC


def test_quiet_hours_at_a_naive_time_are_an_error() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        in_quiet_hours(at=datetime(2027, 6, 1), zone=NEW_YORK, **NIGHT)


TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@st.composite
def nights(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and an instant within a day and a half of one of its clock changes."""
    zone, change, _ = draw(st.sampled_from(changes()))
    return zone, change + MINUTE * draw(st.integers(-2160, 2160))


@given(night=nights(), starts=TIMES, ends=TIMES)
@settings(deadline=None)
def test_quiet_hours_hold_whenever_the_clock_shows_them(
    night: tuple[str, datetime], starts: time, ends: time
) -> None:
    zone, at = night
    wall = at.astimezone(ZoneInfo(zone)).time()
    shown = starts <= wall < ends if starts <= ends else wall >= starts or wall < ends
    assert in_quiet_hours(at=at, zone=zone, starts=starts, ends=ends) or not shown


@given(night=nights(), starts=TIMES, ends=TIMES)
@settings(deadline=None)
def test_quiet_until_is_the_first_instant_that_is_not_quiet(
    night: tuple[str, datetime], starts: time, ends: time
) -> None:
    zone, at = night
    until = quiet_until(at=at, zone=zone, starts=starts, ends=ends)
    assert not in_quiet_hours(at=until, zone=zone, starts=starts, ends=ends)
    for step in range(20):
        between = at + (until - at) * step / 20
        assert until == at or in_quiet_hours(at=between, zone=zone, starts=starts, ends=ends)


@pytest.mark.parametrize(
    ("crontab", "after", "expected"),
    [
        ("0 9 * * *", "2027-06-01T08:59", "2027-06-01T09:00"),
        ("0 9 * * *", "2027-06-01T09:00", "2027-06-02T09:00"),
        ("*/20 * * * *", "2027-06-01T08:41", "2027-06-01T09:00"),
        ("5,10 8-10 * * *", "2027-06-01T08:10", "2027-06-01T09:05"),
        ("10-30/10 * * * *", "2027-06-01T08:30", "2027-06-01T09:10"),
        ("0 20/2 * * *", "2027-06-01T20:00", "2027-06-01T22:00"),
        ("0 0 1 jan *", "2027-06-01T00:00", "2028-01-01T00:00"),
        ("0 9 * * mon", "2027-06-01T00:00", "2027-06-07T09:00"),
        ("0 9 * * 0", "2027-06-01T00:00", "2027-06-06T09:00"),
        ("0 9 * * 7", "2027-06-01T00:00", "2027-06-06T09:00"),
        ("0 9 * * FRI-SUN", "2027-06-05T09:00", "2027-06-06T09:00"),
        ("0 9 13 * fri", "2027-06-01T00:00", "2027-06-04T09:00"),
        ("0 9 13 * fri", "2027-06-11T10:00", "2027-06-13T09:00"),
        ("0 9 */2 * fri", "2027-06-01T10:00", "2027-06-11T09:00"),
        ("0 0 29 2 *", "2027-06-01T00:00", "2028-02-29T00:00"),
        ("0 0 29 2 *", "2097-01-01T00:00", "2104-02-29T00:00"),
        ("0 0 31 * *", "2027-06-01T00:00", "2027-07-31T00:00"),
    ],
)
def test_next_run_is_the_next_wall_minute_that_matches(
    crontab: str, after: str, expected: str
) -> None:
    assert run(crontab, after) == expected


def test_next_run_within_a_minute_is_the_next_minute() -> None:
    after = utc("2027-06-01T08:00:30")
    assert next_run(crontab="* * * * *", after=after, zone="UTC") == utc("2027-06-01T08:01")


def test_next_run_in_a_skipped_hour_is_the_next_valid_minute() -> None:
    assert run("30 2 * * *", "2027-03-14T00:00") == "2027-03-14T03:00"


def test_next_run_of_several_skipped_minutes_is_one_run() -> None:
    assert run("*/15 2 * * *", "2027-03-14T03:00") == "2027-03-15T02:00"


def test_next_run_in_a_repeated_hour_is_not_repeated() -> None:
    first = next_run(crontab="30 1 * * *", after=local("2027-11-07T00:00"), zone=NEW_YORK)
    second = next_run(crontab="30 1 * * *", after=first, zone=NEW_YORK)
    assert (first, second) == (utc("2027-11-07T05:30"), utc("2027-11-08T06:30"))


@given(
    zone=st.sampled_from(sorted(zones())),
    wall=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    year=st.integers(2026, 2028),
)
@settings(deadline=None, max_examples=40)
def test_next_run_of_a_daily_crontab_comes_once_for_each_day(
    zone: str, wall: time, year: int
) -> None:
    at = resolve(day=date(year, 1, 1), wall=time(0), zone=zone) - MINUTE
    end = resolve(day=date(year + 1, 1, 1), wall=time(0), zone=zone)
    runs = 0
    while (at := next_run(crontab=f"{wall:%M %H} * * *", after=at, zone=zone)) < end:
        runs += 1
    assert runs == (366 if year == 2028 else 365)


@pytest.mark.parametrize(
    ("crontab", "field"),
    [
        ("60 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("1.5 * * * *", "minute"),
        ("٣ * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * L * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * mon *", "month"),
        ("* * * * 8", "day of week"),
        ("* * * * jan", "day of week"),
        ("0 0 31 feb *", "day of month"),
        ("@daily", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("", "five fields"),
        ("1," * 500 + "1 * * * *", "five fields"),
    ],
)
def test_next_run_of_a_wrong_crontab_is_an_error_that_names_the_field(
    crontab: str, field: str
) -> None:
    with pytest.raises(ValueError, match=field):
        next_run(crontab=crontab, after=utc("2027-01-01"), zone="UTC")


def test_next_run_after_a_naive_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        next_run(crontab="* * * * *", after=datetime(2027, 1, 1), zone="UTC")
