"""What facts are worth: the arithmetic of rules, without a database."""

import calendar
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import earning, periods
from loyalty.models import EarnRule

AT = datetime(2027, 3, 1, 18, tzinfo=UTC)

prices = st.decimals(min_value=0, max_value=10_000, places=2)


def line(net: str | Decimal = "10", **said: Any) -> earning.Line:
    facts: dict[str, Any] = {"sku": "tent", "category": "tents", "interests": frozenset()}
    price = {"net": Decimal(net), "gross": Decimal(net)}
    return earning.Line(**{"position": 1, "quantity": 1, **facts, **price, **said})


def bought(*lines: earning.Line, **said: Any) -> earning.PurchaseFact:
    facts: dict[str, Any] = {"store": "", "channel": "web", "currency": "USD", "tier": ""}
    given = {"occurred_at": AT, "is_first": False, "lines": lines or (line(),)}
    return earning.PurchaseFact(**{**facts, **given, **said})


def been(**said: Any) -> earning.ActFact:
    facts: dict[str, Any] = {
        "subject": "peak",
        "interests": frozenset(),
        "tier": "",
        "points": None,
    }
    return earning.ActFact(**{"occurred_at": AT, **facts, **said})


def rule(slug: str = "r", **said: Any) -> EarnRule:
    return EarnRule(**{"slug": slug, "name": slug.title(), "points": 1, "per": "amount", **said})


def points(
    *rules: EarnRule, fact: earning.PurchaseFact | earning.ActFact | None = None
) -> list[tuple[str, int]]:
    decisions = earning.decide(rules=rules, fact=fact or bought())
    return [(decision.rule.slug, decision.points) for decision in decisions]


def test_fractions_of_lines_add_up_before_they_are_dropped() -> None:
    halves = bought(line("0.50"), line("0.50"), line("0.99"))
    assert points(rule(), fact=halves) == [("r", 1)]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"per": "amount", "points": 1}, 65),
        ({"per": "amount", "points": 3, "per_amount": Decimal(10)}, 19),
        ({"per": "unit", "points": 5}, 20),
        ({"per": "fact", "points": 7}, 7),
    ],
)
def test_points_follow_what_they_are_given_for(terms: dict[str, Any], expected: int) -> None:
    basket = bought(line("45.50", quantity=1), line("19.90", quantity=3))
    assert points(rule(**terms), fact=basket) == [("r", expected)]


@pytest.mark.parametrize(
    ("condition", "met", "unmet"),
    [
        ({"currency": "EUR"}, {"currency": "EUR"}, {}),
        ({"stores": ["denver"]}, {"store": "denver"}, {}),
        ({"channels": ["web"]}, {}, {"channel": "app"}),
        ({"tiers": ["gold"]}, {"tier": "gold"}, {"tier": "silver"}),
        ({"first_purchase_only": True}, {"is_first": True}, {}),
        ({"minimum_total": Decimal(10)}, {}, {"lines": (line("9.99"),)}),
        ({"skus": ["tent"]}, {}, {"lines": (line(sku="boot"),)}),
        ({"categories": ["tents"]}, {}, {"lines": (line(category="boots"),)}),
        ({"interests": ["snow"]}, {"lines": (line(interests=frozenset(["snow", "x"])),)}, {}),
        ({"starts_at": AT}, {}, {"occurred_at": AT - timedelta(microseconds=1)}),
        ({"ends_at": AT}, {"occurred_at": AT - timedelta(microseconds=1)}, {}),
    ],
)
def test_rule_gives_only_where_its_condition_is_met(
    condition: dict[str, Any], met: dict[str, Any], unmet: dict[str, Any]
) -> None:
    assert points(rule(**condition), fact=bought(**met)) != []
    assert points(rule(**condition), fact=bought(**unmet)) == []


def test_rule_about_some_lines_counts_only_those() -> None:
    basket = bought(line("10", position=1), line("5", position=2, category="boots"))
    (decision,) = earning.decide(rules=[rule(categories=["boots"])], fact=basket)
    assert (decision.points, decision.base, decision.lines) == (5, Decimal(5), (2,))


def test_rules_add_up_unless_they_share_a_group() -> None:
    rules = rule("a"), rule("b", points=2, group="x"), rule("c", points=3, group="x")
    assert points(*rules) == [("a", 10), ("c", 30)]


def test_equally_generous_rules_of_a_group_give_once() -> None:
    assert points(rule("b", group="x"), rule("a", group="x")) == [("a", 10)]


def test_nothing_is_decided_for_no_points() -> None:
    assert points(rule(), fact=bought(line("0.99"))) == []


def test_check_in_gives_the_rules_points_unless_the_place_has_its_own() -> None:
    terms = rule(fact="check_in", per="fact", points=50)
    assert points(terms, fact=been()) == [("r", 50)]
    assert points(terms, fact=been(points=200)) == [("r", 200)]
    assert points(terms, fact=been(points=0)) == []


def test_because_says_the_terms_and_the_money() -> None:
    terms = rule(points=2, per_amount=Decimal("10.00"))
    (decision,) = earning.decide(rules=[terms], fact=bought(line("45")))
    assert decision.because == "R: 2 per 10 USD on 45.00 USD"


@given(st.permutations([rule("a"), rule("b", group="x"), rule("c", group="x", points=4)]))
def test_order_of_rules_does_not_matter(rules: Sequence[EarnRule]) -> None:
    assert points(*rules) == [("a", 10), ("c", 40)]


@given(st.lists(prices, min_size=1, max_size=8), st.integers(1, 100), prices.filter(bool))
def test_parts_of_a_purchase_never_give_more_than_the_whole(
    nets: list[Decimal], each: int, amount: Decimal
) -> None:
    terms = rule(points=each, per_amount=amount)
    lines = [line(net) for net in nets]
    whole = earning.points_for(rule=terms, lines=lines)
    parts = [earning.points_for(rule=terms, lines=[one]) for one in lines]
    assert sum(parts) <= whole < sum(parts) + len(parts)


@given(st.lists(prices, max_size=8), st.data())
def test_what_is_kept_never_gives_more_than_what_was_bought(
    nets: list[Decimal], data: st.DataObject
) -> None:
    lines = [line(net) for net in nets]
    kept = [one for one in lines if data.draw(st.booleans())]
    for per in EarnRule.Per.values:
        terms = rule(per=per, points=3, per_amount=Decimal(7))
        most = earning.points_for(rule=terms, lines=lines)
        assert 0 <= earning.points_for(rule=terms, lines=kept) <= most


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 600),
)
def test_months_later_is_the_same_day_or_the_months_last(moment: datetime, months: int) -> None:
    later = periods.months_later(moment=moment, months=months)
    last = calendar.monthrange(later.year, later.month)[1]
    assert later.day == min(moment.day, last)
    assert later.timetz() == moment.timetz()
    assert (later.year - moment.year) * 12 + later.month - moment.month == months


@pytest.mark.parametrize(
    ("period", "first"),
    [
        ("day", "2027-03-03"),
        ("week", "2027-03-01"),
        ("month", "2027-03-01"),
        ("year", "2027-01-01"),
        ("ever", "ever"),
    ],
)
def test_period_is_named_by_its_first_day(period: str, first: str) -> None:
    assert periods.period_key(period=period, day=date(2027, 3, 3)) == first


# --- Which rule comes first --------------------------------------------------------------------
def test_one_rule_of_a_group_gives_by_priority_before_generosity() -> None:
    generous = rule("a", points=5, per="fact", group="g")
    first = rule("b", points=2, per="fact", group="g", priority=1)
    assert points(generous, first) == [("b", 2)]


def test_exclusive_rule_lets_only_its_equals_and_betters_give() -> None:
    rules = [
        rule("before", points=1, per="fact", priority=9),
        rule("alone", points=2, per="fact", priority=5, is_exclusive=True),
        rule("equal", points=3, per="fact", priority=5),
        rule("after", points=4, per="fact", priority=4),
    ]
    assert points(*rules) == [("alone", 2), ("before", 1), ("equal", 3)]


def test_exclusive_rule_that_gives_nothing_excludes_nothing() -> None:
    alone = rule("alone", per="fact", priority=5, is_exclusive=True, stores=["denver"])
    assert points(alone, rule("after", per="fact")) == [("after", 1)]


@given(st.permutations(range(5)))
def test_order_of_the_rules_never_matters(order: Sequence[int]) -> None:
    rules = [
        rule(f"r{n}", points=n + 1, per="fact", priority=n % 2, group="g" if n % 3 else "")
        for n in range(5)
    ]
    assert points(*(rules[n] for n in order)) == points(*rules)


@pytest.mark.parametrize(("minutes", "given_points"), [(-1, 1), (0, 2), (59, 2), (60, 3), (600, 3)])
def test_version_in_force_when_it_happened_gives(minutes: int, given_points: int) -> None:
    versions = [
        rule(points=1, per="fact"),
        rule(points=3, per="fact", effective_at=AT + timedelta(hours=1)),
        rule(points=2, per="fact", effective_at=AT),
    ]
    fact = bought(occurred_at=AT + timedelta(minutes=minutes))
    assert points(*versions, fact=fact) == [("r", given_points)]


def test_rule_before_its_first_version_gives_nothing() -> None:
    assert points(rule(effective_at=AT + timedelta(seconds=1))) == []


def test_base_is_what_was_paid_unless_the_rule_counts_before_vouchers() -> None:
    fact = bought(line("7", gross=Decimal(10)))
    assert points(rule("net"), rule("gross", is_before_vouchers=True), fact=fact) == [
        ("gross", 10), ("net", 7),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"stores": ["denver"]}, "For purchases in denver."),
        ({"channels": ["app"]}, "For purchases through app."),
        ({"categories": ["boots"]}, "Nothing bought is boots."),
        ({"currency": "EUR"}, "For purchases in EUR."),
        ({"tiers": ["gold"]}, "For members with gold."),
        ({"first_purchase_only": True}, "For the first purchase only."),
        ({"minimum_total": Decimal(50)}, "From a total of 50.00."),
        ({"starts_at": AT + timedelta(days=1)}, "It starts on 2027-03-02."),
        ({"ends_at": AT}, "It ended on 2027-03-01."),
        ({"per_amount": Decimal(50)}, "Too little was paid for a whole point."),
    ],
)
def test_rule_that_gives_nothing_says_why(asked: dict[str, Any], why: str) -> None:
    (verdict,) = earning.explain(rules=[rule(**asked)], fact=bought())
    assert (verdict.decision, verdict.because) == (None, why)


def test_rule_that_lost_its_place_says_to_whom() -> None:
    rules = [
        rule("best", points=9, group="g"), rule("other", group="g"),
        rule("alone", priority=3, is_exclusive=True),
    ]  # fmt: skip
    said = {v.rule.slug: v.because for v in earning.explain(rules=rules, fact=bought())}
    assert said["best"] == "Alone comes first and lets nothing after it."
    said = {v.rule.slug: v.because for v in earning.explain(rules=rules[:2], fact=bought())}
    assert said["other"] == "Of 'g' only one gives: Best."


def test_act_earns_by_the_rules_of_its_subject() -> None:
    rules = [
        rule("any", per="fact", points=1),
        rule("this", per="fact", points=2, subjects=["peak"]),
        rule("that", per="fact", points=3, subjects=["lake"]),
    ]
    assert points(*rules, fact=been()) == [("any", 1), ("this", 2)]


# --- Ends of periods ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("moment", "period", "zone", "end"),
    [
        ("2027-03-15T12:00+00:00", "month", "UTC", "2027-04-01T00:00+00:00"),
        ("2027-12-31T23:30+00:00", "year", "UTC", "2028-01-01T00:00+00:00"),
        # There the new month has begun already, or not yet; and clocks change on the way.
        ("2027-03-31T23:30+00:00", "month", "Europe/Berlin", "2027-04-30T22:00+00:00"),
        ("2027-04-01T03:00+00:00", "month", "America/Denver", "2027-04-01T06:00+00:00"),
        ("2027-01-01T03:00+00:00", "year", "America/Denver", "2027-01-01T07:00+00:00"),
    ],
)
def test_end_of_a_period_is_local(moment: str, period: str, zone: str, end: str) -> None:
    found = periods.end_of(moment=datetime.fromisoformat(moment), period=period, zone=zone)
    assert found == datetime.fromisoformat(end)
