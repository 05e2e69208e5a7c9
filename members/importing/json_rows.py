"""Reading JSON Lines: one object a line, each read or refused by itself."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from members.importing import strict_json
from members.importing.rows import Naming, Row, skip_line

LONGEST_LINE = 16_777_216


class JsonLinesSource:
    """One object a line; a line that is none is refused, the others are read."""

    def __init__(self, path: Path, *, naming: Naming, keeps_document: bool) -> None:
        self.size = path.stat().st_size
        self.header = naming.theirs()
        self._naming = naming
        self._keeps_document = keeps_document
        self._file = open(path, "rb")  # noqa: SIM115 closed by close()

    def close(self) -> None:
        self._file.close()

    def position(self) -> int:
        return self._file.tell()

    def rows(self) -> Iterator[Row]:
        number = 0
        while raw := self._file.readline(LONGEST_LINE):
            number += 1
            if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                skip_line(self._file)
                yield Row(number, {}, [], "The line is longer than 16 megabytes.")
                continue
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip(" \t\r\n\x1e")
            if text:
                yield self._row(number, text)

    def _row(self, number: int, text: str) -> Row:
        try:
            if self._keeps_document:
                found = strict_json.FLOAT.decode(text)
                strict_json.inspect(found)
            else:
                found = strict_json.EXACT.decode(text)
        except (ValueError, RecursionError) as error:
            return Row(number, {}, [text[:1_000]], f"This is not JSON: {strict_json.told(error)}.")
        return row_from(found, line=number, naming=self._naming, document=self._keeps_document)


def row_from(found: object, *, line: int, naming: Naming, document: bool) -> Row:
    """A row of our columns from an object; of a GeoJSON feature, from its properties."""
    if not isinstance(found, dict):
        return Row(line, {}, [str(found)[:1_000]], "This is not an object.")
    given: Mapping[str, Any] = found
    is_feature = document and found.get("type") == "Feature"
    if is_feature:
        properties = found.get("properties")
        given = properties if isinstance(properties, dict) else {}
    theirs = dict(zip(naming.theirs(), naming.known, strict=True))
    cells: dict[str, str] = {}
    problems = []
    for name, value in given.items():
        if (ours := theirs.get(name)) is not None:
            try:
                cells[ours] = cell_of(value)
            except ValueError as error:
                problems.append(f"{name} {error}")
        elif not is_feature and naming.known:
            problems.append(f"Unknown name {name[:80]!r}; {naming}")
    original = [cells.get(name, "") for name in naming.known]
    told = "; ".join(problems) + "." if problems else ""
    return Row(line, cells, original, told, found if document else None)


def cell_of(value: object) -> str:
    """A JSON value as the text a CSV cell would hold."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case Decimal():
            # Written out only where that is short: 1E+400000000 is a number, too.
            return f"{value:f}" if abs(value.adjusted()) < 30 else str(value)
        case int() | float():
            return str(value)
        case list():
            if all(isinstance(each, str) for each in value):
                return ";".join(value)
            raise ValueError("is a list of more than words")
        case _:
            raise ValueError("is an object")
