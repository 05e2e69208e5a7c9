"""What time does to points: a night missed or run twice makes no difference."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import auditing, expiry, ledger, statements
from loyalty.models import Account, Entry
from loyalty.statements import Expiring
from members.models import Member
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    return factories.member()


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
