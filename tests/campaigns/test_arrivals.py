"""Who reached the goal after the last step: noted within minutes, and the rest once a night."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns import arrivals, progress
from campaigns.models import Campaign, Journey
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def sent(**said: Any) -> tuple[Member, Campaign]:
    member = factories.member()
    campaign = scenes.planned(channels=("inbox",), **{"goal": {"kind": "purchase"}, **said})
    scenes.turn(DUE)
    return member, campaign


def buys(member: Member, at: datetime) -> None:
    factories.buy(member, 10, occurred_at=at)


def arrived() -> datetime | None:
    return Journey.objects.get().goal_at


def test_arrival_after_the_last_step_is_noted_at_the_next_turn() -> None:
    member, campaign = sent()
    buys(member, DUE + DAY)
    scenes.turn(DUE + DAY + MINUTE)
    assert arrived() == DUE + DAY + MINUTE
    assert progress.journeys(campaign).arrived == 1
    assert arrivals.note(now=DUE + DAY + MINUTE) == 0


def test_arrival_on_the_journey_of_a_finished_campaign_is_noted() -> None:
    member, campaign = sent()
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    buys(member, DUE + DAY)
    assert arrivals.note(now=DUE + DAY) == 1


def test_deed_that_is_no_goal_is_no_arrival() -> None:
    member, _ = sent()
    scenes.did(member, "view", at=DUE + DAY)
    assert arrivals.note(now=DUE + DAY) == 0


def test_deed_after_the_goals_days_is_no_arrival() -> None:
    member, _ = sent(goal={"kind": "purchase", "within_days": 2})
    buys(member, DUE + 3 * DAY)
    assert arrivals.note(now=DUE + 3 * DAY) == 0


def test_journey_with_a_step_to_come_is_asked_when_that_is_due() -> None:
    steps = [
        {"channels": ["inbox"], "variants": [scenes.VARIANT], "wait": {"days": days}}
        for days in (0, 5)
    ]
    member = factories.member()
    campaign = factories.campaign(
        "drip",
        steps=steps,
        goal={"kind": "purchase"},
        entry={"kind": "moment", "at": DUE.isoformat()},
        is_live=True,
    )
    scenes.plan(campaign)
    scenes.turn(DUE)
    buys(member, DUE + DAY)
    assert arrivals.note(now=DUE + DAY) == 0
    assert arrived() is None


def test_what_no_turn_saw_is_noted_at_night() -> None:
    member, _ = sent()
    Campaign.objects.update(state="live")
    buys(member, DUE + DAY)
    assert arrivals.note(now=DUE + DAY + timedelta(hours=1)) == 0
    assert arrivals.note_all(now=DUE + DAY + timedelta(hours=1)) == 1
