"""Caps at the last gate: what they count, who gets the last slot, and that they never leak."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns import sending
from campaigns.models import Campaign, ContactCap, Delivery, Objection
from members import joining
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW
from tests.processes import at_once

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def cap(many: int, days: int = 7, *, channels: list[str] | None = None, **said: Any) -> ContactCap:
    """The one cap there is."""
    ContactCap.objects.all().delete()
    facts = {"name": "cap", "channels": channels or ["email", "push", "sms"], **said}
    return ContactCap.objects.create(max_messages=many, window_days=days, **facts)


def earlier(member: Member, *, ago: timedelta, state: str = "sent", **said: Any) -> Delivery:
    """A message the member had before."""
    campaign = factories.campaign(f"old{Campaign.objects.count()}", **said)
    step = campaign.steps.get()
    journey = member.journeys.create(
        campaign=campaign,
        occurrence="once",
        is_held_out=False,
        entered_at=NOW,
        due_at=NOW,
        zone=member.zone,
    )
    return Delivery.objects.create(
        journey=journey,
        member=member,
        campaign=campaign,
        step=step,
        variant=step.variants.get(),
        channel="email",
        state=state,
        reason="cap" if state == "objected" else "",
        due_at=DUE - ago,
        sent_at=DUE - ago,
        expires_at=DUE + DAY,
        value=0.05,
    )


@pytest.mark.parametrize(
    ("state", "fate"),
    [
        ("sent", ("objected", "cap")),
        ("sending", ("objected", "cap")),
        ("unknown", ("objected", "cap")),
        ("claimed", ("objected", "cap")),
        ("planned", ("sent", "")),
        ("objected", ("sent", "")),
        ("failed", ("sent", "")),
        ("expired", ("sent", "")),
        ("held_out", ("sent", "")),
    ],
)
def test_cap_counts_what_went_out_or_may_have(state: str, fate: tuple[str, str]) -> None:
    cap(1)
    member = scenes.reader()
    earlier(member, ago=DAY, state=state)
    campaign = scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member, campaign) == fate


def test_cap_does_not_count_a_claim_that_was_not_cleared() -> None:
    cap(1)
    member = scenes.reader()
    earlier(member, ago=DAY, state="claimed")
    Delivery.objects.update(sent_at=None)
    campaign = scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member, campaign) == ("sent", "")


@pytest.mark.parametrize(
    ("ago", "fate"),
    [(7 * DAY, ("sent", "")), (7 * DAY - timedelta(seconds=1), ("objected", "cap"))],
)
def test_cap_forgets_after_its_window(ago: timedelta, fate: tuple[str, str]) -> None:
    cap(1, 7)
    member = scenes.reader()
    earlier(member, ago=ago)
    campaign = scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member, campaign) == fate


def test_cap_of_none_lets_nothing_through_and_says_so() -> None:
    cap(0)
    member = scenes.reader()
    scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member) == ("objected", "cap")
    assert scenes.delivery(member).beaten_by is None


@pytest.mark.parametrize(
    "said",
    [{"is_active": False}, {"purpose": "service"}, {"channels": ["push"]}],
    ids=["inactive", "other purpose", "other channel"],
)
def test_cap_that_is_not_about_it_lets_it_through(said: dict[str, Any]) -> None:
    cap(0, **said)
    member = scenes.reader()
    scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member) == ("sent", "")


def test_cap_adds_up_its_channels() -> None:
    cap(1, channels=["email", "push"])
    member = scenes.allow(scenes.reader(), "push")
    scenes.phone_of(member)
    earlier(member, ago=DAY)
    campaign = scenes.planned_at(DUE, channels=("push",))
    scenes.turn()
    assert scenes.fate(member, campaign) == ("objected", "cap")


def test_service_messages_count_against_no_marketing_cap() -> None:
    cap(1)
    member = scenes.reader()
    earlier(member, ago=DAY, purpose="service")
    campaign = scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member, campaign) == ("sent", "")


def test_tightest_of_several_caps_holds() -> None:
    cap(5, 30)
    ContactCap.objects.create(name="daily", channels=["email"], max_messages=1, window_days=1)
    member = scenes.reader()
    earlier(member, ago=timedelta(hours=5))
    campaign = scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member, campaign) == ("objected", "cap")


def test_last_slot_goes_to_the_highest_priority_and_the_losers_know_whom_they_lost_to() -> None:
    cap(2)
    member = scenes.reader()
    campaigns = {p: scenes.planned_at(DUE, code=f"p{p}", priority=p) for p in (10, 90, 50, 70)}
    scenes.turn()
    fates = {p: scenes.fate(member, campaign) for p, campaign in campaigns.items()}
    assert fates == {
        90: ("sent", ""),
        70: ("sent", ""),
        50: ("objected", "cap"),
        10: ("objected", "cap"),
    }
    for loser in (50, 10):
        row = scenes.delivery(member, campaigns[loser])
        assert row.beaten_by == scenes.delivery(member, campaigns[70])


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_four_workers_never_give_more_than_a_cap_allows() -> None:
    cap(2)
    members = scenes.readers(5)
    for number in range(20):
        scenes.planned_at(DUE, f"news-{number}")

    def work(_: int) -> int:
        sent = 0
        # A batch is one campaign: all the workers judge the same members at once.
        while (batch := sending.send_due(channel="email", now=DUE, limit=5)).claimed:
            sent += batch.sent
        return sent

    sent = at_once(work, callers=4)

    assert sum(sent) == 10
    rows = Delivery.objects.filter(state="sent").values_list("member", flat=True)
    assert sorted(rows) == sorted([m.pk for m in members] * 2)
    assert Delivery.objects.filter(state="objected", reason="cap").count() == 90


# --- The member's own ----------------------------------------------------------------------------
def own(member: Member, most: int, days: int = 7) -> Member:
    joining.change(member=member, changes={"most_messages": most, "most_messages_days": days})
    return member


def test_members_own_word_is_a_cap_beside_the_others() -> None:
    cap(5)
    modest, other = own(scenes.reader(), 1), scenes.reader()
    for member in (modest, other):
        earlier(member, ago=DAY)
    campaign = scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fates(campaign) == {modest.pk: ("objected", "cap"), other.pk: ("sent", "")}


def test_members_own_cap_is_written_as_theirs() -> None:
    ContactCap.objects.all().delete()
    member = own(scenes.reader(), 1)
    before = earlier(member, ago=DAY)
    scenes.planned_at(DUE)
    scenes.turn()
    row = Objection.objects.get()
    assert (row.cap, row.had, row.allowed) == (None, 1, 1)
    assert row.passes_at == DUE - DAY + 7 * DAY
    assert Delivery.objects.get(pk=row.delivery_id).beaten_by == before


def test_members_month_is_longer_than_the_programmes_week() -> None:
    cap(5)
    member = own(scenes.reader(), 1, 30)
    earlier(member, ago=29 * DAY)
    campaign = scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member, campaign) == ("objected", "cap")


def test_members_own_word_does_not_widen_a_cap() -> None:
    cap(1)
    member = own(scenes.reader(), 9)
    earlier(member, ago=DAY)
    campaign = scenes.planned_at(DUE)
    scenes.turn()
    assert scenes.fate(member, campaign) == ("objected", "cap")


@pytest.mark.parametrize(
    "said", [{"channels": ("inbox",)}, {"purpose": "service"}], ids=["inbox", "service"]
)
def test_members_own_word_is_about_marketing_that_disturbs(said: dict[str, Any]) -> None:
    member = own(scenes.reader(), 1)
    earlier(member, ago=DAY)
    campaign = scenes.planned_at(DUE, **said)
    scenes.turn()
    assert scenes.fate(member, campaign) == ("sent", "")


def test_members_own_cap_holds_within_a_batch() -> None:
    ContactCap.objects.all().delete()
    member = own(scenes.reader(), 1)
    rivals = [scenes.planned(f"c{n}") for n in range(3)]
    scenes.turn()
    fates = sorted(scenes.fate(member, rival) for rival in rivals)
    assert fates == [("objected", "cap"), ("objected", "cap"), ("sent", "")]
