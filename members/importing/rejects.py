"""The file of what was refused: the source's own columns, then line and reason.

Made with the first refusal, beside the loaded file or, where that folder is read-only, in the
working directory. Mended, it can be loaded as it is. Cells that a spreadsheet would compute are
escaped.
"""

import csv
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from members.importing.csv_rows import ADDED, line_of
from members.importing.rows import REJECTS, Row, Unreadable


class Rejects:
    def __init__(self, source: Path, *, header: Sequence[str]) -> None:
        """Remove what an earlier run left: nobody shall mend yesterday's rows."""
        self.path: Path | None = None
        self._source = source
        self._header = header
        self._file: TextIO | None = None
        beside, here = self._candidates()
        # In the working directory the name may be another file's, unless we had to go there.
        with suppress(OSError):
            (beside if os.access(beside.parent, os.W_OK) else here).unlink()

    def add(self, row: Row, reason: str) -> None:
        file = self._file or self._open()
        original = [*row.original, *[""] * len(self._header)][: len(self._header)]
        csv.writer(file).writerow([*line_of(original), row.line, *line_of([reason])])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _candidates(self) -> tuple[Path, Path]:
        """Beside the file, and in the working directory."""
        beside = self._source.with_name(self._source.name + REJECTS)
        return beside, Path.cwd() / beside.name

    def _open(self) -> TextIO:
        for path in self._candidates():
            with suppress(OSError):
                # Half a character (from JSON) is written as its code instead of ending the run.
                self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
                self.path = path
                # People's data: as private as the file it came from.
                shutil.copymode(self._source, path)
                csv.writer(self._file).writerow([*line_of(self._header), *ADDED])
                return self._file
        raise Unreadable(
            f"There are rows to reject, and {REJECTS} can be written neither beside "
            f"{self._source} nor in {Path.cwd()}."
        )
