"""A household's points are for all of it, when each has said so."""

from typing import Any

import pytest

from config.errors import NotFound
from loyalty import auditing, ledger, pooling, returns, rewards, tender
from loyalty.models import Purchase
from members import households
from members.models import Household, HouseholdMember, Member
from tests import factories
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db


@pytest.fixture
def kim() -> Member:
    return factories.member()


@pytest.fixture(autouse=True)
def sound() -> Any:
    yield
    assert auditing.audit().findings == ()


def share(first: Member, *others: Member) -> Household:
    for other in others:
        households.invite(member=first, named=other.number, now=NOW)
        home = Household.objects.get(people__member=first)
        households.accept(member=other, household_id=home.pk, now=NOW)
    return home


def balances(*members: Member) -> list[int]:
    return [factories.account(one).balance for one in members]


# --- Who shares -------------------------------------------------------------------------------
def test_invited_is_not_joined(alex: Member, kim: Member) -> None:
    households.invite(member=alex, named=kim.number, now=NOW)
    assert households.sharers(member_id=alex.pk) == []
    assert [row.invited_by for row in households.invitations(member=kim)] == [alex]


def test_who_accepts_shares(alex: Member, kim: Member) -> None:
    share(alex, kim)
    assert households.sharers(member_id=alex.pk) == [kim.pk]
    assert households.sharers(member_id=kim.pk) == [alex.pk]


def test_inviting_nobody_tells_nothing(alex: Member) -> None:
    for name in ("nobody@example.com", "99999999", alex.number):
        households.invite(member=alex, named=name, now=NOW)
    assert HouseholdMember.objects.count() == 1


def test_invitation_of_another_is_not_found(alex: Member, kim: Member) -> None:
    households.invite(member=alex, named=kim.number, now=NOW)
    home = Household.objects.get()
    with pytest.raises(NotFound):
        households.accept(member=factories.member(), household_id=home.pk, now=NOW)


def test_nobody_is_in_two_households(alex: Member, kim: Member) -> None:
    share(alex, kim)
    lee = factories.member()
    households.invite(member=lee, named=kim.number, now=NOW)
    home = Household.objects.get(people__member=lee, people__state="joined")
    with pytest.raises(households.InAnotherHousehold):
        households.accept(member=kim, household_id=home.pk, now=NOW)


def test_household_has_its_most(alex: Member) -> None:
    late, *people = factories.members(households.MOST_PEOPLE)
    households.invite(member=alex, named=late.number, now=NOW)
    home = share(alex, *people)
    with pytest.raises(households.HouseholdFull):
        households.accept(member=late, household_id=home.pk, now=NOW)


def test_full_household_refuses_whoever_is_named(alex: Member, kim: Member) -> None:
    share(alex, *factories.members(households.MOST_PEOPLE - 1))
    for name in ("nobody@example.com", kim.number):
        with pytest.raises(households.HouseholdFull):
            households.invite(member=alex, named=name, now=NOW)


def test_whether_invitations_found_somebody_fills_nothing(alex: Member) -> None:
    for one in factories.members(households.MOST_PEOPLE):
        households.invite(member=alex, named=one.number, now=NOW)
    households.invite(member=alex, named="nobody@example.com", now=NOW)
    assert len(households.of(member=alex)) == households.MOST_PEOPLE + 1


def test_who_leaves_shares_no_more(alex: Member, kim: Member) -> None:
    share(alex, kim)
    households.leave(member=kim)
    assert households.sharers(member_id=alex.pk) == []
    households.leave(member=alex)
    assert not Household.objects.exists()


def test_invitation_is_refused(alex: Member, kim: Member) -> None:
    households.invite(member=alex, named=kim.number, now=NOW)
    households.leave(member=kim, household_id=Household.objects.get().pk)
    assert not households.invitations(member=kim).exists()


# --- Spending together ------------------------------------------------------------------------
def test_own_points_are_spent_first(alex: Member, kim: Member) -> None:
    share(alex, kim)
    factories.reward()
    factories.grant(alex, 70)
    factories.grant(kim, 50)
    assert pooling.shared(member_id=alex.pk) == 50
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    assert balances(alex, kim) == [0, 20]


def test_too_few_together_moves_nothing(alex: Member, kim: Member) -> None:
    share(alex, kim)
    factories.reward()
    factories.grant(alex, 70)
    factories.grant(kim, 29)
    with pytest.raises(ledger.InsufficientPoints):
        rewards.redeem(member=alex, slug="tenner", now=NOW)
    assert balances(alex, kim) == [70, 29]


def test_points_of_who_only_was_invited_are_not_touched(alex: Member, kim: Member) -> None:
    households.invite(member=alex, named=kim.number, now=NOW)
    factories.reward()
    factories.grant(kim, 100)
    with pytest.raises(ledger.InsufficientPoints):
        rewards.redeem(member=alex, slug="tenner", now=NOW)


def test_household_pays_at_the_till(alex: Member, kim: Member) -> None:
    share(alex, kim)
    factories.points_pay()
    factories.grant(kim, 100)
    held = tender.hold(member=alex, points=80, till="till", now=NOW)
    assert balances(alex, kim) == [0, 20]
    tender.release(hold_id=str(held.pk), till="till", now=NOW)
    assert balances(alex, kim) == [0, 100]


def test_points_given_back_are_whose_they_were(alex: Member, kim: Member) -> None:
    share(alex, kim)
    factories.reward()
    factories.grant(alex, 70)
    factories.grant(kim, 50)
    done = rewards.redeem(member=alex, slug="tenner", now=NOW)
    households.leave(member=alex)
    rewards.cancel(redemption=done.redemption, why="mistake", now=NOW)
    assert balances(alex, kim) == [70, 50]


def test_who_owes_may_still_spend_what_the_household_has(alex: Member, kim: Member) -> None:
    share(alex, kim)
    factories.reward()
    factories.only_rule(per="amount", points=1)
    receipt = factories.buy(alex, line("50", sku="tent"))
    factories.spend(alex, 50)
    returns.record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference="back", now=NOW,
        lines=[returns.ReturnedLine("tent", 1)], occurred_at=NOW,
    )  # fmt: skip
    factories.grant(kim, 200)
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    assert (balances(alex, kim), factories.account(alex).debt) == ([0, 50], 0)


def test_who_left_while_the_spender_waited_is_not_asked(alex: Member, kim: Member) -> None:
    share(alex, kim)
    factories.grant(kim, 100)
    with pooling.open_book(alex.pk, now=NOW) as book:
        households.leave(member=kim)
        with pytest.raises(ledger.InsufficientPoints):
            pooling.spend(book, member_id=alex.pk, points=50, at=NOW, why="test")
    assert factories.account(kim).balance == 100
