import pytest

from members.school_districts import district_city_keys, district_county_keys


def cities(district: str, region: str = "") -> set[str]:
    return set(district_city_keys(district, region=region))


@pytest.mark.parametrize(
    ("district", "expected"),
    [
        ("Denver Public Schools", {"denver"}),
        ("Kansas City Public Schools", {"kansas city"}),
        ("Oklahoma City Public Schools", {"oklahoma city"}),
        ("Salt Lake City School District", {"salt lake city"}),
        ("Baltimore City Public Schools", {"baltimore"}),
        ("Rochester City School District", {"rochester"}),
        ("School District of Philadelphia", {"philadelphia"}),
        ("City School District of New Rochelle", {"new rochelle"}),
        ("San Francisco Unified School District", {"san francisco"}),
        ("Saint Paul Public Schools", {"saint paul"}),
        ("Salem-Keizer Public Schools", {"salem", "keizer", "salem keizer"}),
        ("Anoka-Hennepin School District", {"anoka", "hennepin", "anoka hennepin"}),
        ("Winston-Salem/Forsyth County Schools", {"winston salem"}),
        ("Wilkes-Barre Area School District", {"wilkes barre"}),
        ("Cleveland Metropolitan School District", {"cleveland"}),
        ("Fort Wayne Community Schools", {"fort wayne"}),
        ("Boise School District #1", {"boise"}),
        ("Henrico County Public Schools", set()),
        ("Hawaii State Department of Education", set()),
        ("Public Schools", set()),
        ("", set()),
    ],
)
def test_district_city_keys_of_a_name(district: str, expected: set[str]) -> None:
    assert cities(district) == expected


@pytest.mark.parametrize("name", ["New York City Public Schools", "NYC Department of Education"])
def test_district_city_keys_of_new_york_have_its_boroughs(name: str) -> None:
    assert cities(name, "NY") >= {"new york", "brooklyn", "bronx", "staten island"}


@pytest.mark.parametrize(
    ("district", "region", "expected"),
    [
        ("Salem-Keizer Public Schools", "OR", {"salem", "keizer"}),
        ("Canyons School District", "UT", set()),
        ("Rockwood School District", "MO", set()),
        ("Hamilton Southeastern Schools", "IN", set()),
        ("Richmond City Public Schools", "VA", {"richmond"}),
    ],
)
def test_district_city_keys_in_a_state_are_cities_there(
    district: str, region: str, expected: set[str]
) -> None:
    assert cities(district, region) == expected


@pytest.mark.parametrize(
    ("district", "expected"),
    [
        ("Henrico County Public Schools", {"henrico"}),
        ("Miami-Dade County Public Schools", {"miami dade"}),
        ("School District of Palm Beach County", {"palm beach"}),
        ("Winston-Salem/Forsyth County Schools", {"forsyth"}),
        ("Jefferson Parish Schools", {"jefferson"}),
        ("Denver Public Schools", set()),
    ],
)
def test_district_county_keys_of_a_name(district: str, expected: set[str]) -> None:
    assert set(district_county_keys(district)) == expected
