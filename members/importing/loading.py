"""The engine: rows become items, items chunks, and each chunk one transaction.

A chunk in which the database refuses a row is halved until that row stands alone, so the others
land and the refused one is named. Memory does not grow with the file, but for one number per
natural key, by which a key that comes twice is noticed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    OperationalError,
    connection,
    transaction,
)

from config.errors import Refusal
from members.importing import reading, statistics
from members.importing.columns import values_of
from members.importing.kinds import UNCHANGED, Item, Kind, Outcome, rejected
from members.importing.rejects import Rejects
from members.importing.rows import Naming, Row, Source

TRIES = 3
PASSING = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, lock not to be had
MOST_NOTES = 20
_BETWEEN_WORDS = re.compile(r"[\s,;:\"'{}\[\]]+")


class Watcher(Protocol):
    def begin(self, *, size: int) -> None: ...

    def show(self, *, position: int, rows: int) -> None: ...


@dataclass(slots=True)
class Tally:
    """What became of a file. `notes` are words about loaded rows, the first twenty of them."""

    loaded: int = 0
    unchanged: int = 0
    rejected: int = 0
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    rejects: Path | None = None

    def __str__(self) -> str:
        return f"loaded {self.loaded}, unchanged {self.unchanged}, rejected {self.rejected}"


def load(
    *,
    kind: Kind,
    path: Path,
    renames: Mapping[str, str],
    now: datetime,
    is_dry_run: bool,
    watcher: Watcher,
) -> Tally:
    """Load every row that can be; a dry run does the same and takes it back.

    `renames` maps our column names to the file's. `Unreadable` says why nothing can be loaded.
    """
    source = _open(kind, path, renames)
    run = _Run(kind, source, Rejects(path, header=source.header), now, watcher)
    watcher.begin(size=source.size)
    try:
        if is_dry_run:
            with transaction.atomic():
                # At the end of each statement: a million deferred checks would fill the memory.
                with connection.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                run.run()
                transaction.set_rollback(True)
        else:
            run.run()
            statistics.refresh(run.grown)
    finally:
        source.close()
        run.rejects.close()
        run.tally.rejects = run.rejects.path
    return run.tally


def _open(kind: Kind, path: Path, renames: Mapping[str, str]) -> Source:
    naming = Naming(
        kind=kind.slug,
        known=[column.name for column in kind.columns],
        required=[column.name for column in kind.columns if column.is_required],
        renames=renames,
    )
    return reading.open_source(
        path, naming=naming, has_cells=bool(kind.columns), has_documents=kind.has_documents
    )


@dataclass(slots=True)
class _Run:
    kind: Kind
    source: Source
    rejects: Rejects
    now: datetime
    watcher: Watcher
    tally: Tally = field(default_factory=Tally)
    grown: Counter[str] = field(default_factory=Counter)  # Rows written, by table
    _seen: dict[int, tuple[int, int | None]] = field(default_factory=dict)

    def run(self) -> None:
        for chunk in self._chunks():
            outcomes = [self._first_look(item) for item in chunk]
            sound = [n for n, outcome in enumerate(outcomes) if outcome is None]
            loaded = self._settle([chunk[n] for n in sound])
            for n, outcome in zip(sound, loaded, strict=True):
                outcomes[n] = outcome
            for item, settled in zip(chunk, outcomes, strict=True):
                self._count(item, settled or UNCHANGED)
            self.watcher.show(position=self.source.position(), rows=self.tally.rows)

    def _chunks(self) -> Iterator[list[Item]]:
        chunk: list[Item] = []
        rows = 0
        for item in items_of(self.kind, self.source.rows()):
            chunk.append(item)
            rows += len(item.rows)
            if rows >= self.kind.rows_per_chunk:
                yield chunk
                chunk, rows = [], 0
        if chunk:
            yield chunk

    def _first_look(self, item: Item) -> Outcome | None:
        """The outcome of an item that need not be tried, else None."""
        if item.problem:
            return rejected(item.problem)
        key = self.kind.key(item.values)
        if key is None:
            return None
        content = hash(repr((item.values, item.document)))
        line, before = self._seen.setdefault(hash(key), (item.rows[0].line, None))
        if before is None:
            self._seen[hash(key)] = line, content
            return None
        if before == content:
            return UNCHANGED
        one = self.kind.slug.removesuffix("s")
        return rejected(f"Line {line} says something else of the same {one}.")

    def _settle(self, items: Sequence[Item]) -> list[Outcome]:
        """Load items in one transaction, or in halves where the database refuses one of them."""
        if not items:
            return []
        try:
            return self._try(items)
        except (IntegrityError, DataError) as error:
            told = _told(error)
        except Refusal as refusal:
            pointer = getattr(refusal, "pointer", "")
            told = f"{pointer}: {refusal.detail}" if pointer else refusal.detail
        if len(items) == 1:
            return [rejected(told)]
        middle = len(items) // 2
        return [*self._settle(items[:middle]), *self._settle(items[middle:])]

    def _try(self, items: Sequence[Item]) -> list[Outcome]:
        for tries_left in reversed(range(TRIES)):
            try:
                with transaction.atomic():
                    before = statistics.written()
                    outcomes = self.kind.load(items, now=self.now)
                    written = statistics.written() - before
            except OperationalError as error:
                if not tries_left or getattr(error.__cause__, "sqlstate", "") not in PASSING:
                    raise
            else:
                self.grown += written
                return outcomes
        raise AssertionError("the last try returns or raises")

    def _count(self, item: Item, outcome: Outcome) -> None:
        tally = self.tally
        tally.rows += len(item.rows)
        match outcome.state:
            case "rejected":
                tally.rejected += 1
                for row in item.rows:
                    is_elsewhere = item.problem_line not in (0, row.line)
                    where = f"Line {item.problem_line}, of the same: " if is_elsewhere else ""
                    self.rejects.add(row, where + outcome.told)
                return
            case "loaded":
                tally.loaded += 1
            case _:
                tally.unchanged += 1
        if outcome.told and len(tally.notes) <= MOST_NOTES:
            told = f"Line {item.rows[0].line}: {outcome.told}"
            tally.notes.append(told if len(tally.notes) < MOST_NOTES else "… and more.")


def items_of(kind: Kind, rows: Iterator[Row]) -> Iterator[Item]:
    """Check every row; consecutive rows of one thing come as one item, up to a limit."""
    item: Item | None = None
    for row in rows:
        belongs = item is not None and bool(kind.together_by) and _belongs(kind, item, row)
        if item is not None:
            if belongs and len(item.rows) < kind.most_together:
                _add(kind, item, row)
                continue
            yield item
        item = Item([], [])
        _add(kind, item, row)
        if belongs:
            # What came before was given away already, and refused for its length.
            item.problem = "These rows of one thing are more than can be loaded."
    if item is not None:
        yield item


def _add(kind: Kind, item: Item, row: Row) -> None:
    values, problems = values_of(columns=kind.columns, cells=row.cells)
    problem = row.problem or "; ".join(problems) + "." * bool(problems)
    if problem and not item.problem:
        item.problem, item.problem_line = problem, row.line
    item.rows.append(row)
    item.lines.append(values)


def _belongs(kind: Kind, item: Item, row: Row) -> bool:
    first = item.rows[0]
    if not first.problem and not row.problem:
        for name in kind.together_by:  # noqa: SIM110 - not all(...): it runs for every row
            if first.cells.get(name) != row.cells.get(name):
                return False
        return True
    # One could not be read. Half a purchase is worse than none: does it speak of the same one?
    whole, broken = (row, first) if first.problem else (first, row)
    name = "" if whole.problem else whole.cells.get(kind.together_by[0], "")
    return bool(name) and name in _BETWEEN_WORDS.split(" ".join(broken.original))


def _told(error: DatabaseError) -> str:
    """The database's own sentence, without the detail: that may quote other people's rows."""
    message = getattr(getattr(error.__cause__, "diag", None), "message_primary", None)
    return f"The database refuses it: {message or error}."
