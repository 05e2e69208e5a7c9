"""The page that plays the days to come."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import files, launching
from campaigns.models import Campaign, Delivery
from tests import factories
from tests.campaigns.desk import client_of, page

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
