"""Telling webhooks: sent once it was taken, again under the same id until then, never for ever."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns import clock
from members import announcing, posting, privacy, tasks, webhooks
from members.models import Announcement, Member, Webhook
from members.posting import Answer
from tests import factories, processes, shops
from tests.factories import NOW
from tests.shops import Shop

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with shops.opened() as shop:
        yield shop


def subscribe(shop: Shop, *kinds: str, name: str = "shop") -> tuple[Webhook, str]:
    return webhooks.subscribe(name=name, url=shop.url, kinds=kinds or ("points.*",), now=NOW)


def planned(webhook: Webhook, many: int = 1) -> list[Announcement]:
    return [announcing.try_out(webhook=webhook, now=NOW) for _ in range(many)]


def states() -> Counter[str]:
    return Counter(Announcement.objects.values_list("state", flat=True))


def let_leases_run_out() -> None:
    Announcement.objects.update(leased_until=timezone.now() - MINUTE)


# --- Well answered ----------------------------------------------------------------------------
def test_points_reach_the_shop_signed(shop: Shop, alex: Member) -> None:
    _, secret = subscribe(shop)
    factories.buy(alex, "20")
    assert announcing.deliver(now=NOW) == announcing.Told(claimed=1, sent=1)
    (heard,) = shop.heard
    assert heard.is_signed_with(secret)
    row = Announcement.objects.get()
    assert heard.said == row.body
    assert heard.headers["webhook-id"] == str(row.event_id)
    assert heard.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert heard.headers["content-type"] == "application/json"
    assert (row.state, row.sent_at, row.last_status, row.tries) == ("sent", NOW, 204, 1)


def test_signature_is_another_with_another_secret(shop: Shop) -> None:
    webhook, _ = subscribe(shop)
    _, foreign = subscribe(shop, name="till")
    planned(webhook)
    announcing.deliver(now=NOW)
    assert not shop.heard[0].is_signed_with(foreign)


def test_what_was_sent_is_not_sent_again(shop: Shop) -> None:
    planned(subscribe(shop)[0])
    announcing.deliver(now=NOW)
    assert announcing.deliver(now=NOW + DAY).claimed == 0
    assert len(shop.heard) == 1


def test_nothing_is_sent_before_it_is_due(shop: Shop) -> None:
    planned(subscribe(shop)[0])
    assert announcing.deliver(now=NOW - MINUTE).claimed == 0


def test_all_that_is_due_is_sent_whatever_the_batch(shop: Shop) -> None:
    sent = {str(row.event_id) for row in planned(subscribe(shop)[0], 30)}
    assert [announcing.deliver(now=NOW, limit=20).sent for _ in range(3)] == [20, 10, 0]
    assert (len(shop.ids), set(shop.ids)) == (30, sent)


def test_task_goes_on_until_nothing_is_due(shop: Shop) -> None:
    webhook, _ = subscribe(shop)
    for _ in range(announcing.BATCH + 5):
        announcing.try_out(webhook=webhook, now=timezone.now())
    tasks.announce()
    assert states() == {"sent": announcing.BATCH + 5}


def test_turn_of_the_clock_tells_and_forgets(shop: Shop) -> None:
    planned(subscribe(shop)[0], 2)
    assert clock.turn(now=NOW).done["announced"] == 2
    later = clock.turn(now=NOW + timedelta(days=31)).done
    assert (later["announced"], later["announcements dropped"]) == (0, 2)


def test_both_secrets_sign_for_a_day_after_rotation(shop: Shop) -> None:
    webhook, before = subscribe(shop)
    after = webhooks.rotate(webhook=webhook, now=NOW)
    planned(webhook)
    announcing.deliver(now=NOW)
    planned(webhook)
    announcing.deliver(now=NOW + DAY)
    signed = [[heard.is_signed_with(key) for key in (before, after)] for heard in shop.heard]
    assert signed == [[True, True], [False, True]]


# --- Badly answered ---------------------------------------------------------------------------
@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_refused_event_is_sent_again_under_its_id(shop: Shop, status: int) -> None:
    planned(subscribe(shop)[0])
    shop.answers = [status]
    announcing.deliver(now=NOW)
    row = Announcement.objects.get()
    assert (row.state, row.last_status, row.due_at) == (
        "failed", status, NOW + timedelta(seconds=5),
    )  # fmt: skip
    assert announcing.deliver(now=row.due_at - timedelta(seconds=1)).claimed == 0
    assert announcing.deliver(now=row.due_at).sent == 1
    assert (len(shop.ids), len(set(shop.ids))) == (2, 1)
    assert [heard.body for heard in shop.heard] == [shop.heard[0].body] * 2


def test_tries_come_later_and_later_and_end(shop: Shop) -> None:
    planned(subscribe(shop)[0])
    shop.answers = [500] * 99
    now, pauses = NOW, []
    while (row := Announcement.objects.get()).state != "dead":
        pauses.append(row.due_at - now)
        now = row.due_at
        announcing.deliver(now=now)
    assert pauses == [timedelta(0), *announcing.DELAYS]
    assert (row.tries, len(set(shop.ids)), announcing.deliver(now=now + DAY).claimed) == (10, 1, 0)


def test_gone_switches_the_webhook_off(shop: Shop, alex: Member) -> None:
    webhook, _ = subscribe(shop)
    planned(webhook, 2)
    shop.answers = [410]
    announcing.deliver(now=NOW, limit=1)
    webhook.refresh_from_db()
    assert (webhook.is_active, states()) == (False, {"dead": 1, "planned": 1})
    factories.buy(alex, "20")
    assert announcing.deliver(now=NOW + DAY).claimed == 0
    assert len(shop.heard) == 1


def test_shop_that_does_not_answer_rests_for_a_minute(shop: Shop) -> None:
    webhook, _ = subscribe(shop)
    Webhook.objects.update(url="http://127.0.0.1:1/")
    planned(webhook, announcing.ABREAST_EACH + 4)
    assert announcing.deliver(now=NOW).claimed == announcing.ABREAST_EACH
    assert announcing.deliver(now=NOW + MINUTE / 2).claimed == 0
    Webhook.objects.update(url=shop.url)
    announcing.deliver(now=NOW + MINUTE)
    webhook.refresh_from_db()
    assert (states()["sent"], webhook.failing_since, webhook.rests_until) == (10, None, None)


def test_webhook_remembers_since_when_it_fails(shop: Shop) -> None:
    webhook, _ = subscribe(shop)
    planned(webhook)
    shop.answers = [500, 500]
    for now in (NOW, NOW + MINUTE):
        announcing.deliver(now=now)
    webhook.refresh_from_db()
    assert webhook.failing_since == NOW
    announcing.deliver(now=NOW + DAY)
    webhook.refresh_from_db()
    assert webhook.failing_since is None


def test_address_inside_our_walls_is_never_called(shop: Shop, settings: Any) -> None:
    planned(subscribe(shop)[0])
    settings.WEBHOOK_PRIVATE_ADDRESSES = False
    announcing.deliver(now=NOW)
    row = Announcement.objects.get()
    assert (shop.heard, row.state, row.last_status) == ([], "failed", None)
    assert row.last_answer == "The address is not a public one."


# --- Side by side -----------------------------------------------------------------------------
def test_slow_shop_keeps_nobody_waiting(shop: Shop, monkeypatch: Any) -> None:
    monkeypatch.setattr(posting, "MOST_SECONDS", 60)
    with shops.opened() as slow:
        slow.is_open.clear()
        planned(subscribe(slow, name="slow")[0], 20)
        planned(subscribe(shop, name="quick")[0], 40)
        # The slow shop opens once the quick one has heard everything; else this never ends.
        with processes.meanwhile(lambda: len(shop.heard) == 40, slow.is_open.set):
            told = announcing.deliver(now=NOW)
        assert told == announcing.Told(claimed=60, sent=60)


def test_no_webhook_has_more_than_a_few_posts_under_way(shop: Shop) -> None:
    webhook, _ = subscribe(shop)
    planned(webhook, 20)
    taken = [len(announcing.claim(now=NOW, limit=20)) for _ in range(2)]
    assert taken == [announcing.ABREAST_EACH, 0]


def test_row_with_a_lease_is_nobody_elses(shop: Shop) -> None:
    planned(subscribe(shop)[0])
    (one,) = announcing.claim(now=NOW, limit=1)
    assert announcing.claim(now=NOW, limit=1) == []
    let_leases_run_out()
    (again,) = announcing.claim(now=NOW, limit=1)
    assert (again.id, again.event_id, again.tries) == (one.id, one.event_id, 2)


def test_worker_that_wakes_up_late_changes_nothing(shop: Shop) -> None:
    planned(subscribe(shop)[0])
    (late,) = announcing.claim(now=NOW, limit=1)
    let_leases_run_out()
    announcing.deliver(now=NOW)
    assert not announcing._record(late, Answer(500, "late"), now=NOW + DAY)
    row = Announcement.objects.get()
    assert (row.state, row.last_status) == ("sent", 204)


def test_event_stands_once_in_the_table_for_each_webhook(shop: Shop) -> None:
    (row,) = planned(subscribe(shop)[0])
    row.pk = None
    with pytest.raises(IntegrityError, match="announced_once"), transaction.atomic():
        row.save()


@pytest.mark.django_db(transaction=True)
def test_worker_killed_while_a_shop_listens_sends_again_under_the_same_id(
    shop: Shop, tmp_path: Path
) -> None:
    planned(subscribe(shop)[0])
    shop.is_open.clear()
    worker = """
import django
django.setup()
from datetime import datetime
from members import announcing
announcing.deliver(now=datetime.fromisoformat("2027-03-01T18:00:00+00:00"))
"""
    with processes.running(worker, broker=tmp_path, DELIVERY_LEASE_SECONDS="1") as process:
        processes.wait_until(lambda: len(shop.heard) == 1, seconds=60)
        processes.kill(process)
    shop.is_open.set()
    processes.wait_until(lambda: announcing.deliver(now=NOW).sent == 1, seconds=30)
    assert (len(shop.ids), len(set(shop.ids))) == (2, 1)
    row = Announcement.objects.get()
    assert (row.state, row.tries) == ("sent", 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_eight_workers_send_everything_once(shop: Shop) -> None:
    planned(subscribe(shop)[0], 60)

    def work(number: int) -> int:
        sent = 0
        while states()["planned"]:
            sent += announcing.deliver(now=NOW, limit=10).sent
        return sent

    assert sum(processes.at_once(work)) == 60
    assert (len(shop.ids), len(set(shop.ids)), states()) == (60, 60, {"sent": 60})


# --- Again ------------------------------------------------------------------------------------
def test_sent_event_is_sent_again_under_its_id(shop: Shop) -> None:
    planned(subscribe(shop)[0])
    announcing.deliver(now=NOW)
    assert announcing.send_again(Announcement.objects.all(), now=NOW + DAY) == 1
    assert announcing.deliver(now=NOW + DAY).sent == 1
    assert (len(shop.ids), len(set(shop.ids))) == (2, 1)


def test_given_up_event_gets_all_its_tries_again(shop: Shop) -> None:
    webhook, _ = subscribe(shop)
    planned(webhook)
    Announcement.objects.update(state="dead", tries=10)
    Webhook.objects.update(rests_until=NOW + DAY)
    announcing.send_again(Announcement.objects.all(), now=NOW)
    shop.answers = [500]
    announcing.deliver(now=NOW)
    row = Announcement.objects.get()
    assert (row.state, row.tries) == ("failed", 1)


def test_what_is_under_way_or_has_nobody_to_hear_it_is_not_sent_again(shop: Shop) -> None:
    webhook, _ = subscribe(shop)
    planned(webhook, 2)
    announcing.claim(now=NOW, limit=1)
    assert announcing.send_again(Announcement.objects.all(), now=NOW) == 1
    Webhook.objects.update(is_active=False)
    let_leases_run_out()
    assert announcing.send_again(Announcement.objects.all(), now=NOW) == 0


def test_webhook_that_is_on_again_hears_what_it_missed(shop: Shop) -> None:
    webhook, _ = subscribe(shop)
    planned(webhook)
    said: dict[str, Any] = {"name": "shop", "url": shop.url, "kinds": ["*"]}
    webhooks.change(webhook=webhook, **said, is_active=False)
    assert announcing.deliver(now=NOW).claimed == 0
    webhooks.change(webhook=webhook, **said, is_active=True)
    assert announcing.deliver(now=NOW).sent == 1


# --- Forgotten --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "is_active", "is_kept"),
    [
        ("sent", True, False),
        ("dead", True, False),
        ("planned", True, True),
        ("failed", True, True),
        ("planned", False, False),
    ],
)
def test_what_is_settled_is_dropped_after_a_month(
    shop: Shop, state: str, is_active: bool, is_kept: bool
) -> None:
    planned(subscribe(shop)[0])
    Announcement.objects.update(state=state)
    Webhook.objects.update(is_active=is_active)
    assert announcing.forget(now=NOW + timedelta(days=30)) == 0
    announcing.forget(now=NOW + timedelta(days=31))
    assert Announcement.objects.exists() == is_kept


def test_erasing_a_member_deletes_what_was_said_and_would_be(shop: Shop, alex: Member) -> None:
    subscribe(shop)
    factories.buy(alex, "20")
    announcing.deliver(now=NOW)
    factories.buy(alex, "20")
    kim = factories.member()
    factories.buy(kim, "20")
    privacy.erase(member=alex, now=NOW)
    assert list(Announcement.objects.values_list("member", flat=True)) == [kim.pk]
    assert announcing.deliver(now=NOW).sent == 1


def test_shops_hear_whom_they_have_to_forget(shop: Shop, alex: Member) -> None:
    subscribe(shop, "*")
    factories.buy(alex, "20")
    for _ in range(2):
        privacy.erase(member=alex, now=NOW)
    announcing.deliver(now=NOW)
    assert [heard.said for heard in shop.heard] == [
        {"type": "member.erased", "timestamp": NOW.isoformat(), "data": {"member": alex.number}}
    ]


def test_erasing_while_a_shop_listens_leaves_nothing(shop: Shop, alex: Member) -> None:
    subscribe(shop)
    factories.buy(alex, "20")
    (one,) = announcing.claim(now=NOW, limit=1)
    privacy.erase(member=alex, now=NOW)
    assert not announcing._record(one, Answer(200, ""), now=NOW)
    assert not Announcement.objects.exists()
