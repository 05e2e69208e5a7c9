"""Dates that differ by where a member lives: the finest area that has one wins."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from campaigns import launching, occasions, planning
from campaigns.models import Journey, Occasion
from campaigns.planning import Planned
from members.models import Member
from tests.campaigns import scenes

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SCHOOL = {"kind": "occasion", "occasion": "school-start", "offset_days": -14}
EARLY, LATE = date(2027, 8, 2), date(2027, 8, 23)


def school_start(member: Member) -> date | None:
    """The member's date as planning finds it, when the whole season has passed."""
    campaign = scenes.live(entry=SCHOOL)
    scenes.plan(campaign, now=scenes.utc("2027-12-01"))
    row = Journey.objects.select_related("occasion").get(member=member)
    if row.occasion is None:
        return None
    due_on = row.due_at.astimezone(ZoneInfo(member.zone)).date()
    assert due_on == row.occasion.date - 14 * DAY
    return row.occasion.date


# From the finest to the coarsest; each is a day later than the one before.
LEVELS: list[dict[str, str]] = [
    {"region": "OK", "postal_code": "73102"},
    {"region": "OK", "district": "Oklahoma City Public Schools"},
    {"region": "OK", "county": "Oklahoma and Logan counties"},
    {"region": "Oklahoma"},
    {"region": "OK", "county": "Tulsa County"},  # Not hers, but the state's most common date.
    {},
]


@pytest.mark.parametrize("finest", range(len(LEVELS)))
def test_occasion_of_the_finest_area_wins(finest: int) -> None:
    for number, place in enumerate(LEVELS[finest:], start=finest):
        scenes.calendar("school-start", EARLY + number * DAY, **place)
    member = scenes.reader(country="US", postal_code="73102-4410")
    assert school_start(member) == EARLY + finest * DAY


@pytest.mark.parametrize(
    ("county", "region", "postal_code"),
    [
        ("Oklahoma and Logan counties", "OK", "73102"),
        ("Parts of Oklahoma, Logan & Lincoln Counties", "OK", "73102"),
        ("City of Baltimore", "MD", "21201"),
        ("Doña Ana County", "NM", "88001"),
        ("De Kalb", "GA", "30030"),
        ("Orleans Parish", "LA", "70112"),
        ("Municipality of Anchorage", "AK", "99501"),
        ("St. Louis city", "MO", "63101"),
        ("Saint Louis County", "MO", "63011"),
        ("New York City", "NY", "11201"),
    ],
)
def test_occasion_finds_the_county_whatever_its_table_calls_it(
    county: str, region: str, postal_code: str
) -> None:
    scenes.calendar("school-start", LATE, region=region)
    scenes.calendar("school-start", EARLY, region=region, county=county)
    member = scenes.reader(country="US", postal_code=postal_code)
    assert school_start(member) == EARLY


@pytest.mark.parametrize(
    ("country", "table", "address"),
    [("DE", "Bayern", "Bavaria"), ("FR", "IDF", "ile de france"), ("IT", "Tuscany", "Toscana")],
)
def test_occasion_finds_the_province_by_any_of_its_names(
    country: str, table: str, address: str
) -> None:
    scenes.calendar("school-start", EARLY, country=country, region=table)
    scenes.calendar("school-start", LATE, country=country)
    assert school_start(scenes.reader(country=country, region=address)) == EARLY


def test_occasion_of_a_county_is_not_that_of_the_city_beside_it() -> None:
    scenes.calendar("school-start", LATE, region="MO")
    scenes.calendar("school-start", EARLY, region="MO", county="St. Louis County")
    assert school_start(scenes.reader(country="US", postal_code="63101")) == LATE


def test_occasion_of_a_state_without_a_row_of_its_own_is_the_most_common() -> None:
    for county, day in (("Tulsa", EARLY), ("Logan", LATE), ("Canadian", LATE)):
        scenes.calendar("school-start", day, region="OK", county=county)
    assert school_start(scenes.reader(country="US", postal_code="73102")) == LATE


def test_occasion_moment_is_before_the_members_date_in_the_members_zone() -> None:
    scenes.calendar("school-start", LATE, region="CO")
    scenes.calendar("school-start", EARLY, region="HI")
    denver = scenes.reader(country="US", postal_code="80202")
    honolulu = scenes.reader(country="US", postal_code="96813")
    scenes.plan(scenes.live(entry=SCHOOL), now=scenes.utc("2027-12-01"))
    assert scenes.delivery(denver).due_at == scenes.utc("2027-08-09T16:00")
    assert scenes.delivery(honolulu).due_at == scenes.utc("2027-07-19T20:00")


def test_member_without_a_date_is_told_apart_once_the_season_is_over() -> None:
    scenes.calendar("school-start", LATE, region="CO")
    nowhere, elsewhere = scenes.reader(), scenes.reader(country="US", postal_code="82001")
    campaign = scenes.live(entry=SCHOOL)
    assert scenes.plan(campaign, now=scenes.utc("2027-08-08T00:00")) == planning.NOTHING
    assert scenes.plan(campaign, now=scenes.utc("2027-08-10T00:00")) == Planned(2, 2)
    assert scenes.fates(campaign) == {
        nowhere.pk: ("objected", "no_date"),
        elsewhere.pk: ("objected", "no_date"),
    }


def test_occasion_comes_once_a_year() -> None:
    member = scenes.reader(country="US", postal_code="80202")
    for year in (2027, 2028):
        scenes.calendar("school-start", date(year, 8, 23), region="CO")
    campaign = scenes.live(entry=SCHOOL)
    for now in ("2027-09-01", "2028-01-01", "2028-09-01"):
        scenes.plan(campaign, now=scenes.utc(now))
    rows = Journey.objects.filter(member=member).order_by("occurrence")
    assert list(rows.values_list("occurrence", flat=True)) == ["2027", "2028"]


def test_calendar_that_changed_is_planned_anew_without_doubling() -> None:
    denver = scenes.reader(country="US", postal_code="80202")
    boulder = scenes.reader(country="US", postal_code="80302")
    scenes.calendar("school-start", LATE, region="CO", county="Denver")
    scenes.calendar("school-start", LATE + 30 * DAY, region="CO", county="Boulder")
    campaign = scenes.live(entry=SCHOOL)
    now = scenes.utc("2027-08-09T20:00")
    assert scenes.plan(campaign, now=now) == Planned(1, 1)
    Occasion.objects.filter(county="Boulder").update(date=LATE)
    occasions.derive_areas(slugs=["school-start"])
    assert scenes.plan(campaign, now=now) == planning.NOTHING

    launching.revisit(occasion="school-start", now=now)

    assert scenes.plan(campaign, now=now) == Planned(1, 1)
    assert scenes.fates(campaign).keys() == {denver.pk, boulder.pk}
