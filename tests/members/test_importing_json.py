"""JSON Lines as people send them: one broken line costs that line."""

import json
from pathlib import Path

import pytest

from tests.files import load, reasons, write_lines

HEADER = "code,name,latitude,longitude,time_zone,country"
GOOD = "denver,Denver,39.7,-105,America/Denver,US"
COLUMNS = "the columns are code, name, latitude, longitude, time_zone, country, region, postal_code"
ROW = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))

pytestmark = pytest.mark.django_db


def test_json_lines_are_read_like_csv(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "stores.jsonl",
        [ROW, ROW | {"code": "golden", "latitude": 39.75, "region": None}],
    )
    assert load("stores", path).tally == "loaded 2, unchanged 0, rejected 0"
    assert load("stores", path).tally == "loaded 0, unchanged 2, rejected 0"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "This is not JSON: Expecting property name enclosed in double quotes (column 2)."),
        ("7", "This is not an object."),
        ('{"latitude": NaN}', "This is not JSON: NaN is no number."),
        ('{"code": "a", "code": "b"}',
         "This is not JSON: the name 'code' appears twice in one object."),
        ('{"latitude": ' + "9" * 5_000 + "}",
         "This is not JSON: the number 99999999999999999999… is too long."),
        ("[" * 100_000, "This is not JSON: it is nested too deeply."),
        ('{"colour": 1}', f"Unknown name 'colour'; {COLUMNS}."),
        ('{"name": {"en": "x"}, "region": [1]}',
         "name is an object; region is a list of more than words."),
        (json.dumps(ROW | {"name": "\ud800"}), "name has a control character, '\\ud800'."),
        (json.dumps(ROW | {"name": "a\x00"}), "name has a control character, '\\x00'."),
        (json.dumps(ROW).replace('"39.7"', "1e400000000"),
         "latitude is not a number: '1E+400000000'."),
        (json.dumps(ROW | {"latitude": True}), "latitude is not a number: 'yes'."),
    ],
    ids=[
        "cut off", "a number", "NaN", "same name twice", "long number", "deep", "unknown name",
        "objects", "half a character", "NUL", "1e400000000", "wrong type",
    ],
)  # fmt: skip
def test_json_line_is_refused_with_a_reason(tmp_path: Path, line: str, reason: str) -> None:
    path = write_lines(tmp_path / "stores.jsonl", [ROW])
    path.write_text(path.read_text() + line + "\n" + json.dumps(ROW | {"code": "b"}) + "\n")
    assert load("stores", path).tally == "loaded 2, unchanged 0, rejected 1"
    assert reasons(path) == {2: reason}
