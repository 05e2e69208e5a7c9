"""CSV that a spreadsheet shows and never runs."""

import csv
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from django.http import StreamingHttpResponse

RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "|")


def cell(value: Any) -> Any:
    """A value for a cell: what a spreadsheet would take for a formula becomes text."""
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(RUNS):
        return "'" + value
    return value


def response(
    *, name: str, header: Iterable[str], rows: Iterable[Iterable[Any]]
) -> StreamingHttpResponse:
    """A file to save; rows are written as they are read, whatever their number."""
    return StreamingHttpResponse(
        _lines(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _lines(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(list(header))
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


class _Echo:
    """What csv writes to: hands each line straight back."""

    def write(self, line: str) -> str:
        return line
