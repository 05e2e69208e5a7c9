"""Two daybooks side by side as a table: a plan and what came, or two plays."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from campaigns import daybook
from campaigns.admin import wording
from campaigns.daybook import Line
from campaigns.reckoning import Cause, Judged
from members.models import Channel

NAMES = {
    "entered": "Entered",
    "sent": "Sent",
    "held_out": "Held out",
    "objected": "Objected",
    "vouchers": "Vouchers",
    "cost": "Cost",
}
# These are shown where there are any.
RARE = ("vouchers", "cost")


@dataclass(frozen=True, slots=True)
class Cell:
    one: str
    other: str
    difference: str
    is_same: bool
    is_far: bool


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    channel: str
    cells: tuple[Cell, ...]
    why: tuple[str, ...]
    is_far: bool


@dataclass(frozen=True, slots=True)
class Table:
    """`total` is of all lines, `rows` of each."""

    columns: tuple[str, ...]
    total: Row
    rows: tuple[Row, ...]


def of_plan(total: Judged, lines: Sequence[Judged]) -> Table:
    """A plan beside what came, with the likely reasons where they are far apart."""
    names = _names(total.line)
    return Table(
        tuple(NAMES[name] for name in names),
        _row(total.line, names, far=total.far, causes=total.causes),
        tuple(_row(each.line, names, far=each.far, causes=each.causes) for each in lines),
    )


def of_plays(total: Line, lines: Sequence[Line]) -> Table:
    """One play beside another."""
    names = _names(total)
    return Table(
        tuple(NAMES[name] for name in names),
        _row(total, names),
        tuple(_row(line, names) for line in lines),
    )


def cause_in_words(cause: Cause) -> str:
    """no consent for any of its channels: 17 more (20 instead of 3)"""
    many = f"{abs(cause.difference):,} {'more' if cause.difference > 0 else 'fewer'}"
    instead = f"({cause.actual:,} instead of {cause.foreseen:,})"
    if cause.name == "entered":
        return f"{many} entered {instead}"
    name = "still to go" if cause.name == daybook.TO_GO else wording.reason_in_words(cause.name)
    return f"{name.replace('_', ' ')}: {many} {instead}"


def _names(total: Line) -> list[str]:
    return [
        name
        for name in NAMES
        if name not in RARE or getattr(total.one, name) or getattr(total.other, name)
    ]


def _row(
    line: Line, names: Sequence[str], *, far: Sequence[str] = (), causes: Sequence[Cause] = ()
) -> Row:
    return Row(
        f"{line.on:%a %-d %b %Y}" if line.on else "Together",
        str(Channel(line.channel).label) if line.channel else "",
        tuple(
            _cell(getattr(line.one, name), getattr(line.other, name), is_far=name in far)
            for name in names
        ),
        tuple(cause_in_words(cause) for cause in causes),
        bool(far),
    )


def _cell(one: int | Decimal, other: int | Decimal, *, is_far: bool) -> Cell:
    shown = ",.2f" if isinstance(one, Decimal) else ","
    return Cell(
        format(one, shown),
        format(other, shown),
        format(other - one, f"+{shown}"),
        one == other,
        is_far,
    )
