import pycountry
import pytest

from members.subdivisions import subdivision_code


@pytest.mark.parametrize(
    ("country", "typed", "code"),
    [
        ("DE", "Bayern", "BY"),
        ("DE", "Bavaria", "BY"),
        ("DE", "Thueringen", "TH"),
        ("FR", "Île-de-France", "IDF"),
        ("FR", "provence alpes cote d\u2019azur", "PAC"),
        ("FR", "Brittany", "BRE"),
        ("AT", "Vienna", "9"),
        ("BE", "Région wallonne", "WAL"),
        ("CH", "Genf", "GE"),
        ("CH", "St. Gallen", "SG"),
        ("CZ", "Praha", "10"),
        ("ES", "Catalunya", "CT"),
        ("ES", "Cataluña", "CT"),
        ("ES", "Comunidad de Madrid", "MD"),
        ("GB", "Cymru", "WLS"),
        ("IT", "Valle d'Aosta", "23"),
        ("PL", "Lodzkie", "10"),
        ("SE", "Stockholm", "AB"),
        ("CA", "Québec", "QC"),
    ],
)
def test_subdivision_is_known_by_its_names(country: str, typed: str, code: str) -> None:
    assert subdivision_code(typed, country=country) == code


@pytest.mark.parametrize("typed", ["BY", "by", " DE-BY ", "de-by"])
def test_subdivision_is_known_by_its_code(typed: str) -> None:
    assert subdivision_code(typed, country="DE") == "BY"


@pytest.mark.parametrize(
    ("country", "typed"), [("DE", ""), ("DE", "Mordor"), ("DE", "FR-IDF"), ("", "BY"), ("X", "BY")]
)
def test_subdivision_that_is_none_has_no_code(country: str, typed: str) -> None:
    assert subdivision_code(typed, country=country) == ""


def test_province_called_like_its_region_is_the_region() -> None:
    assert subdivision_code("Asturias", country="ES") == "AS"


def test_every_subdivision_is_known_by_its_code() -> None:
    for row in pycountry.subdivisions:
        assert subdivision_code(row.code, country=row.country_code) == row.code[3:]


def test_every_first_level_is_known_by_its_name() -> None:
    for row in pycountry.subdivisions:
        if row.parent_code is None:
            assert subdivision_code(row.name, country=row.country_code) != ""
