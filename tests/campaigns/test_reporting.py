"""What became of a campaign: the balance, the list of everybody, and whether it helped."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns import reporting
from campaigns.models import Campaign, Delivery, Engagement, Journey
from loyalty.models import Purchase
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LATER = DUE + 20 * DAY


# --- The balance ----------------------------------------------------------------------------------
def test_balance_counts_every_state_reason_variant_and_channel() -> None:
    members = scenes.readers(9)
    for member in members[:3]:
        scenes.did(member, "purchase", "hiking")
    variants = [scenes.VARIANT, {**scenes.VARIANT, "interest": "hiking"}]
    campaign = scenes.planned(variants=variants)
    rows = list(Delivery.objects.order_by("member_id"))
    said: list[dict[str, Any]] = [
        {"state": "sent", "sent_at": DUE},
        {"state": "sent", "sent_at": DUE, "channel": "push"},
        {"state": "unknown", "reason": "in_doubt"},
        {"state": "held_out"},
        {"state": "objected", "reason": "cap"},
        {"state": "objected", "reason": "consent"},
        {"state": "failed", "reason": "refused"},
        {"state": "expired", "reason": "late"},
        {"state": "claimed"},
    ]
    for row, fields in zip(rows, said, strict=True):
        Delivery.objects.filter(pk=row.pk).update(**fields)
    for kind, percent, row in (
        ("opened", 100, rows[0]),
        ("opened", 100, rows[0]),
        ("clicked", 95, rows[0]),
        ("clicked", 20, rows[1]),
    ):
        Engagement.objects.create(delivery=row, kind=kind, at=DUE, human_percent=percent)

    balance = reporting.balance(campaign)

    assert balance == reporting.Balance(
        entered=9,
        members=9,
        sent=2,
        unknown=1,
        held_out=1,
        objected=2,
        failed=1,
        expired=1,
        to_go=1,
        reasons={"in_doubt": 1, "cap": 1, "consent": 1, "refused": 1, "late": 1},
        variants={"hiking": 2},
        channels={"email": 1, "push": 1},
        opened=1,
        clicked=1,
    )
    assert balance.adds_up


def test_balance_of_every_state_adds_up() -> None:
    scenes.readers(len(Delivery.State))
    campaign = scenes.planned()
    for row, state in zip(Delivery.objects.all(), Delivery.State, strict=True):
        reason = "cap" if state == "objected" else ""
        Delivery.objects.filter(pk=row.pk).update(state=state, reason=reason, sent_at=DUE)
    assert reporting.balance(campaign).adds_up


def test_balance_of_a_draft_is_nothing() -> None:
    balance = reporting.balance(scenes.draft())
    assert (balance.entered, balance.adds_up) == (0, True)


def test_versions_are_told_apart_by_language_and_tier() -> None:
    guest, regular, other = (scenes.reader(locale=locale) for locale in ("de", "de", "en"))
    factories.promote(factories.tier("gold", 0), regular)
    german = {**scenes.VARIANT, "language": "de"}
    campaign = scenes.planned(variants=[scenes.VARIANT, german, {**german, "tier": "gold"}])
    scenes.turn()
    names = {"language:de": guest, "language:de tier:gold": regular, "default": other}
    assert reporting.balance(campaign).variants == dict.fromkeys(names, 1)
    rows = reporting.deliveries(campaign)
    assert {row["variant"]: row["member"] for row in rows} == {
        name: member.number for name, member in names.items()
    }


# --- Who ------------------------------------------------------------------------------------------
def test_everybody_has_a_row() -> None:
    hiker = scenes.reader(number="A1", time_zone="Europe/Berlin")
    scenes.did(hiker, "purchase", "hiking")
    factories.member(number="B2")
    variants = [scenes.VARIANT, {**scenes.VARIANT, "interest": "hiking"}]
    campaign = scenes.planned(variants=variants)
    scenes.turn()
    due = DUE.isoformat()
    rows = list(reporting.deliveries(campaign))
    assert rows == [
        {
            "member": "A1",
            "step": 1,
            "channel": "email",
            "state": "sent",
            "reason": "",
            "arm": "treated",
            "variant": "hiking",
            "due_at": due,
            "sent_at": due,
            "zone": "Europe/Berlin",
        },
        {
            "member": "B2",
            "step": 1,
            "channel": "email",
            "state": "objected",
            "reason": "consent",
            "arm": "treated",
            "variant": "default",
            "due_at": due,
            "sent_at": "",
            "zone": "America/Denver",
        },
    ]
    assert tuple(rows[0]) == reporting.COLUMNS


def test_held_out_member_is_in_the_list_too() -> None:
    scenes.readers(40)
    campaign = scenes.planned(holdout_percent=50)
    arms = {(row["arm"], row["state"]) for row in reporting.deliveries(campaign)}
    assert arms == {("held_out", "held_out"), ("treated", "planned")}


# --- Lift -----------------------------------------------------------------------------------------
def entered(members: list[Member], *, held_out: bool, **said: Any) -> None:
    campaign = Campaign.objects.get()
    facts = {"occurrence": "once", "entered_at": NOW, "due_at": DUE, "zone": "UTC", **said}
    Journey.objects.bulk_create(
        Journey(campaign=campaign, member=member, is_held_out=held_out, **facts)
        for member in members
    )


def bought(member: Member, money: int, *, after: timedelta = DAY) -> None:
    at = DUE + after
    Purchase.objects.create(
        member=member,
        channel="web",
        origin="web",
        reference=f"{member.pk}-{at.timestamp()}",
        occurred_at=at,
        recorded_at=at,
        currency="USD",
        total=Decimal(money),
    )


def compared(outcome: str, *, now: Any = LATER) -> dict[str, Any]:
    report = reporting.lift(Campaign.objects.get(), now=now)
    found: dict[str, dict[str, Any]] = {each["outcome"]: each for each in report["comparisons"]}
    return found[outcome]


def test_lift_agrees_with_a_calculation_by_hand() -> None:
    scenes.draft()
    treated, held_out = scenes.readers(4), scenes.readers(3)
    entered(treated, held_out=False)
    entered(held_out, held_out=True)
    for member, money in zip([*treated, *held_out], [10, 20, 0, 30, 0, 10, 5], strict=True):
        if money:
            bought(member, money)
    scenes.did(treated[2], "view", at=DUE + DAY)

    report = reporting.lift(Campaign.objects.get(), now=LATER)

    assert report["arms"] == {
        "treated": {
            "n": 4,
            "visit": {"mean": 0.25},
            "purchase": {"mean": 0.75},
            "spend": {"mean": 15.0},
        },
        "held_out": {
            "n": 3,
            "visit": {"mean": 0.0},
            "purchase": {"mean": pytest.approx(2 / 3)},
            "spend": {"mean": 5.0},
        },
    }
    spend = compared("spend")
    assert (spend["arm"], spend["control"]) == ("treated", "held_out")
    assert (spend["difference"], spend["relative"]) == (10.0, 2.0)
    # Welch: variances 500/3 and 25, error sqrt(500/12 + 25/3) = 7.0711, df 4.08, t 2.756.
    assert (spend["low"], spend["high"]) == (
        pytest.approx(-9.49, abs=0.01),
        pytest.approx(29.49, abs=0.01),
    )
    assert {each["verdict"] for each in report["comparisons"]} == {"too early to tell"}


def test_lift_of_hundreds_has_a_verdict_and_an_interval() -> None:
    scenes.draft()
    treated, held_out = scenes.readers(100), scenes.readers(100)
    entered(treated, held_out=False)
    entered(held_out, held_out=True)
    for member in [*treated[:60], *held_out[:30]]:
        bought(member, 10)
    found = compared("purchase")
    # sqrt(0.24/99 + 0.21/99) = 0.06742, times t of 197 degrees, 1.972.
    assert (found["difference"], found["low"], found["high"]) == (
        pytest.approx(0.3),
        pytest.approx(0.1670, abs=0.0005),
        pytest.approx(0.4330, abs=0.0005),
    )
    assert (found["verdict"], compared("visit")["verdict"]) == ("lift", "too early to tell")


def test_lift_counts_the_treated_whether_reached_or_not() -> None:
    members = scenes.readers(4)
    scenes.decide(members[0], "email", "withdrawn")
    scenes.planned()
    scenes.turn()
    bought(members[0], 40)
    report = reporting.lift(Campaign.objects.get(), now=LATER)
    assert report["arms"]["treated"]["spend"]["mean"] == 10.0


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        (-timedelta(seconds=1), False),
        (timedelta(0), True),
        (3 * DAY - timedelta(seconds=1), True),
        (3 * DAY, False),
    ],
)
def test_lift_counts_from_the_moment_through_the_days_of_the_goal(
    after: timedelta, counts: bool
) -> None:
    scenes.draft(goal={"kind": "purchase", "within_days": 3})
    (member,) = scenes.readers(1)
    entered([member], held_out=False)
    bought(member, 10, after=after)
    report = reporting.lift(Campaign.objects.get(), now=LATER)
    assert report["arms"]["treated"]["purchase"]["mean"] == counts


def test_lift_counts_from_each_members_own_moment() -> None:
    scenes.draft()
    early, late = scenes.readers(2)
    entered([early], held_out=False)
    entered([late], held_out=True, due_at=DUE + 5 * DAY)
    for member in (early, late):
        bought(member, 10, after=2 * DAY)
    report = reporting.lift(Campaign.objects.get(), now=LATER)
    assert report["arms"]["treated"]["spend"]["mean"] == 10
    assert report["arms"]["held_out"]["spend"]["mean"] == 0


def test_lift_says_how_many_members_days_are_not_over() -> None:
    scenes.draft()
    over, last, not_due = scenes.readers(3)
    entered([over], held_out=False)
    entered([last], held_out=True, due_at=DUE + timedelta(seconds=1))
    entered([not_due], held_out=False, due_at=DUE + 30 * DAY)
    report = reporting.lift(Campaign.objects.get(), now=DUE + 14 * DAY)
    assert (report["still_open"], report["arms"]["treated"]["n"]) == (2, 2)


def test_lift_does_not_count_opens_and_clicks_as_visits() -> None:
    scenes.draft()
    members = scenes.readers(3)
    entered(members, held_out=False)
    for member, kind in zip(members, ("open", "click", "view"), strict=True):
        scenes.did(member, kind, at=DUE + DAY)
    report = reporting.lift(Campaign.objects.get(), now=LATER)
    assert report["arms"]["treated"]["visit"]["mean"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", ["tier-change", "points-expiring", "birthday", "seat-found"])
def test_lift_does_not_count_what_cairn_itself_writes_down_as_visits(kind: str) -> None:
    scenes.draft()
    (member,) = scenes.readers(1)
    entered([member], held_out=False)
    scenes.did(member, kind, at=DUE + DAY)
    report = reporting.lift(Campaign.objects.get(), now=LATER)
    assert report["arms"]["treated"]["visit"]["mean"] == 0


def test_lift_of_nobody_is_nothing_yet() -> None:
    scenes.draft()
    report = reporting.lift(Campaign.objects.get(), now=LATER)
    assert report["arms"]["held_out"] == {
        "n": 0,
        "visit": {"mean": None},
        "purchase": {"mean": None},
        "spend": {"mean": None},
    }
    assert {each["difference"] for each in report["comparisons"]} == {None}
    assert {each["verdict"] for each in report["comparisons"]} == {"too early to tell"}
