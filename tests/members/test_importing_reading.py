"""Files as people send them: one broken row costs that row, one broken file changes nothing."""

import gzip
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from members.models import Store
from tests.files import load, reasons, rejects, write_csv

HEADER = "code,name,latitude,longitude,time_zone,country"
GOOD = "denver,Denver,39.7,-105,America/Denver,US"
FINE = "boston,Boston,42.4,-71.1,America/New_York,US"
COLUMNS = "the columns are code, name, latitude, longitude, time_zone, country, region, postal_code"
ROW = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stores.csv"


def codes() -> list[str]:
    return list(Store.objects.order_by("code").values_list("code", flat=True))


def refusal(path: Path, *words: str) -> str:
    """The sentence with which the file as a whole is refused."""
    with pytest.raises(CommandError) as error:
        load("stores", path, *words)
    assert codes() == []
    assert not path.with_name(path.name + ".rejects.csv").exists()
    return str(error.value)


# --- Good files in every dress ----------------------------------------------------------------
def test_good_file_lands_and_a_second_run_adds_nothing(path: Path) -> None:
    write_csv(path, HEADER, GOOD, FINE)
    first, second = load("stores", path), load("stores", path)
    assert (first.tally, first.exit) == ("loaded 2, unchanged 0, rejected 0", 0)
    assert (second.tally, second.exit) == ("loaded 0, unchanged 2, rejected 0", 0)
    assert codes() == ["boston", "denver"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + f"{HEADER}\n{GOOD}\n".encode(),
        f"{HEADER}\r\n{GOOD}\r\n".encode(),
        f"{HEADER}\n\n{GOOD}\n,,,,,\n".encode(),
        f"{HEADER}\n{GOOD.replace('Denver,39', chr(34) + 'Denver' + chr(34) + ',39')}".encode(),
        (
            b"country, time_zone ,longitude,latitude,name,code\nUS,America/Denver,-105,39.7,Denver,"
            b"denver\n"
        ),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "quotes and no last line end", "other order"],
)
def test_dress_does_not_matter(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    assert load("stores", path).tally == "loaded 1, unchanged 0, rejected 0"


def test_header_alone_is_an_empty_file(path: Path) -> None:
    assert load("stores", write_csv(path, HEADER)).tally == "loaded 0, unchanged 0, rejected 0"


def test_column_is_read_under_another_name(path: Path) -> None:
    write_csv(path, HEADER.replace("code", "STORE_ID"), GOOD)
    assert load("stores", path, "--map", "code=STORE_ID").tally == (
        "loaded 1, unchanged 0, rejected 0"
    )


def test_empty_cell_changes_nothing_and_a_full_one_does(path: Path) -> None:
    load("stores", write_csv(path, HEADER + ",region", GOOD + ",CO"))
    again = load("stores", write_csv(path, HEADER + ",region", GOOD.replace("39.7", "39.8") + ","))
    assert again.tally == "loaded 1, unchanged 0, rejected 0"
    store = Store.objects.get()
    assert (float(store.latitude), store.region) == (39.8, "CO")


def test_dry_run_does_everything_and_keeps_nothing(path: Path) -> None:
    write_csv(path, HEADER, GOOD, "x,X,1,2,Nowhere,US")
    said = load("stores", path, "--dry-run")
    assert said.lines[-2:] == [
        "A dry run: nothing was kept.",
        "loaded 1, unchanged 0, rejected 1",
    ]
    assert said.exit == 3
    assert codes() == []
    assert reasons(path) == {3: "time_zone is not an IANA time zone: 'Nowhere'."}


# --- Files that are refused as a whole --------------------------------------------------------
@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The file is empty: not even a header."),
        (
            f"{HEADER}\n{GOOD}\nz,Zürich,1,1,Europe/Zurich,CH\n".encode("latin-1"),
            ("The file is not UTF-8: line 3, byte 93 is 0xFC. Nothing was loaded; save the file as"
            " UTF-8."),
        ),
        (HEADER.encode("utf-16"), "The file is UTF-16; save it as UTF-8."),
        (gzip.compress(HEADER.encode()), "The file is compressed; unpack it first."),
        (b"PK\x03\x04\xff", "The file is a spreadsheet or an archive; save it as CSV."),
        (
            f"{HEADER},code\n{GOOD},x\n".encode(),
            "The header has code more than once.",
        ),
        (f"{HEADER},\n{GOOD},x\n".encode(), "Column 7 of the header has no name."),
        (
            f"{HEADER},colour\n{GOOD},red\n".encode(),
            f"Unknown column 'colour'; {COLUMNS}.",
        ),
        (
            HEADER.replace(",", ";").encode(),
            (f"Unknown column '{HEADER.replace(',', ';')}'; {COLUMNS}."
            " Are its cells separated by commas?"),
        ),
        (
            b"code,name\n",
            f"The column latitude, longitude, time_zone, country is missing; {COLUMNS}.",
        ),
        (
            f"{HEADER}\r{GOOD}\r".encode(),
            "The lines end with CR alone; save them with LF.",
        ),
        (b"[]", "JSON Lines have one object a line, and no brackets around them."),
    ],
    ids=[
        "empty", "latin-1", "utf-16", "gzip", "spreadsheet", "same name twice", "no name",
        "unknown column", "semicolons", "missing columns", "CR alone", "JSON list",
    ],
)  # fmt: skip
def test_file_is_refused_with_a_sentence(path: Path, raw: bytes, sentence: str) -> None:
    path.write_bytes(raw)
    assert refusal(path) == sentence


def test_encoding_is_checked_to_the_end_before_anything_is_loaded(path: Path) -> None:
    rows = [f"s{number},{'x' * 100},1,1,UTC,US" for number in range(20_000)]
    write_csv(path, HEADER, *rows)
    with path.open("ab") as file:
        file.write("münchen,München,1,1,Europe/Berlin,DE\n".encode("latin-1"))
    assert refusal(path).startswith("The file is not UTF-8: line 20002, byte ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--map", "code"], "--map is OURS=THEIRS, unlike 'code'."),
        (["--map", "colour=name"], f"--map colour=…: stores have no column 'colour'; {COLUMNS}."),
        (["--map", "code=ID"], "--map names a column the file has not: ID."),
        (["--map", "code=name"], "The header has code more than once."),
        (["--map", "code=a", "--map", "code=b"], "--map reads 'code' from two columns."),
        (["--map", "code=a", "--map", "name=a"], "--map reads a into two columns."),
        (["--no-points"], "--no-points is a word about purchases."),
    ],
)
def test_map_that_makes_no_sense_is_refused(path: Path, words: list[str], sentence: str) -> None:
    write_csv(path, HEADER, GOOD)
    assert refusal(path, *words) == sentence


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    assert refusal(missing) == f"{missing} cannot be read: No such file or directory."
    assert refusal(tmp_path) == f"{tmp_path} is not a file."


def test_unknown_kind_lists_those_there_are(path: Path) -> None:
    with pytest.raises(CommandError, match="There is no kind 'shops'; there are members, product"):
        load("shops", path)


# --- Rows that are refused while the others land ----------------------------------------------
def test_bad_row_in_the_middle_is_named_and_the_others_land(path: Path) -> None:
    write_csv(path, HEADER, GOOD, "x,X,north,2,UTC,US", FINE)
    said = load("stores", path)
    assert said.lines == [
        f"Rejected rows, with line and reason: {path}.rejects.csv",
        "loaded 2, unchanged 0, rejected 1",
    ]
    assert said.exit == 3
    assert rejects(path) == [
        {
            "code": "x", "name": "X", "latitude": "north", "longitude": "2", "time_zone": "UTC",
            "country": "US", "line": "3", "reason": "latitude is not a number: 'north'.",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,X,1", "It has 3 cells where the header has 6."),
        ("x,X,1,2,UTC,US,more", "It has 7 cells where the header has 6."),
        ('x,"X"Y,1,2,UTC,US', "This is not CSV: ',' expected after '\"'."),
        ("x,X\x00,1,2,UTC,US", "name has a control character, '\\x00'."),
        ('x,"X\nBcc: all",1,2,UTC,US', "name has a control character, '\\n'."),
        (f"x,{'X' * 130},1,2,UTC,US", f"name is longer than 120 characters: '{'X' * 40}…'."),
        (f"x,{'X' * 131_073},1,2,UTC,US",
         "This is not CSV: field larger than field limit (131072)."),
        (f"x,{'X' * 1_100_000},1,2,UTC,US", "The line is longer than a megabyte."),
        ("x,X,-105,39.7,America/Denver,US", "Latitude and longitude seem to be swapped."),
        ("x,X,NaN,1e400,UTC,US",
         "latitude is not a number: 'NaN'; longitude is not a number: '1e400'."),
    ],
    ids=[
        "too short", "too long", "bad quotes", "NUL", "line break", "long", "longer", "megabyte",
        "swapped", "not finite",
    ],
)  # fmt: skip
def test_row_is_refused_with_a_reason(path: Path, row: str, reason: str) -> None:
    write_csv(path, HEADER, GOOD, row, FINE)
    assert load("stores", path).tally == "loaded 2, unchanged 0, rejected 1"
    assert reasons(path) == {3: reason}


def test_unclosed_quote_does_not_swallow_the_rest(path: Path) -> None:
    write_csv(path, HEADER, GOOD, 'x,"X,1,2,UTC,US', FINE)
    assert load("stores", path).tally == "loaded 2, unchanged 0, rejected 1"
    assert reasons(path) == {3: "This is not CSV: unexpected end of data."}


def test_same_key_twice_is_unchanged_if_equal_and_refused_if_not(path: Path) -> None:
    write_csv(path, HEADER, GOOD, GOOD, GOOD.replace("Denver,3", "Golden,3"))
    assert load("stores", path).tally == "loaded 1, unchanged 1, rejected 1"
    assert reasons(path) == {4: "Line 2 says something else of the same store."}


def test_row_that_the_database_refuses_costs_only_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("members.importing.columns.check_position", lambda **_: None)
    write_csv(path, HEADER, GOOD, "x,X,95,2,UTC,US", FINE)
    assert load("stores", path).tally == "loaded 2, unchanged 0, rejected 1"
    assert reasons(path) == {
        3: 'The database refuses it: new row for relation "members_store" violates check constraint'
        ' "store_on_earth".'
    }


def test_line_break_in_a_quoted_cell_keeps_the_numbers_of_the_lines(path: Path) -> None:
    write_csv(path, HEADER, 'a,"A\nA",1,2,UTC,US', "b,B,north,2,UTC,US")
    load("stores", path)
    assert list(reasons(path)) == [2, 4]
