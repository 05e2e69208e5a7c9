"""The next version of a launched campaign, and launches that take two people, at the desk."""

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import files, launching, preflight
from campaigns.models import Campaign
from members.models import Member, Programme
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.desk import client_of, page, told
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def launched() -> Campaign:
    factories.member()
    factories.campaign("news", entry={"kind": "audience"}, now=timezone.now())
    return launching.launch(code="news", by=None, now=timezone.now())


def drafted(of: Campaign, **said: object) -> Campaign:
    files.load({**files.export(of), **said}, now=timezone.now())
    return files.written(of.code)


def test_page_of_the_next_version_begins_with_what_is_in_force(
    marketer: Client, launched: Campaign
) -> None:
    answer = marketer.get(page("campaign_next", launched.pk))
    assert answer.context["editor"].form["name"].value() == "News"
    assert answer.context["editor"].form["code"].value() == "news"


def test_check_page_tells_what_the_next_version_changes(
    marketer: Client, launched: Campaign
) -> None:
    draft = drafted(launched, priority=70)
    answer = marketer.get(page("campaign_check", draft.pk))
    assert [(c.pointer, c.before, c.after) for c in answer.context["changes"]] == [
        ("/priority", 50, 70)
    ]


def test_launch_of_a_next_version_leads_to_the_campaigns_numbers(
    marketer: Client, launched: Campaign
) -> None:
    draft = drafted(launched, priority=70)
    answer = marketer.post(page("campaign_launch", draft.pk), {"shown": "1"}, follow=True)
    assert answer.redirect_chain[0][0] == page("campaign_numbers", launched.pk)
    assert "Version 2 is in force" in told(answer)
    launched.refresh_from_db()
    assert (launched.version, launched.priority) == (2, 70)


def test_large_launch_is_asked_for_and_made_by_somebody_else(marketer: Client) -> None:
    Programme.objects.update(launch_alone_up_to=1)
    factories.members(2)
    campaign = factories.campaign("news", entry={"kind": "audience"}, now=timezone.now())
    launch = page("campaign_launch", campaign.pk)
    assert "Asked for" in told(marketer.post(launch, {"shown": "2"}, follow=True))
    assert "second person" in told(marketer.post(launch, {"shown": "2"}, follow=True))
    other = client_of("Marketer", name="Otto")
    other.post(launch, {"shown": "2"})
    campaign.refresh_from_db()
    assert (campaign.state, campaign.version) == ("live", 1)


def test_clerk_writes_no_next_version(launched: Campaign) -> None:
    clerk = client_of("Clerk", name="Cleo")
    assert clerk.get(page("campaign_next", launched.pk)).status_code == 403


# --- What would be missing --------------------------------------------------------------------
def test_values_that_members_lack_are_named_with_how_many() -> None:
    factories.member(given_name="Alex")
    factories.member(given_name="")
    body = "Hello {{ member.given_name }} of {{ member.city }}"
    campaign = scenes.draft(variants=[{**scenes.VARIANT, "subject": "Hi", "body": body}])
    found = [(f.step, f.variant, f.what, f.members) for f in preflight.look(campaign, now=NOW)]
    assert found == [
        (1, "default", "member.city", 2),
        (1, "default", "member.given_name", 1),
    ]


def test_version_that_cannot_be_written_is_found_before_the_launch() -> None:
    factories.member()
    body = "{% for a in products %}{{ a.name }}{% endfor %}{{ member.family_name | floor }}"
    campaign = scenes.draft(variants=[{**scenes.VARIANT, "subject": "Hi", "body": body}])
    Member.objects.update(family_name="Supertramp")
    assert preflight.look(campaign, now=NOW)


def test_messages_in_which_nothing_is_missing_are_not_mentioned() -> None:
    factories.member()
    assert preflight.look(scenes.draft(), now=NOW) == []


# --- Odd words in addresses ---------------------------------------------------------------------
def test_member_that_cannot_be_is_nobody(marketer: Client, launched: Campaign) -> None:
    answer = marketer.get(page("campaign_check", launched.pk), {"member": "\x00"})
    assert answer.status_code == 200


def test_number_without_end_is_no_campaign(marketer: Client) -> None:
    assert marketer.get(f"/admin/campaigns/campaign/{'9' * 4_500}/check/").status_code == 404


def test_draft_of_a_next_version_is_launched_under_the_campaigns_own_code(
    launched: Campaign,
) -> None:
    draft = drafted(launched, priority=70)
    with pytest.raises(launching.NotLaunchable, match="news"):
        launching.launch(code=draft.code, by=None, now=timezone.now())
