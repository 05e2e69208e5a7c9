"""A campaign's days in counts: what became of its deliveries of each day, by each channel.

Written the same way of days that were played and of days that came, so that two of them can be
laid side by side. A day is that of the member's own clock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from campaigns.models import Campaign, ChannelState, Delivery
from campaigns.simulating import Simulation, Totals

type Daybook = dict[tuple[date, str], Counts]

WHOLE = ("entered", "sent", "held_out", "objected", "vouchers")
TO_GO = "to_go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`entered` = `sent` + the sum of `others`, which are all that was not sent by its reason, or
    by its state where none is needed. `cost` is in the programme's money."""

    entered: int = 0
    sent: int = 0
    held_out: int = 0
    objected: int = 0
    vouchers: int = 0
    cost: Decimal = Decimal(0)
    others: Mapping[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON keeps it; `read` takes it back."""
        whole = {name: getattr(self, name) for name in WHOLE}
        return {**whole, "cost": str(self.cost), "others": dict(self.others)}


@dataclass(frozen=True, slots=True)
class Line:
    """One day and channel (None and "": all of them) of two daybooks."""

    on: date | None
    channel: str
    one: Counts
    other: Counts

    def document(self, one: str, other: str) -> dict[str, Any]:
        """The line in values that JSON has; the words say which daybook is which."""
        return {
            "day": self.on.isoformat() if self.on else None,
            "channel": self.channel or None,
            **{name: _gap(self, name, one, other) for name in (*WHOLE, "cost")},
            "not_sent": {
                name: {one: was, other: came, "difference": came - was}
                for name, was, came in not_sent(self)
            },
        }


def foreseen(found: Simulation) -> Daybook:
    """The days of a simulation, all its zones together."""
    book: Daybook = {}
    for (day, _, channel), totals in sorted(found.days.items()):
        key = (date.fromisoformat(day), channel)
        book[key] = total([book.get(key, Counts()), _of_totals(totals)])
    return book


def came(campaign: Campaign, *, since: date, until: date, after: int) -> Daybook:
    """What became of a campaign's deliveries of the days from `since` to before `until`, without
    those up to the id `after`; at what its channels cost today."""
    prices = dict(ChannelState.objects.values_list("channel", "price"))
    asked: dict[str, int | date] = {
        "campaign": campaign.pk,
        "after": after,
        "since": since,
        "until": until,
    }
    rows: dict[tuple[date, str], list[Counts]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CAME, asked)
        for day, channel, state, reason, many, vouchers in cursor.fetchall():
            is_sent = state == Delivery.State.SENT
            # What is in doubt may have gone out, and was charged.
            is_charged = is_sent or state == Delivery.State.UNKNOWN
            other = reason or (TO_GO if state in Delivery.OPEN else state)
            counts = Counts(
                entered=many,
                sent=many if is_sent else 0,
                held_out=many if state == Delivery.State.HELD_OUT else 0,
                objected=many if state == Delivery.State.OBJECTED else 0,
                vouchers=vouchers if is_charged else 0,
                cost=many * prices.get(channel, Decimal(0)) if is_charged else Decimal(0),
                others={} if is_sent else {other: many},
            )
            rows.setdefault((day, channel), []).append(counts)
    return {key: total(each) for key, each in rows.items()}


def written(book: Daybook) -> list[dict[str, Any]]:
    """A daybook as JSON keeps it."""
    return [
        {"day": day.isoformat(), "channel": channel, **counts.document()}
        for (day, channel), counts in sorted(book.items())
    ]


def read(rows: Iterable[Mapping[str, Any]]) -> Daybook:
    """A daybook as `written` left it."""
    return {
        (date.fromisoformat(row["day"]), row["channel"]): Counts(
            **{name: row[name] for name in WHOLE}, cost=Decimal(row["cost"]), others=row["others"]
        )
        for row in rows
    }


def beside(one: Daybook, other: Daybook) -> list[Line]:
    """The days and channels of both, in order."""
    return [
        Line(*key, one.get(key, Counts()), other.get(key, Counts()))
        for key in sorted(one.keys() | other.keys())
    ]


def together(lines: Sequence[Line]) -> Line:
    """All lines in one."""
    return Line(None, "", total([each.one for each in lines]), total([e.other for e in lines]))


def total(counts: Sequence[Counts]) -> Counts:
    """The sum of counts."""
    others: Counter[str] = Counter()
    for each in counts:
        others.update(each.others)
    whole = {name: sum(getattr(each, name) for each in counts) for name in WHOLE}
    return Counts(**whole, cost=sum((e.cost for e in counts), Decimal(0)), others=dict(others))


def not_sent(line: Line) -> list[tuple[str, int, int]]:
    """(reason or state, in the one, in the other), what differs most first."""
    one, other = line.one.others, line.other.others
    rows = [(name, one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()]
    return sorted(rows, key=lambda row: (-abs(row[2] - row[1]), row[0]))


def _gap(line: Line, name: str, one: str, other: str) -> dict[str, Any]:
    was, is_now = getattr(line.one, name), getattr(line.other, name)
    gap = {one: was, other: is_now, "difference": is_now - was}
    return {word: str(value) for word, value in gap.items()} if name == "cost" else gap


def _of_totals(totals: Totals) -> Counts:
    others = {**totals.reasons, Delivery.State.HELD_OUT: totals.held_out, TO_GO: totals.to_go}
    return Counts(
        entered=totals.entered,
        sent=totals.sent,
        held_out=totals.held_out,
        objected=totals.objected,
        vouchers=totals.vouchers,
        cost=totals.cost,
        others={str(name): many for name, many in others.items() if many},
    )


_CAME = """
SELECT (d.due_at AT TIME ZONE j.zone)::date AS day, d.channel, d.state, d.reason,
       count(*), count(g.delivery_id)
  FROM campaigns_delivery d
  JOIN campaigns_journey j ON j.id = d.journey_id
  LEFT JOIN campaigns_gift g ON g.delivery_id = d.id
 WHERE d.campaign_id = %(campaign)s AND d.id > %(after)s
   AND (d.due_at AT TIME ZONE j.zone)::date >= %(since)s
   AND (d.due_at AT TIME ZONE j.zone)::date < %(until)s
 GROUP BY 1, 2, 3, 4
"""
