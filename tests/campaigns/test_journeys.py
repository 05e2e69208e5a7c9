"""Journeys of several steps: who goes on, who has arrived, who is passed over, and when."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaigns import files, journeys, planning
from campaigns.models import Campaign, Delivery, Engagement, Journey
from config.errors import Invalid
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE, VARIANT
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def step(**said: Any) -> dict[str, Any]:
    return {"channels": ["inbox"], "variants": [VARIANT], **said}


def drip(*steps: dict[str, Any], **said: Any) -> Campaign:
    """A campaign whose first step is due at DUE, then the others."""
    entry = {"kind": "moment", "at": DUE.isoformat()}
    return factories.campaign(
        "drip", **{"entry": entry, "steps": [step(), *steps], "is_live": True, **said}
    )


def got(to: Member) -> list[tuple[int, str, str]]:
    rows = Delivery.objects.filter(member=to).order_by("step__position")
    return [(row.step.position, row.state, row.reason) for row in rows]


# --- When --------------------------------------------------------------------------------------
def test_steps_come_after_their_waits() -> None:
    member = factories.member()
    drip(step(wait={"days": 7}), step(wait={"days": 3, "hours": 2}))
    for days in range(12):
        scenes.turn(DUE + days * DAY)
    due = [row.due_at - DUE for row in Delivery.objects.order_by("step__position")]
    assert due == [0 * DAY, 7 * DAY, 10 * DAY + timedelta(hours=2)]
    assert [state for _, state, _ in got(member)] == ["sent"] * 3


def test_step_with_a_time_of_day_comes_when_the_members_clock_shows_it() -> None:
    denver = factories.member(time_zone="America/Denver")
    kathmandu = factories.member(time_zone="Asia/Kathmandu")
    # The night of 13 March 2027 has 02:00 to 03:00 skipped in Denver.
    drip(step(wait={"days": 12}))
    Campaign.objects.get().steps.filter(position=2).update(local_time="02:30")
    scenes.turn(DUE)
    due = dict(Journey.objects.values_list("member_id", "next_at"))
    assert due[denver.pk] == scenes.utc("2027-03-14T09:00")
    assert due[kathmandu.pk] == scenes.utc("2027-03-13T20:45")


def test_step_of_the_same_day_and_time_is_not_put_off_to_the_next() -> None:
    factories.member(time_zone="America/Denver")
    drip(step(wait={"days": 1, "local_time": "12:00"}))
    scenes.turn(DUE)
    assert Journey.objects.get().next_at == DUE + DAY


def test_step_after_a_long_wait_follows_the_interaction() -> None:
    member = factories.member()
    drip(
        step(wait={"minutes": 30}),
        entry={"kind": "interaction", "interaction": "view", "delay_minutes": 2_880},
    )
    scenes.did(member, "view", at=NOW + DAY)
    for hours in range(24, 80, 4):
        scenes.turn(NOW + timedelta(hours=hours))
    due = [row.due_at - NOW for row in Delivery.objects.order_by("step__position")]
    assert due == [3 * DAY, 3 * DAY + timedelta(minutes=30)]


def test_steps_of_a_clock_that_stood_still_expire_and_none_is_doubled() -> None:
    member = factories.member()
    drip(step(wait={"days": 7}), step(wait={"days": 3}))
    scenes.turn(DUE)
    scenes.turn(DUE + 10 * DAY)
    scenes.turn(DUE + 10 * DAY)
    assert got(member) == [(1, "sent", ""), (2, "expired", "late"), (3, "sent", "")]


# --- Whether -----------------------------------------------------------------------------------
@pytest.mark.parametrize("has_opened", [True, False])
def test_step_with_a_condition_is_for_those_of_whom_it_is_true(has_opened: bool) -> None:
    member = factories.member()
    drip(step(wait={"days": 1}, **{"if": {"not": {"condition": "opened", "step": 1}}}))
    scenes.turn(DUE)
    if has_opened:
        Engagement.objects.create(
            delivery=Delivery.objects.get(), kind="opened", at=DUE + timedelta(hours=1)
        )
    scenes.turn(DUE + DAY)
    assert got(member)[1] == ((2, "objected", "condition") if has_opened else (2, "sent", ""))


def test_click_of_a_scanner_is_no_answer() -> None:
    member = factories.member()
    drip(step(wait={"days": 1}, **{"if": {"condition": "clicked"}}))
    scenes.turn(DUE)
    Engagement.objects.create(
        delivery=Delivery.objects.get(), kind="clicked", at=DUE, human_percent=10
    )
    scenes.turn(DUE + DAY)
    assert got(member)[1] == (2, "objected", "condition")


def test_goal_ends_the_journey() -> None:
    buyer, other = factories.members(2)
    campaign = drip(step(wait={"days": 7}), goal={"kind": "purchase", "within_days": 14})
    scenes.turn(DUE)
    factories.buy(buyer, 20, occurred_at=DUE + DAY)
    scenes.turn(DUE + 7 * DAY)
    assert got(buyer) == [(1, "sent", "")]
    assert got(other) == [(1, "sent", ""), (2, "sent", "")]
    arrived = Journey.objects.get(campaign=campaign, member=buyer)
    assert (arrived.goal_at, arrived.next_step) == (DUE + 7 * DAY, None)


def test_purchase_that_let_the_member_in_is_not_the_goal() -> None:
    member = factories.member()
    drip(
        step(wait={"days": 1}),
        entry={"kind": "interaction", "interaction": "purchase"},
        goal={"kind": "purchase"},
    )
    factories.buy(member, 20, occurred_at=NOW)
    scenes.turn(NOW)
    scenes.turn(NOW + DAY)
    assert got(member) == [(1, "sent", ""), (2, "sent", "")]


def test_goal_reached_between_planning_and_sending_is_seen_at_the_last_gate() -> None:
    member = factories.member()
    drip(step(wait={"days": 1}), goal={"kind": "purchase"})
    scenes.turn(DUE)
    journeys.advance(now=DUE + DAY)
    factories.buy(member, 20, occurred_at=DUE + DAY)
    scenes.turn(DUE + DAY + timedelta(minutes=1))
    assert got(member)[1] == (2, "objected", "goal")


def test_condition_of_the_first_step_is_asked_at_the_last_gate() -> None:
    """A look is answered an hour later, unless they bought meanwhile."""
    buyer, other = factories.members(2)
    only = {"not": {"condition": "bought_since"}}
    factories.campaign(
        "basket",
        entry={"kind": "interaction", "interaction": "view", "delay_minutes": 60},
        steps=[step(**{"if": only})],
        is_live=True,
    )
    for member in (buyer, other):
        scenes.did(member, "view", sku="PACK")
    scenes.turn(NOW)
    factories.buy(buyer, 20, occurred_at=NOW + timedelta(minutes=20))
    scenes.turn(NOW + timedelta(hours=1))
    assert got(buyer) == [(1, "objected", "condition")]
    assert got(other) == [(1, "sent", "")]


def test_step_for_who_changed_their_mind_asks_for_another_product() -> None:
    again, another, nothing = factories.members(3)
    factories.campaign(
        "hesitating",
        entry={"kind": "interaction", "interaction": "hesitated"},
        steps=[step(), step(wait={"days": 1}, **{"if": {"condition": "looked_at_another"}})],
        is_live=True,
    )
    for member in (again, another, nothing):
        scenes.did(member, "view", sku="MINI", at=NOW - DAY)
        scenes.did(member, "hesitated", sku="PHONE")
    scenes.turn(NOW)
    scenes.did(again, "view", sku="PHONE", at=DUE)
    scenes.did(another, "add-to-basket", sku="MINI", at=DUE)
    scenes.did(nothing, "view", category="stores", at=DUE)
    scenes.turn(NOW + DAY)
    assert [got(member)[1][1:] for member in (again, another, nothing)] == [
        ("objected", "condition"), ("sent", ""), ("objected", "condition"),
    ]  # fmt: skip


def test_held_out_member_goes_through_the_steps_and_gets_none() -> None:
    member = factories.member()
    drip(step(wait={"days": 1}))
    planning.plan_due(now=NOW)
    Journey.objects.update(is_held_out=True)
    Delivery.objects.update(state="held_out")
    scenes.turn(DUE + DAY)
    assert [state for _, state, _ in got(member)] == ["held_out", "held_out"]


def test_paused_campaign_moves_nobody_on() -> None:
    factories.member()
    campaign = drip(step(wait={"days": 1}))
    scenes.turn(DUE)
    Campaign.objects.filter(pk=campaign.pk).update(state="paused")
    assert journeys.advance(now=DUE + DAY) == 0


def test_campaign_with_journeys_under_way_is_not_finished() -> None:
    factories.member()
    campaign = drip(step(wait={"days": 5}))
    for days, state in ((0, "live"), (4, "live"), (6, "finished")):
        scenes.turn(DUE + days * DAY)
        campaign.refresh_from_db()
        assert (days, campaign.state) == (days, state)


# --- Coming back ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("reentry_days", "entered"), [(0, 3), (2, 2), (None, 1)])
def test_members_enter_again_as_the_campaign_says(reentry_days: int | None, entered: int) -> None:
    member = factories.member()
    drip(entry={"kind": "interaction", "interaction": "view"}, reentry_days=reentry_days)
    for days in (0, 1, 3):
        scenes.did(member, "view", at=NOW + days * DAY)
        scenes.turn(NOW + days * DAY)
    assert Journey.objects.count() == entered


@pytest.mark.parametrize(("reentry_days", "entered"), [(0, 2), (2, 1), (None, 1)])
def test_two_interactions_at_once_let_in_once_where_once_is_said(
    reentry_days: int | None, entered: int
) -> None:
    member = factories.member()
    drip(entry={"kind": "interaction", "interaction": "view"}, reentry_days=reentry_days)
    for number in range(2):
        scenes.did(member, "view", reference=f"v{number}")
    scenes.turn(NOW)
    assert Journey.objects.count() == entered


# --- As a file -----------------------------------------------------------------------------------
def document(**said: Any) -> dict[str, Any]:
    return {
        "code": "drip",
        "name": "Drip",
        "audience": {"all": []},
        "entry": {"kind": "moment", "at": DUE.isoformat()},
        "reentry_days": None,
        "steps": [
            step(),
            step(wait={"days": 7, "local_time": "10:00"}, **{"if": {"condition": "opened"}}),
            step(wait={"minutes": 90}),
        ],
        **said,
    }


def test_campaign_of_several_steps_reads_back_as_it_was_written() -> None:
    files.load(document(), now=NOW)
    exported = files.export(Campaign.objects.get())
    assert files.load(exported, now=NOW) == "unchanged"
    assert [each["wait"] for each in exported["steps"]] == [
        {}, {"days": 7, "local_time": "10:00"}, {"minutes": 90},
    ]  # fmt: skip
    assert exported["reentry_days"] is None


@pytest.mark.parametrize(
    ("steps", "pointer"),
    [
        ([], "/steps"),
        ([step()] * 21, "/steps"),
        ([step(wait={"days": 1})], "/steps/0/wait"),
        ([step(), step(wait={"weeks": 1})], "/steps/1/wait"),
        ([step(), step(wait={"days": 401})], "/steps/1/wait"),
        ([step(), step(wait={"days": -1})], "/steps/1/wait"),
        ([step(), step(wait={"days": True})], "/steps/1/wait"),
        ([step(), step(wait={"local_time": "25:00"})], "/steps/1/wait"),
        ([step(), step(wait=7)], "/steps/1/wait"),
        ([step(), step(**{"if": {"condition": "yawned"}})], "/steps/1/if/condition"),
        ([step(), step(**{"if": {"all": [{"condition": "clicked", "step": "x"}]}})],
         "/steps/1/if/all/0/step"),
        ([step(), step(**{"if": []})], "/steps/1/if"),
    ],
)  # fmt: skip
def test_steps_that_cannot_be_are_refused_with_their_place(steps: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        files.load(document(steps=steps), now=NOW)
    assert refusal.value.pointer == pointer
    assert not Campaign.objects.exists()


# --- By belonging to the audience -----------------------------------------------------------------
def vip(**said: Any) -> Campaign:
    audience = {"all": [{"condition": "labelled", "label": "vip"}]}
    return drip(entry={"kind": "audience"}, audience=audience, **said)


def label(member: Member, *labels: str) -> None:
    Member.objects.filter(pk=member.pk).update(labels=list(labels))


def test_member_enters_when_they_come_to_belong_to_the_audience() -> None:
    member = factories.member()
    vip()
    scenes.turn(NOW)
    assert not Journey.objects.exists()
    label(member, "vip")
    for hours in range(1, 6):
        scenes.turn(NOW + timedelta(hours=hours))
    assert got(member) == [(1, "sent", "")]


def test_member_who_belongs_again_enters_again_after_so_many_days() -> None:
    member = factories.member()
    vip(reentry_days=2)
    label(member, "vip")
    for hours in range(0, 24 * 5, 6):
        scenes.turn(NOW + timedelta(hours=hours))
    assert Journey.objects.filter(member=member).count() == 3


def test_audience_looked_up_after_a_standstill_lets_each_in_once() -> None:
    member = factories.member()
    vip()
    label(member, "vip")
    scenes.turn(NOW)
    scenes.turn(NOW + 9 * DAY)
    assert Journey.objects.filter(member=member).count() == 1


def test_audience_that_would_let_in_every_hour_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        files.load(document(entry={"kind": "audience"}, reentry_days=0), now=NOW)
    assert refusal.value.pointer == "/reentry_days"


# --- What goes wrong ------------------------------------------------------------------------------
@pytest.mark.parametrize("broken", ["drip", "other"])
def test_step_that_cannot_be_planned_holds_back_no_other(broken: str) -> None:
    factories.member()
    for code in ("drip", "other"):
        factories.campaign(
            code,
            steps=[step(), step(wait={"days": 1}, **{"if": {"not": {"condition": "clicked"}}})],
            is_live=True,
        )
    scenes.turn(DUE)
    steps = Campaign.objects.get(code=broken).steps
    steps.filter(position=2).update(condition={"condition": "gone"})
    journeys.advance(now=DUE + DAY)
    (row,) = Delivery.objects.filter(step__position=2)
    assert row.campaign.code != broken


def test_step_of_a_member_who_moved_house_comes_by_the_new_clock() -> None:
    member = factories.member(time_zone="America/Denver")
    drip(step(wait={"days": 1, "local_time": "10:00"}))
    scenes.turn(DUE)
    Member.objects.filter(pk=member.pk).update(zone="Asia/Tokyo")
    for hours in range(0, 72, 4):
        scenes.turn(DUE + timedelta(hours=hours))
    row = Delivery.objects.get(step__position=2)
    assert row.due_at.astimezone(ZoneInfo("Asia/Tokyo")).hour == 10


@pytest.mark.parametrize("interaction", [None, [], {}, 7, "yawn"])
def test_goal_that_names_no_interaction_is_refused(interaction: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        files.load(document(goal={"kind": "interaction", "interaction": interaction}), now=NOW)
    assert refusal.value.pointer == "/goal/interaction"


@pytest.mark.parametrize(
    "budget",
    [7, [], {"sends": 0}, {"sends": "5"}, {"money": None}, {"money": "x"}, {"money": "1.001"},
     {"money": float("nan")}, {"money": -1}, {"money": 10**12}, {"points": 0}, {"stamps": 5}],
)  # fmt: skip
def test_budget_that_is_none_is_refused(budget: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        files.load(document(budget=budget), now=NOW)
    assert refusal.value.pointer.startswith("/budget")
