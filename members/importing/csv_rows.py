"""Reading CSV (RFC 4180) row by row, so that one broken row costs that row and no other.

Where quoting goes wrong, the line on which the row began is refused and reading goes on with the
next one: an unclosed quote does not swallow the rest of the file.
"""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from members.importing.rows import Naming, Row, Unreadable, own_rejects, skip_line

LONGEST_LINE = 1_048_576
ADDED = ("line", "reason")
_TOO_LONG = '"too long"!\n'  # What stands for such a line is no CSV either.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvSource:
    """The rows of one CSV file. `Unreadable` when its header is not what it should be."""

    def __init__(self, path: Path, *, naming: Naming) -> None:
        self.size = path.stat().st_size
        self._lines = _Lines(path)
        self._is_ours = own_rejects(path)
        try:
            self.header, self._names = self._read_header(naming)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._lines.close()

    def position(self) -> int:
        return self._lines.position()

    def rows(self) -> Iterator[Row]:
        for line, cells, problem in self._records():
            if problem:
                yield Row(line, {}, cells, problem)
            elif any(cells):
                given = cells
                if self._is_ours:
                    given = [unescaped(cell) for cell in cells[: len(self._names)]]
                yield Row(line, dict(zip(self._names, given, strict=True)), given)

    def _records(self) -> Iterator[tuple[int, list[str], str]]:
        """(line, cells, problem) of every record but the header."""
        lines = self._lines
        width = len(self.header) + (len(ADDED) if self._is_ours else 0)
        reader = csv.reader(lines, strict=True)
        while True:
            lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raw = lines.give_back_all_but_one()
                told = f"This is not CSV: {error}."
                if raw == _TOO_LONG:
                    told = "The line is longer than a megabyte."
                yield lines.number, [raw.strip()[:1_000]], told
                reader = csv.reader(lines, strict=True)
                continue
            if cells and len(cells) != width:
                told = f"It has {len(cells)} cells where the header has {width}."
                yield lines.first, cells, told
            elif cells:
                yield lines.first, cells, ""

    def _read_header(self, naming: Naming) -> tuple[list[str], list[str]]:
        self._lines.begin()
        try:
            header = [name.strip() for name in next(csv.reader(self._lines, strict=True))]
        except StopIteration:
            raise Unreadable("The file is empty: not even a header.") from None
        except csv.Error as error:
            if "\r" in self._lines.given[0].rstrip("\r\n"):
                raise Unreadable("The lines end with CR alone; save them with LF.") from error
            raise Unreadable(f"The header is not CSV: {error}.") from error
        if self._is_ours and tuple(header[-2:]) == ADDED:
            header = header[:-2]
        else:
            self._is_ours = False
        return header, naming.ours(header)


class _Lines:
    """The lines of a file, which can be given back."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 closed by close()
        self._back: deque[str] = deque()
        self.given: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._back:
            line = self._back.popleft()
        else:
            raw = self._file.readline(LONGEST_LINE)
            if not raw:
                raise StopIteration
            if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                skip_line(self._file)
                raw = _TOO_LONG.encode()
            line = raw.decode("utf-8-sig" if self.number == 0 else "utf-8")
        self.number += 1
        self.given.append(line)
        return line

    @property
    def first(self) -> int:
        """The number of the line on which the record began."""
        return self.number - len(self.given) + 1

    def begin(self) -> None:
        self.given = []

    def give_back_all_but_one(self) -> str:
        """Leave only the record's first line read; returns it."""
        first, *rest = self.given
        self._back.extendleft(reversed(rest))
        self.number -= len(rest)
        return first

    def position(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def escaped(cell: str) -> str:
    """A cell that a spreadsheet shows instead of computing it."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def unescaped(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell


def line_of(cells: Sequence[object]) -> list[str]:
    """A row for a CSV writer."""
    return [escaped(str(cell)) for cell in cells]
