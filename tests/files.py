"""Writing files and loading them, as a shell would; and the samples beside the checkout."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

SAMPLES = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def sample(name: str) -> Path:
    """A file of real data; the test is skipped where there is none."""
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"needs {path}")
    return path


@dataclass(frozen=True)
class Said:
    """What the command printed and how it ended."""

    lines: Sequence[str]
    exit: int

    @property
    def tally(self) -> str:
        return self.lines[-1]


def load(kind: str, path: Path, *words: str) -> Said:
    """`manage.py load KIND FILE …`; a `CommandError` is raised as it is."""
    printed = StringIO()
    ended = 0
    try:
        call_command("load", kind, str(path), *words, stdout=printed)
    except SystemExit as stop:
        ended = int(str(stop.code))
    return Said(printed.getvalue().splitlines(), ended)


def write_csv(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rejects(path: Path) -> list[dict[str, str]]:
    """The rows of the file that was written beside a loaded one."""
    with path.with_name(path.name + ".rejects.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reasons(path: Path) -> dict[int, str]:
    """{line: reason} of every rejected row."""
    return {int(row["line"]): row["reason"] for row in rejects(path)}
