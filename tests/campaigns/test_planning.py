"""Who enters, when, and in which arm: one statement, and free to repeat."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import audiences, holdouts, planning
from campaigns.models import Audience, Campaign, Delivery, Journey
from campaigns.planning import Planned
from members import joining
from members.models import Address, Member
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


# --- One statement, once ------------------------------------------------------------------------
def written(queries: CaptureQueriesContext) -> list[str]:
    said = [query["sql"] for query in queries.captured_queries]
    return [sql for sql in said if "INSERT" in sql or "DELETE" in sql]


def test_planning_writes_in_one_statement() -> None:
    scenes.readers(3)
    campaign = scenes.live()
    with CaptureQueriesContext(connection) as queries:
        assert scenes.plan(campaign) == Planned(3, 3)
    assert len(written(queries)) == 1


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_chunks_of_members_come_to_the_whole(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "CHUNK", chunk)
    scenes.readers(7)
    campaign = scenes.live()
    assert scenes.plan(campaign) == Planned(7, 7)
    assert Delivery.objects.values("member").distinct().count() == 7


@pytest.mark.parametrize("kind", ["moment", "local", "occasion", "birthday", "recurring"])
def test_planning_asks_as_often_for_two_hundred_as_for_one(kind: str) -> None:
    entry = {
        "moment": {"kind": "moment", "at": DUE.isoformat()},
        "local": {"kind": "local", "date": "2027-03-01", "local_time": "12:00"},
        "occasion": {"kind": "occasion", "occasion": "opening", "local_time": "12:00"},
        "birthday": {"kind": "member_date", "date": "birthday", "local_time": "12:00"},
        "recurring": {"kind": "recurring", "crontab": "0 12 * * *"},
    }[kind]
    scenes.calendar("opening", DUE.date())
    asked = []
    for number, many in enumerate((1, 199)):
        scenes.readers(many)
        Member.objects.update(birth_date=date(1990, 3, 1))
        strangers = Member.objects.filter(address=None)
        Address.objects.bulk_create(Address(member=m, country="US") for m in strangers)
        campaign = scenes.live(f"news-{number}", entry=entry)
        with CaptureQueriesContext(connection) as queries:
            assert scenes.plan(campaign).journeys == Member.objects.count()
        asked.append(len(queries))
    assert asked[0] == asked[1] <= 13


def test_planning_again_adds_nothing() -> None:
    scenes.readers(3)
    campaign = scenes.planned()
    Campaign.objects.update(planned_until=None)
    assert scenes.plan(campaign, now=DUE) == planning.NOTHING
    assert (Journey.objects.count(), Delivery.objects.count()) == (3, 3)


def test_planning_looks_an_hour_ahead() -> None:
    scenes.reader()
    campaign = scenes.live(entry={"kind": "moment", "at": (DUE + DAY).isoformat()})
    assert scenes.plan(campaign, now=DUE + DAY - timedelta(seconds=3_601)) == planning.NOTHING
    assert scenes.plan(campaign, now=DUE + DAY - timedelta(hours=1)) == Planned(1, 1)


def test_planning_takes_the_audience_of_the_day() -> None:
    campaign = scenes.live(audience={"all": [{"condition": "labelled", "label": "vip"}]})
    late = scenes.reader(labels=("vip",))
    scenes.reader()
    scenes.plan(campaign)
    assert list(scenes.fates(campaign)) == [late.pk]


def test_planning_for_an_audience_of_nobody_adds_nothing() -> None:
    scenes.reader()
    campaign = scenes.live(audience={"any": []})
    assert scenes.plan(campaign) == planning.NOTHING


@pytest.mark.parametrize("state", ["draft", "paused", "finished"])
def test_campaign_that_is_not_live_is_not_planned(state: str) -> None:
    scenes.reader()
    campaign = scenes.live()
    Campaign.objects.update(state=state)
    assert scenes.plan(campaign) == planning.NOTHING


def test_campaign_that_cannot_be_planned_does_not_hold_back_the_others() -> None:
    scenes.reader()
    scenes.live("broken")
    scenes.live("sound")
    Audience.objects.filter(code="broken").update(definition={"condition": "gone"})
    assert planning.plan_due(now=NOW) == Planned(1, 1)


def test_delivery_carries_moment_expiry_worth_and_zone() -> None:
    member = scenes.reader(time_zone="Asia/Kolkata")
    scenes.planned(expires_hours=6, priority=70)
    row = scenes.delivery(member)
    assert (row.due_at, row.expires_at - row.due_at) == (DUE, timedelta(hours=6))
    assert (row.tries, row.sent_at, row.lease) == (0, None, None)
    assert row.value == pytest.approx(0.05 * 70 / 50)
    assert row.journey.zone == "Asia/Kolkata"


# --- Moments ------------------------------------------------------------------------------------
def test_local_moment_is_each_members_own() -> None:
    zones = ["Pacific/Kiritimati", "Europe/Berlin", "America/Denver"]
    members = [scenes.reader(time_zone=zone) for zone in zones]
    campaign = scenes.live(entry={"kind": "local", "date": "2027-03-05"})
    scenes.plan(campaign, now=NOW + 5 * DAY)
    assert [scenes.delivery(member).due_at for member in members] == [
        scenes.utc("2027-03-04T20:00"),
        scenes.utc("2027-03-05T09:00"),
        scenes.utc("2027-03-05T17:00"),
    ]


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "local", "date": "2027-03-05"},
        {"kind": "recurring", "crontab": "0 10 5 3 *"},
        {"kind": "member_date", "date": "birthday"},
    ],
    ids=lambda entry: entry["kind"],
)
def test_traveller_whose_new_zone_comes_later_gets_it_once(entry: dict[str, Any]) -> None:
    member = scenes.reader(time_zone="Pacific/Kiritimati", birth_date=date(1990, 3, 5))
    campaign = scenes.live(entry=entry)
    assert scenes.plan(campaign, now=scenes.utc("2027-03-04T20:00")).journeys == 1
    joining.change(member=member, changes={"time_zone": "America/Denver"})
    assert scenes.plan(campaign, now=scenes.utc("2027-03-06T00:00")) == planning.NOTHING


def test_recurring_campaign_comes_back() -> None:
    member = scenes.reader()
    campaign = scenes.live(entry={"kind": "recurring", "crontab": "0 10 * * mon"})
    for day in range(15):
        scenes.plan(campaign, now=NOW + day * DAY)
    due = Delivery.objects.filter(member=member).values_list("due_at", flat=True)
    assert sorted(due) == [scenes.utc("2027-03-08T17:00"), scenes.utc("2027-03-15T16:00")]


def test_birthday_is_planned_for_whom_it_is() -> None:
    today = scenes.reader(birth_date=date(1990, 3, 2))
    scenes.reader(birth_date=date(1990, 3, 3))
    scenes.reader()
    campaign = scenes.live(entry={"kind": "member_date", "date": "birthday"})
    scenes.plan(campaign, now=scenes.utc("2027-03-02T17:00"))
    assert list(scenes.fates(campaign)) == [today.pk]


def test_day_of_joining_is_celebrated_from_the_next_year_on() -> None:
    old, _new = (
        scenes.reader(joined_at=scenes.utc(f"{year}-03-02T18:00")) for year in (2026, 2027)
    )
    campaign = scenes.live(entry={"kind": "member_date", "date": "joined"})
    scenes.plan(campaign, now=scenes.utc("2027-03-03"))
    assert list(scenes.fates(campaign)) == [old.pk]


def test_leapling_is_greeted_on_the_28th() -> None:
    member = scenes.reader(birth_date=date(2004, 2, 29))
    now = scenes.utc("2027-02-27T00:00")
    campaign = scenes.live(entry={"kind": "member_date", "date": "birthday"}, now=now)
    scenes.plan(campaign, now=now + 4 * DAY)
    assert scenes.delivery(member).due_at == scenes.utc("2027-02-28T17:00")


def test_day_of_joining_is_that_of_the_members_own_zone() -> None:
    joined = scenes.utc("2024-03-03T02:00")  # The evening of the second in Denver.
    member = scenes.reader(joined_at=joined)
    campaign = scenes.live(entry={"kind": "member_date", "date": "joined"})
    scenes.plan(campaign, now=NOW + 5 * DAY)
    assert scenes.delivery(member).due_at == scenes.utc("2027-03-02T17:00")


# --- Arms ---------------------------------------------------------------------------------------
def test_held_out_are_those_of_the_hash_and_their_share_is_kept() -> None:
    members = scenes.readers(2_000)
    held_out = {}
    for code in ("film", "news"):
        campaign = scenes.planned(code, holdout_percent=10)
        rows = Journey.objects.filter(campaign=campaign, is_held_out=True)
        held_out[code] = set(rows.values_list("member_id", flat=True))
        assert held_out[code] == {
            member.pk
            for member in members
            if holdouts.is_held_out(campaign=code, member_id=member.pk, percent=10)
        }
        assert 146 <= len(held_out[code]) <= 254  # Four standard deviations about 200.
    assert len(held_out["film"] & held_out["news"]) < 60  # Independent, they share 20.


def test_hash_is_the_same_in_python_and_in_the_database() -> None:
    sql = holdouts.held_out_sql(campaign="%s::text", member="m", below="%s")
    ids = [*range(1, 1_500), 2**31, 2**63 - 1, *range(10**12, 10**12 + 500)]
    for campaign, percent in (("back-to-school_2027", 0.01), ("x" * 64, 12.34), ("a", 50)):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT m FROM unnest(%s::bigint[]) AS m WHERE {sql}",
                [ids, campaign, round(percent * 100)],
            )
            found = {row[0] for row in cursor.fetchall()}
        assert found == {
            pk
            for pk in ids
            if holdouts.is_held_out(campaign=campaign, member_id=pk, percent=percent)
        }


def test_held_out_members_have_a_delivery_that_never_goes() -> None:
    scenes.readers(30)
    for member in Member.objects.all()[:10]:
        scenes.decide(member, "email", "withdrawn")
    campaign = scenes.planned(holdout_percent=90)
    held_out = Journey.objects.filter(campaign=campaign, is_held_out=True)
    fates = scenes.fates(campaign)
    assert {fates[journey.member_id] for journey in held_out} == {("held_out", "")}
    assert 15 < held_out.count() < 30 == len(fates)


def test_audience_of_a_campaign_is_the_one_its_query_finds() -> None:
    scenes.readers(5)
    wanted = {"all": [{"condition": "random_sample", "percent": 50, "seed": "s"}]}
    campaign = scenes.planned(audience=wanted)
    found = audiences.members(wanted, at=NOW).values_list("pk", flat=True)
    assert set(scenes.fates(campaign)) == set(found)
