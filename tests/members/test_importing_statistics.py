"""The database knows how large its tables are as soon as a large load is over."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from members.importing import statistics
from members.models import Member
from tests.files import load, write_csv

pytestmark = pytest.mark.django_db

HEADER = "number,postal_code,country"


@pytest.fixture(autouse=True)
def large_is_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MANY_ROWS", 100)


def known_rows(table: str) -> int:
    """How many rows the planner takes a table for; -1 before anybody looked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])


def write(folder: Path, rows: int) -> Path:
    path = folder / "members.csv"
    return write_csv(path, HEADER, *(f"N{number},80202,US" for number in range(rows)))


def test_tables_that_grew_much_are_looked_at_again(tmp_path: Path) -> None:
    load("members", write(tmp_path, 120))
    assert (known_rows("members_member"), known_rows("members_address")) == (120, 120)


@pytest.mark.parametrize(("rows", "words"), [(60, ()), (120, ("--dry-run",))])
def test_small_load_and_dry_run_look_at_nothing(tmp_path: Path, rows: int, words: Any) -> None:
    before = known_rows("members_member")
    load("members", write(tmp_path, rows), *words)
    assert known_rows("members_member") == before


def test_table_that_somebody_holds_takes_nothing_of_the_load_back(tmp_path: Path) -> None:
    somebody = connection.copy()
    try:
        somebody.set_autocommit(False)
        somebody.cursor().execute("LOCK TABLE members_member IN SHARE UPDATE EXCLUSIVE MODE")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '20ms'")
        told = load("members", write(tmp_path, 120))
    finally:
        somebody.close()
    assert (told.tally, told.exit) == ("loaded 120, unchanged 0, rejected 0", 0)
    assert Member.objects.count() == 120
