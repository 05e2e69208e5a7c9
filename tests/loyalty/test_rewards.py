"""Points into rewards, and back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from config.errors import NotFound, Refusal
from loyalty import auditing, expiry, ledger, rewards, vouchers
from loyalty.models import Entry, Lot, Redemption, Reward, Session, Voucher, Waiting
from loyalty.rewards import Redeemed
from loyalty.vouchers import AtTill
from members import households
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)
GRACE = timedelta(days=30)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    member = factories.member()
    factories.grant(member, 250)
    return member


def redeem(by: Member, slug: str = "tenner", *, now: Any = NOW) -> Redeemed:
    with transaction.atomic():
        return rewards.redeem(member=by, slug=slug, now=now)


def test_reward_costs_its_points_and_gives_a_voucher(alex: Member) -> None:
    factories.reward(value=Decimal("12.50"), minimum_spend=Decimal(50), valid_days=30)
    done = redeem(alex)
    assert (done.balance, factories.account(alex).balance) == (150, 150)
    voucher = Voucher.objects.get()
    assert (voucher.value, voucher.minimum_spend) == (Decimal("12.50"), Decimal(50))
    assert (voucher.member, voucher.expires_at) == (alex, NOW + 30 * DAY)
    assert Entry.objects.get(kind="spent").why == "reward tenner"


def test_too_few_points_change_nothing(alex: Member) -> None:
    factories.reward(points=251, stock=1)
    with pytest.raises(ledger.InsufficientPoints):
        redeem(alex)
    assert not Redemption.objects.exists()
    assert Reward.objects.get().stock == 1


def test_last_one_is_sold_once(alex: Member) -> None:
    factories.reward(stock=1)
    redeem(alex)
    with pytest.raises(rewards.RewardSoldOut):
        redeem(alex)
    assert factories.account(alex).balance == 150


def test_each_member_gets_at_most_so_many(alex: Member) -> None:
    factories.reward(per_member=1)
    redeem(alex)
    with pytest.raises(rewards.RewardLimitReached):
        redeem(alex)
    kim = factories.member()
    factories.grant(kim, 100)
    redeem(kim)


@pytest.mark.parametrize(
    "said", [{"starts_at": NOW + DAY}, {"ends_at": NOW}], ids=["too early", "too late"]
)
def test_reward_out_of_its_time_is_not_there(alex: Member, said: dict[str, Any]) -> None:
    factories.reward(**said)
    assert not rewards.shown(now=NOW).exists()
    with pytest.raises(NotFound):
        redeem(alex)


def test_sold_out_reward_is_not_on_offer() -> None:
    factories.reward("gone", stock=0)
    factories.reward("there", stock=1)
    assert [reward.slug for reward in rewards.shown(now=NOW)] == ["there"]


# --- Cancelling -------------------------------------------------------------------------------
def test_cancelled_reward_gives_points_stock_and_turn_back(alex: Member) -> None:
    factories.grant(alex, 30, expires_at=NOW + 10 * DAY)
    factories.reward(stock=1, per_member=1)
    done = redeem(alex)
    before = list(Lot.objects.order_by("pk").values_list("remaining", flat=True))
    assert rewards.cancel(redemption=done.redemption, why="mistake", now=NOW) == 280
    assert before == [180, 0]
    assert list(Lot.objects.order_by("pk").values_list("remaining", flat=True)) == [250, 30]
    assert Voucher.objects.get().state == "cancelled"
    redeem(alex)
    assert auditing.audit().findings == ()


def test_points_that_expired_while_spent_come_back_with_a_month_of_grace(alex: Member) -> None:
    kim = factories.member()
    factories.grant(kim, 100, expires_at=NOW + DAY)
    factories.reward()
    done = redeem(kim)
    later = NOW + 3 * DAY
    expiry.expire(now=later)
    assert rewards.cancel(redemption=done.redemption, why="mistake", now=later) == 100
    assert Lot.objects.get(account=kim.pk).expires_at == later + GRACE


@pytest.mark.parametrize("was", ["cancelled", "redeemed"])
def test_used_or_cancelled_reward_is_not_cancelled_again(alex: Member, was: str) -> None:
    factories.reward()
    done = redeem(alex)
    if was == "cancelled":
        rewards.cancel(redemption=done.redemption, why="mistake", now=NOW)
    else:
        vouchers.redeem(code=done.code, till=AtTill("till"), now=NOW)
    balance = factories.account(alex).balance
    with pytest.raises(rewards.NotCancellable), transaction.atomic():
        rewards.cancel(redemption=done.redemption, why="mistake", now=NOW)
    assert factories.account(alex).balance == balance


def test_voucher_held_at_a_till_cannot_be_used_after_cancelling(alex: Member) -> None:
    factories.reward()
    done = redeem(alex)
    code = done.code
    vouchers.hold(code=code, till=AtTill("till"), now=NOW)
    rewards.cancel(redemption=done.redemption, why="mistake", now=NOW)
    with pytest.raises(vouchers.VoucherRefused):
        vouchers.redeem(code=code, till=AtTill("till"), now=NOW)


@pytest.mark.parametrize("days", [1, 3], ids=["the points", "the voucher"])
def test_member_gives_back_nothing_past_its_date(alex: Member, days: int) -> None:
    kim = factories.member()
    factories.grant(kim, 100, expires_at=NOW + (DAY if days == 1 else 9 * DAY))
    factories.reward(valid_days=3)
    row = redeem(kim).redemption
    with pytest.raises(rewards.NotCancellable), transaction.atomic():
        rewards.give_up(member=kim, redemption_id=row.pk, now=NOW + days * DAY)
    assert factories.account(kim).balance == 0


def test_member_cannot_cancel_what_a_till_holds(alex: Member) -> None:
    factories.reward()
    done = redeem(alex)
    vouchers.hold(code=done.code, till=AtTill("till"), now=NOW)
    with pytest.raises(rewards.NotCancellable), transaction.atomic():
        rewards.give_up(member=alex, redemption_id=done.redemption.pk, now=NOW)
    later = NOW + timedelta(hours=1)
    assert rewards.give_up(member=alex, redemption_id=done.redemption.pk, now=later) == 250


def test_member_cannot_cancel_a_gift_that_got_ready_meanwhile(alex: Member) -> None:
    factories.reward("mug", kind="gift")
    stale = redeem(alex, "mug").redemption
    rewards.fulfil(redemption=Redemption.objects.get(), state="ready")
    with pytest.raises(rewards.NotCancellable), transaction.atomic():
        rewards.cancel(redemption=stale, why="mistake", now=NOW, is_own=True)
    assert rewards.cancel(redemption=stale, why="mistake", now=NOW) == 250


# --- Whom it is for ---------------------------------------------------------------------------
def test_reward_of_a_tier_is_for_its_members(alex: Member) -> None:
    factories.reward(tiers=["gold"])
    with pytest.raises(rewards.RewardNotForYou):
        redeem(alex)
    factories.tier("gold", 100)
    factories.buy(alex, "100")
    redeem(alex)


def test_reward_is_shown_before_it_can_be_had(alex: Member) -> None:
    factories.reward(starts_at=NOW + DAY, shown_from=NOW)
    assert [reward.slug for reward in rewards.shown(now=NOW)] == ["tenner"]
    with pytest.raises(NotFound):
        redeem(alex)


# --- Gifts and access -------------------------------------------------------------------------
def test_gift_is_prepared_and_handed_over(alex: Member) -> None:
    factories.reward("mug", kind="gift")
    done = redeem(alex, "mug")
    assert (done.voucher, done.redemption.fulfilment) == (None, "open")
    states = [
        rewards.fulfil(redemption=done.redemption, state=state).fulfilment
        for state in ("ready", "handed_over")
    ]
    assert states == ["ready", "handed_over"]


@pytest.mark.parametrize("state", ["ready", "handed_over"])
def test_gift_does_not_go_backwards(alex: Member, state: str) -> None:
    factories.reward("mug", kind="gift")
    row = redeem(alex, "mug").redemption
    rewards.fulfil(redemption=row, state="handed_over")
    with pytest.raises(Refusal):
        rewards.fulfil(redemption=row, state=state)


def test_gift_handed_over_is_not_cancelled(alex: Member) -> None:
    factories.reward("mug", kind="gift")
    row = redeem(alex, "mug").redemption
    rewards.fulfil(redemption=row, state="handed_over")
    with pytest.raises(rewards.NotCancellable), transaction.atomic():
        rewards.cancel(redemption=row, why="mistake", now=NOW)
    assert factories.account(alex).balance == 150


def test_member_cancels_a_gift_until_it_is_on_its_way(alex: Member) -> None:
    factories.reward("mug", kind="gift")
    first, second = (redeem(alex, "mug").redemption for _ in range(2))
    assert rewards.give_up(member=alex, redemption_id=first.pk, now=NOW) == 150
    rewards.fulfil(redemption=second, state="ready")
    with pytest.raises(rewards.NotCancellable):
        rewards.give_up(member=alex, redemption_id=second.pk, now=NOW)


def test_early_access_lasts_its_days_and_is_not_given_back(alex: Member) -> None:
    factories.reward("early", kind="access", valid_days=7)
    row = redeem(alex, "early").redemption
    assert row.valid_until == NOW + 7 * DAY
    with pytest.raises(rewards.NotCancellable):
        rewards.give_up(member=alex, redemption_id=row.pk, now=NOW)


def test_redemption_is_given_up_by_its_owner_alone(alex: Member) -> None:
    factories.reward()
    row = redeem(alex).redemption
    with pytest.raises(NotFound):
        rewards.give_up(member=factories.member(), redemption_id=row.pk, now=NOW)


# --- Experiences ------------------------------------------------------------------------------
@pytest.fixture
def climb() -> Session:
    """A climbing day in a week, with one seat."""
    factories.reward("climb", kind="experience")
    return factories.session("climb", seats=1)


def rich() -> Member:
    member = factories.member()
    factories.grant(member, 250)
    return member


def book(by: Member, session: Session, *, now: Any = NOW) -> Redeemed:
    with transaction.atomic():
        return rewards.redeem(member=by, slug="climb", session_id=session.pk, now=now)


def seats(session: Session) -> int:
    session.refresh_from_db()
    return session.taken


def test_seat_is_sold_once(alex: Member, climb: Session) -> None:
    book(alex, climb)
    with pytest.raises(rewards.SessionFull):
        book(rich(), climb)
    assert seats(climb) == 1


@pytest.mark.parametrize("which", ["none", "of another reward", "over"])
def test_session_that_cannot_be_is_not_found(alex: Member, climb: Session, which: str) -> None:
    factories.reward("swim", kind="experience")
    other = factories.session("swim")
    named = {"none": None, "of another reward": other.pk, "over": climb.pk}[which]
    with pytest.raises(NotFound):
        rewards.redeem(
            member=alex, slug="climb", session_id=named,
            now=climb.starts_at if which == "over" else NOW,
        )  # fmt: skip


def test_who_waited_longest_gets_the_seat_that_is_given_up(alex: Member, climb: Session) -> None:
    held = book(alex, climb)
    first, second = rich(), rich()
    for n, one in enumerate((first, second)):
        rewards.wait(member=one, slug="climb", session_id=climb.pk, now=NOW + n * DAY)
    rewards.give_up(member=alex, redemption_id=held.redemption.pk, now=NOW + 2 * DAY)
    assert rewards.fill_seats(now=NOW + 2 * DAY) == 1
    assert Redemption.objects.get(session=climb, state="done").member == first
    assert list(Waiting.objects.values_list("member", flat=True)) == [second.pk]
    assert (factories.account(first).balance, factories.account(alex).balance) == (150, 250)
    assert Interaction.objects.get(kind__slug="seat-found").member == first
    assert auditing.audit().findings == ()


def test_who_waits_and_cannot_pay_is_passed_over_and_asked_again(
    alex: Member, climb: Session
) -> None:
    held = book(alex, climb)
    poor = factories.member()
    rewards.wait(member=poor, slug="climb", session_id=climb.pk, now=NOW)
    rewards.give_up(member=alex, redemption_id=held.redemption.pk, now=NOW)
    assert rewards.fill_seats(now=NOW) == 0
    assert Waiting.objects.get().passed_over == "insufficient_points"
    factories.grant(poor, 100)
    assert rewards.fill_seats(now=NOW) == 1


def test_free_seat_is_for_those_who_wait_first(alex: Member, climb: Session) -> None:
    held = book(alex, climb)
    rewards.wait(member=rich(), slug="climb", session_id=climb.pk, now=NOW)
    rewards.give_up(member=alex, redemption_id=held.redemption.pk, now=NOW)
    with pytest.raises(rewards.SessionFull, match="Others wait"):
        book(rich(), climb)


def test_nobody_waits_while_seats_are_free(alex: Member, climb: Session) -> None:
    with pytest.raises(rewards.SeatsFree):
        rewards.wait(member=alex, slug="climb", session_id=climb.pk, now=NOW)
    book(alex, climb)


def test_who_waits_and_cannot_pay_keeps_nobody_from_a_seat(alex: Member, climb: Session) -> None:
    held = book(alex, climb)
    rewards.wait(member=factories.member(), slug="climb", session_id=climb.pk, now=NOW)
    rewards.give_up(member=alex, redemption_id=held.redemption.pk, now=NOW)
    assert book(rich(), climb).redemption.session == climb


def test_who_waits_and_can_pay_with_the_household_comes_first(alex: Member, climb: Session) -> None:
    held = book(alex, climb)
    kim, lee = factories.member(), rich()
    households.invite(member=kim, named=lee.number, now=NOW)
    home = households.invitations(member=lee).get().household_id
    households.accept(member=lee, household_id=home, now=NOW)
    rewards.wait(member=kim, slug="climb", session_id=climb.pk, now=NOW)
    rewards.give_up(member=alex, redemption_id=held.redemption.pk, now=NOW)
    with pytest.raises(rewards.SessionFull, match="Others wait"):
        book(rich(), climb)
    assert rewards.fill_seats(now=NOW) == 1


def test_who_is_next_is_not_passed_over_when_the_seats_are_gone(
    alex: Member, climb: Session
) -> None:
    held = book(alex, climb)
    for n, one in enumerate((rich(), rich())):
        rewards.wait(member=one, slug="climb", session_id=climb.pk, now=NOW + n * DAY)
    rewards.give_up(member=alex, redemption_id=held.redemption.pk, now=NOW + 2 * DAY)
    rewards.fill_seats(now=NOW + 2 * DAY)
    assert Waiting.objects.get().passed_over == ""


def test_line_that_cannot_pay_holds_up_no_other(
    climb: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewards, "MOST_ASKED_A_TURN", 2)
    factories.reward("swim", kind="experience")
    swim = factories.session("swim", seats=1)
    for n, one in enumerate((*factories.members(3), rich())):
        factories.waiting(one, climb, now=NOW + n * timedelta(minutes=1))
    factories.waiting(rich(), swim, now=NOW + DAY)
    sold = [rewards.fill_seats(now=NOW + DAY + n * DAY / 24) for n in range(4)]
    assert sold == [1, 0, 1, 0]


def test_who_waited_is_sold_nothing_when_the_sale_has_ended(alex: Member, climb: Session) -> None:
    factories.waiting(alex, climb)
    Reward.objects.update(ends_at=NOW + DAY)
    assert rewards.fill_seats(now=NOW + DAY) == 0


def test_who_was_passed_over_and_buys_a_seat_waits_no_more(alex: Member, climb: Session) -> None:
    Session.objects.update(seats=2)
    factories.waiting(alex, climb, passed_over="insufficient_points")
    book(alex, climb)
    assert rewards.fill_seats(now=NOW) == 0


def test_waiting_twice_is_waiting_once(alex: Member, climb: Session) -> None:
    book(alex, climb)
    kim = rich()
    first, again = (
        rewards.wait(member=kim, slug="climb", session_id=climb.pk, now=NOW + n * DAY)
        for n in range(2)
    )
    assert again.since == first.since == NOW
    rewards.stop_waiting(member=kim, slug="climb", session_id=climb.pk)
    assert not Waiting.objects.exists()


def test_seat_is_given_up_until_its_hours_before(alex: Member, climb: Session) -> None:
    row = book(alex, climb).redemption
    late = climb.starts_at - timedelta(hours=47)
    with pytest.raises(rewards.NotCancellable, match="48 hours"):
        rewards.give_up(member=alex, redemption_id=row.pk, now=late)
    assert rewards.give_up(member=alex, redemption_id=row.pk, now=NOW) == 250
    assert seats(climb) == 0
