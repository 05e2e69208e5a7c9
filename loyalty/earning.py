"""What a fact is worth: rules are rows, the arithmetic is a function from facts to decisions. Pure.

Points of one rule for one purchase are rounded down once, over all lines it covers, so that the
same function, given the lines that were kept, says what a return takes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from loyalty.terms import Rule, in_force


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
    `points` is the subject's own offer, which replaces the rule's. `is_single` where one award is
    all there is, however many rules speak of it.
    """

    occurred_at: datetime
    subject: str
    interests: frozenset[str]
    tier: str
    points: int | None = None
    is_single: bool = False


type Fact = PurchaseFact | ActFact


@dataclass(frozen=True, slots=True)
class Decision[R]:
    """What one rule gives for one fact: `base` is the money, or the points of other rules, that it
    was computed from."""

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
    """Every award the fact earns, before caps, in the order of `explain`."""
    return [v.decision for v in explain(rules=rules, fact=fact) if v.decision is not None]


def explain[R: Rule](*, rules: Iterable[R], fact: Fact) -> list[Verdict[R]]:
    """What each rule in force says of the fact, by slug; those that multiply others come last.

    Rules come by priority, then the most generous, then by slug. Of a group the first gives; below
    the priority of one that gives and is exclusive nothing does. Rules per point are asked when
    the others have settled what they give, and multiply that, never each other.
    """
    found = in_force(rules, at=fact.occurred_at)
    stack: _Stack[R] = _Stack()
    stack.add(
        [(rule, _decide_one(rule, fact)) for rule in found if rule.per != "point"],
        is_single=isinstance(fact, ActFact) and fact.is_single,
    )
    given = [(v.decision, v.decision.points) for v in stack.verdicts if v.decision is not None]
    stack.add(
        [(rule, _multiply(rule, given, fact)) for rule in found if rule.per == "point"],
        is_single=False,
    )
    return sorted(stack.verdicts, key=lambda v: (v.rule.per == "point", v.rule.slug))


@dataclass(slots=True)
class _Stack[R: Rule]:
    """What has given so far, and what that leaves for those that come after."""

    verdicts: list[Verdict[R]] = field(default_factory=list)
    groups: dict[str, Decision[R]] = field(default_factory=dict)
    alone: Decision[R] | None = None

    def add(self, found: Iterable[tuple[R, Decision[R] | str]], *, is_single: bool) -> None:
        offers: list[Decision[R]] = []
        for rule, said in found:
            if isinstance(said, Decision):
                offers.append(said)
            else:
                self.verdicts.append(Verdict(rule, None, said))
        offers.sort(key=lambda d: (-d.rule.priority, -d.points, d.rule.slug))
        for place, offer in enumerate(offers):
            why = f"Only one gives here: {offers[0].rule.name}." if is_single and place else ""
            if why := self._outdone(offer.rule) or why:
                self.verdicts.append(Verdict(offer.rule, None, why))
                continue
            self.verdicts.append(Verdict(offer.rule, offer, offer.because))
            if offer.rule.group:
                self.groups[offer.rule.group] = offer
            if offer.rule.is_exclusive and self.alone is None:
                self.alone = offer

    def _outdone(self, rule: R) -> str:
        if self.alone is not None and rule.priority < self.alone.rule.priority:
            return f"{self.alone.rule.name} comes first and lets nothing after it."
        if rule.group in self.groups:
            return f"Of '{rule.group}' only one gives: {self.groups[rule.group].rule.name}."
        return ""


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
            return times(rule, base_of(rule=rule, lines=lines))
        case "unit":
            return rule.points * sum(line.quantity for line in lines)
        case _:
            return rule.points


def multiplied[R: Rule](
    *, rule: R, given: Iterable[tuple[Decision[R], int]], fact: Fact
) -> Decision[R] | None:
    """What a rule per point adds to what the others gave, as (decision, points within caps).

    Counts only what they gave for the lines that it covers itself; rounded down once.
    """
    lines = covered(rule=rule, lines=fact.lines) if isinstance(fact, PurchaseFact) else ()
    base, shared = 0, set()
    for decision, points in given:
        if not multiplies(rule, decision.rule):
            continue
        both = [line for line in lines if line.position in decision.lines]
        shared |= {line.position for line in both}
        part = points_for(rule=decision.rule, lines=both) if decision.lines else points
        base += min(points, part)
    points = times(rule, base)
    if points <= 0:
        return None
    terms = f"{rule.points} for every {rule.per_amount.normalize():f} of {base} points"
    because = f"{rule.name}: {terms}"
    return Decision(rule, points, Decimal(base), tuple(sorted(shared)), because)


def multiplies(rule: Rule, other: Rule) -> bool:
    """Whether a rule per point speaks of what another gives."""
    return other.per != "point" and (not rule.of_rules or other.slug in rule.of_rules)


def times(rule: Rule, base: Decimal | int) -> int:
    """What a rule makes of money, or of others' points: whole, rounded down once."""
    exact = base * rule.points / rule.per_amount
    return int(exact.to_integral_value(rounding=ROUND_FLOOR))


def covered(*, rule: Rule, lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines a rule speaks of."""
    return tuple(
        line
        for line in lines
        if (not rule.categories or line.category in rule.categories)
        and (not rule.skus or line.sku in rule.skus)
        and (not rule.interests or line.interests & set(rule.interests))
    )


def _decide_one[R: Rule](rule: R, fact: Fact) -> Decision[R] | str:
    """What the rule gives, or in words why it gives nothing."""
    if refused := _unmet(rule, fact):
        return refused
    if isinstance(fact, ActFact):
        points = rule.points if fact.points is None else fact.points
        if points <= 0:
            return "No points are offered here."
        return Decision(rule, points, Decimal(0), (), f"{rule.name}: {points} points")
    lines = covered(rule=rule, lines=fact.lines)
    points = points_for(rule=rule, lines=lines)
    if points <= 0:
        return "Too little was paid for a whole point."
    base = base_of(rule=rule, lines=lines)
    return Decision(
        rule, points, base, tuple(line.position for line in lines), _because(rule, base, fact)
    )


def _multiply[R: Rule](
    rule: R, given: Iterable[tuple[Decision[R], int]], fact: Fact
) -> Decision[R] | str:
    if refused := _unmet(rule, fact):
        return refused
    found = multiplied(rule=rule, given=given, fact=fact)
    return found or f"{_either(rule.of_rules) or 'Other rules'} gave too little to multiply."


def _unmet(rule: Rule, fact: Fact) -> str:
    """Why a rule does not speak of a fact; empty where it does."""
    if rule.starts_at is not None and fact.occurred_at < rule.starts_at:
        return f"It starts on {rule.starts_at:%Y-%m-%d}."
    if rule.ends_at is not None and fact.occurred_at >= rule.ends_at:
        return f"It ended on {rule.ends_at:%Y-%m-%d}."
    if rule.tiers and fact.tier not in rule.tiers:
        return f"For members with {_either(rule.tiers)}."
    if isinstance(fact, ActFact):
        return _unsuited_act(rule, fact)
    if refused := _unsuited(rule, fact):
        return refused
    if not covered(rule=rule, lines=fact.lines):
        return f"Nothing bought is {_either([*rule.skus, *rule.categories, *rule.interests])}."
    return ""


def _unsuited_act(rule: Rule, fact: ActFact) -> str:
    if rule.subjects and fact.subject not in rule.subjects:
        return f"For {_either(rule.subjects)}."
    if rule.interests and not fact.interests & set(rule.interests):
        return f"For {_either(rule.interests)}."
    return ""


def _unsuited(rule: Rule, fact: PurchaseFact) -> str:
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
