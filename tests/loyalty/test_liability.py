"""What is owed as of any moment: recomputed, and it adds up with what the entries say."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F, Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import expiry, liability, rewards
from loyalty.models import Account, Entry, PointsPolicy, Purchase
from loyalty.returns import ReturnedLine, record
from members.models import Member
from tests import factories
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db

MARCH, APRIL, MAY = date(2027, 3, 1), date(2027, 4, 1), date(2027, 5, 1)
LATER = NOW + timedelta(days=45)  # In April


def parts(at: datetime) -> list[tuple[date, date | None, int, int]]:
    found = liability.outstanding(at=at).parts
    return [(part.cohort, part.expires, part.available, part.pending) for part in found]


# --- Outstanding ------------------------------------------------------------------------------
def test_nothing_is_owed_before_anything_was_given() -> None:
    owed = liability.outstanding(at=NOW)
    assert (owed.points, owed.debt, owed.parts) == (0, 0, ())
    assert liability.movements(at=NOW) == []


def test_points_are_told_by_month_of_earning_and_of_expiry(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=LATER)
    factories.grant(alex, 20)
    factories.grant(alex, 7, now=LATER)
    assert parts(LATER) == [
        (MARCH, APRIL, 100, 0),
        (MARCH, None, 20, 0),
        (APRIL, None, 7, 0),
    ]


def test_month_is_the_one_of_the_programme(alex: Member) -> None:
    """One in the morning of 1 April in London is still March in Denver."""
    factories.grant(alex, 5, now=datetime(2027, 4, 1, 1, tzinfo=UTC))
    assert parts(LATER) == [(MARCH, None, 5, 0)]


def test_cohort_is_when_it_was_earned_and_the_rest_when_it_was_recorded(alex: Member) -> None:
    factories.only_rule(points=50)
    factories.buy(alex, "10", now=LATER)
    assert parts(LATER - timedelta(days=1)) == []
    assert parts(LATER) == [(MARCH, None, 50, 0)]
    assert [month.earned for month in liability.movements(at=LATER)] == [50]


def test_past_moment_knows_nothing_of_what_came_later(alex: Member) -> None:
    factories.grant(alex, 100)
    factories.spend(alex, 40, now=LATER)
    assert parts(LATER - timedelta(hours=1)) == [(MARCH, None, 100, 0)]
    assert parts(LATER) == [(MARCH, None, 60, 0)]


def test_pending_points_wait_until_they_matured(alex: Member) -> None:
    factories.only_rule(points=50, pending_days=14)
    factories.buy(alex, "10")
    due = NOW + timedelta(days=15)
    assert parts(due) == [(MARCH, None, 0, 50)]
    expiry.mature(now=due)
    assert parts(due - timedelta(minutes=1)) == [(MARCH, None, 0, 50)]
    assert parts(due) == [(MARCH, None, 50, 0)]


def test_debt_is_told_apart(alex: Member) -> None:
    factories.only_rule(points=50)
    receipt = factories.buy(alex, line("10", sku="tent"))
    factories.spend(alex, 50)
    record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference="back",
        lines=[ReturnedLine("tent", 1)], occurred_at=NOW, now=LATER,
    )  # fmt: skip
    before, after = liability.outstanding(at=NOW), liability.outstanding(at=LATER)
    assert (before.points, before.debt) == (0, 0)
    assert (after.points, after.debt) == (0, 50)


def test_money_needs_the_value_of_a_point(alex: Member) -> None:
    factories.grant(alex, 1_000)
    assert liability.outstanding(at=NOW).money(1_000) is None
    PointsPolicy.objects.update(point_value=Decimal("0.0085"), point_currency="EUR")
    owed = liability.outstanding(at=NOW)
    assert (owed.money(owed.points), owed.currency) == (Decimal("8.50"), "EUR")


# --- Movements --------------------------------------------------------------------------------
def test_movements_tell_how_it_came_to_that(alex: Member) -> None:
    factories.reward(points=40)
    factories.only_rule(points=50)
    factories.grant(alex, 100, expires_at=LATER)
    done = rewards.redeem(member=alex, slug="tenner", now=NOW)
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    factories.buy(alex, "10", occurred_at=NOW, now=LATER)
    rewards.cancel(redemption=done.redemption, why="test", now=LATER)
    expiry.expire(now=LATER + timedelta(days=31))
    march, april, may = liability.movements(at=LATER + timedelta(days=31))
    assert (march.month, march.opening, march.granted, march.spent, march.closing) == (
        MARCH, 0, 100, -80, 20,
    )  # fmt: skip
    assert (april.month, april.opening, april.earned, april.restored, april.closing) == (
        APRIL, 20, 50, 40, 110,
    )  # fmt: skip
    assert (may.month, may.opening, may.expired, may.closing) == (MAY, 110, -60, 50)
    assert all(month.adds_up for month in (march, april, may))


def test_month_without_movements_is_told_too(alex: Member) -> None:
    factories.grant(alex, 10)
    months = liability.movements(at=NOW + timedelta(days=70))
    assert [(month.opening, month.closing) for month in months] == [(0, 10), (10, 10), (10, 10)]


def test_month_with_an_unknown_kind_does_not_add_up(alex: Member) -> None:
    factories.grant(alex, 10)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE loyalty_entry SET kind = 'conjured'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert [month.adds_up for month in liability.movements(at=NOW)] == [False]


# --- Any history ------------------------------------------------------------------------------
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "grant", "spend", "back", "mature", "expire"]),
        st.integers(1, 60),
        st.integers(0, 25),
    ),
    max_size=14,
)


@settings(max_examples=40)
@given(STEPS)
def test_lots_and_entries_tell_the_same_at_every_moment(steps: list[tuple[str, int, int]]) -> None:
    with factories.undone():
        factories.only_rule(points=3, per="unit", pending_days=20, valid_months=2)
        member, now, moments = factories.member(), NOW, [NOW]
        for what, points, days in steps:
            now += timedelta(days=days)
            _do(what, points, member, now)
            moments.append(now)
        for at in moments:
            owed, entries = liability.outstanding(at=at), Entry.objects.filter(recorded_at__lte=at)
            sums = entries.aggregate(
                available=Sum("amount"), pending=Sum("pending_change"), debt=Sum("debt_change")
            )
            assert (owed.available, owed.pending, owed.debt) == tuple(
                sums[name] or 0 for name in ("available", "pending", "debt")
            )
            assert all(part.available >= 0 and part.pending >= 0 for part in owed.parts)
            months = liability.movements(at=at)
            assert all(month.adds_up for month in months)
            assert [month.closing for month in months[-1:]] in ([], [owed.points])
        total = Account.objects.aggregate(points=Sum(F("balance") + F("pending")))["points"]
        assert liability.outstanding(at=now).points == (total or 0)


def _do(what: str, points: int, member: Member, now: datetime) -> None:
    match what:
        case "buy":
            factories.buy(member, line("1", points, sku="tent"), occurred_at=now)
        case "grant":
            factories.grant(member, points, expires_at=now + timedelta(days=30), now=now)
        case "spend":
            expiry.expire(now=now)
            held = Account.objects.filter(pk=member.pk, balance__gt=0).first()
            if held is not None:
                factories.spend(member, min(points, held.balance), now=now)
        case "back":
            for purchase in Purchase.objects.filter(member=member, returns=None)[:1]:
                record(
                    purchase=purchase, reference="back", lines=[ReturnedLine("tent", 1)],
                    occurred_at=now, now=now,
                )  # fmt: skip
        case "mature":
            expiry.mature(now=now)
        case "expire":
            expiry.expire(now=now)
