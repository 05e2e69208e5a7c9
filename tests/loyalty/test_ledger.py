"""How points move: one room, every movement."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.db import Error, IntegrityError, transaction

from loyalty import auditing, ledger, purchases, returns
from loyalty.models import Award, Entry, Lot, LotUse, Purchase
from members.models import Member
from tests import factories
from tests.factories import NOW, line

DAY = timedelta(days=1)
GRACE = timedelta(days=30)

pytestmark = pytest.mark.django_db


def restore(of: Member, spent: Entry, *, now: datetime = NOW) -> None:
    with ledger.open_book([of.pk], now=now, with_lots=True) as book:
        book.restore(member_id=of.pk, spent=spent, why="test")


def award(
    of: Member, points: int, *, wait: timedelta | None = None, expires_at: datetime | None = None
) -> Award:
    """Points of a rule, as a purchase of that worth gives them."""
    terms = factories.rule(f"rule{Award.objects.count()}")
    row = Award.objects.create(
        member=of, rule=terms, fact="purchase", fact_id=terms.pk, points=points, base=points
    )
    with ledger.open_book([of.pk], now=NOW) as book:
        book.earn(
            member_id=of.pk, points=points, at=NOW, award_id=row.pk, expires_at=expires_at,
            available_at=NOW + wait if wait else None,
        )  # fmt: skip
    return row


def take_back(of: Member, row: Award, points: int, *, now: datetime = NOW) -> ledger.Taken:
    with ledger.open_book([of.pk], now=now, with_lots=True) as book:
        taken = book.take_back(member_id=of.pk, points=points, award_id=row.pk, at=now, why="test")
    Award.objects.filter(pk=row.pk).update(taken_back=row.taken_back + points)
    row.refresh_from_db()
    return taken


def turn_the_clock(of: Member, *, now: datetime) -> None:
    with ledger.open_book([of.pk], now=now, with_lots=True) as book:
        book.mature(member_id=of.pk)
        book.expire(member_id=of.pk)


def standing(of: Member) -> tuple[int, int, int]:
    account = factories.account(of)
    return account.balance, account.pending, account.debt


def remaining(of: Member) -> list[int]:
    return list(
        Lot.objects.filter(account=of.pk).order_by("pk").values_list("remaining", flat=True)
    )


def entries(of: Member) -> list[tuple[int, str, int, int]]:
    rows = Entry.objects.filter(account=of.pk).order_by("version")
    return list(rows.values_list("version", "kind", "amount", "balance_after"))


# --- Spending ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("expiring_in_days", "left"),
    [
        ([300, 30, None], [50, 0, 100]),  # the soonest first, whatever came first
        ([None, None, None], [0, 50, 100]),  # without dates the oldest first
        ([10, 10, 5], [50, 100, 0]),  # of one date the oldest first
    ],
)
def test_points_are_spent_soonest_expiring_first(
    alex: Member, expiring_in_days: Sequence[int | None], left: list[int]
) -> None:
    for days in expiring_in_days:
        factories.grant(alex, 100, expires_at=NOW + days * DAY if days else None)
    factories.spend(alex, 150)
    assert remaining(alex) == left


def test_more_than_there_is_cannot_be_spent(alex: Member) -> None:
    factories.grant(alex, 99)
    with pytest.raises(ledger.InsufficientPoints) as refusal, transaction.atomic():
        factories.spend(alex, 100)
    assert refusal.value.extra == {"spendable": 99}
    assert standing(alex) == (99, 0, 0)


@pytest.mark.parametrize("late", [timedelta(0), DAY])
def test_points_past_their_date_cannot_be_spent_even_before_the_sweep(
    alex: Member, late: timedelta
) -> None:
    factories.grant(alex, 100, expires_at=NOW)
    with pytest.raises(ledger.InsufficientPoints), transaction.atomic():
        factories.spend(alex, 1, now=NOW + late)


def test_refusal_in_the_middle_of_a_book_writes_nothing(alex: Member) -> None:
    def earn_then_overspend() -> None:
        with ledger.open_book([alex.pk], now=NOW) as book:
            book.earn(member_id=alex.pk, points=10, at=NOW)
            book.spend(member_id=alex.pk, points=11, at=NOW, why="test")

    with pytest.raises(ledger.InsufficientPoints), transaction.atomic():
        earn_then_overspend()
    assert not Entry.objects.exists()


# --- Pending ----------------------------------------------------------------------------------
def test_pending_points_cannot_be_spent_until_their_day(alex: Member) -> None:
    award(alex, 100, wait=14 * DAY)
    assert standing(alex) == (0, 100, 0)
    turn_the_clock(alex, now=NOW + 14 * DAY - timedelta(seconds=1))
    assert standing(alex) == (0, 100, 0)
    turn_the_clock(alex, now=NOW + 14 * DAY)
    assert standing(alex) == (100, 0, 0)


def test_maturing_twice_changes_nothing_more(alex: Member) -> None:
    award(alex, 100, wait=DAY)
    turn_the_clock(alex, now=NOW + DAY)
    turn_the_clock(alex, now=NOW + 2 * DAY)
    assert [kind for _, kind, _, _ in entries(alex)] == ["earned", "matured"]


# --- Returns and debt -------------------------------------------------------------------------
def test_return_takes_from_the_lot_of_that_purchase_first(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + DAY)
    bought = award(alex, 100)
    assert take_back(alex, bought, 60) == ledger.Taken(points=60, debt=0)
    assert remaining(alex) == [100, 40]


def test_return_takes_pending_points_before_they_come(alex: Member) -> None:
    bought = award(alex, 100, wait=DAY)
    take_back(alex, bought, 100)
    assert standing(alex) == (0, 0, 0)
    turn_the_clock(alex, now=NOW + DAY)
    assert standing(alex) == (0, 0, 0)


def test_return_takes_other_points_where_its_own_are_spent(alex: Member) -> None:
    bought = award(alex, 100, expires_at=NOW + DAY)
    factories.grant(alex, 100)
    factories.spend(alex, 80)
    assert take_back(alex, bought, 100) == ledger.Taken(points=100, debt=0)
    assert remaining(alex) == [0, 20]


def test_return_of_spent_points_is_owed_and_paid_by_what_comes_next(alex: Member) -> None:
    bought = award(alex, 100)
    factories.spend(alex, 100)
    assert take_back(alex, bought, 100) == ledger.Taken(points=0, debt=100)
    assert standing(alex) == (0, 0, 100)
    factories.grant(alex, 70)
    assert standing(alex) == (0, 0, 30)
    factories.grant(alex, 70)
    assert standing(alex) == (40, 0, 0)


def test_debt_is_paid_when_pending_points_come(alex: Member) -> None:
    bought = award(alex, 50)
    factories.spend(alex, 50)
    take_back(alex, bought, 50)
    award(alex, 80, wait=DAY)
    assert standing(alex) == (0, 80, 50)
    turn_the_clock(alex, now=NOW + DAY)
    assert standing(alex) == (30, 0, 0)


def test_expired_points_are_not_taken_again(alex: Member) -> None:
    bought = award(alex, 100, expires_at=NOW + DAY)
    factories.grant(alex, 100)
    turn_the_clock(alex, now=NOW + DAY)
    assert take_back(alex, bought, 100, now=NOW + DAY) == ledger.Taken(points=0, debt=0)
    assert standing(alex) == (100, 0, 0)


def test_expired_points_excuse_only_as_many_returned_ones(alex: Member) -> None:
    bought = award(alex, 100, expires_at=NOW + DAY)
    factories.spend(alex, 50)
    turn_the_clock(alex, now=NOW + DAY)
    taken = [take_back(alex, bought, 25, now=NOW + DAY) for _ in range(4)]
    assert [(one.points, one.debt) for one in taken] == [(0, 0), (0, 0), (0, 25), (0, 25)]


# --- Cancelling a spend -----------------------------------------------------------------------
def test_restored_points_go_back_to_the_lots_they_came_from(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + 9 * DAY)
    factories.grant(alex, 100)
    spent = factories.spend(alex, 150)
    restore(alex, spent)
    assert remaining(alex) == [100, 100]
    assert standing(alex) == (200, 0, 0)


def test_lot_that_expired_meanwhile_gets_a_grace_period(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + DAY)
    spent = factories.spend(alex, 100)
    later = NOW + 5 * DAY
    restore(alex, spent, now=later)
    turn_the_clock(alex, now=later + GRACE - timedelta(seconds=1))
    assert standing(alex) == (100, 0, 0)
    turn_the_clock(alex, now=later + GRACE)
    assert standing(alex) == (0, 0, 0)


def test_restored_points_pay_a_debt_first(alex: Member) -> None:
    bought = award(alex, 100)
    spent = factories.spend(alex, 100)
    take_back(alex, bought, 100)
    restore(alex, spent)
    assert standing(alex) == (0, 0, 0)


def test_same_spend_is_restored_once(alex: Member) -> None:
    factories.grant(alex, 100)
    spent = factories.spend(alex, 60)
    restore(alex, spent)
    restore(alex, spent)
    assert standing(alex) == (100, 0, 0)


def test_spend_is_restored_in_parts_up_to_what_it_took(alex: Member) -> None:
    factories.grant(alex, 30, expires_at=NOW + timedelta(days=9))
    factories.grant(alex, 70, expires_at=NOW + timedelta(days=90))
    spent = factories.spend(alex, 60)
    back = []
    for reason in ("first", "second", "third"):
        with ledger.open_book([alex.pk], now=NOW, with_lots=True) as book:
            back.append(book.restore(member_id=alex.pk, spent=spent, points=40, why=reason))
    assert back == [40, 20, 0]
    assert standing(alex) == (100, 0, 0)
    assert list(Lot.objects.order_by("pk").values_list("remaining", flat=True)) == [30, 70]
    assert auditing.audit().findings == ()


def test_spend_is_not_restored_twice_for_one_reason_by_a_rule_of_the_database(
    alex: Member,
) -> None:
    factories.grant(alex, 100)
    spent = factories.spend(alex, 60)

    def again() -> None:
        with ledger.open_book([alex.pk], now=NOW, with_lots=True) as book:
            book.restore(member_id=alex.pk, spent=spent, points=10, why="the same")

    again()
    with pytest.raises(IntegrityError, match="entry_reversed_once"), transaction.atomic():
        again()


# --- Moving points between accounts -----------------------------------------------------------
def transfer(giver: Member, taker: Member, points: int | None = None) -> int:
    both = [giver.pk, taker.pk]
    with ledger.open_book(both, now=NOW, with_lots=True) as book:
        return book.transfer(giver_id=giver.pk, taker_id=taker.pk, points=points, why="test")


def test_transfer_takes_the_soonest_expiring_and_keeps_their_date(alex: Member) -> None:
    kim = factories.member()
    soon = NOW + timedelta(days=9)
    factories.grant(alex, 70)
    factories.grant(alex, 30, expires_at=soon)
    assert transfer(alex, kim, 50) == 50
    assert (standing(alex), standing(kim)) == ((50, 0, 0), (50, 0, 0))
    lots = Lot.objects.filter(account=kim.pk).order_by("expires_at")
    assert list(lots.values_list("remaining", "expires_at")) == [(30, soon), (20, None)]
    assert auditing.audit().findings == ()


def test_transfer_of_everything_takes_pending_points_and_debt_along(alex: Member) -> None:
    kim = factories.member()
    factories.only_rule(per="amount", points=1)
    receipt = factories.buy(alex, line("100", sku="tent"))
    factories.spend(alex, 80)
    bring_back(receipt, "tent")
    factories.rule("later", per="amount", points=1, pending_days=14)
    factories.buy(alex, "40", channel="app")
    before = standing(alex)
    transfer(alex, kim)
    assert (standing(alex), standing(kim)) == ((0, 0, 0), before)
    assert auditing.audit().findings == ()


def test_points_that_arrive_pay_the_takers_debt(alex: Member) -> None:
    kim = factories.member()
    factories.only_rule(per="amount", points=1)
    receipt = factories.buy(kim, line("100", sku="tent"))
    factories.spend(kim, 100)
    bring_back(receipt, "tent")
    factories.grant(alex, 130)
    transfer(alex, kim, 120)
    assert (standing(alex), standing(kim)) == ((10, 0, 0), (20, 0, 0))
    assert auditing.audit().findings == ()


def bring_back(receipt: purchases.Receipt, sku: str) -> None:
    returns.record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id),
        reference="back",
        lines=[returns.ReturnedLine(sku, 1)],
        occurred_at=NOW,
        now=NOW,
    )


# --- The chain and the database's own rules ---------------------------------------------------
def test_entries_form_a_chain_with_the_balance_after_each(alex: Member) -> None:
    factories.grant(alex, 100)
    spent = factories.spend(alex, 30)
    restore(alex, spent)
    assert entries(alex) == [
        (1, "granted", 100, 100), (2, "spent", -30, 70), (3, "restored", 30, 100),
    ]  # fmt: skip
    assert factories.account(alex).version == 3


def test_every_debit_says_which_lots_it_took(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + DAY)
    factories.grant(alex, 100)
    spent = factories.spend(alex, 120)
    uses = LotUse.objects.filter(entry=spent).order_by("lot")
    assert list(uses.values_list("amount", flat=True)) == [100, 20]


def test_book_of_several_members_keeps_them_apart() -> None:
    alex, kim = factories.members(2)
    with ledger.open_book([kim.pk, alex.pk, kim.pk], now=NOW) as book:
        book.earn(member_id=kim.pk, points=5, at=NOW)
        book.earn(member_id=alex.pk, points=7, at=NOW)
        book.earn(member_id=kim.pk, points=11, at=NOW)
        book.spend(member_id=kim.pk, points=6, at=NOW, why="test")
    assert (standing(alex), standing(kim)) == ((7, 0, 0), (10, 0, 0))
    assert auditing.audit().findings == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda: Entry.objects.update(amount=1_000),
        lambda: Entry.objects.all().delete(),
        lambda: Lot.objects.update(remaining=1_000),
        lambda: Entry.objects.create(
            account_id=Entry.objects.get().account_id, version=1, kind="granted", amount=1,
            balance_after=1, at=NOW, recorded_at=NOW,
        ),
    ],
    ids=["change an entry", "delete an entry", "overdraw a lot", "fork the chain"],
)  # fmt: skip
def test_database_refuses_what_no_room_does(alex: Member, change: object) -> None:
    factories.grant(alex, 100)
    assert callable(change)
    with pytest.raises(Error), transaction.atomic():
        change()
    assert standing(alex) == (100, 0, 0)
