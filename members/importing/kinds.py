"""What a kind of row is: its columns, and how a chunk of checked rows becomes rows of ours."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from members.importing.columns import Column, Values
from members.importing.rows import Row


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item; `told` is the reason of a rejection, or a word worth printing."""

    state: str
    told: str = ""


LOADED = Outcome("loaded")
UNCHANGED = Outcome("unchanged")


def rejected(reason: str) -> Outcome:
    return Outcome("rejected", reason)


@dataclass(slots=True)
class Item:
    """What is loaded or rejected as one: a row, or all rows of one purchase."""

    rows: list[Row]
    lines: list[Values]
    problem: str = ""
    problem_line: int = 0

    @property
    def values(self) -> Values:
        return self.lines[0]

    @property
    def document(self) -> object:
        return self.rows[0].document


class Kind(ABC):
    """One kind of row. `load` runs in a transaction of its own and may be called again with a
    part of the same items, after the database refused one of them."""

    slug: ClassVar[str]
    columns: ClassVar[Sequence[Column]]
    # JSON objects are kept whole as `document`: a geometry, a campaign.
    has_documents: ClassVar[bool] = False
    rows_per_chunk: ClassVar[int] = 5_000
    # Consecutive rows that agree in these columns are one item.
    together_by: ClassVar[Sequence[str]] = ()
    most_together: ClassVar[int] = 1

    def key(self, values: Values) -> Hashable | None:
        """The natural key of a row that may be in a file once; None where that is no matter."""
        return None

    @abstractmethod
    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        """Write these items; one outcome each, in their order."""
