"""Points that come with a message: once a delivery, within the budget, on a sound ledger."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from campaigns import costs, files, gifts, preflight, rendering, sending, settling, simulating
from campaigns.channels.contract import Result, Unreachable
from campaigns.models import (
    Campaign,
    ChannelState,
    Delivery,
    InboxMessage,
    PointsGift,
    Spending,
)
from config.errors import Invalid
from loyalty import auditing, explaining, merging
from loyalty.models import Entry, Lot, PointsPolicy, Reward
from members import privacy
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.desk import page
from tests.campaigns.scenes import DUE, Post
from tests.factories import NOW
from tests.processes import at_once

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TEXT = {**scenes.VARIANT, "body": "{{ gift.points }} points for you, {{ member.points }} in all"}


def planned(**said: Any) -> Campaign:
    PointsPolicy.objects.update(grants_a_day=10**6)  # One person may launch it.
    return scenes.planned(**{"variants": [TEXT], "points": 50, **said})


def balance(of: Member) -> int:
    return factories.account(of).balance


def entries(of: Member) -> list[tuple[str, int, str]]:
    rows = Entry.objects.filter(account=of.pk).order_by("version")
    return list(rows.values_list("kind", "amount", "why"))


@pytest.fixture(autouse=True)
def ledger_is_sound() -> Any:
    yield
    assert auditing.audit().findings == ()


# --- Given --------------------------------------------------------------------------------------
def test_message_brings_its_points_and_says_so() -> None:
    member = factories.member()
    factories.grant(member, 7)
    planned(channels=("inbox",))
    scenes.turn()
    assert InboxMessage.objects.get().text == "50 points for you, 57 in all"
    entry = Entry.objects.get(campaign_gift__delivery=scenes.delivery(member))
    assert (entry.kind, entry.amount, entry.why) == ("granted", 50, "campaign news")
    assert (entry.award, entry.actor, entry.at) == (None, None, DUE)
    assert Lot.objects.get(entry=entry).expires_at == DUE.replace(year=2029)
    assert explaining.why(entry=entry).sentence == "Came with a message of ours (campaign news)."


def test_voucher_and_points_come_together() -> None:
    Reward.objects.create(
        slug="ten-off", name="Ten off", kind="voucher", points=500, value=10, currency="USD"
    )
    member = factories.member()
    planned(channels=("inbox",), gift="ten-off")
    scenes.turn()
    assert (balance(member), member.vouchers.count()) == (50, 1)


def test_debt_is_paid_first() -> None:
    member = factories.member()
    with factories.book(member) as book:
        book._write(member.pk, Entry.Kind.RETURNED, NOW, amount=0, debt=30)
    planned(channels=("inbox",))
    scenes.turn()
    account = factories.account(member)
    assert (account.balance, account.debt) == (20, 0)


def test_held_out_and_objected_get_no_points() -> None:
    factories.members(3)  # They allow no e-mail.
    planned(holdout_percent=50)
    scenes.turn()
    assert not Entry.objects.exists()


def test_message_that_is_tried_again_brings_its_points_once() -> None:
    member = scenes.reader()
    planned()
    post = Post(Result.RETRY, Result.RETRY)
    for number in range(3):
        sending.send_due(channel="email", now=DUE + 10 * number * MINUTE, carrier=post)
    assert (scenes.fate(member), balance(member)) == (("sent", ""), 50)


class Down(Post):
    def open(self) -> None:
        raise Unreachable("nobody answers")


def test_message_that_waits_for_its_provider_brings_its_points_once() -> None:
    member = scenes.reader()
    planned()
    sending.send_due(channel="email", now=DUE, carrier=Down())
    sending.send_due(channel="email", now=DUE + 5 * MINUTE, carrier=Post())
    assert (scenes.fate(member), balance(member)) == (("sent", ""), 50)


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_eight_workers_give_everybody_their_points_once_and_keep_the_budget() -> None:
    members = scenes.readers(60)
    planned(channels=("inbox",), budget={"points": 50 * 40})

    def work(_: int) -> int:
        return sum(sending.send_due(channel="inbox", now=DUE, limit=5).sent for _ in range(5))

    assert sum(at_once(work, callers=8)) == 40
    assert Spending.objects.get().points == 50 * 40
    given = Entry.objects.filter(account__in=[m.pk for m in members]).values_list("amount")
    assert list(given) == [(50,)] * 40
    assert PointsGift.objects.count() == 40


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_senders_and_tills_do_not_wait_in_a_circle() -> None:
    members = scenes.readers(40)
    planned(channels=("inbox",))

    def work(number: int) -> int:
        if number % 2:
            for member in members[:: 1 if number == 1 else -1]:
                factories.buy(member, 20, reference=f"{number}-{member.pk}")
            return 0
        return sum(sending.send_due(channel="inbox", now=DUE, limit=10).sent for _ in range(4))

    assert sum(at_once(work, callers=4)) == 40
    assert {balance(member) for member in members} == {50 + 2 * 20}


# --- Taken back ---------------------------------------------------------------------------------
def refused(member: Member) -> None:
    """The member's message is cleared, and its provider refuses it for good."""
    planned()
    sending.send_due(channel="email", now=DUE, carrier=Post(Result.REFUSED))
    assert scenes.fate(member) == ("failed", "refused")


def test_points_of_a_message_that_never_went_out_are_taken_back_once() -> None:
    member = scenes.reader()
    refused(member)
    assert balance(member) == 50
    assert [gifts.take_back(now=DUE + MINUTE) for _ in range(2)] == [1, 0]
    assert entries(member) == [
        ("granted", 50, "campaign news"), ("returned", -50, "campaign news"),
    ]  # fmt: skip
    taken = Entry.objects.get(kind="returned")
    assert explaining.why(entry=taken).sentence == (
        "Taken back: the message they came with never went out (campaign news)."
    )


def test_points_that_were_spent_by_then_stay_spent() -> None:
    member = scenes.reader()
    factories.grant(member, 100, expires_at=NOW + DAY * 9000)
    refused(member)
    factories.spend(member, 20, now=DUE)  # Soonest-expiring first: of the gift.
    assert gifts.take_back(now=DUE + MINUTE) == 1
    assert balance(member) == 100
    gift = PointsGift.objects.get()
    assert (gift.points, gift.taken_back) == (50, 30)
    assert factories.account(member).debt == 0


def test_points_of_a_message_that_expires_while_it_waits_are_taken_back() -> None:
    member = scenes.reader()
    planned(expires_hours=1)
    sending.send_due(channel="email", now=DUE, carrier=Down())
    assert balance(member) == 50
    scenes.turn(DUE + DAY)
    assert (scenes.fate(member), balance(member)) == (("expired", "late"), 0)


def test_points_of_a_message_in_doubt_stay() -> None:
    member = scenes.reader()
    planned()
    sending.send_due(channel="email", now=DUE, carrier=Post(Result.IN_DOUBT))
    assert gifts.take_back(now=DUE + MINUTE) == 0
    assert (scenes.fate(member), balance(member)) == (("unknown", "in_doubt"), 50)


def test_points_of_a_message_that_was_being_sent_when_its_worker_died_stay(settings: Any) -> None:
    settings.DELIVERY_LEASE_SECONDS = 0
    member = scenes.reader()
    planned()
    (row,) = sending.claim(channel="email", now=DUE, limit=1)
    gifts.promise([row], now=DUE)
    with transaction.atomic():
        (cleared,) = sending._gate([row], now=DUE)
    (message,), _ = rendering.render_batch([cleared], now=DUE)
    assert settling.advance([], [message]) == {row.pk}
    settings.EMAIL_PROVIDER_DEDUPLICATES = True
    assert sending.reap() == 1
    sending.send_due(channel="email", now=DUE, carrier=Post(Result.REFUSED))
    assert gifts.take_back(now=DUE + DAY) == 0
    assert (scenes.fate(member), balance(member)) == (("failed", "refused"), 50)


def test_points_of_a_service_message_that_may_have_arrived_stay() -> None:
    member = scenes.reader()
    planned(purpose="service")
    post = Post(Result.IN_DOUBT, Result.REFUSED)
    for number in range(2):
        sending.send_due(channel="email", now=DUE + 10 * number * MINUTE, carrier=post)
    assert gifts.take_back(now=DUE + DAY) == 0
    assert (scenes.fate(member), balance(member)) == (("failed", "refused"), 50)


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_two_clocks_take_back_once() -> None:
    members = scenes.readers(20)
    planned()
    sending.send_due(channel="email", now=DUE, carrier=Post(*[Result.REFUSED] * 20))
    at_once(lambda _: gifts.take_back(now=DUE + MINUTE), callers=4)
    assert all(len(entries(member)) == 2 and balance(member) == 0 for member in members)


def test_points_that_moved_to_another_number_stay() -> None:
    gone, kept = scenes.reader(), factories.member()
    refused(gone)
    merging.merge(gone=gone, kept=kept, reason="one person", by=None, now=DUE)
    assert gifts.take_back(now=DUE + MINUTE) == 1
    assert (balance(gone), balance(kept), PointsGift.objects.get().taken_back) == (0, 50, 0)


def test_erasing_forgets_the_message_and_keeps_the_books() -> None:
    member = scenes.reader()
    planned()
    sending.send_due(channel="email", now=DUE, carrier=Post())
    (told,) = privacy.export(member=member)["campaigns.pointsgift"]
    assert told["points"] == 50
    privacy.erase(member=member, now=DUE)
    assert not PointsGift.objects.exists()
    assert balance(member) == 50


# --- Budgets ------------------------------------------------------------------------------------
def fates() -> dict[tuple[str, str], int]:
    rows = list(Delivery.objects.values_list("state", "reason"))
    return {fate: rows.count(fate) for fate in rows}


def test_budget_of_points_is_never_overdrawn() -> None:
    scenes.readers(4)
    planned(budget={"points": 149})
    scenes.turn()
    assert fates() == {("sent", ""): 2, ("objected", "budget"): 2}
    assert Spending.objects.get().points == 100


def test_points_are_money_where_the_policy_says_what_they_are_worth() -> None:
    factories.points_pay("0.012345")
    ChannelState.objects.filter(channel="email").update(price="0.10")
    scenes.readers(4)
    planned(budget={"money": "1.50"})
    scenes.turn()
    assert fates() == {("sent", ""): 2, ("objected", "budget"): 2}
    assert Spending.objects.get().money == Decimal("1.4346")  # Twice 0.10 and 0.6173, rounded up.


@pytest.mark.parametrize("currency", ["", "EUR"])
def test_points_of_no_value_in_our_money_cost_none(currency: str) -> None:
    if currency:
        factories.points_pay("5", currency)
    scenes.readers(2)
    planned(budget={"money": "1.00"})
    scenes.turn()
    assert (fates(), Spending.objects.get().money) == ({("sent", ""): 2}, Decimal(0))


# --- Foreseen, counted, written down --------------------------------------------------------------
def test_simulation_counts_points_and_gives_none() -> None:
    members = scenes.readers(3)
    factories.grant(members[0], 5)
    Lot.objects.update(id=1)  # The first id of a table that begins anew.
    scenes.draft(variants=[TEXT], points=50, budget={"points": 100})
    found = simulating.simulate(code="news", start=NOW, days=1)
    assert (found.totals.sent, found.totals.points) == (2, 100)
    assert found.totals.reasons == {"budget": 1}
    assert (Entry.objects.count(), balance(members[0])) == (1, 5)
    factories.grant(members[0], 6)
    assert balance(members[0]) == 11


def test_what_a_campaign_cost_counts_its_points_less_those_taken_back() -> None:
    scenes.readers(3)
    PointsPolicy.objects.update(point_value=Decimal("0.01"), point_currency="USD")
    campaign = planned()
    sending.send_due(channel="email", now=DUE, carrier=Post(Result.REFUSED))
    gifts.take_back(now=DUE)
    cost = costs.point_cost(campaign)
    assert (cost.by_messages, cost.points, cost.money) == (100, 100, Decimal("1.00"))


def test_pages_tell_how_many_points_came_and_would_come(marketer: Client) -> None:
    scenes.readers(2)
    campaign = planned()
    scenes.turn()
    numbers = marketer.get(page("campaign_numbers", campaign.pk)).content.decode()
    assert "points that came with its messages" in numbers
    step = {"channels": ["inbox"], "variants": [TEXT], "points": 1_234}
    later = factories.campaign("later", steps=[step], now=timezone.now())
    checked = marketer.get(page("campaign_check", later.pk)).content.decode()
    assert "Brings 1,234 points." in checked
    foreseen = marketer.get(page("campaign_foresee", later.pk), {"days": 2}).content.decode()
    assert "2,468 points given" in foreseen


def test_preflight_misses_points_that_a_text_names_and_nothing_brings() -> None:
    factories.member()
    with_points = scenes.draft(variants=[TEXT], points=50)
    without = scenes.draft("other", variants=[TEXT])
    assert [found.what for found in preflight.look(with_points, now=NOW)] == []
    assert [found.what for found in preflight.look(without, now=NOW)] == ["gift.points"]


def test_points_stand_in_the_campaigns_file() -> None:
    exported = files.export(scenes.draft(points=50, budget={"points": 900}))
    assert (exported["steps"][0]["points"], exported["budget"]) == (50, {"points": 900})
    assert files.load(exported, now=NOW) == "unchanged"


@pytest.mark.parametrize("points", [-1, 1.5, "50", True, None, 100_001])
def test_points_that_are_none_are_refused(points: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        scenes.draft(points=points)
    assert refusal.value.pointer == "/steps/0/points"
