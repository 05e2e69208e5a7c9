"""What a fact is worth: rules are rows, the arithmetic is a function from facts to decisions. Pure.

Points of one rule for one purchase are rounded down once, over all lines it covers, so that the
same function, given the lines that were kept, says what a return takes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Protocol
from zoneinfo import ZoneInfo

EVER = datetime.min.replace(tzinfo=UTC)


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
    def subjects(self) -> list[str]: ...
    @property
    def interests(self) -> list[str]: ...
    @property
    def tiers(self) -> list[str]: ...
    @property
    def first_purchase_only(self) -> bool: ...
    @property
    def minimum_total(self) -> Decimal | None: ...
    @property
    def is_before_vouchers(self) -> bool: ...
    @property
    def priority(self) -> int: ...
    @property
    def group(self) -> str: ...
    @property
    def is_exclusive(self) -> bool: ...
    @property
    def effective_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a purchase; `net` is its price less its share of vouchers, `gross` with it."""

    position: int
    sku: str
    category: str
    interests: frozenset[str]
    quantity: int
    net: Decimal
    gross: Decimal


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
class ActFact:
    """Anything but a purchase: a check-in at a place, an outing, a survey …

    `subject` is the code of that place, outing, survey or challenge, or the kind of interaction.
    `points` is the subject's own offer, which replaces the rule's.
    """

    occurred_at: datetime
    subject: str
    interests: frozenset[str]
    tier: str
    points: int | None = None


type Fact = PurchaseFact | ActFact


@dataclass(frozen=True, slots=True)
class Decision[R]:
    """What one rule gives for one fact: `base` is the money it was computed from."""

    rule: R
    points: int
    base: Decimal
    lines: tuple[int, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Verdict[R]:
    """What became of one rule in force: `decision` is None where `because` says why not."""

    rule: R
    decision: Decision[R] | None
    because: str


def decide[R: Rule](*, rules: Iterable[R], fact: Fact) -> list[Decision[R]]:
    """Every award the fact earns, before caps, by slug."""
    return [v.decision for v in explain(rules=rules, fact=fact) if v.decision is not None]


def explain[R: Rule](*, rules: Iterable[R], fact: Fact) -> list[Verdict[R]]:
    """What each rule in force says of the fact, by slug.

    Rules come by priority, then the most generous, then by slug. Of a group the first gives; below
    the priority of one that gives and is exclusive nothing does.
    """
    verdicts: list[Verdict[R]] = []
    offers: list[Decision[R]] = []
    for rule in in_force(rules, at=fact.occurred_at):
        found = _decide_one(rule, fact)
        if isinstance(found, Decision):
            offers.append(found)
        else:
            verdicts.append(Verdict(rule, None, found))
    offers.sort(key=lambda d: (-d.rule.priority, -d.points, d.rule.slug))
    groups: dict[str, Decision[R]] = {}
    alone: Decision[R] | None = None
    for offer in offers:
        rule = offer.rule
        if alone is not None and rule.priority < alone.rule.priority:
            why = f"{alone.rule.name} comes first and lets nothing after it."
            verdicts.append(Verdict(rule, None, why))
        elif rule.group in groups:
            why = f"Of '{rule.group}' only one gives: {groups[rule.group].rule.name}."
            verdicts.append(Verdict(rule, None, why))
        else:
            verdicts.append(Verdict(rule, offer, offer.because))
            if rule.group:
                groups[rule.group] = offer
            if rule.is_exclusive and alone is None:
                alone = offer
    return sorted(verdicts, key=lambda v: v.rule.slug)


def in_force[R: Rule](rules: Iterable[R], *, at: datetime) -> list[R]:
    """Of the versions of each rule, the one that had last taken effect at a moment."""
    latest: dict[str, R] = {}
    for rule in rules:
        if rule.effective_at is not None and rule.effective_at > at:
            continue
        other = latest.get(rule.slug)
        if other is None or (other.effective_at or EVER) < (rule.effective_at or EVER):
            latest[rule.slug] = rule
    return list(latest.values())


def base_of(*, rule: Rule, lines: Iterable[Line]) -> Decimal:
    """The money a rule counts: what was paid, or the price before vouchers."""
    amounts = (line.gross if rule.is_before_vouchers else line.net for line in lines)
    return sum(amounts, Decimal(0))


def points_for(*, rule: Rule, lines: Sequence[Line]) -> int:
    """The points of a rule for these lines: whole, rounded down once."""
    if not lines:
        return 0
    match rule.per:
        case "amount":
            exact = base_of(rule=rule, lines=lines) * rule.points / rule.per_amount
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


def end_of(*, moment: datetime, period: str, zone: str) -> datetime:
    """The first instant after the local month or year that a moment lies in."""
    local = moment.astimezone(ZoneInfo(zone))
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "year":
        first = first.replace(month=1)
    return months_later(moment=first, months=12 if period == "year" else 1).astimezone(UTC)


def _decide_one[R: Rule](rule: R, fact: Fact) -> Decision[R] | str:
    """What the rule gives, or in words why it gives nothing."""
    if rule.starts_at is not None and fact.occurred_at < rule.starts_at:
        return f"It starts on {rule.starts_at:%Y-%m-%d}."
    if rule.ends_at is not None and fact.occurred_at >= rule.ends_at:
        return f"It ended on {rule.ends_at:%Y-%m-%d}."
    if rule.tiers and fact.tier not in rule.tiers:
        return f"For members with {_either(rule.tiers)}."
    if isinstance(fact, ActFact):
        return _decide_act(rule, fact)
    if refused := _unsuited(rule, fact):
        return refused
    lines = covered(rule=rule, lines=fact.lines)
    if not lines:
        return f"Nothing bought is {_either([*rule.skus, *rule.categories, *rule.interests])}."
    points = points_for(rule=rule, lines=lines)
    if points <= 0:
        return "Too little was paid for a whole point."
    base = base_of(rule=rule, lines=lines)
    return Decision(
        rule, points, base, tuple(line.position for line in lines), _because(rule, base, fact)
    )


def _decide_act[R: Rule](rule: R, fact: ActFact) -> Decision[R] | str:
    if rule.subjects and fact.subject not in rule.subjects:
        return f"For {_either(rule.subjects)}."
    if rule.interests and not fact.interests & set(rule.interests):
        return f"For {_either(rule.interests)}."
    points = rule.points if fact.points is None else fact.points
    if points <= 0:
        return "No points are offered here."
    return Decision(rule, points, Decimal(0), (), f"{rule.name}: {points} points")


def _unsuited(rule: Rule, fact: PurchaseFact) -> str:
    """Why a rule does not speak of a purchase; empty where it does."""
    if rule.currency and rule.currency != fact.currency:
        return f"For purchases in {rule.currency}."
    if rule.stores and fact.store not in rule.stores:
        return f"For purchases in {_either(rule.stores)}."
    if rule.channels and fact.channel not in rule.channels:
        return f"For purchases through {_either(rule.channels)}."
    if rule.first_purchase_only and not fact.is_first:
        return "For the first purchase only."
    if rule.minimum_total is not None and fact.total < rule.minimum_total:
        return f"From a total of {rule.minimum_total:.2f}."
    return ""


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)


def _because(rule: Rule, base: Decimal, fact: PurchaseFact) -> str:
    match rule.per:
        case "amount":
            terms = f"{rule.points} per {rule.per_amount.normalize():f} {fact.currency}"
            return f"{rule.name}: {terms} on {base:.2f} {fact.currency}"
        case "unit":
            return f"{rule.name}: {rule.points} for each unit"
        case _:
            return f"{rule.name}: {rule.points} points"
