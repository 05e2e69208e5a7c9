"""What time does to points: a night missed or run twice makes no difference."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import auditing, expiry, ledger, statements
from loyalty.models import Account, Award, Entry, PointsPolicy
from loyalty.statements import Expiring
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def test_points_lapse_on_their_date_and_not_before(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + DAY)
    factories.grant(alex, 50)
    assert expiry.expire(now=NOW + DAY - timedelta(seconds=1)) == 0
    assert expiry.expire(now=NOW + DAY) == 1
    assert factories.account(alex).balance == 50


def test_expiring_twice_changes_nothing_more(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + DAY)
    expiry.expire(now=NOW + DAY)
    assert expiry.expire(now=NOW + DAY) == 0
    assert list(Entry.objects.values_list("kind", "amount")) == [
        ("granted", 100),
        ("expired", -100),
    ]


def test_more_members_than_a_batch_are_all_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    for one in factories.members(5):
        factories.grant(one, 10, expires_at=NOW + DAY)
    assert expiry.expire(now=NOW + DAY) == 5
    assert set(Account.objects.values_list("balance", flat=True)) == {0}


def test_spent_part_of_a_lot_does_not_expire(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + DAY)
    from_lot = factories.account(alex).lots.get()
    factories.spend(alex, 70)
    expiry.expire(now=NOW + DAY)
    assert Entry.objects.get(kind="expired").amount == -30
    from_lot.refresh_from_db()
    assert from_lot.remaining == 0


def test_points_past_their_date_are_told_apart_before_the_sweep(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + DAY)
    factories.grant(alex, 50)
    summary = statements.summary(member=alex, at=NOW + DAY)
    assert (summary.available, summary.spendable, summary.expiring) == (150, 50, ())


def test_next_dates_are_listed_in_the_members_own_days(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW.replace(hour=6) + DAY)  # 23:00 the day before
    factories.grant(alex, 20, expires_at=NOW.replace(hour=5) + DAY)
    factories.grant(alex, 50, expires_at=NOW + 30 * DAY)
    summary = statements.summary(member=alex, at=NOW)
    assert summary.expiring == (
        Expiring(120, NOW.date()), Expiring(50, (NOW + 30 * DAY).date()),
    )  # fmt: skip


@given(
    lots=st.lists(
        st.tuples(st.integers(1, 100), st.integers(1, 10), st.integers(0, 5)), max_size=5
    ),
    nights=st.sets(st.integers(1, 11)),
)
@settings(max_examples=8)
def test_missed_nights_end_in_the_same_points(
    lots: list[tuple[int, int, int]], nights: set[int]
) -> None:
    """Whichever nights the sweep ran, after the last one the points are those of every night."""
    ends = []
    for run_on in (set(range(1, 12)), nights | {11}):
        with factories.undone():
            alex = factories.member()
            for points, expires, waits in lots:
                with ledger.open_book([alex.pk], now=NOW) as book:
                    book.earn(
                        member_id=alex.pk, points=points, at=NOW, kind="granted",
                        available_at=NOW + waits * DAY, expires_at=NOW + expires * DAY,
                    )  # fmt: skip
            for night in sorted(run_on):
                expiry.mature(now=NOW + night * DAY)
                expiry.expire(now=NOW + night * DAY)
            account = Account.objects.filter(pk=alex.pk).first() or Account()
            ends.append((account.balance, account.pending, account.debt))
            assert auditing.audit().findings == ()
    assert ends[0] == ends[1]


# --- Rules of expiry ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("terms", "gone_at"),
    [
        ({"valid_months": 1}, "2027-04-01T12:00-06:00"),
        ({"valid_months": 1, "valid_to_end_of": "month"}, "2027-05-01T00:00-06:00"),
        ({"valid_months": 1, "valid_to_end_of": "year"}, "2028-01-01T00:00-07:00"),
    ],
)
def test_points_go_when_their_rule_says(terms: dict[str, Any], gone_at: str) -> None:
    alex = factories.member(time_zone="America/Denver")
    factories.only_rule(points=10, per="fact", **terms)
    bought_at = datetime.fromisoformat("2027-03-01T12:00-07:00")
    factories.buy(alex, "10", occurred_at=bought_at, now=bought_at)
    expires_at = factories.account(alex).lots.get().expires_at
    assert expires_at is not None
    # Days of the member, hours of the purchase: twelve there is another instant after the change.
    assert abs(expires_at - datetime.fromisoformat(gone_at)) <= timedelta(hours=1)


def test_points_of_who_was_away_too_long_lapse(alex: Member) -> None:
    PointsPolicy.objects.update(inactive_months=12)
    there = factories.member()
    for one in (alex, there):
        factories.buy(one, "40")
    later = NOW + 300 * DAY
    factories.buy(there, "2", occurred_at=later, now=later)
    assert expiry.lapse_inactive(now=NOW + 364 * DAY) == 0
    assert expiry.lapse_inactive(now=NOW + 366 * DAY) == 1
    assert expiry.lapse_inactive(now=NOW + 366 * DAY) == 0
    assert [factories.account(one).balance for one in (alex, there)] == [0, 42]
    assert Entry.objects.get(kind="expired").why == "inactive"
    assert auditing.audit().findings == ()


def test_nobody_lapses_where_the_policy_does_not_say_so(alex: Member) -> None:
    factories.buy(alex, "40")
    assert expiry.lapse_inactive(now=NOW + 9_999 * DAY) == 0


def warnings(of: Member) -> list[tuple[str, int]]:
    rows = Interaction.objects.filter(member=of, kind__slug="points-expiring").order_by("pk")
    return [(row.reference, int(row.value or 0)) for row in rows]


def test_warnings_go_thirty_and_seven_days_ahead_once_each(alex: Member) -> None:
    goes = NOW + 40 * DAY
    factories.grant(alex, 30, expires_at=goes)
    factories.grant(alex, 12, expires_at=goes + timedelta(hours=1))
    day = goes.date().isoformat()
    for days in range(45):
        expiry.warn(now=NOW + days * DAY)
    assert warnings(alex) == [(f"{day}:30", 42), (f"{day}:7", 42)]


def test_warning_missed_for_weeks_is_given_as_the_later_one(alex: Member) -> None:
    goes = NOW + 40 * DAY
    factories.grant(alex, 30, expires_at=goes)
    expiry.warn(now=goes - 3 * DAY)
    assert warnings(alex) == [(f"{goes.date().isoformat()}:7", 30)]


def test_silence_is_warned_about_too(alex: Member) -> None:
    PointsPolicy.objects.update(inactive_months=12)
    factories.buy(alex, "40")
    expiry.warn(now=NOW + 340 * DAY)
    assert [points for _, points in warnings(alex)] == [40]


# --- Waiting for the goods ---------------------------------------------------------------------
def test_points_wait_until_the_goods_are_shipped(alex: Member) -> None:
    factories.only_rule(points=10, per="fact", is_pending_shipment=True, pending_days=14)
    factories.buy(alex, "10")
    expiry.mature(now=NOW + 999 * DAY)
    assert (factories.account(alex).balance, factories.account(alex).pending) == (0, 10)
    shipped_at = NOW + 3 * DAY
    award = Award.objects.get()
    with ledger.open_book([alex.pk], now=shipped_at, with_lots=True) as book:
        book.ship(award_ids={award.pk}, shipped_at=shipped_at, days=14)
    assert expiry.mature(now=shipped_at + 14 * DAY - timedelta(seconds=1)) == 0
    assert expiry.mature(now=shipped_at + 14 * DAY) == 1
    assert (factories.account(alex).balance, factories.account(alex).pending) == (10, 0)
