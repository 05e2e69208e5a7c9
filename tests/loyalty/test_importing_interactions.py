"""Interactions from files."""

from pathlib import Path

import pytest

from members.models import Interaction, InterestEvidence, Member
from tests import factories
from tests.files import load, reasons, write_csv

AT = "2024-06-01T10:00:00+00:00"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    return factories.member(number="A1", email="alex@example.com")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


def test_interaction_teaches_all_it_speaks_of(path: Path, alex: Member) -> None:
    factories.product("BOOT", interests=["hiking"])
    factories.place("wall", interests=["climbing"])
    header = "member,kind,occurred_at,sku,category,interest,place,value,reference"
    rows = [
        f"A1,review,{AT},BOOT,snow,camping,wall,4.5,v1",
        f"alex@example.com,view,{AT},GONE,,,,,v2",
    ]
    write_csv(path, header, *rows, rows[0])
    assert load("interactions", path).tally == "loaded 2, unchanged 1, rejected 0"
    assert load("interactions", path).tally == "loaded 0, unchanged 3, rejected 0"
    assert list(
        InterestEvidence.objects.order_by("interest__slug").values_list("interest__slug", "facts")
    ) == [("camping", 1), ("climbing", 1), ("hiking", 1), ("snow", 1)]
    assert Interaction.objects.get(reference="v2").sku == "GONE"


def test_interaction_with_a_word_we_do_not_know_is_refused(path: Path, alex: Member) -> None:
    header = "member,kind,occurred_at,interest,place,reference"
    rows = [
        f"Z9,view,{AT},,,v1",
        f"A1,yodel,{AT},,,v1",
        f"A1,view,{AT},golf,,v1",
        f"A1,view,{AT},,nowhere,v1",
        f"A1,purchase,{AT},,,v1",
        "A1,view,2199-01-01T00:00:00Z,,,v1",
    ]
    write_csv(path, header, *rows)
    assert load("interactions", path).tally == "loaded 0, unchanged 0, rejected 6"
    assert list(reasons(path).values()) == [
        "There is no member 'Z9'.",
        "There is no interaction kind 'yodel'.",
        "There is no interest 'golf'.",
        "There is no place 'nowhere'.",
        "A purchase is loaded with its points: load purchases.",
        "This lies in the future.",
    ]
