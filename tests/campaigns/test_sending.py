"""Sending what is due: none lost, none doubled, and every one accounted for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from campaigns import launching, objections, rendering, reporting, sending
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Result, Unreachable
from campaigns.models import Campaign, Delivery, InboxMessage
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE, Post
from tests.factories import NOW
from tests.processes import at_once

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Post]:
    """Puts a channel in place of e-mail."""

    def place(*script: Result, **said: bool) -> Post:
        post = Post(*script, **said)
        monkeypatch.setitem(CARRIERS, "email", lambda: post)
        return post

    return place


def let_leases_run_out() -> None:
    Delivery.objects.filter(leased_until__isnull=False).update(leased_until=NOW.replace(year=2020))


def states() -> list[str]:
    return sorted(Delivery.objects.values_list("state", flat=True))


# --- Claiming -----------------------------------------------------------------------------------
def test_claim_takes_what_is_due_the_earliest_and_most_important_first() -> None:
    member = scenes.reader()
    for code, minutes, priority in (("c", 0, 10), ("a", -9, 10), ("b", 0, 90), ("z", 1, 99)):
        at = (DUE + minutes * MINUTE).isoformat()
        scenes.planned(code, entry={"kind": "moment", "at": at}, priority=priority)
    claimed = [sending.claim(channel="email", now=DUE, limit=1) for _ in range(4)]
    assert [[row.campaign.code for row in batch] for batch in claimed] == [["a"], ["b"], ["c"], []]
    assert {row.member for batch in claimed for row in batch} == {member}


def test_claim_has_one_lease_and_leaves_the_rest() -> None:
    scenes.readers(5)
    scenes.planned()
    first, second = (sending.claim(channel="email", now=DUE, limit=3) for _ in range(2))
    assert (len(first), len(second)) == (3, 2)
    leases = [{row.lease for row in batch} for batch in (first, second)]
    assert len(leases[0]) == len(leases[1]) == 1
    assert leases[0] != leases[1]
    assert {row.tries for row in first} == {1}


def test_claim_is_of_one_channel() -> None:
    factories.member()
    scenes.planned(channels=("inbox",))
    assert sending.claim(channel="email", now=DUE, limit=9) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_claims_of_two_workers_share_nothing_and_leave_nothing() -> None:
    scenes.readers(200)
    scenes.planned()
    shares = at_once(
        lambda _: [row.pk for row in sending.claim(channel="email", now=DUE, limit=150)],
        callers=2,
    )
    assert sorted(shares[0] + shares[1]) == sorted(Delivery.objects.values_list("pk", flat=True))


# --- The fence and the reaper -------------------------------------------------------------------
def test_worker_whose_lease_was_taken_records_nothing(post: Callable[..., Post]) -> None:
    member = scenes.reader()
    scenes.planned()
    slow = post()

    def sleep() -> None:
        let_leases_run_out()
        sending.reap()

    slow.before = sleep
    sending.send_due(channel="email", now=DUE)
    assert slow.tried == [member.pk]
    assert scenes.fate(member) == ("unknown", "in_doubt")


def test_worker_whose_message_is_anothers_by_now_leaves_it_to_that_one(
    post: Callable[..., Post],
) -> None:
    member = scenes.reader()
    scenes.planned()
    slow = post(resends_in_doubt=True)
    taken: list[Delivery] = []

    def sleep() -> None:
        let_leases_run_out()
        sending.reap()
        taken.extend(sending.claim(channel="email", now=DUE, limit=1))

    slow.before = sleep
    sending.send_due(channel="email", now=DUE)
    row = scenes.delivery(member)
    assert (row.state, row.lease) == ("claimed", taken[0].lease)


def test_worker_that_slept_before_sending_sends_nothing(
    post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.readers(3)
    scenes.planned()
    slow = post()
    render = rendering.render_batch

    def sleep(*args: Any, **said: Any) -> Any:
        let_leases_run_out()
        sending.reap()
        return render(*args, **said)

    monkeypatch.setattr(rendering, "render_batch", sleep)
    sending.send_due(channel="email", now=DUE)
    assert (slow.tried, states()) == ([], ["planned"] * 3)


@pytest.mark.parametrize(
    ("channel", "state", "deduplicates", "fate"),
    [
        ("email", "claimed", False, ("planned", "")),
        ("email", "sending", False, ("unknown", "in_doubt")),
        ("email", "sending", True, ("planned", "")),
        ("push", "claimed", False, ("planned", "")),
        ("push", "sending", False, ("planned", "")),
        ("inbox", "claimed", False, ("planned", "")),
        ("inbox", "sending", False, ("planned", "")),
    ],
)
def test_reaper_follows_the_rule_of_the_channel(
    channel: str, state: str, deduplicates: bool, fate: tuple[str, str], settings: Any
) -> None:
    settings.EMAIL_PROVIDER_DEDUPLICATES = deduplicates
    member = scenes.allow(scenes.reader(), "push")
    scenes.phone_of(member)
    scenes.planned(channels=(channel,))
    sending.claim(channel=channel, now=DUE, limit=1)
    Delivery.objects.update(state=state, sent_at=DUE)
    assert sending.reap() == 0
    let_leases_run_out()
    assert sending.reap() == 1
    row = scenes.delivery(member)
    assert (row.state, row.reason) == fate
    assert (row.lease, row.leased_until) == (None, None)
    # One in doubt may have arrived, and counts against the caps.
    assert row.sent_at == (DUE if row.state == "unknown" else None)


def test_service_message_of_a_dead_worker_is_sent_again_twice(post: Callable[..., Post]) -> None:
    member = scenes.reader()
    scenes.planned(purpose="service")
    sender, fates = post(), []
    for _ in range(3):
        sending.claim(channel="email", now=DUE, limit=1)
        Delivery.objects.update(state="sending", sent_at=DUE)
        let_leases_run_out()
        sending.reap()
        row = scenes.delivery(member)
        fates.append((row.state, row.resends, row.sent_at))
    assert fates == [("planned", 1, None), ("planned", 2, None), ("unknown", 2, DUE)]
    assert sender.tried == []


def test_service_message_that_cannot_double_is_sent_again_for_as_long_as_it_takes(
    post: Callable[..., Post],
) -> None:
    member = scenes.reader()
    scenes.planned(purpose="service")
    post(resends_in_doubt=True)
    for _ in range(4):
        sending.claim(channel="email", now=DUE, limit=1)
        Delivery.objects.update(state="sending", sent_at=DUE)
        let_leases_run_out()
        sending.reap()
    row = scenes.delivery(member)
    assert (row.state, row.resends) == ("planned", 0)


def test_message_in_doubt_is_not_sent_again(post: Callable[..., Post]) -> None:
    member = scenes.reader()
    scenes.planned()
    sending.claim(channel="email", now=DUE, limit=1)
    Delivery.objects.update(state="sending")
    let_leases_run_out()
    sender = post()
    scenes.turn(DUE + MINUTE)
    assert (sender.tried, scenes.fate(member)) == ([], ("unknown", "in_doubt"))


# --- Failures -----------------------------------------------------------------------------------
def test_provider_that_is_down_is_tried_again_with_growing_pauses(
    post: Callable[..., Post],
) -> None:
    member = scenes.reader()
    scenes.planned()
    sender = post(*[Result.RETRY] * 9)
    now, waits = DUE, []
    while scenes.fate(member)[0] != "failed":
        scenes.turn(now)
        row = scenes.delivery(member)
        waits.append((row.due_at - now) // MINUTE)
        now = row.due_at
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert (len(sender.tried), scenes.fate(member)) == (6, ("failed", "tries"))


def test_message_that_goes_at_the_second_try_is_sent(post: Callable[..., Post]) -> None:
    member = scenes.reader()
    scenes.planned()
    post(Result.RETRY)
    scenes.turn()
    row = scenes.delivery(member)
    assert (row.state, row.sent_at) == ("planned", None)  # Not against the caps meanwhile.
    scenes.turn(DUE + MINUTE)
    row = scenes.delivery(member)
    assert (row.state, row.sent_at, row.tries) == ("sent", DUE + MINUTE, 2)


def test_message_refused_for_good_is_not_tried_again(post: Callable[..., Post]) -> None:
    member = scenes.reader()
    scenes.planned()
    sender = post(Result.REFUSED)
    scenes.turn()
    scenes.turn(DUE + 60 * MINUTE)
    assert (len(sender.tried), scenes.fate(member)) == (1, ("failed", "refused"))
    assert scenes.delivery(member).sent_at is None


def test_message_the_provider_left_in_doubt_is_unknown(post: Callable[..., Post]) -> None:
    member = scenes.reader()
    scenes.planned()
    sender = post(Result.IN_DOUBT)
    scenes.turn()
    scenes.turn(DUE + 60 * MINUTE)
    assert (len(sender.tried), scenes.fate(member)) == (1, ("unknown", "in_doubt"))


@pytest.mark.parametrize(
    ("purpose", "script", "tries", "fate"),
    [
        ("marketing", [Result.IN_DOUBT], 1, ("unknown", "in_doubt")),
        ("service", [Result.IN_DOUBT], 2, ("sent", "")),
        ("service", [Result.IN_DOUBT] * 2, 3, ("sent", "")),
        ("service", [Result.IN_DOUBT] * 3, 3, ("unknown", "in_doubt")),
        (
            "service",
            [Result.RETRY, Result.IN_DOUBT, Result.RETRY, Result.IN_DOUBT],
            5,
            ("sent", ""),
        ),
        # It may have arrived, so it has not failed.
        ("service", [Result.IN_DOUBT] + [Result.RETRY] * 5, 6, ("unknown", "in_doubt")),
        ("service", [Result.RETRY] * 6, 6, ("failed", "tries")),
    ],
    ids=str,
)
def test_message_in_doubt_follows_the_purpose_of_its_campaign(
    purpose: str,
    script: list[Result],
    tries: int,
    fate: tuple[str, str],
    post: Callable[..., Post],
) -> None:
    member = scenes.reader()
    scenes.planned(purpose=purpose)
    sender = post(*script)
    now = DUE
    while scenes.delivery(member).state == "planned":
        scenes.turn(now)
        now = scenes.delivery(member).due_at
    assert (len(sender.tried), scenes.fate(member)) == (tries, fate)


def test_message_is_not_sent_again_a_third_time_by_the_database() -> None:
    scenes.reader()
    scenes.planned(purpose="service")
    with pytest.raises(IntegrityError, match="delivery_resent_twice_at_most"):
        Delivery.objects.update(resends=3)


def test_one_failure_does_not_touch_its_neighbours(post: Callable[..., Post]) -> None:
    scenes.readers(4)
    scenes.planned()
    post(Result.SENT, Result.REFUSED, Result.RETRY, Result.SENT)
    sending.send_due(channel="email", now=DUE)
    assert states() == ["failed", "planned", "sent", "sent"]


def test_channel_that_does_not_open_puts_everything_off(
    post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.readers(3)
    scenes.planned()
    closed = post()

    def refuse() -> None:
        raise Unreachable("connection refused")

    monkeypatch.setattr(closed, "open", refuse)
    assert sending.send_due(channel="email", now=DUE) == sending.Sent(3, 0)
    assert set(Delivery.objects.values_list("state", "due_at", "sent_at")) == {
        ("planned", DUE + MINUTE, None)
    }


@pytest.mark.parametrize(
    "body",
    ["{{ 1 | divided_by: member.points }}", "{{ member.family_name | floor }}"],
    ids=["a refusal of the template's", "an accident of a filter's"],
)
def test_message_that_cannot_be_written_fails_alone(body: str, mailoutbox: list[Any]) -> None:
    unlucky, lucky = scenes.reader(family_name="inf"), scenes.reader()
    factories.grant(lucky, 5)
    campaign = scenes.planned(variants=[{**scenes.VARIANT, "body": body}])
    scenes.turn()
    assert scenes.fates(campaign) == {
        unlucky.pk: ("failed", "rendering"),
        lucky.pk: ("sent", ""),
    }
    assert [mail.to for mail in mailoutbox] == [[f"Alex <{lucky.email}>"]]


# --- Pausing ------------------------------------------------------------------------------------
def test_paused_campaign_keeps_its_messages_and_nobody_spins_on_them() -> None:
    scenes.readers(3)
    scenes.planned()
    launching.pause(code="news", now=NOW)
    assert sending.send_due(channel="email", now=DUE) == sending.Sent(0, 0)
    assert states() == ["planned"] * 3
    launching.resume(code="news", now=DUE)
    assert sending.send_due(channel="email", now=DUE) == sending.Sent(3, 3)


def test_pause_is_read_after_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    scenes.readers(3)
    scenes.planned()
    judge = objections.judge

    def pause(*args: Any, **said: Any) -> Any:
        launching.pause(code="news", now=DUE)
        return judge(*args, **said)

    monkeypatch.setattr(objections, "judge", pause)
    sending.send_due(channel="email", now=DUE)
    assert set(Delivery.objects.values_list("state", "tries", "leased_until")) == {
        ("planned", 0, None)
    }


# --- The inbox ----------------------------------------------------------------------------------
def test_inbox_message_is_there_exactly_once() -> None:
    member = factories.member()
    scenes.planned(channels=("inbox",))
    scenes.turn()
    Campaign.objects.update(planned_until=None, state="live")
    scenes.turn(DUE + MINUTE)
    (message,) = InboxMessage.objects.all()
    assert (message.member, message.subject, message.created_at) == (member, "Hello Alex", DUE)


def test_inbox_message_and_its_record_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    member = factories.member()
    scenes.planned(channels=("inbox",))
    with monkeypatch.context() as patch:
        send = CARRIERS["inbox"].send

        def die(carrier: Any, messages: Any, *, now: Any) -> None:
            send(carrier, messages, now=now)
            raise KeyboardInterrupt

        patch.setattr(CARRIERS["inbox"], "send", die)
        with pytest.raises(KeyboardInterrupt):
            sending.send_due(channel="inbox", now=DUE)
    assert (states(), InboxMessage.objects.count()) == (["claimed"], 0)
    let_leases_run_out()
    scenes.turn(DUE + MINUTE)
    assert (scenes.fate(member)[0], InboxMessage.objects.count()) == ("sent", 1)


# --- The end ------------------------------------------------------------------------------------
def test_numbers_add_up_whatever_happens(post: Callable[..., Post]) -> None:
    members = scenes.readers(60)
    for number, member in enumerate(members):
        if number % 5 == 0:
            scenes.decide(member, "email", "withdrawn")
    campaign = scenes.planned(holdout_percent=20)
    for member in members[1::5]:
        scenes.decide(member, "email", "withdrawn")
    post(*[Result.REFUSED, Result.IN_DOUBT, Result.RETRY, Result.SENT] * 15)
    for now in (DUE, DUE + MINUTE, DUE + timedelta(hours=25)):
        sending.send_due(channel="email", now=now, limit=20)
        assert reporting.balance(campaign).adds_up
    scenes.turn(DUE + timedelta(hours=25))
    balance = reporting.balance(campaign)
    assert (balance.entered, balance.to_go, balance.adds_up) == (60, 0, True)
    assert min(balance.sent, balance.unknown, balance.held_out, balance.objected) > 0
    assert min(balance.failed, balance.expired) > 0
    assert Campaign.objects.get().state == "finished"


def test_campaign_is_finished_when_nothing_is_owed_and_nobody_can_enter() -> None:
    scenes.readers(3)
    campaign = scenes.planned()
    assert sending.finish(now=DUE - MINUTE) == 0
    assert sending.finish(now=DUE) == 0  # Three are owed.
    sending.send_due(channel="email", now=DUE, limit=2)
    assert sending.finish(now=DUE) == 0
    sending.send_due(channel="email", now=DUE)
    assert sending.finish(now=DUE) == 0  # Its last moment may not be planned yet.
    scenes.plan(campaign, now=DUE)
    assert sending.finish(now=DUE) == 1
    campaign.refresh_from_db()
    assert campaign.state == "finished"


def test_campaign_that_nobody_entered_is_finished_too() -> None:
    campaign = scenes.live(audience={"condition": "labelled", "label": "nobody"})
    scenes.turn()
    campaign.refresh_from_db()
    assert (campaign.state, Member.objects.count()) == ("finished", 0)


def test_campaign_that_comes_round_is_not_finished() -> None:
    scenes.reader()
    campaign = scenes.live(entry={"kind": "recurring", "crontab": "0 12 * * *"})
    scenes.turn()
    campaign.refresh_from_db()
    assert campaign.state == "live"
