"""From a yes at the till to the first newsletter, on a clock: nothing goes before the click."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from campaigns import clock, files, launching
from campaigns.models import Delivery
from members import confirmations, joining
from members.models import Consent, Member, Programme, Topic

pytestmark = pytest.mark.django_db

MONDAY = datetime(2027, 5, 3, 16, tzinfo=UTC)  # 10:00 in Denver
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)


def tick(now: datetime) -> None:
    while not clock.turn(now=now).is_idle:
        pass


def newsletter(number: int, at: datetime) -> str:
    code = f"trail-stories-{number}"
    document = {
        "code": code,
        "name": "Trail stories",
        "topic": "stories",
        "audience": {"all": []},
        "entry": {"kind": "moment", "at": at.isoformat()},
        "steps": [
            {
                "channels": ["email"],
                "variants": [{"interest": None, "subject": f"Story {number}", "body": "Walk."}],
            }
        ],
    }
    files.load(document, now=MONDAY)
    launching.launch(code=code, by=None, now=MONDAY)
    return code


def fate(member: Member, code: str) -> tuple[str, str]:
    row = Delivery.objects.get(member=member, campaign__code=code)
    return row.state, row.reason


def test_newsletter_comes_after_the_click_and_never_before(mailoutbox: Any) -> None:
    Programme.objects.update(double_opt_in=True, name="Ridge Outfitters")
    Topic.objects.create(slug="stories", name="Trail stories")
    first, second, third = (newsletter(n, MONDAY + n * WEEK) for n in (1, 2, 3))

    # 1. At the till Kim says yes to e-mails: that is asked, not granted.
    enrolment = joining.Enrolment(
        given_name="Kim", email="kim@example.com", marketing={"email": True}
    )
    kim = joining.enrol(enrolment=enrolment, now=MONDAY, source="store denver")
    tick(MONDAY + timedelta(seconds=5))
    (question,) = mailoutbox
    assert question.to == ["Kim <kim@example.com>"]
    link = next(line for line in question.body.splitlines() if "/m/o/" in line)

    # 2. Somebody, or a scanner, looks at the link; the first newsletter finds no yes.
    token = link.rpartition("/")[2]
    assert confirmations.asked_by(token, now=MONDAY + DAY).member == kim
    tick(MONDAY + WEEK)
    assert fate(kim, first) == ("objected", "consent")

    # 3. Kim presses the button; the second newsletter comes.
    confirmations.confirm(token, now=MONDAY + 8 * DAY)
    tick(MONDAY + 2 * WEEK)
    assert fate(kim, second) == ("sent", "")
    assert [mail.subject for mail in mailoutbox[1:]] == ["Story 2"]

    # 4. Its footer leads to the page on which Kim says no to stories; the third does not come.
    page = next(line for line in mailoutbox[1].body.splitlines() if "/m/s/" in line).split(": ")[1]
    answer = Client().post(
        page,
        {
            "do": "save",
            "channels": ["email", "inbox"],
            "shown": "stories",
            "often": "",
            "pause": "",
        },
    )
    assert "Trail stories: no" in answer.content.decode()
    tick(MONDAY + 3 * WEEK)
    assert fate(kim, third) == ("objected", "topic")

    # 5. The record says what happened, and in which order.
    rows = Consent.objects.order_by("pk").values_list("action", "source", "at")
    assert list(rows) == [
        ("requested", "store denver", MONDAY),
        ("granted", "double opt-in", MONDAY + 8 * DAY),
    ]
