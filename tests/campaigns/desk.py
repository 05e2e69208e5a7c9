"""The marketer's desk: somebody signed in at the admin, and what they do there."""

import json
from datetime import timedelta
from io import BytesIO
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import planning, sending
from campaigns.models import Campaign
from members.models import Store, User
from tests import factories

EVERYONE: dict[str, Any] = {"all": []}
HIKERS = {"all": [{"condition": "interest_above", "interest": "hiking", "score": 0.2}]}
NASTY = "<script>alert(1)</script>"
WRITTEN = {
    "name": "News",
    "code": "news",
    "purpose": "marketing",
    "audience": json.dumps(EVERYONE),
    "goal_kind": "purchase",
    "goal_days": "14",
    "holdout_percent": "10",
    "priority": "50",
    "expires_hours": "24",
    "in_quiet_hours": "skip",
    "channel_0": "email",
    "channel_1": "inbox",
    "send": "first",
    "entry-kind": "local",
    "entry-local_date": "2099-03-01",
    "entry-local_time": "10:00",
    "variants-TOTAL_FORMS": "1",
    "variants-INITIAL_FORMS": "0",
    "variants-0-interest": "",
    "variants-0-subject": "Hello {{ member.given_name }}",
    "variants-0-body": "One\r\ntwo",
    "variants-0-image": "trail",
}


def client_of(role: str, *, store: Store | None = None, name: str = "") -> Client:
    user = User.objects.create_user(
        f"{role}{User.objects.count()}@example.com".lower(), is_staff=True, store=store, name=name
    )
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:campaigns_{name}", args=args)


def draft(code: str = "hello", **said: Any) -> Campaign:
    return factories.campaign(code, now=timezone.now(), **said)


def told(response: Any) -> str:
    """What the page says after the redirect, or at once."""
    return " ".join(str(message) for message in response.context["messages"])


def do(client: Client, verb: str, campaign: Campaign, **data: Any) -> str:
    """Press a button; what the page says then."""
    response = client.post(page(f"campaign_{verb}", campaign.pk), data, follow=True)
    assert response.status_code == 200
    campaign.refresh_from_db()
    return told(response)


def ask(client: Client, what: str, definition: object, **data: Any) -> Any:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return client.post(page(f"audience_{what}"), {"definition": text, **data})


def upload(client: Client, name: str, content: bytes) -> Any:
    """POST a file to a page that takes one."""
    file = BytesIO(content)
    file.name = "upload.csv" if "occasion" in name else "upload.json"
    return client.post(page(name), {"file": file}, follow=True)


def check(client: Client, campaign: Campaign, **asked: str) -> Any:
    return client.get(page("campaign_check", campaign.pk), asked)


def sent_campaign() -> Campaign:
    """A campaign whose messages to the inbox went out; half of its members are held out."""
    campaign = draft(is_live=True, holdout_percent=50)
    now = timezone.now()
    planning.plan(campaign_id=campaign.pk, now=now)
    sending.send_due(channel="inbox", now=now + timedelta(hours=1))
    return campaign


def add_occasion(client: Client, **said: str) -> Any:
    data = {"occasion": "school-start", "date": "2027-08-23", "country": "us", **said}
    return client.post(page("occasion_add"), data)
