"""`load outings`."""

from pathlib import Path

import pytest

from loyalty import outings
from loyalty.models import Outing
from tests import factories
from tests.factories import NOW
from tests.files import load, reasons, write_csv

pytestmark = pytest.mark.django_db

HEADER = "code,name,starts_at,ends_at,place,store,capacity,interests,points"
RIDGE = "ridge,Ridge walk,2027-03-01T19:00:00Z,2027-03-01T22:00:00Z,peak,denver,12,hiking;snow,80"


@pytest.fixture(autouse=True)
def known() -> None:
    factories.place()
    factories.store()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outings.csv"


def test_outing_is_loaded_with_all_it_says(path: Path) -> None:
    write_csv(path, HEADER, RIDGE)
    assert load("outings", path).tally == "loaded 1, unchanged 0, rejected 0"
    ridge = Outing.objects.get()
    assert (ridge.name, ridge.capacity, ridge.points) == ("Ridge walk", 12, 80)
    assert (str(ridge.place), ridge.store and ridge.store.code) == ("Peak", "denver")
    assert {interest.slug for interest in ridge.interests.all()} == {"hiking", "snow"}


def test_loading_again_changes_nothing(path: Path) -> None:
    write_csv(path, HEADER, RIDGE)
    load("outings", path)
    before = Outing.objects.get()
    assert load("outings", path).tally == "loaded 0, unchanged 1, rejected 0"
    assert bytes(Outing.objects.get().seed) == bytes(before.seed)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("peak", "moon", "There is no place 'moon'."),
        ("denver", "mars", "There is no store 'mars'."),
        ("hiking", "golf", "There is no interest 'golf'."),
        ("2027-03-01T22", "2027-03-01T18", "ends_at: it ends before it starts."),
        (",12,", ",0,", "capacity"),
    ],
)
def test_bad_row_is_rejected_by_reason_and_the_others_land(
    path: Path, old: str, new: str, reason: str
) -> None:
    write_csv(path, HEADER, RIDGE.replace(old, new).replace("ridge,", "bad,"), RIDGE)
    assert load("outings", path).tally == "loaded 1, unchanged 0, rejected 1"
    assert reason in reasons(path)[2]


def test_capacity_below_what_is_taken_is_rejected(path: Path) -> None:
    write_csv(path, HEADER, RIDGE)
    load("outings", path)
    for one in factories.members(2):
        outings.register(member=one, code="ridge", now=NOW)
    write_csv(path, HEADER, RIDGE.replace(",12,", ",1,"))
    assert load("outings", path).tally == "loaded 0, unchanged 0, rejected 1"
    assert reasons(path) == {2: "capacity: 2 seats are taken already."}
