"""What every reader of a file hands on, whatever the file's format."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from config.errors import Refusal

REJECTS = ".rejects.csv"


class Unreadable(Refusal):
    """The file as a whole cannot be loaded; nothing of it was."""

    code = "unreadable_file"
    status = 400


@dataclass(slots=True)
class Row:
    """One row: our columns' cells as text, the source's own for the reject file.

    `problem` says why it could not be read at all; `document` is the object itself, where a kind
    takes more than cells (a geometry, a campaign).
    """

    line: int
    cells: Mapping[str, str]
    original: Sequence[str]
    problem: str = ""
    document: object = None


class Source(Protocol):
    """A file opened for reading: rows one by one, never the whole."""

    @property
    def header(self) -> Sequence[str]:
        """The file's own names of the columns, for the reject file."""
        ...

    @property
    def size(self) -> int: ...

    def rows(self) -> Iterator[Row]: ...

    def position(self) -> int:
        """Bytes read so far, of `size`."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Naming:
    """Which columns a kind has, and what the file calls them (`--map ours=theirs`)."""

    kind: str
    known: Sequence[str]
    required: Sequence[str]
    renames: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for ours in self.renames:
            if ours not in self.known:
                raise Unreadable(f"--map {ours}=…: {self.kind} have no column '{ours}'; {self}.")
        theirs = list(self.renames.values())
        if twice := sorted({name for name in theirs if theirs.count(name) > 1}):
            raise Unreadable(f"--map reads {', '.join(twice)} into two columns.")

    def __str__(self) -> str:
        return f"the columns are {', '.join(self.known)}"

    def theirs(self) -> list[str]:
        """The file's names of all our columns, in our order."""
        return [self.renames.get(name, name) for name in self.known]

    def ours(self, header: Sequence[str]) -> list[str]:
        """Our names of a header's columns; `Unreadable` unless every one is known and is there
        once, and none that is required is missing."""
        if missing := [name for name in self.renames.values() if name not in header]:
            raise Unreadable(f"--map names a column the file has not: {', '.join(missing)}.")
        by_theirs = {theirs: ours for ours, theirs in self.renames.items()}
        ours = [by_theirs.get(name, name) for name in header]
        if "" in ours:
            raise Unreadable(f"Column {ours.index('') + 1} of the header has no name.")
        if twice := sorted({name for name in ours if ours.count(name) > 1}):
            raise Unreadable(f"The header has {', '.join(twice)} more than once.")
        if unknown := [name for name in ours if name not in self.known]:
            hint = " Are its cells separated by commas?" if len(ours) == 1 else ""
            raise Unreadable(f"Unknown column {', '.join(map(repr, unknown))}; {self}.{hint}")
        if missing := [name for name in self.required if name not in ours]:
            raise Unreadable(f"The column {', '.join(missing)} is missing; {self}.")
        return ours


def own_rejects(path: Path) -> bool:
    """Whether this is a file of rejects, mended and given back."""
    return path.name.endswith(REJECTS)


def skip_line(file: BinaryIO) -> None:
    """Read on to the end of a line too long to keep."""
    while (piece := file.readline(1_048_576)) and not piece.endswith(b"\n"):
        pass
