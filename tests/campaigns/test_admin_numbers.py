"""After the launch: numbers, reasons, rows; and calendars and policies."""

import csv
import html
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import forecasting, journeys, launching, planning, progress, simulating
from campaigns.models import (
    ContactCap,
    Delivery,
    Engagement,
    Journey,
    Objection,
    Occasion,
    OccasionArea,
    QuietHours,
    TrackRecord,
)
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.desk import (
    EVERYONE,
    NASTY,
    add_occasion,
    ask,
    check,
    client_of,
    draft,
    page,
    sent_campaign,
    told,
    upload,
)

pytestmark = pytest.mark.django_db


# --- After the launch -------------------------------------------------------------------------
def test_the_numbers_add_up_and_every_one_leads_to_its_rows(marketer: Client) -> None:
    factories.members(20)
    campaign = sent_campaign()
    shown = marketer.get(page("campaign_numbers", campaign.pk))
    balance = shown.context["balance"]
    assert balance.adds_up
    assert balance.entered == 20
    assert 0 < balance.held_out < 20
    assert "✓ adds up" in shown.content.decode()
    assert {row["verdict"] for row in shown.context["lift"]} == {"too early to tell"}
    for part in shown.context["parts"]:
        listed = marketer.get(part["link"]).context["cl"].queryset.count()
        assert listed == part["count"]


def test_every_step_adds_up_and_leads_to_its_rows(marketer: Client) -> None:
    factories.members(9)
    variant = {"interest": None, "subject": "Hi", "body": "Hi"}
    step = {"channels": ["inbox"], "variants": [variant]}
    campaign = sent_campaign(
        steps=[step, {**step, "wait": {"days": 1}, "if": {"condition": "clicked"}}]
    )
    journeys.advance(now=timezone.now() + timedelta(days=2))
    shown = marketer.get(page("campaign_numbers", campaign.pk))
    first, second = shown.context["stages"]
    held_out = shown.context["journeys"].held_out
    assert (first["tally"].entered, second["tally"].entered) == (9, 9)
    assert first["tally"].sent == second["tally"].objected == 9 - held_out
    assert first["tally"].held_out == second["tally"].held_out == held_out
    assert second["condition"] == "clicked"
    for stage in (first, second):
        assert stage["tally"].adds_up
        for part in stage["parts"]:
            listed = marketer.get(part["link"]).context["cl"].queryset.count()
            assert listed == part["count"]


def test_journeys_are_counted_by_how_far_they_came() -> None:
    factories.members(6)
    campaign = sent_campaign(holdout_percent=0)
    rows = list(Journey.objects.order_by("pk"))
    step = campaign.steps.get()
    now = timezone.now()
    Journey.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(next_step=step, next_at=now)
    Journey.objects.filter(pk=rows[3].pk).update(goal_at=now)
    Journey.objects.filter(pk=rows[0].pk).update(is_held_out=True)
    assert progress.journeys(campaign) == progress.Journeys(
        entered=6, under_way=3, arrived=1, held_out=1
    )


def test_what_a_learned_step_knows_is_shown_with_its_odds(marketer: Client) -> None:
    factories.members(3)
    text = {"subject": "Hi", "body": "Hi"}
    variants = [{"interest": "hiking", **text}, {"interest": None, **text}]
    campaign = sent_campaign(
        steps=[{"channels": ["inbox"], "choose": "learned", "variants": variants}]
    )
    hiking, default = campaign.steps.get().variants.order_by("pk")
    snow = factories.interest("snow")
    TrackRecord.objects.create(variant=hiking, context=snow, sent=1_000, answered=10)
    TrackRecord.objects.create(variant=default, context=snow, sent=1_000, answered=90)
    TrackRecord.objects.create(variant=hiking, context=None, sent=1_000, answered=190)
    shown = marketer.get(page("campaign_numbers", campaign.pk)).context["stages"][0]["records"]
    assert [(row["context"], row["version"], row["sent"], row["answered"]) for row in shown] == [
        ("all readers", "Hiking", 2_000, 200),
        ("all readers", "Everybody else", 1_000, 90),
        ("love snow most", "Hiking", 1_000, 10),
        ("love snow most", "Everybody else", 1_000, 90),
    ]
    assert [row["odds"] for row in shown[2:]] == [5, 95]


def test_what_is_learned_is_shown_by_language(marketer: Client) -> None:
    factories.members(2)
    factories.member(locale="de")
    factories.tier("gold", 0)
    kinds: list[dict[str, str]] = [{}, {"language": "de"}, {"language": "de", "tier": "gold"}]
    variants = [{"subject": "Hi", "body": "Hi", **kind} for kind in kinds]
    campaign = sent_campaign(
        holdout_percent=0,
        steps=[{"channels": ["inbox"], "choose": "learned", "variants": variants}],
    )
    shown = marketer.get(page("campaign_numbers", campaign.pk)).context
    assert [
        (row["context"], row["version"], row["odds"]) for row in shown["stages"][0]["records"]
    ] == [
        ("all readers", "Everybody else", 100),
        ("all readers, German", "German", 100),
        ("all readers, German, Gold", "German, Gold", 100),
    ]
    assert {row["name"]: row["count"] for row in shown["variants"]} == {
        "everybody else": 2,
        "German": 1,
    }


def test_what_is_unknown_is_explained(marketer: Client) -> None:
    factories.member()
    campaign = sent_campaign()
    Delivery.objects.update(state="unknown", reason="in_doubt")
    content = marketer.get(page("campaign_numbers", campaign.pk)).content.decode()
    assert "Nobody can know whether it arrived" in html.unescape(content)


def test_a_delivery_says_why(marketer: Client) -> None:
    member = factories.member(given_name=NASTY)
    sent_campaign()
    delivery = Delivery.objects.get(member=member)
    content = marketer.get(page("delivery_change", delivery.pk)).content.decode()
    assert "It is the version for everybody." in content
    assert NASTY not in content
    assert marketer.get(page("delivery_change", delivery.pk + 1)).status_code == 404


def test_a_loser_says_its_counter_and_what_both_were_worth(marketer: Client) -> None:
    factories.member()
    winner = sent_campaign(holdout_percent=0)
    loser = draft("news", is_live=True)
    planning.plan(campaign_id=loser.pk, now=timezone.now())
    delivery = Delivery.objects.get(campaign=loser)
    Delivery.objects.filter(pk=delivery.pk).update(
        state="objected", reason="cap", value=0.01, beaten_by=Delivery.objects.get(campaign=winner)
    )
    cap = ContactCap.objects.create(name="Week", channels=["inbox"], max_messages=2, window_days=7)
    Objection.objects.create(delivery=delivery, cap=cap, had=3, allowed=2, at=timezone.now())
    content = marketer.get(page("delivery_change", delivery.pk)).content.decode()
    assert "Week: 3 of 2 messages within 7 days." in content
    assert "worth 0.0100 against 0.0500" in content


def test_a_condition_that_turned_since_is_said_to_have_been_otherwise(marketer: Client) -> None:
    factories.member()
    only_if = {"not": {"condition": "opened"}}
    variant = {"interest": None, "subject": "Hi", "body": "Hi"}
    step = {"channels": ["inbox"], "variants": [variant], "if": only_if}
    sent_campaign(holdout_percent=0, steps=[step])
    delivery = Delivery.objects.get()
    assert delivery.state == "sent"
    said = "It was true when it was decided"
    assert said not in marketer.get(page("delivery_change", delivery.pk)).content.decode()
    Engagement.objects.create(delivery=delivery, kind="opened", at=timezone.now())
    assert said in marketer.get(page("delivery_change", delivery.pk)).content.decode()


def csv_rows(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode()
    return list(csv.reader(StringIO(text)))


def test_deliveries_are_downloaded_and_no_spreadsheet_runs_them(marketer: Client) -> None:
    member = factories.member()
    Member.objects.filter(pk=member.pk).update(number="=1+1")
    campaign = sent_campaign()
    header, row = csv_rows(marketer.get(page("campaign_deliveries", campaign.pk)))
    assert header[:3] == ["member", "step", "channel"]
    assert row[0] == "'=1+1"


def test_a_marketer_of_one_store_sees_its_members_only() -> None:
    ours, theirs = factories.store("ours"), factories.store("theirs")
    mine = factories.member(home_store=ours)
    other = factories.member(home_store=theirs)
    campaign = sent_campaign()
    marketer = client_of("Marketer", store=ours)
    deliveries = marketer.get(page("delivery_changelist")).context["cl"].queryset
    assert [row.member for row in deliveries] == [mine]
    hidden = Delivery.objects.get(member=other)
    assert marketer.get(page("delivery_change", hidden.pk)).status_code == 404
    assert marketer.get(page("campaign_deliveries", campaign.pk)).status_code == 403
    found = ask(marketer, "count", EVERYONE).json()
    assert (found["count"], [m["number"] for m in found["sample"]]) == (2, [mine.number])
    assert ask(marketer, "explain", EVERYONE, member=other.number).status_code == 404
    assert (
        "There is no member" in check(marketer, campaign, member=other.number).context["asked"].told
    )


# --- Plan against actual ----------------------------------------------------------------------
def test_numbers_without_a_plan_say_how_to_make_one(marketer: Client) -> None:
    campaign = draft(is_live=True)
    shown = marketer.get(page("campaign_numbers", campaign.pk))
    assert shown.context["plan"] is None
    assert "manage.py simulate hello --keep" in shown.content.decode()


def test_numbers_show_the_plan_beside_what_came_and_why_it_differs(marketer: Client) -> None:
    factories.members(12)
    began = timezone.now() - timedelta(days=3)
    moment = (began + timedelta(hours=1)).isoformat()
    entry = {"kind": "moment", "at": moment}
    campaign = scenes.draft(channels=("inbox",), entry=entry, now=began)
    forecasting.remember(simulating.simulate(code="news", start=began, days=2), now=began)
    launching.launch(code="news", by=None, now=began)
    scenes.turn(began)
    Delivery.objects.update(state="objected", reason="consent")
    table = marketer.get(page("campaign_numbers", campaign.pk)).context["beside"]
    (row,) = table.rows
    assert table.columns == ("Entered", "Sent", "Held out", "Objected")
    assert [(cell.one, cell.other) for cell in row.cells] == [
        ("12", "12"), ("12", "0"), ("0", "0"), ("0", "12"),
    ]  # fmt: skip
    assert row.is_far
    assert row.why == ("no consent for any of its channels: 12 more (12 instead of 0)",)


# --- Calendars and policies -------------------------------------------------------------------
def test_a_date_written_by_hand_counts_at_once(marketer: Client) -> None:
    assert add_occasion(marketer, region="CO").status_code == 302
    row = Occasion.objects.get()
    assert (row.year, row.country) == (2027, "US")
    assert OccasionArea.objects.get().date == row.date
    data = {"occasion": "school-start", "date": "2027-08-30", "country": "US", "region": "CO"}
    marketer.post(page("occasion_change", row.pk), data)
    assert str(OccasionArea.objects.get().date) == "2027-08-30"
    marketer.post(page("occasion_delete", row.pk), {"post": "yes"})
    assert not OccasionArea.objects.exists()


def test_a_calendar_is_uploaded_and_what_is_wrong_is_shown(marketer: Client) -> None:
    good = b"occasion,date,country,region\nschool-start,2027-08-23,US,CO\n"
    assert "loaded 1, unchanged 0, rejected 0" in told(upload(marketer, "occasion_upload", good))
    answer = upload(marketer, "occasion_upload", good + b"school-start,soon,US,UT\n")
    assert "unchanged 1, rejected 1" in told(answer)
    assert len(answer.context["rejects"]) == 2
    assert upload(marketer, "occasion_upload", b"what,ever\n1,2\n").context["refusal"].detail
    assert Occasion.objects.count() == OccasionArea.objects.count() == 1


def test_policies_say_what_they_do(marketer: Client) -> None:
    ContactCap.objects.all().delete()
    ContactCap.objects.create(
        name="Two", channels=["email", "push", "sms"], max_messages=2, window_days=7
    )
    ContactCap.objects.create(name="None", channels=["email"], max_messages=0, window_days=1)
    caps = marketer.get(page("contactcap_changelist")).content.decode()
    assert "At most 2 marketing messages in any 7 days, by e-mail, Push and SMS together" in caps
    assert "No marketing messages at all by e-mail" in caps
    hours = marketer.get(page("quiethours_changelist")).content.decode()
    assert "from 21:00 to 08:00 the next morning, on the member" in hours
    row = QuietHours.objects.get()
    same = {"name": "x", "starts": "21:00", "ends": "21:00", "channels": "email"}
    data = {**same, "purpose": "marketing"}
    answer = marketer.post(page("quiethours_change", row.pk), data)
    assert "Equal times mean no quiet hours" in answer.content.decode()
