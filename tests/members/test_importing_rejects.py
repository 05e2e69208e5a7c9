"""The file of what was refused: safe to open, private, and loadable once it is mended."""

from pathlib import Path

import pytest

from members.importing import csv_rows
from members.models import Store
from tests.files import load, reasons, rejects, write_csv

HEADER = "code,name,latitude,longitude,time_zone,country"
GOOD = "denver,Denver,39.7,-105,America/Denver,US"

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stores.csv"


def test_formulas_are_escaped(path: Path) -> None:
    write_csv(path, HEADER, "x,=cmd(),north,@a,+b,-c")
    load("stores", path)
    (row,) = rejects(path)
    assert (row["name"], row["longitude"], row["time_zone"], row["country"]) == (
        "'=cmd()", "'@a", "'+b", "'-c",
    )  # fmt: skip


def test_mended_rejects_load_as_they_are(path: Path) -> None:
    write_csv(path, HEADER, GOOD, "south,=S,north,-70,UTC,US")
    load("stores", path)
    mended = path.with_name(path.name + ".rejects.csv")
    mended.write_text(mended.read_text().replace("north", "-30"))
    assert load("stores", mended).tally == "loaded 1, unchanged 0, rejected 0"
    assert Store.objects.get(code="south").name == "=S"


def test_rejects_of_an_earlier_run_are_removed(path: Path) -> None:
    load("stores", write_csv(path, HEADER, "x"))
    assert reasons(path) == {2: "It has 1 cells where the header has 6."}
    load("stores", write_csv(path, HEADER, GOOD))
    assert not path.with_name(path.name + ".rejects.csv").exists()


def test_rejects_of_another_file_of_that_name_are_left_alone(
    path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    load("stores", write_csv(here / "stores.csv", HEADER, "x"))
    load("stores", write_csv(path, HEADER, GOOD))
    assert reasons(here / "stores.csv") == {2: "It has 1 cells where the header has 6."}


def test_rejects_are_as_private_as_the_file(path: Path) -> None:
    write_csv(path, HEADER, "x").chmod(0o600)
    load("stores", path)
    assert path.with_name(path.name + ".rejects.csv").stat().st_mode & 0o777 == 0o600


def test_rejects_go_to_the_working_directory_where_the_folder_is_closed(
    path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    # Root may write anywhere, so the closed folder is one where a folder has the file's name.
    path.with_name(path.name + ".rejects.csv").mkdir()
    said = load("stores", write_csv(path, HEADER, "x"))
    assert said.lines[0] == f"Rejected rows, with line and reason: {here}/stores.csv.rejects.csv"


@pytest.mark.parametrize("cell", ["=1+1", "-5", "@x", "+x", "plain", "'", ""])
def test_escaping_comes_back(cell: str) -> None:
    assert csv_rows.unescaped(csv_rows.escaped(cell)) == cell
