"""The marketer's desk: somebody signed in at the admin, and what they do there."""

import json
from datetime import timedelta
from html.parser import HTMLParser
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
    "answer_value": "1.00",
    "reentry": "each",
    "when_beaten": "drop",
    "expires_hours": "24",
    "in_quiet_hours": "skip",
    "entry-kind": "local",
    "entry-local_date": "2099-03-01",
    "entry-local_time": "10:00",
    "steps-TOTAL_FORMS": "1",
    "steps-INITIAL_FORMS": "0",
    "steps-0-ORDER": "1",
    "steps-0-condition": "",
    "steps-0-channel_0": "email",
    "steps-0-channel_1": "inbox",
    "steps-0-send": "first",
    "steps-0-choose": "interest",
    "steps-0-variants-TOTAL_FORMS": "1",
    "steps-0-variants-INITIAL_FORMS": "0",
    "steps-0-variants-0-interest": "",
    "steps-0-variants-0-subject": "Hello {{ member.given_name }}",
    "steps-0-variants-0-body": "One\r\ntwo",
    "steps-0-variants-0-image": "trail",
}


def another_step(number: int = 1, **said: str) -> dict[str, str]:
    """What the form sends of one more step: a day after the one before, unless told otherwise."""
    same = {
        name.replace("steps-0-", f"steps-{number}-"): value
        for name, value in WRITTEN.items()
        if name.startswith("steps-0-")
    }
    own = {"ORDER": str(number + 1), "wait": "1", "wait_unit": "days", **said}
    total = {"steps-TOTAL_FORMS": str(number + 1)}
    return same | total | {f"steps-{number}-{name}": value for name, value in own.items()}


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


def sent_campaign(**said: Any) -> Campaign:
    """A campaign whose messages to the inbox went out; half of its members are held out."""
    campaign = draft(is_live=True, **{"holdout_percent": 50, **said})
    now = timezone.now()
    planning.plan(campaign_id=campaign.pk, now=now)
    sending.send_due(channel="inbox", now=now + timedelta(hours=1))
    return campaign


def add_occasion(client: Client, **said: str) -> Any:
    data = {"occasion": "school-start", "date": "2027-08-23", "country": "us", **said}
    return client.post(page("occasion_add"), data)


class _Controls(HTMLParser):
    """The form controls of a page, as a browser without scripts would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self._inert, self._area, self._choice = 0, "", ("", False)
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        name = said.get("name", "")
        self._inert += tag == "template"
        if self._inert:
            return
        if tag == "input" and name and said.get("type") not in ("submit", "file"):
            if said.get("type") not in ("checkbox", "radio") or "checked" in said:
                self._send(name, said.get("value", "on" if "checked" in said else ""))
        elif tag == "select":
            self._choice = (name, False)
        elif tag == "option" and self._choice[0] and ("selected" in said or not self._choice[1]):
            # The first counts until another is said to be selected.
            self.sent[self._choice[0]] = [said.get("value", "")]
            self._choice = (self._choice[0], True)
        elif tag == "textarea":
            self._area, self._text = name, []

    def handle_endtag(self, tag: str) -> None:
        self._inert -= tag == "template"
        if tag == "select":
            self._choice = ("", False)
        elif tag == "textarea" and self._area:
            text = "".join(self._text).removeprefix("\n")
            self._send(self._area, text.replace("\n", "\r\n"))
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text.append(data)

    def _send(self, name: str, value: str) -> None:
        self.sent.setdefault(name, []).append(value)


def shown_form(client: Client, campaign: Campaign) -> dict[str, list[str]]:
    """What the page of a campaign sends when nobody changed anything."""
    controls = _Controls()
    controls.feed(client.get(page("campaign_change", campaign.pk)).content.decode())
    return {name: value for name, value in controls.sent.items() if name != "csrfmiddlewaretoken"}
