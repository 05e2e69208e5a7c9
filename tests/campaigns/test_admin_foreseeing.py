"""The page that plays the days to come."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import files, forecasting, launching
from campaigns.models import Campaign, Delivery, Forecast
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.desk import client_of, do, page

pytestmark = pytest.mark.django_db(transaction=True)


def soon(code: str = "news") -> Campaign:
    at = timezone.now() + timedelta(hours=5)
    return factories.campaign(
        code, entry={"kind": "moment", "at": at.isoformat()}, now=timezone.now()
    )


def test_page_asks_before_it_plays(marketer: Client) -> None:
    answer = marketer.get(page("campaign_foresee", soon().pk))
    assert (answer.status_code, answer.context.get("found")) == (200, None)


def test_page_shows_what_would_become_of_everyone(marketer: Client) -> None:
    members = factories.members(3)
    campaign = soon()
    answer = marketer.get(page("campaign_foresee", campaign.pk), {"days": "2"})
    (line,) = answer.context["lines"]
    assert line.counts == (3, 0, 0, 0, 0, 0)
    assert {row["member"] for row in answer.context["members"]} == {m.number for m in members}
    assert Campaign.objects.get().state == "draft"
    assert not Delivery.objects.exists()


def test_page_of_a_next_version_compares_it_with_what_is_in_force(marketer: Client) -> None:
    factories.member()
    campaign = soon()
    launching.launch(code="news", by=None, now=timezone.now())
    files.load({**files.export(campaign), "audience": {"any": []}}, now=timezone.now())
    campaign.refresh_from_db()
    answer = marketer.get(page("campaign_foresee", campaign.next_version.pk), {"days": "1"})
    assert [line.counts[0] for line in answer.context["lines"]] == [0, 1]


def test_page_compares_with_the_draft_that_is_chosen(marketer: Client) -> None:
    factories.member()
    campaign = soon()
    files.load({**files.export(campaign), "code": "copy", "priority": 9}, now=timezone.now())
    address = page("campaign_foresee", campaign.pk)
    assert [other.key for other in marketer.get(address).context["others"]] == ["copy"]
    answer = marketer.get(address, {"days": "1", "compare": "copy"})
    compared, table = answer.context["compared"], answer.context["beside"]
    assert [(c.pointer, c.before, c.after) for c in compared.changes] == [
        ("/code", "copy", "news"),
        ("/priority", 9, 50),
    ]
    assert table.columns == ("Entered", "Sent", "Held out", "Objected")
    assert [(cell.one, cell.other) for cell in table.total.cells[:2]] == [("1", "1"), ("1", "1")]
    assert (compared.both, compared.only_one, compared.only_other) == (1, 0, 0)


def test_others_are_the_versions_of_the_campaign_and_drafts(marketer: Client) -> None:
    campaign = soon()
    launching.launch(code="news", by=None, now=timezone.now())
    for priority in (60, 70):
        files.load({**files.export(campaign), "priority": priority}, now=timezone.now())
        if priority == 60:
            launching.launch(code="news", by=None, now=timezone.now())
    soon("film")
    scenes.live("dead")
    campaign.refresh_from_db()

    def others(of: Campaign) -> list[str]:
        shown = marketer.get(page("campaign_foresee", of.pk)).context
        return [other.key for other in shown["others"]]

    assert others(campaign) == ["news@next", "news@1", "film"]
    assert others(campaign.next_version) == ["news", "news@1", "film"]


def test_looking_keeps_nothing_and_playing_does(marketer: Client) -> None:
    address = page("campaign_foresee", soon().pk)
    marketer.get(address, {"days": "1"})
    assert not Forecast.objects.exists()
    answer = marketer.post(address, {"days": "1"})
    assert "Launched as it stands, this is the plan" in answer.content.decode()
    launching.launch(code="news", by=None, now=timezone.now())
    assert Forecast.objects.get().kept_at is not None


def test_button_keeps_what_is_in_force_as_the_plan(marketer: Client) -> None:
    campaign = soon()
    launching.launch(code="news", by=None, now=timezone.now())
    assert "Play what is in force first" in do(marketer, "keep", campaign)
    marketer.post(page("campaign_foresee", campaign.pk), {"days": "1"})
    assert do(marketer, "keep", campaign).startswith("Kept as the plan of version 1")
    assert forecasting.plan_of(campaign, version=1) is not None


def test_who_may_only_look_plays_and_keeps_nothing() -> None:
    finance = client_of("Finance", name="Fay")
    campaign = soon()
    answer = finance.post(page("campaign_foresee", campaign.pk), {"days": "1"})
    assert answer.context["found"].totals.entered == 0
    assert not Forecast.objects.exists()
    assert finance.post(page("campaign_keep", campaign.pk)).status_code == 403


def test_draft_that_cannot_be_launched_says_why(marketer: Client) -> None:
    campaign = soon()
    Campaign.objects.update(goal={"kind": "fame"})
    answer = marketer.get(page("campaign_foresee", campaign.pk), {"days": "1"})
    assert "A goal is one of" in answer.context["problem"]


@pytest.mark.parametrize("days", ["", "0", "-1", "x", "9999999", "٣"])
def test_days_that_are_none_play_nothing(marketer: Client, days: str) -> None:
    answer = marketer.get(page("campaign_foresee", soon().pk), {"days": days})
    assert (answer.status_code, answer.context.get("found")) == (200, None)


def test_clerk_does_not_see_the_page() -> None:
    clerk = client_of("Clerk", name="Cleo")
    assert clerk.get(page("campaign_foresee", soon().pk)).status_code == 403
