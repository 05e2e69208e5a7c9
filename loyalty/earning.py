"""What a fact is worth: rules are rows, the arithmetic is a function from facts to decisions. Pure.

Points of one rule for one purchase are rounded down once, over all lines it covers, so that the
same function, given the lines that were kept, says what a return takes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Protocol


class Rule(Protocol):
    """The terms of one version of an earn rule (`loyalty.models.EarnRule` is one)."""

    @property
    def slug(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def points(self) -> int: ...
    @property
    def per(self) -> str: ...
    @property
    def per_amount(self) -> Decimal: ...
    @property
    def currency(self) -> str: ...
    @property
    def starts_at(self) -> datetime | None: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def stores(self) -> list[str]: ...
    @property
    def channels(self) -> list[str]: ...
    @property
    def categories(self) -> list[str]: ...
    @property
    def skus(self) -> list[str]: ...
    @property
    def interests(self) -> list[str]: ...
    @property
    def tiers(self) -> list[str]: ...
    @property
    def first_purchase_only(self) -> bool: ...
    @property
    def minimum_total(self) -> Decimal | None: ...
    @property
    def group(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a purchase; `net` is its price less its share of vouchers."""

    position: int
    sku: str
    category: str
    interests: frozenset[str]
    quantity: int
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFact:
    occurred_at: datetime
    store: str
    channel: str
    currency: str
    tier: str
    is_first: bool
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInFact:
    """`points` is the place's own offer, which replaces the rule's."""

    occurred_at: datetime
    place: str
    interests: frozenset[str]
    tier: str
    points: int | None


type Fact = PurchaseFact | CheckInFact


@dataclass(frozen=True, slots=True)
class Decision[R]:
    """What one rule gives for one fact: `base` is the money it was computed from."""

    rule: R
    points: int
    base: Decimal
    lines: tuple[int, ...]
    because: str


def decide[R: Rule](*, rules: Iterable[R], fact: Fact) -> list[Decision[R]]:
    """Every award the fact earns, before caps. Of rules in one group the most generous gives;
    between equals, the one whose slug comes first."""
    decisions: list[Decision[R]] = []
    best: dict[str, Decision[R]] = {}
    for rule in sorted(rules, key=lambda r: r.slug):
        decision = _decide_one(rule, fact)
        if decision is None or decision.points <= 0:
            continue
        if not rule.group:
            decisions.append(decision)
        elif rule.group not in best or decision.points > best[rule.group].points:
            best[rule.group] = decision
    return sorted([*decisions, *best.values()], key=lambda d: d.rule.slug)


def points_for(*, rule: Rule, lines: Sequence[Line]) -> int:
    """The points of a rule for these lines: whole, rounded down once."""
    if not lines:
        return 0
    match rule.per:
        case "amount":
            base = sum((line.net for line in lines), Decimal(0))
            exact = base * rule.points / rule.per_amount
            return int(exact.to_integral_value(rounding=ROUND_FLOOR))
        case "unit":
            return rule.points * sum(line.quantity for line in lines)
        case _:
            return rule.points


def covered(*, rule: Rule, lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines a rule speaks of."""
    return tuple(
        line
        for line in lines
        if (not rule.categories or line.category in rule.categories)
        and (not rule.skus or line.sku in rule.skus)
        and (not rule.interests or line.interests & set(rule.interests))
    )


def period_key(*, period: str, day: date) -> str:
    """The name of the cap period a day falls in: its first day, or 'ever'."""
    match period:
        case "day":
            return day.isoformat()
        case "week":
            return (day - timedelta(days=day.weekday())).isoformat()
        case "month":
            return day.replace(day=1).isoformat()
        case "year":
            return day.replace(month=1, day=1).isoformat()
        case _:
            return "ever"


def months_later(*, moment: datetime, months: int) -> datetime:
    """The same day and hour so many months on; the last day of a shorter month."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    for day in (moment.day, 30, 29, 28):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


def _decide_one[R: Rule](rule: R, fact: Fact) -> Decision[R] | None:
    if rule.starts_at is not None and fact.occurred_at < rule.starts_at:
        return None
    if rule.ends_at is not None and fact.occurred_at >= rule.ends_at:
        return None
    if rule.tiers and fact.tier not in rule.tiers:
        return None
    if isinstance(fact, CheckInFact):
        if rule.interests and not fact.interests & set(rule.interests):
            return None
        points = rule.points if fact.points is None else fact.points
        return Decision(rule, points, Decimal(0), (), f"{rule.name}: {points} points")
    if (
        (rule.currency and rule.currency != fact.currency)
        or (rule.stores and fact.store not in rule.stores)
        or (rule.channels and fact.channel not in rule.channels)
        or (rule.first_purchase_only and not fact.is_first)
        or (rule.minimum_total is not None and fact.total < rule.minimum_total)
    ):
        return None
    lines = covered(rule=rule, lines=fact.lines)
    if not lines:
        return None
    base = sum((line.net for line in lines), Decimal(0))
    points = points_for(rule=rule, lines=lines)
    return Decision(
        rule, points, base, tuple(line.position for line in lines), _because(rule, base, fact)
    )


def _because(rule: Rule, base: Decimal, fact: PurchaseFact) -> str:
    match rule.per:
        case "amount":
            terms = f"{rule.points} per {rule.per_amount.normalize():f} {fact.currency}"
            return f"{rule.name}: {terms} on {base:.2f} {fact.currency}"
        case "unit":
            return f"{rule.name}: {rule.points} for each unit"
        case _:
            return f"{rule.name}: {rule.points} points"
