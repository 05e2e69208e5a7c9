import pytest
import zipcodes
from hypothesis import given, settings
from hypothesis import strategies as st

from members.region_keys import city_key, county_key, county_keys

BOROUGHS = {"new york", "kings", "queens", "bronx", "richmond"}


def keys(text: str) -> set[str]:
    return set(county_keys(text))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Denver County", "denver"),
        ("City and County of Denver", "denver"),
        ("St. Louis County", "saint louis"),
        ("St. Louis city", "saint louis city"),
        ("St. Louis City", "saint louis city"),
        ("City of St. Louis", "saint louis city"),
        ("Prince George's County", "prince georges"),
        ("Prince George\u2019s County", "prince georges"),
        ("Doña Ana County", "dona ana"),
        ("De Kalb County", "dekalb"),
        ("DeKalb County", "dekalb"),
        ("La Porte", "laporte"),
        ("Orleans Parish", "orleans"),
        ("North Slope Borough", "north slope"),
        ("City and Borough of Juneau", "juneau"),
        ("Juneau City and Borough", "juneau"),
        ("Municipality of Anchorage", "anchorage"),
        ("Anchorage Municipality", "anchorage"),
        ("Bethel Census Area", "bethel"),
        ("San Juan Municipio", "san juan"),
        ("Carson City", "carson city"),
        ("", ""),
    ],
)
def test_county_key_of_one_county(text: str, key: str) -> None:
    assert county_key(text) == key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Oklahoma and Logan counties", {"oklahoma", "logan"}),
        ("Marion and Polk Counties", {"marion", "polk"}),
        ("Counties of Marion & Polk", {"marion", "polk"}),
        ("Parts of Anoka, Hennepin, and Ramsey counties", {"anoka", "hennepin", "ramsey"}),
        ("Oklahoma County; Logan County", {"oklahoma", "logan"}),
        ("Orleans and St. Tammany Parishes", {"orleans", "saint tammany"}),
        ("St. Louis City and St. Louis County", {"saint louis city", "saint louis"}),
        ("Denver County, CO", {"denver"}),
        ("New York City", BOROUGHS),
        ("Statewide", set()),
        ("State-wide", set()),
        ("All counties", set()),
        ("  ", set()),
        ("", set()),
    ],
)
def test_county_keys_of_a_cell_of_a_calendar(text: str, expected: set[str]) -> None:
    assert keys(text) == expected


def test_county_keys_of_every_real_county_is_its_own_key() -> None:
    counties = {row["county"] for row in zipcodes.filter_by()} - {""}
    split = {county for county in counties if keys(county) != {county_key(county)}}
    assert (len(counties) > 1800, split) == (True, set())


@settings(deadline=None)
@given(st.text())
def test_county_keys_take_any_text(text: str) -> None:
    assert "" not in county_keys(text)


@pytest.mark.parametrize("text", ["Saint Paul", "St. Paul", "ST PAUL", "City of St. Paul, MN"])
def test_city_key_of_saint_paul_is_one(text: str) -> None:
    assert city_key(text) == "saint paul"


def test_city_key_of_new_york_is_one() -> None:
    assert city_key("New York City") == city_key("New York") == city_key("NYC")
