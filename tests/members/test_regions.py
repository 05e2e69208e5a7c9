import csv
import zoneinfo
from pathlib import Path

import pytest
import zipcodes
from hypothesis import given, settings
from hypothesis import strategies as st

from members.region_keys import city_key, county_key, county_keys
from members.regions import Region, country_code, locate
from members.school_districts import district_city_keys

CALENDAR = Path(__file__).parents[3] / "shared/data/calendars/school_start_us_sample.csv"


def test_locate_by_postal_code_knows_everything() -> None:
    assert locate(country="US", postal_code="80202") == Region(
        country="US",
        region="CO",
        county="Denver County",
        city="Denver",
        latitude=39.7491,
        longitude=-104.9946,
        zone="America/Denver",
    )


@pytest.mark.parametrize("code", ["80202-1234", "802021234", " 80202 ", "80202 1234"])
def test_locate_takes_longer_postal_codes(code: str) -> None:
    assert locate(country="US", postal_code=code).county == "Denver County"


def test_locate_lets_the_postal_code_win_over_the_typed_city() -> None:
    found = locate(country="US", region="CA", city="Denvr", postal_code="80202")
    assert (found.region, found.city) == ("CO", "Denver")


@pytest.mark.parametrize(
    "code", ["", "00000", "8020", "ABCDE", "802020", "٨٠٢٠٢", "-", "80202\n80202"]
)
def test_locate_without_a_known_postal_code_uses_the_city(code: str) -> None:
    found = locate(country="US", region="Minnesota", city="St. Paul", postal_code=code)
    assert (found.region, found.city, found.zone) == ("MN", "Saint Paul", "America/Chicago")


def test_locate_by_city_has_the_county_that_nearly_all_its_postal_codes_share() -> None:
    found = locate(country="US", region="CA", city="San Francisco")
    assert found.county == "San Francisco County"


def test_locate_by_a_city_in_several_counties_has_no_county() -> None:
    assert locate(country="US", region="MO", city="Kansas City").county == ""


@pytest.mark.parametrize(
    ("state", "zone"),
    [
        ("CO", "America/Denver"),
        ("Colorado", "America/Denver"),
        ("US-CO", "America/Denver"),
        ("mt", "America/Denver"),
        ("D.C.", "America/New_York"),
        ("District of Columbia", "America/New_York"),
        ("AZ", "America/Phoenix"),
        ("TX", "America/Chicago"),
        ("Hawai\u02bbi", "Pacific/Honolulu"),
        ("Atlantis", ""),
        ("", ""),
    ],
)
def test_locate_by_state_has_the_zone_of_most_of_it(state: str, zone: str) -> None:
    assert locate(country="US", region=state).zone == zone


def test_locate_in_a_state_nobody_knows_keeps_what_was_typed() -> None:
    found = locate(country="US", region=" Jefferson ", city=" Yreka ")
    assert found == Region(country="US", region="Jefferson", city="Yreka")


def test_locate_in_a_territory_uses_its_postal_codes() -> None:
    found = locate(country="Puerto Rico", postal_code="00901")
    assert (found.country, found.region, found.zone) == ("PR", "PR", "America/Puerto_Rico")


def test_locate_of_a_military_post_office_has_neither_coordinates_nor_zone() -> None:
    found = locate(country="US", postal_code="09001")
    assert (found.region, found.latitude, found.longitude, found.zone) == ("AE", None, None, "")


def test_locate_of_a_postal_code_with_a_wrong_zone_has_the_one_of_its_state() -> None:
    # The package says "Napakiak", the village, where it should say America/Anchorage.
    assert locate(country="US", postal_code="99634").zone == "America/Anchorage"


@pytest.mark.parametrize(
    ("country", "zone"),
    [
        ("Germany", "Europe/Berlin"),
        ("CH", "Europe/Zurich"),
        ("MT", "Europe/Malta"),
        ("JP", "Asia/Tokyo"),
        ("ES", ""),
        ("Canada", ""),
        ("Atlantis", ""),
        ("", ""),
    ],
)
def test_locate_abroad_has_a_zone_where_all_clocks_agree(country: str, zone: str) -> None:
    assert locate(country=country, city="Somewhere", postal_code="80202").zone == zone


@pytest.mark.parametrize("typed", ["Bayern", "BAVARIA", "by", "DE-BY"])
def test_locate_abroad_knows_the_province_by_code_and_name(typed: str) -> None:
    assert locate(country="Germany", region=typed, city=" München ") == Region(
        country="DE", region="BY", city="München", zone="Europe/Berlin"
    )


def test_locate_in_a_province_nobody_knows_keeps_what_was_typed() -> None:
    assert locate(country="DE", region=" Mordor ").region == "Mordor"


def test_locate_has_a_valid_zone_or_none_for_every_postal_code() -> None:
    known = zoneinfo.available_timezones() | {""}
    wrong = [
        row["zip_code"]
        for row in zipcodes.filter_by()
        if locate(country="US", postal_code=row["zip_code"]).zone not in known
    ]
    assert wrong == []


@settings(deadline=None)
@given(st.text(), st.text(), st.text(), st.text())
def test_locate_takes_any_text(country: str, region: str, city: str, postal_code: str) -> None:
    found = locate(country=country, region=region, city=city, postal_code=postal_code)
    assert len(found.country) in (0, 2)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("us", "US"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("United States", "US"),
        ("united states of america", "US"),
        ("UK", "GB"),
        ("United Kingdom", "GB"),
        ("Österreich", "AT"),
        ("South Korea", "KR"),
        ("Côte d'Ivoire", "CI"),
        ("ST", "ST"),
        ("ZZ", ""),
        ("", ""),
    ],
)
def test_country_code_of_a_code_or_a_name(name: str, code: str) -> None:
    assert country_code(name) == code


@pytest.fixture(scope="module")
def calendar() -> list[dict[str, str]]:
    if not CALENDAR.exists():
        pytest.skip("the shared data folder is absent")
    with CALENDAR.open(newline="") as file:
        return list(csv.DictReader(file))


def nearest(calendar: list[dict[str, str]], at: Region) -> str:
    """The district whose row fits best: a city named, then a county, then the whole state."""

    def fit(row: dict[str, str]) -> int:
        counties = county_keys(row["county"])
        named = district_city_keys(row["district"], region=row["region"])
        if row["region"] != at.region or (counties and county_key(at.county) not in counties):
            return -1
        if city_key(at.city) in named:
            return 3
        # A row without a county is for its whole state only when it is named after no city.
        return 0 if named and counties else -1 if named else 1 + bool(counties)

    best = max(calendar, key=fit)
    return best["district"] if fit(best) >= 0 else ""


@pytest.mark.parametrize(
    ("postal_code", "district"),
    [
        ("80202", "Denver Public Schools"),
        ("94103", "San Francisco Unified School District"),
        ("85201", "Mesa Public Schools"),
        ("85251", "Scottsdale Unified School District"),
        ("98003", "Federal Way Public Schools"),
        ("98101", "Seattle Public Schools"),
        ("73034", "Edmond Public Schools"),
        ("73102", "Oklahoma City Public Schools"),
        ("64106", "Kansas City Public Schools"),
        ("96813", "Hawaii State Department of Education"),
        ("11201", "New York City Public Schools"),
        ("11354", "New York City Public Schools"),
        ("55101", "Saint Paul Public Schools"),
        ("55303", "Anoka-Hennepin School District"),
        ("97301", "Salem-Keizer Public Schools"),
        ("97304", "Salem-Keizer Public Schools"),
        ("84020", "Canyons School District"),
        ("63005", "Rockwood School District"),
        ("46038", "Hamilton Southeastern Schools"),
        ("89101", "Clark County School District"),
        ("23075", "Henrico County Public Schools"),
        ("19103", "School District of Philadelphia"),
        ("48126", "Dearborn Public Schools"),
        ("63101", ""),
        ("80401", ""),
        ("33101", ""),
    ],
)
def test_address_meets_the_row_of_its_district(
    calendar: list[dict[str, str]], postal_code: str, district: str
) -> None:
    assert nearest(calendar, locate(country="US", postal_code=postal_code)) == district


def test_calendar_rows_name_a_county_or_a_city_or_the_whole_state(
    calendar: list[dict[str, str]],
) -> None:
    without = {
        row["district"]
        for row in calendar
        if not county_keys(row["county"])
        and not district_city_keys(row["district"], region=row["region"])
    }
    assert (len(calendar), without) == (54, {"Hawaii State Department of Education"})


def test_calendar_counties_exist_in_their_state(calendar: list[dict[str, str]]) -> None:
    real = {(row["state"], county_key(row["county"])) for row in zipcodes.filter_by()}
    unknown = {
        (row["region"], county)
        for row in calendar
        for county in county_keys(row["county"])
        if (row["region"], county) not in real
    }
    assert unknown == set()
