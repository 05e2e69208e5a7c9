"""What users of comparable systems suffer from (shared/pains.md, Campaigns), and do not here."""

from datetime import date, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import audiences, files, launching, planning, reporting, sending, tracking
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Result
from campaigns.models import Campaign, ContactCap, Delivery, Journey, Link
from config.errors import Refusal
from members import consents, interests
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW
from tests.processes import at_once

pytestmark = pytest.mark.django_db

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"


def test_pain_01_resuming_sends_nothing_again(mailoutbox: list[Any]) -> None:
    """listmonk #2070, #2313: a third got nothing, two thirds three copies."""
    scenes.readers(50)
    scenes.planned()
    sending.send_due(channel="email", now=DUE, limit=20)
    for minutes in range(3):
        launching.pause(code="news", now=DUE + minutes * MINUTE)
        launching.resume(code="news", now=DUE + minutes * MINUTE)
        Campaign.objects.update(planned_until=None)  # The only cursor there is, lost.
        planning.plan_due(now=DUE + minutes * MINUTE)
        sending.send_due(channel="email", now=DUE + minutes * MINUTE, limit=10)
    assert len(mailoutbox) == len({mail.to[0] for mail in mailoutbox}) == 50


def test_pain_02_finished_means_that_everybody_is_accounted_for() -> None:
    """listmonk #1931, #2860: finished with 2,061 of 5,239 sent."""
    scenes.readers(30)
    campaign = scenes.planned(holdout_percent=20)
    while not sending.finish(now=DUE):
        assert reporting.balance(campaign).to_go > 0 or campaign.planned_until is None
        sending.send_due(channel="email", now=DUE, limit=7)
        planning.plan_due(now=DUE)
    balance = reporting.balance(campaign)
    assert (balance.entered, balance.members, balance.to_go) == (30, 30, 0)
    assert balance.sent + balance.held_out == 30


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_pain_03_two_clocks_in_the_same_second_send_once() -> None:
    """mautic #3669, #11763: start the crons a minute apart."""
    members = scenes.readers(40)
    scenes.live()
    scenes.live("inbox-news", channels=("inbox",))
    at_once(lambda _: scenes.turn(DUE), callers=2)
    scenes.turn(DUE)  # What one left to the other when both were done.
    rows = Delivery.objects.values_list("member", "campaign__code", "state", "tries")
    assert sorted(rows) == sorted(
        (member.pk, code, "sent", 1) for member in members for code in ("news", "inbox-news")
    )
    assert {member.inbox.count() for member in members} == {1}


def test_pain_04_no_row_is_selected_twice_without_a_change() -> None:
    """mautic #16188, #17145: nine rows selected for months, version 419,334,107."""
    members = scenes.readers(12)
    for member in members[::2]:
        scenes.decide(member, "email", "withdrawn", at=DUE)
    for code in ("a", "b", "c"):
        scenes.live(code)
    planning.plan_due(now=NOW)
    for member in members[1::2]:
        scenes.decide(member, "email", "withdrawn", at=DUE)
    launching.pause(code="c", now=NOW)
    due = Delivery.objects.filter(state="planned", campaign__code__in=["a", "b"]).count()
    batches = [sending.send_due(channel="email", now=DUE, limit=5).claimed for _ in range(20)]
    assert (sum(batches), due) == (12, 12)
    assert set(Delivery.objects.values_list("tries", flat=True)) == {0, 1}


def test_pain_05_one_bad_row_stalls_nobody(mailoutbox: list[Any]) -> None:
    """mautic #7953, #7226, #11895: one 554 and the others are sent again for ever."""
    broken = scenes.reader(family_name="inf")
    scenes.readers(5)
    scenes.planned("sound")
    scenes.planned(
        variants=[{**scenes.VARIANT, "body": "{{ member.family_name | floor }}"}], priority=99
    )
    campaign = scenes.live("mad")
    campaign.audience.definition = {"condition": "a condition that was removed"}
    campaign.audience.save()
    scenes.turn()
    assert len(mailoutbox) == 11
    assert scenes.fate(broken, Campaign.objects.get(code="news")) == ("failed", "rendering")


def test_pain_06_audience_is_asked_not_rebuilt() -> None:
    """mautic #8113, #9634: forty minutes to rebuild a segment of 260,000."""
    members = scenes.readers(20)
    definition = {"condition": "labelled", "label": "vip"}
    assert not audiences.members(definition, at=NOW).exists()
    members[3].labels = ["vip"]
    members[3].save()
    with CaptureQueriesContext(connection) as queries:
        assert list(audiences.members(definition, at=NOW)) == [members[3]]
    assert len(queries) == 1


def test_pain_07_ten_oclock_is_ten_oclock_all_year_round() -> None:
    """mautic #7665, Laudspeaker: an hour or two wrong for half of the year."""
    member = scenes.reader(time_zone="Europe/Berlin")
    campaign = scenes.live(entry={"kind": "recurring", "crontab": "0 10 * * *"})
    for day in range(-2, 36):  # Across the last Sunday of March.
        scenes.plan(campaign, now=NOW + day * DAY)
    journeys = Journey.objects.filter(member=member).order_by("due_at")
    days = [journey.due_at.astimezone(ZoneInfo(journey.zone)) for journey in journeys]
    assert {at.strftime("%H:%M") for at in days} == {"10:00"}
    assert [at.date() for at in days] == [date(2027, 3, 2) + n * DAY for n in range(len(days))]
    assert {at.utcoffset() for at in days} == {timedelta(hours=1), timedelta(hours=2)}


def test_pain_08_every_suppression_is_a_row_with_its_reason() -> None:
    """mautic #10416, #9984: "0" blocks all, and "queued" says nothing."""
    ContactCap.objects.update(max_messages=1)
    member = scenes.reader()
    for code, priority in (("film", 90), ("news", 10)):
        scenes.planned(code, priority=priority)
    scenes.turn()
    loser = Delivery.objects.get(campaign__code="news")
    assert (loser.state, loser.reason) == ("objected", "cap")
    assert loser.beaten_by == Delivery.objects.get(campaign__code="film")
    film = Delivery.objects.get(campaign__code="film")
    # Nothing is postponed by weeks, and the next campaign after the window gets through.
    entry = {"kind": "moment", "at": (DUE + 7 * DAY).isoformat()}
    later = scenes.live("later", entry=entry)
    scenes.turn(DUE + 7 * DAY)
    assert (film.state, scenes.fate(member, later)) == ("sent", ("sent", ""))


def test_pain_09_what_was_launched_is_not_edited_and_not_launched_again(
    mailoutbox: list[Any],
) -> None:
    """mautic #6323, #3340: new steps never arrive, publishing again bombards."""
    scenes.readers(3)
    campaign = scenes.planned()
    document = files.export(campaign)
    document["steps"][0]["variants"][0]["subject"] = "Another"
    with pytest.raises(launching.NotLaunchable):
        launching.launch(code="news", by=None, now=NOW)
    files.load(document, now=NOW)
    assert launching.launch(code="news", by=None, now=NOW).version == 2
    scenes.turn()
    with pytest.raises(Refusal):
        launching.launch(code="news", by=None, now=DUE)
    scenes.turn(DUE + DAY)
    assert [mail.subject for mail in mailoutbox] == ["Hello Crowd1", "Hello Crowd2", "Hello Crowd3"]


def test_pain_10_bounces_are_not_all_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """listmonk #489, mautic #9190, Notifuse #323: a full mailbox is not a wrong address."""
    full, wrong = scenes.readers(2)
    campaign = scenes.planned()
    post = scenes.Post(Result.RETRY, Result.REFUSED)
    monkeypatch.setitem(CARRIERS, "email", lambda: post)
    scenes.turn()
    scenes.turn(DUE + MINUTE)
    assert scenes.fates(campaign) == {full.pk: ("sent", ""), wrong.pk: ("failed", "refused")}
    # Neither took away what the member allows.
    assert consents.preferences(member=wrong)["email"]["marketing"]


def test_pain_11_scanners_unsubscribe_nobody_and_teach_nothing(client: Any) -> None:
    """mautic #16263, Rock #7034: a gateway unsubscribed the whole staff."""
    member = scenes.reader()
    scenes.did(member, "purchase", "hiking")
    variant = {**scenes.VARIANT, "interest": "hiking", "body": "[a](https://example.com/a)"}
    scenes.planned(variants=[variant, scenes.VARIANT])
    scenes.turn()
    row, link = scenes.delivery(member), Link.objects.get()
    score = interests.profile(member=member, at=DUE)[0].score
    for url in (tracking.click_url(row, link), tracking.unsubscribe_url(row)):
        path = url.removeprefix("http://localhost:8000")
        assert client.get(path, headers={"user-agent": "SafeLinks-Scanner"}).status_code < 400
    assert consents.preferences(member=member)["email"]["marketing"]
    assert interests.profile(member=member, at=DUE)[0].score == score
    assert reporting.balance(row.campaign).clicked == 0


def test_pain_12_a_delivery_and_a_journey_are_a_hundred_and_fifty_bytes() -> None:
    """mautic #8261: 13,000 bytes for each row of its log, 204 GiB."""
    scenes.readers(100)
    scenes.planned(holdout_percent=10)
    scenes.turn()
    with connection.cursor() as cursor:
        for table in ("campaigns_delivery", "campaigns_journey"):
            cursor.execute(f"SELECT avg(pg_column_size(t.*)) FROM {table} t")
            assert cursor.fetchone()[0] + 4 <= 150  # With its line pointer.


def test_pain_13_who_got_it_is_answered() -> None:
    """listmonk #1198: refused, it can quickly overload the database."""
    members = scenes.readers(40)
    scenes.decide(members[0], "email", "withdrawn")
    scenes.planned(holdout_percent=20)
    scenes.turn()
    with CaptureQueriesContext(connection) as queries:
        table = list(reporting.deliveries(Campaign.objects.get()))
    assert {row["member"] for row in table} == {member.number for member in members}
    assert all(row["reason"] for row in table if row["state"] == "objected")
    assert len(queries) <= 3
    shown = StringIO()
    call_command("deliveries", "news", "--csv", "/dev/null", stdout=shown)
    assert shown.getvalue() == "40 rows written to /dev/null\n"


def test_pain_14_every_deed_counts_each_time_and_fades() -> None:
    """mautic #929, #4925: an action scores a lead only once, and never less."""
    member = scenes.reader()
    scores = []
    for number in range(3):
        scenes.did(member, "click", "hiking", reference=f"c{number}", at=NOW)
        scores.append(interests.profile(member=member, at=NOW)[0].score)
    assert scores[0] < scores[1] < scores[2]
    after = [interests.profile(member=member, at=NOW + n * 60 * DAY)[0].score for n in range(4)]
    assert after == sorted(after, reverse=True)
    assert [fact.facts for fact in interests.profile(member=member, at=NOW)[0].evidence] == [3]
    audience = {"condition": "interest_above", "interest": "hiking", "score": scores[2] - 0.01}
    assert list(audiences.members(audience, at=NOW)) == [member]
    assert list(audiences.members(audience, at=NOW + 60 * DAY)) == []


def test_pain_15_a_result_says_what_of_how_many_and_how_sure() -> None:
    """mautic #7351: how is the winner chosen?"""
    scenes.readers(30)
    campaign = scenes.planned(holdout_percent=50, goal={"kind": "purchase", "within_days": 7})
    for member in Member.objects.all()[:9]:
        factories.buy(member, 10, occurred_at=DUE + DAY, now=DUE + DAY)
    report = reporting.lift(campaign, now=DUE + 7 * DAY)
    assert report["arms"]["treated"]["n"] + report["arms"]["held_out"]["n"] == 30
    for found in report["comparisons"]:
        assert found.keys() >= {"outcome", "difference", "low", "high", "confidence", "p_value"}
        assert found["confidence"] == 0.95
        assert found["verdict"] == "too early to tell"
