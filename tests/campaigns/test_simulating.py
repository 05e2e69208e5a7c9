"""What would happen: the clock's own verbs under another time, and nothing of it kept."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from campaigns import files, launching, simulating
from campaigns.models import Campaign, ContactCap, Delivery, InboxMessage, Journey
from config.errors import Invalid, NotFound
from loyalty.models import Reward
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE, VARIANT
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
TABLES = (
    "campaigns_campaign", "campaigns_journey", "campaigns_delivery", "campaigns_objection",
    "campaigns_inboxmessage", "members_member", "members_unansweredinteraction",
)  # fmt: skip


def everything() -> list[Any]:
    rows: list[Any] = []
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
            rows.append(cursor.fetchall())
    return rows


def play(code: str = "news", *, days: int = 2) -> simulating.Simulation:
    return simulating.simulate(code=code, start=NOW, days=days)


def test_simulation_says_what_then_happens() -> None:
    factories.members(3)
    scenes.draft(channels=("inbox",), holdout_percent=50)
    said = play().totals
    launching.launch(code="news", by=None, now=NOW)
    scenes.turn(NOW)
    scenes.turn(DUE)
    states = list(Delivery.objects.values_list("state", flat=True))
    assert (said.sent, said.held_out) == (states.count("sent"), states.count("held_out"))
    assert said.entered == said.members == 3


def test_simulation_says_in_which_language() -> None:
    factories.member(locale="de_AT")
    factories.member()
    scenes.draft(channels=("inbox",), variants=[VARIANT, {**VARIANT, "language": "de"}])
    assert play().totals.variants == {"German": 1, "default": 1}


def test_simulation_changes_nothing() -> None:
    members = [scenes.reader() for _ in range(3)]
    scenes.planned("film")
    scenes.draft()
    scenes.did(members[0], "view")
    before = everything()
    found = play()
    assert found.totals.sent == 3
    assert everything() == before
    # And the real tables answer again under their names.
    scenes.turn(DUE)
    assert Delivery.objects.filter(state="sent").count() == 3


def test_simulated_message_goes_nowhere(mailoutbox: list[Any]) -> None:
    scenes.reader()
    scenes.draft()
    assert play().totals.sent == 1
    assert (mailoutbox, InboxMessage.objects.count(), Journey.objects.count()) == ([], 0, 0)


def test_rivals_run_along_and_the_beaten_are_told() -> None:
    ContactCap.objects.all().delete()
    ContactCap.objects.create(name="one", channels=["email"], max_messages=1, window_days=7)
    member = scenes.reader()
    scenes.live("film", priority=90)
    scenes.draft(priority=10)
    found = play()
    assert (found.totals.objected, found.totals.beaten) == (1, 1)
    assert found.totals.reasons == {"cap": 1}
    assert found.rivals["film"].sent == 1
    assert [(row["member"], row["beaten_by"]) for row in found.members] == [(member.number, "film")]


def test_later_steps_and_days_are_played_to_the_end() -> None:
    member = factories.member()
    steps = [
        {"channels": ["inbox"], "variants": [VARIANT]},
        {"channels": ["inbox"], "wait": {"days": 2}, "variants": [VARIANT]},
    ]
    factories.campaign("drip", steps=steps)
    found = play("drip", days=3)
    assert [(row["step"], row["state"]) for row in found.members] == [(1, "sent"), (2, "sent")]
    assert [key[0] for key in sorted(found.days)] == ["2027-03-01", "2027-03-03"]
    assert found.members[0]["member"] == member.number


def test_members_do_again_what_they_did_in_the_days_before() -> None:
    member = factories.member()
    scenes.did(member, "view", at=NOW - 6 * DAY)
    scenes.did(member, "view", at=NOW - 60 * DAY)
    scenes.draft(
        channels=("inbox",),
        entry={"kind": "interaction", "interaction": "view", "delay_minutes": 60},
    )
    found = play(days=2)
    assert [row["state"] for row in found.members] == ["sent"]
    assert found.members[0]["due_at"].startswith((NOW + DAY).date().isoformat())


def test_campaign_that_is_live_already_goes_on_from_where_it_is() -> None:
    factories.member()
    scenes.live(entry={"kind": "recurring", "crontab": "0 12 * * *"}, channels=("inbox",))
    scenes.turn(DUE)
    found = simulating.simulate(code="news", start=DUE, days=3)
    assert found.totals.sent == 3
    assert Delivery.objects.count() == 1


def test_draft_that_could_not_be_launched_is_refused() -> None:
    Member.objects.all().delete()
    scenes.draft()
    Campaign.objects.update(goal={"kind": "fame"})
    with pytest.raises(Invalid):
        play()


@pytest.mark.parametrize("days", [0, -1, 401])
def test_days_that_cannot_be_played_are_refused(days: int) -> None:
    scenes.draft()
    with pytest.raises(Invalid):
        play(days=days)


def test_unknown_campaign_is_refused() -> None:
    with pytest.raises(NotFound):
        play("nothing")


def locked() -> list[tuple[str, str]]:
    """What is written to among the real tables, by this very transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'"
            " AND l.pid = pg_backend_pid() AND c.relkind = 'r' AND l.mode <> 'AccessShareLock'"
        )
        return list(cursor.fetchall())


def test_simulation_locks_no_row_of_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    Reward.objects.create(
        slug="ten-off", name="Ten off", kind="voucher", points=500, value=10, currency="USD"
    )
    factories.score("leads", threshold=2, view=1)
    member = factories.member()
    for hours in (1, 2):
        scenes.did(member, "view", at=NOW - 7 * DAY + timedelta(hours=hours))
    entry = {"kind": "interaction", "interaction": "view"}
    scenes.draft(channels=("inbox",), gift="ten-off", points=50, entry=entry)
    seen: list[Any] = []
    tell = simulating._tell

    def look(found: simulating.Simulation) -> None:
        seen.extend(locked())
        tell(found)

    monkeypatch.setattr(simulating, "_tell", look)
    found = play(days=1).totals
    assert (found.sent, found.vouchers, seen) == (2, 2, [])
    document = {**files.export(Campaign.objects.get()), "code": "copy", "priority": 9}
    given = simulating.simulate(code="copy", start=NOW, days=1, document=document)
    assert (given.totals.sent, seen) == (2, [])
