"""How much of a channel a claim may take: its rate, and nothing while its provider fails."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from campaigns import pacing, sending
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Result, Unreachable
from campaigns.models import ChannelState, Delivery
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE, Post
from tests.processes import at_once

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
RETRY, SENT, REFUSED, IN_DOUBT = Result.RETRY, Result.SENT, Result.REFUSED, Result.IN_DOUBT


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Post]:
    def place(*script: Result) -> Post:
        post = Post(*script)
        monkeypatch.setitem(CARRIERS, "email", lambda: post)
        return post

    return place


def standing() -> tuple[int, datetime | None]:
    state = ChannelState.objects.get(channel="email")
    return state.failures, state.open_until


def rate(per_minute: int) -> None:
    ChannelState.objects.filter(channel="email").update(max_per_minute=per_minute)


def send(now: datetime = DUE, limit: int = sending.BATCH) -> sending.Sent:
    return sending.send_due(channel="email", now=now, limit=limit)


def tries() -> list[int]:
    return sorted(Delivery.objects.values_list("tries", flat=True))


# --- The breaker --------------------------------------------------------------------------------
def fail(times: int, *, now: datetime = DUE) -> None:
    for _ in range(times):
        pacing.note(channel="email", results=[RETRY], now=now)


def test_breaker_opens_after_five_failures_in_a_row() -> None:
    fail(4)
    assert standing() == (4, None)
    fail(1)
    assert standing() == (5, DUE + MINUTE)


@pytest.mark.parametrize(
    ("results", "failures"),
    [
        ([RETRY, RETRY], 5),
        ([RETRY, IN_DOUBT], 5),
        ([RETRY, SENT], 0),
        ([REFUSED], 0),  # Somebody is there to refuse.
        ([], 4),  # Nothing was asked.
    ],
)
def test_batch_counts_as_a_failure_if_nothing_was_taken(
    results: list[Result], failures: int
) -> None:
    fail(4)
    pacing.note(channel="email", results=results, now=DUE)
    assert standing()[0] == failures


def test_pauses_double_up_to_half_an_hour_and_one_success_ends_them() -> None:
    fail(4)
    now, pauses = DUE, []
    for _ in range(8):
        fail(1, now=now)
        until = standing()[1]
        assert until is not None
        pauses.append((until - now) // MINUTE)
        now = until
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    pacing.note(channel="email", results=[SENT], now=now)
    assert standing() == (0, None)


def test_late_failures_of_other_workers_do_not_lengthen_a_pause() -> None:
    fail(9)
    assert standing() == (5, DUE + MINUTE)


def test_channels_fail_apart() -> None:
    fail(9)
    assert ChannelState.objects.get(channel="push").open_until is None
    assert pacing.allowance(channel="push", most=200, now=DUE) == 200


def test_nothing_is_claimed_while_the_breaker_is_open(post: Callable[..., Post]) -> None:
    scenes.readers(20)
    scenes.planned()
    sender = post()
    fail(5)
    assert (send(), sender.tried, tries()) == (sending.Sent(), [], [0] * 20)


def test_a_few_try_whether_the_provider_is_back(post: Callable[..., Post]) -> None:
    scenes.readers(30)
    scenes.planned()
    post(*[RETRY] * 10)
    fail(5)
    assert send(DUE + MINUTE) == sending.Sent(10, 0)
    assert standing() == (6, DUE + 3 * MINUTE)
    assert send(DUE + 2 * MINUTE) == sending.Sent()
    assert send(DUE + 3 * MINUTE) == sending.Sent(10, 10)
    assert standing() == (0, None)
    assert send(DUE + 3 * MINUTE) == sending.Sent(20, 20)


def test_outage_uses_up_the_tries_of_few(post: Callable[..., Post]) -> None:
    scenes.readers(100)
    scenes.planned(expires_hours=48)
    post(*[RETRY] * 10_000)
    for minute in range(120):
        scenes.turn(DUE + minute * MINUTE)
    assert {row.state for row in Delivery.objects.all()} == {"planned"}
    # Five batches of ten until it opened, and ten at each of 1, 3, 7, 15, 31, 61 and 91 minutes.
    assert sum(tries()) == (5 + 7) * 10


def test_rest_of_a_batch_is_put_off_untried_after_ten_failures(post: Callable[..., Post]) -> None:
    scenes.readers(25)
    scenes.planned()
    sender = post(*[SENT] * 3, *[RETRY] * 10)
    assert send() == sending.Sent(25, 3)
    assert len(sender.tried) == 13
    assert tries() == [0] * 12 + [1] * 13
    rows = Delivery.objects.filter(tries=0).values_list(
        "state", "due_at", "sent_at", "leased_until"
    )
    assert set(rows) == {("planned", DUE + MINUTE, None, None)}


def test_provider_that_is_not_there_costs_no_tries_and_opens_the_breaker(
    post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.readers(3)
    scenes.planned()
    closed = post()

    def refuse() -> None:
        raise Unreachable("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(closed, "open", refuse)
        for minute in range(6):
            scenes.turn(DUE + minute * MINUTE)
    assert (tries(), standing()[0]) == ([0] * 3, 6)
    scenes.turn(DUE + 7 * MINUTE)
    assert (len(closed.tried), standing()) == (3, (0, None))


# --- The rate -----------------------------------------------------------------------------------
def test_rate_is_kept_in_any_minute(post: Callable[..., Post]) -> None:
    scenes.readers(25)
    scenes.planned()
    post()
    rate(10)
    half = timedelta(seconds=30)
    assert [send(DUE, limit=6).sent, send(DUE + half).sent, send(DUE + half).sent] == [6, 4, 0]
    assert send(DUE + MINUTE).sent == 6
    assert send(DUE + MINUTE + half).sent == 4


def test_rate_counts_what_another_worker_has_claimed(post: Callable[..., Post]) -> None:
    scenes.readers(25)
    scenes.planned()
    rate(10)
    assert len(sending.claim(channel="email", now=DUE, limit=7)) == 7
    assert len(sending.claim(channel="email", now=DUE, limit=7)) == 3
    assert sending.claim(channel="email", now=DUE, limit=7) == []


def test_rate_does_not_count_what_was_not_sent(post: Callable[..., Post]) -> None:
    members = scenes.readers(8)
    scenes.planned()
    for member in members[:4]:
        scenes.decide(member, "email", "withdrawn")
    post()
    rate(4)
    assert [send(limit=4).sent for _ in range(3)] == [0, 4, 0]


def test_rate_is_of_one_channel() -> None:
    member = scenes.allow(scenes.reader(), "push")
    scenes.phone_of(member)
    scenes.planned(channels=("push",))
    rate(1)
    assert len(sending.claim(channel="push", now=DUE, limit=9)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_two_workers_together_keep_the_rate() -> None:
    scenes.readers(60)
    scenes.planned()
    rate(25)
    shares = at_once(
        lambda _: [len(sending.claim(channel="email", now=DUE, limit=20)) for _ in range(3)],
        callers=2,
    )
    assert sum(map(sum, shares)) == 25


def test_rate_of_nothing_is_refused() -> None:
    with pytest.raises(IntegrityError, match="channel_rate_positive"):
        rate(0)


# --- At the desk --------------------------------------------------------------------------------
def test_marketer_sees_what_waits_sets_a_rate_and_tries_again(marketer: Client) -> None:
    page = reverse("admin:campaigns_channelstate_changelist")
    fail(5, now=datetime.now(tz=DUE.tzinfo))
    assert "fails; tried again at" in marketer.get(page).content.decode()
    assert "Nothing goes out by e-mail" in marketer.get(reverse("admin:index")).content.decode()
    change = reverse("admin:campaigns_channelstate_change", args=["email"])
    assert marketer.post(change, {"max_per_minute": "600", "price": "0"}).status_code == 302
    marketer.post(page, {"action": "try_now", "_selected_action": ["email"]})
    state = ChannelState.objects.get(channel="email")
    assert (state.max_per_minute, state.failures, state.open_until) == (600, 0, None)
    assert "at most 600 a minute" in marketer.get(page).content.decode()


def test_rate_of_nothing_is_refused_at_the_desk(marketer: Client) -> None:
    change = reverse("admin:campaigns_channelstate_change", args=["email"])
    assert marketer.post(change, {"max_per_minute": "0"}).status_code == 200
    assert ChannelState.objects.get(channel="email").max_per_minute is None
