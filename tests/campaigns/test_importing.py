"""Calendars and campaigns from files."""

import json
from datetime import date
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from campaigns import occasions
from campaigns.models import Campaign, Occasion, OccasionArea
from campaigns.models.occasion import OccasionArea as Area
from members.models import Member
from tests import factories
from tests.files import Said, load, reasons, sample, write_csv

HEADER = "occasion,date,country,region,county,postal_code,district"
LEVELS = Area.Level

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calendar.csv"


def load_rows(path: Path, *rows: str) -> Said:
    return load("occasions", write_csv(path, HEADER, *(f"start,{row}" for row in rows)))


def areas() -> set[tuple[str, str, str, str]]:
    return {
        (LEVELS(area.level).name, area.region, area.key, area.date.isoformat())
        for area in OccasionArea.objects.all()
    }


# --- Rows -------------------------------------------------------------------------------------
def test_changed_date_changes_the_row_and_its_areas(path: Path) -> None:
    load_rows(path, "2026-09-08,US,MA,Suffolk County,,Boston Public Schools")
    said = load_rows(path, "2026-09-09,US,MA,Suffolk County,,Boston Public Schools")
    assert said.tally == "loaded 1, unchanged 0, rejected 0"
    assert Occasion.objects.get().date == date(2026, 9, 9)
    assert {area[3] for area in areas()} == {"2026-09-09"}
    assert load("occasions", path).tally == "loaded 0, unchanged 1, rejected 0"


def test_next_year_is_another_row(path: Path) -> None:
    said = load_rows(path, "2026-09-08,US,MA,,,", "2027-09-08,US,MA,,,")
    assert said.tally == "loaded 2, unchanged 0, rejected 0"


def test_two_dates_for_one_place_in_a_file_are_refused(path: Path) -> None:
    said = load_rows(path, "2026-09-08,US,MA,,,", "2026-09-09,US,MA,,,", "2026-09-08,US,MA,,,")
    assert said.tally == "loaded 1, unchanged 1, rejected 1"
    assert reasons(path) == {3: "Line 2 says something else of the same occasion."}


def test_bad_rows_are_named(path: Path) -> None:
    said = load_rows(path, "8 Sept,US,MA,,,", "2026-09-08,USA,MA,,,", "2026-09-08,US,MA,,,")
    assert said.tally == "loaded 1, unchanged 0, rejected 2"
    assert reasons(path) == {
        2: "date is not a date like 2026-09-08: '8 Sept'.",
        3: "country is an ISO 3166 code like US, not 'USA'.",
    }


# --- Areas ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("US,,,,", {("COUNTRY", "", "")}),
        ("US,Hawaii,Statewide,,Hawaii State Department of Education", {("REGION", "HI", "")}),
        ("US,HI,,,", {("REGION", "HI", "")}),
        ("DE,BY,,,", {("REGION", "BY", "")}),
        (
            "US,CO,Boulder County,80302-1234,",
            {("POSTAL_CODE", "CO", "80302"), ("COUNTY", "CO", "boulder"), ("ESTIMATE", "CO", "")},
        ),
        (
            "US,OK,Oklahoma and Logan counties,,Edmond Public Schools",
            {
                ("CITY", "OK", "edmond"), ("COUNTY", "OK", "logan"),
                ("COUNTY", "OK", "oklahoma"), ("ESTIMATE", "OK", ""),
            },
        ),
        (
            "US,MO,,,Kansas City Public Schools",
            {("CITY", "MO", "kansas city"), ("ESTIMATE", "MO", "")},
        ),
        (
            "US,VA,,,Henrico County Public Schools",
            {("COUNTY", "VA", "henrico"), ("ESTIMATE", "VA", "")},
        ),
    ],
    ids=["country", "statewide", "state", "land", "postal code", "two counties", "city", "named"],
)  # fmt: skip
def test_row_covers(path: Path, row: str, expected: set[tuple[str, str, str]]) -> None:
    load_rows(path, f"2026-08-24,{row}")
    assert areas() == {(*area, "2026-08-24") for area in expected}


def test_most_common_date_of_a_county_counts(path: Path) -> None:
    load_rows(
        path,
        "2026-08-05,US,AZ,Maricopa County,,Tempe School District",
        "2026-08-10,US,AZ,Maricopa County,,Mesa Public Schools",
        "2026-08-10,US,AZ,Maricopa County,,Scottsdale Unified School District",
    )
    counties = {area[3] for area in areas() if area[0] == "COUNTY"}
    assert counties == {"2026-08-10"}
    assert ("CITY", "AZ", "tempe", "2026-08-05") in areas()
    assert ("ESTIMATE", "AZ", "", "2026-08-10") in areas()


def test_earlier_of_two_equally_common_dates_counts(path: Path) -> None:
    load_rows(
        path,
        "2026-08-13,US,OK,Oklahoma and Logan counties,,Edmond Public Schools",
        "2026-08-11,US,OK,Oklahoma County,,Oklahoma City Public Schools",
    )
    assert ("COUNTY", "OK", "oklahoma", "2026-08-11") in areas()
    assert ("COUNTY", "OK", "oklahoma", "2026-08-13") not in areas()
    assert ("COUNTY", "OK", "logan", "2026-08-13") in areas()
    assert ("ESTIMATE", "OK", "", "2026-08-11") in areas()


def test_state_with_a_row_of_its_own_is_not_estimated(path: Path) -> None:
    load_rows(
        path,
        "2026-08-13,US,OK,Logan County,,Edmond Public Schools",
        "2026-08-20,US,OK,Statewide,,",
    )
    assert {area[0] for area in areas()} == {"CITY", "COUNTY", "REGION"}


def test_years_do_not_mix(path: Path) -> None:
    load_rows(path, "2026-08-24,US,CO,Denver County,,", "2027-08-23,US,CO,Denver County,,")
    assert {area[3] for area in areas() if area[0] == "ESTIMATE"} == {"2026-08-24", "2027-08-23"}


def test_deriving_again_changes_nothing(path: Path) -> None:
    load_rows(path, "2026-08-24,US,CO,Denver County,,Denver Public Schools")
    assert occasions.derive_areas(slugs={"start", "unknown"}) == 0
    Occasion.objects.update(county="Boulder County")
    assert occasions.derive_areas(slugs={"start"}) == 2
    assert ("COUNTY", "CO", "boulder", "2026-08-24") in areas()
    assert ("COUNTY", "CO", "denver", "2026-08-24") not in areas()


def test_sample_calendar_loads() -> None:
    path = sample("calendars/school_start_us_sample.csv")
    assert load("occasions", path).tally == "loaded 54, unchanged 0, rejected 0"
    before = areas()
    assert load("occasions", path).tally == "loaded 0, unchanged 54, rejected 0"
    assert areas() == before
    assert {(region, key, day) for level, region, key, day in before if level == "CITY"} >= {
        ("OK", "edmond", "2026-08-13"),
        ("MN", "saint paul", "2026-09-08"),
        ("NY", "brooklyn", "2026-09-10"),
        ("OR", "keizer", "2026-09-08"),
    }
    assert ("REGION", "HI", "", "2027-08-02") in before


# --- Campaigns --------------------------------------------------------------------------------
def document(code: str, **said: object) -> dict[str, object]:
    variant = {"interest": None, "subject": "Hello", "body": "Hello {{ member.given_name }}"}
    return {
        "code": code,
        "name": code.title(),
        "audience": {"all": []},
        "entry": {"kind": "moment", "at": "2126-01-01T10:00:00+00:00"},
        "steps": [{"channels": ["inbox"], "variants": [variant]}],
        "holdout_percent": 2.5,
        **said,
    }


@pytest.mark.parametrize("many", [1, 2])
@pytest.mark.parametrize("dress", ["object", "pretty", "list", "lines"])
def test_campaigns_load_and_load_again(path: Path, dress: str, many: int) -> None:
    documents = [document(f"c{number}") for number in range(many)]
    match dress:
        case "list":
            path.write_text(json.dumps(documents))
        case "pretty":
            path.write_text("\n".join(json.dumps(each, indent=2) for each in documents))
        case _:
            path.write_text("\n".join(json.dumps(each) for each in documents))
    assert load("campaigns", path).tally == f"loaded {many}, unchanged 0, rejected 0"
    assert load("campaigns", path).tally == f"loaded 0, unchanged {many}, rejected 0"
    assert Campaign.objects.count() == many


def test_bad_campaign_is_refused_with_its_path_and_the_others_land(path: Path) -> None:
    bad = document("bad", audience={"all": [{"condition": "yodels"}]})
    path.write_text(json.dumps([document("a"), bad, document("b")], indent=1))
    assert load("campaigns", path).tally == "loaded 2, unchanged 0, rejected 1"
    ((line, reason),) = reasons(path).items()
    assert path.read_text().splitlines()[line - 1] == " {"
    assert reason.startswith("/audience/all/0")


def nested(depth: int) -> str:
    audience = '{"not": ' * depth + "1" + "}" * depth
    return '{"code": "deep", "audience": ' + audience + "}"


def test_deep_campaign_is_refused(path: Path) -> None:
    path.write_text(nested(100))
    assert load("campaigns", path).tally == "loaded 0, unchanged 0, rejected 1"
    assert reasons(path) == {1: "This is not JSON: it is nested deeper than 64 levels."}
    path.write_text(nested(100_000))
    with pytest.raises(CommandError, match="This is not JSON, line 1: it is nested too deeply"):
        load("campaigns", path)


def test_csv_is_no_campaign(path: Path) -> None:
    write_csv(path, "code,name", "a,A")
    with pytest.raises(CommandError, match="This is not JSON: it begins with neither"):
        load("campaigns", path)


def test_members_of_the_calendar_are_met(path: Path) -> None:
    """An address and a calendar row of the same place have the same keys."""
    factories.member(email="a@example.com", postal_code="73034", country="US")
    load_rows(path, "2026-08-13,US,OK,Oklahoma and Logan counties,,Edmond Public Schools")
    address = Member.objects.get().address
    assert OccasionArea.objects.filter(
        level=LEVELS.CITY, region=address.region, key=address.city_key
    ).exists()
