"""Budgets: never overdrawn, whoever sends; a day's share lets messages wait for the next one."""

from datetime import timedelta
from decimal import Decimal

import pytest

from campaigns import sending
from campaigns.channels.contract import Result, Unreachable
from campaigns.models import ChannelState, Delivery, Spending
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE, Post
from tests.processes import at_once

pytestmark = pytest.mark.django_db

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def fates() -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for state, reason in Delivery.objects.values_list("state", "reason"):
        found[state, reason] = found.get((state, reason), 0) + 1
    return found


def test_budget_of_messages_is_used_up_and_the_rest_say_so() -> None:
    scenes.readers(5)
    scenes.planned(budget={"sends": 3})
    scenes.turn()
    assert fates() == {("sent", ""): 3, ("objected", "budget"): 2}
    assert Spending.objects.get().sends == 3


def test_budget_of_money_counts_what_a_channel_costs() -> None:
    ChannelState.objects.filter(channel="email").update(price="0.40")
    scenes.readers(5)
    scenes.planned(budget={"money": "1.00"})
    scenes.turn()
    assert fates() == {("sent", ""): 2, ("objected", "budget"): 3}
    assert Spending.objects.get().money == Decimal("0.80")


def test_share_of_a_day_spreads_messages_over_days() -> None:
    scenes.readers(5)
    scenes.planned(budget={"sends_per_day": 2}, expires_hours=72, in_quiet_hours="wait")
    sent = []
    for days in range(3):
        # Midnight is quiet: what waits for the day also waits for its morning.
        scenes.turn(DUE + days * DAY)
        sent.append(Delivery.objects.filter(state="sent").count())
    assert sent == [2, 4, 5]


def test_share_of_a_day_that_comes_too_late_is_an_objection() -> None:
    scenes.readers(3)
    scenes.planned(budget={"sends_per_day": 2}, expires_hours=2)
    scenes.turn()
    assert fates() == {("sent", ""): 2, ("objected", "budget"): 1}


def test_campaign_without_a_budget_counts_nothing() -> None:
    scenes.readers(2)
    scenes.planned()
    scenes.turn()
    assert not Spending.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_budget_is_strict_among_eight_workers() -> None:
    scenes.readers(120)
    scenes.planned(budget={"sends": 50}, channels=("inbox",))

    def work(_: int) -> int:
        return sum(sending.send_due(channel="inbox", now=DUE, limit=5).sent for _ in range(5))

    assert sum(at_once(work, callers=8)) == 50
    assert fates()["sent", ""] == 50
    assert Spending.objects.get().sends == 50


class Down(Post):
    def open(self) -> None:
        raise Unreachable("nobody answers")


def test_message_that_waits_for_its_provider_is_charged_once() -> None:
    member = scenes.reader()
    scenes.planned(budget={"sends": 1})
    sending.send_due(channel="email", now=DUE, carrier=Down())
    sending.send_due(channel="email", now=DUE + MINUTE * 5, carrier=Post())
    assert (scenes.fate(member), Spending.objects.get().sends) == (("sent", ""), 1)


def test_message_that_is_tried_again_is_charged_once() -> None:
    member = scenes.reader()
    scenes.planned(budget={"sends": 1})
    post = Post(Result.RETRY, Result.RETRY)
    for number in range(3):
        sending.send_due(channel="email", now=DUE + MINUTE * 10 * number, carrier=post)
    assert (scenes.fate(member), Spending.objects.get().sends) == (("sent", ""), 1)


def test_share_of_a_day_waits_for_the_morning_where_the_night_is_quiet() -> None:
    scenes.readers(3)
    scenes.planned(budget={"sends_per_day": 2}, expires_hours=72)
    for hours in range(0, 48, 4):
        scenes.turn(DUE + timedelta(hours=hours))
    assert fates() == {("sent", ""): 3}
