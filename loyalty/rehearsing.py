"""A rule rehearsed: what these terms would have given for what happened, and what was given.

Every fact of a period is decided twice, by what was in force and with the terms in its place, with
the arithmetic that awards: stacking, multiples and caps included. Caps begin with what had been
used of them before the period and count in memory. Nothing is written. Memory is that of one batch,
unless a cap for all together asks for the facts in the order they were recorded: then the members
whose points change or whose caps count are kept.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import batched
from zoneinfo import ZoneInfo

from django.db.models.functions import Mod

from config.errors import Invalid
from loyalty import awarding, earn_rules, facts, trials
from loyalty.models import Award, EarnRule
from members.models import Member, Programme

BATCH = 1_000
ASSUMED = (
    "Caps begin with what had been used of them. Tiers are those of the time; what places, outings"
    " and products are worth or teach is as today."
)


@dataclass(frozen=True, slots=True)
class Change:
    """A member whose points would have been others, by so many."""

    member_id: int
    number: str
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """Points of a period: `given` then, and the `change` that the terms would have made.

    `change_kept` is the change after what returns take back. `left_out` facts were recorded
    without points, which no rule changes; `unlike` ones were given something else than is read
    off them today, so that `change` compares reading with reading. With `one_in` above 1 one member
    in so many was asked, and the numbers are that many times theirs.
    """

    start: datetime
    end: datetime
    facts: int
    left_out: int
    unlike: int
    given: int
    change: int
    change_kept: int
    members: int
    winners: tuple[Change, ...]
    losers: tuple[Change, ...]
    is_season_set_aside: bool
    one_in: int

    @property
    def would(self) -> int:
        return self.given + self.change


def last_month(*, now: datetime) -> tuple[datetime, datetime]:
    """The last whole month in the programme's zone: its first instant, and the first after it."""
    local = now.astimezone(_zone())
    first = local.date().replace(day=1)
    return period(first=(first - timedelta(days=1)).replace(day=1), last=first - timedelta(days=1))


def period(*, first: date, last: date) -> tuple[datetime, datetime]:
    """These days, both included, as instants in the programme's zone."""
    if last < first:
        raise Invalid("The last day is before the first.", pointer="/to")
    zone, after = _zone(), last + timedelta(days=1)
    start = datetime(first.year, first.month, first.day, tzinfo=zone)
    return start, datetime(after.year, after.month, after.day, tzinfo=zone)


def count(*, rule: EarnRule, start: datetime, end: datetime) -> int:
    """How many facts the rule would be asked about."""
    return facts.between(kind=rule.fact, start=start, end=end).count()


def rehearse(
    *,
    rule: EarnRule,
    start: datetime,
    end: datetime,
    one_in: int = 1,
    progress: Callable[[int], object] = lambda done: None,
) -> Rehearsal:
    """What the terms of `rule`, saved or not, would have given from `start` until before `end`.

    `Invalid` when the terms cannot be. Terms whose own season does not touch the period are tried
    as if it did. `progress` is told the number of facts that are done.
    """
    earn_rules.check(rule)
    terms, is_set_aside = _in_season(rule, start, end)
    rules = awarding.rules_of(rule.fact)
    in_order = any(one.programme_cap is not None for one in [*rules, terms])
    trial = trials.Trial(rules, terms, start=start, one_in=one_in)
    rows = facts.between(kind=rule.fact, start=start, end=end)
    if one_in > 1:
        rows = rows.alias(part=Mod("member_id", one_in)).filter(part=0)
    # A cap for all together is used up in the order of recording; else member by member.
    rows = rows.order_by("fact_id") if in_order else rows.order_by("member_id", "fact_id")
    ids = rows.values_list("fact_id", flat=True).iterator(chunk_size=BATCH)
    for batch in batched(ids, BATCH):
        happened = facts.read(kind=rule.fact, ids=batch)
        trial.play(happened, paid=_paid(rule.fact, batch))
        if happened and not in_order:
            trial.leave(but=happened[-1].claim.member_id)
        progress(trial.facts)
    trial.leave(but=None)
    return Rehearsal(
        start=start,
        end=end,
        facts=trial.facts * one_in,
        left_out=trial.left_out * one_in,
        unlike=trial.unlike * one_in,
        given=trial.given * one_in,
        change=trial.change * one_in,
        change_kept=trial.change_kept * one_in,
        members=trial.members * one_in,
        winners=_named(trial.winners, sign=1),
        losers=_named(trial.losers, sign=-1),
        is_season_set_aside=is_set_aside,
        one_in=one_in,
    )


def in_words(found: Rehearsal) -> list[str]:
    """The numbers in sentences, what was assumed last."""
    days = f"From {found.start:%Y-%m-%d} to {found.end - timedelta(days=1):%Y-%m-%d}"
    points = f"given {_many(found.given, 'point')}; with these terms {found.would:,}"
    said = [f"{days}: {_many(found.facts, 'fact')}, {points}."]
    if found.change or found.change_kept or found.members:
        cost = f"{_many(abs(found.change), 'point')} {'fewer' if found.change < 0 else 'more'}"
        said.append(f"It would have cost {cost} ({found.change_kept:+,} after returns).")
        said.append(f"{_many(found.members, 'member')} would have had other points.")
    else:
        said.append("Nothing would have changed.")
    said.append(ASSUMED)
    if found.is_season_set_aside:
        said.append("The terms' own start and end lie outside these days and are set aside.")
    if found.left_out:
        said.append(
            f"Recorded without points, and staying without: {_many(found.left_out, 'fact')}."
        )
    if found.unlike:
        said.append(
            f"{_many(found.unlike, 'fact')} given something else than is read today; the difference"
            " compares reading with reading."
        )
    if found.one_in > 1:
        said.append(f"Estimated from one member in {found.one_in:,}.")
    return said


def _in_season(rule: EarnRule, start: datetime, end: datetime) -> tuple[EarnRule, bool]:
    """The terms as if they had been in force all the time, and whether their season was dropped."""
    terms = copy.copy(rule)
    terms.effective_at = None
    is_elsewhere = (rule.starts_at is not None and rule.starts_at >= end) or (
        rule.ends_at is not None and rule.ends_at <= start
    )
    if is_elsewhere:
        terms.starts_at = terms.ends_at = None
    return terms, is_elsewhere


def _paid(kind: str, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """What each fact was given, by rule."""
    found: dict[int, dict[str, int]] = {}
    rows = Award.objects.filter(fact=kind, fact_id__in=ids)
    for fact_id, slug, points in rows.values_list("fact_id", "rule__slug", "points"):
        of_one = found.setdefault(fact_id, {})
        of_one[slug] = of_one.get(slug, 0) + points
    return found


def _named(heap: Iterable[tuple[int, int]], *, sign: int) -> tuple[Change, ...]:
    ordered = sorted(heap, reverse=True)
    ids = [-pk for _, pk in ordered]
    numbers = dict(Member.objects.filter(pk__in=ids).values_list("pk", "number"))
    return tuple(Change(-pk, numbers[-pk], sign * points) for points, pk in ordered)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _zone() -> ZoneInfo:
    return ZoneInfo(Programme.objects.get().time_zone)
