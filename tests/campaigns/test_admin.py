"""The marketer's door: who may come in, and that what is written stays text."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import files, planning
from campaigns.models import Campaign, ContactCap, Delivery
from members.models import User
from tests import factories
from tests.campaigns.desk import EVERYONE, NASTY, add_occasion, client_of, draft, page, upload

pytestmark = pytest.mark.django_db


PAGES = (
    "audience_changelist", "audience_add", "audience_names", "campaign_changelist", "campaign_add",
    "occasion_changelist", "delivery_changelist", "journey_changelist", "contactcap_changelist",
    "quiethours_changelist", "campaign_import_file", "occasion_upload",
)  # fmt: skip
OF_A_CAMPAIGN = ("change", "check", "numbers", "export", "deliveries", "history")
VERBS = ("launch", "pause", "resume", "test")


@pytest.mark.parametrize("name", PAGES)
def test_a_marketer_may_come_in_and_a_clerk_may_not(marketer: Client, name: str) -> None:
    clerk = client_of("Clerk", store=factories.store())
    assert marketer.get(page(name)).status_code == 200
    assert clerk.get(page(name)).status_code == 403
    assert Client().get(page(name)).status_code == 302


def test_a_clerk_sees_nothing_of_a_campaign_and_does_nothing_to_it() -> None:
    clerk, campaign = client_of("Clerk", store=factories.store()), draft()
    for name in OF_A_CAMPAIGN:
        assert clerk.get(page(f"campaign_{name}", campaign.pk)).status_code == 403
    for name in VERBS:
        assert clerk.post(page(f"campaign_{name}", campaign.pk), {"shown": 0}).status_code == 403
    for name in ("count", "explain"):
        answer = clerk.post(page(f"audience_{name}"), {"definition": json.dumps(EVERYONE)})
        assert answer.status_code == 403
    assert Campaign.objects.get().state == "draft"


@pytest.mark.parametrize("verb", VERBS)
def test_following_a_link_does_nothing(marketer: Client, verb: str) -> None:
    campaign = draft()
    assert marketer.get(page(f"campaign_{verb}", campaign.pk)).status_code == 405
    assert Campaign.objects.get().state == "draft"


def test_lists_take_the_same_queries_however_long(
    marketer: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        draft(f"c{number}")
    for name in ("campaign_changelist", "audience_changelist"):
        with django_assert_max_num_queries(12):
            assert marketer.get(page(name)).status_code == 200


def test_what_people_write_is_text_on_every_page(marketer: Client) -> None:
    member = factories.member(given_name=NASTY, city=NASTY)
    campaign = draft("nasty", name=NASTY, is_live=True, holdout_percent=0)
    drafted = draft("drafted", name=NASTY)
    planning.plan(campaign_id=campaign.pk, now=timezone.now())
    add_occasion(marketer, district=NASTY, source=NASTY)
    policy = ContactCap.objects.create(
        name=NASTY, channels=["email"], max_messages=1, window_days=1
    )
    upload(marketer, "campaign_import_file", json.dumps(files.export(drafted)).encode())
    addresses = [page(name) for name in PAGES if name != "audience_names"]
    addresses += [page(f"campaign_{name}", campaign.pk) for name in ("check", "numbers", "history")]
    addresses += [page(f"campaign_{name}", drafted.pk) for name in ("change", "check", "delete")]
    addresses += [page("delivery_change", Delivery.objects.get().pk)]
    addresses += [page("audience_change", campaign.audience_id)]
    addresses += [page("contactcap_change", policy.pk)]
    addresses += [reverse("admin:index"), reverse("admin:members_member_change", args=[member.pk])]
    for address in addresses:
        answer = marketer.get(address)
        assert answer.status_code == 200, address
        assert "<script>alert" not in answer.content.decode(), address


@pytest.mark.parametrize("name", ["campaign_import_file", "occasion_upload"])
def test_an_upload_needs_the_token_of_the_page(name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root@example.com"))
    assert client.get(page(name)).status_code == 200
    assert client.post(page(name), {}).status_code == 403
