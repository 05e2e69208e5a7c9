"""Two drafts, versions or files played side by side: what they say otherwise and what that does."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from campaigns import comparing, files, launching
from campaigns.comparing import Comparison
from campaigns.models import Audience, Campaign, ContactCap, Step, Variant
from config.errors import Invalid, NotFound
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def compared(one: str, other: str, *, days: int = 2) -> Comparison:
    sides = comparing.side(one), comparing.side(other)
    return comparing.compare(*sides, start=NOW, days=days)


def copy_of(campaign: Campaign, code: str = "copy", **said: Any) -> Campaign:
    files.load({**files.export(campaign), "code": code, **said}, now=NOW)
    return Campaign.objects.get(code=code)


def rewritten(campaign: Campaign, **said: Any) -> None:
    """A draft of the next version."""
    files.load({**files.export(campaign), **said}, now=NOW)


def sent(found: Comparison) -> tuple[int, int]:
    return found.total.one.sent, found.total.other.sent


def test_copy_with_another_moment_differs_in_a_line_and_in_two_days() -> None:
    factories.member()
    later = {"kind": "moment", "at": (DUE + timedelta(days=1)).isoformat()}
    copy_of(scenes.draft(channels=("inbox",)), entry=later)
    found = compared("news", "copy", days=3)
    assert [(c.pointer, c.before, c.after) for c in found.changes] == [
        ("/code", "news", "copy"),
        ("/entry/at", DUE.isoformat(), later["at"]),
    ]
    days = [
        (line.on.isoformat(), line.one.sent, line.other.sent) for line in found.lines if line.on
    ]
    assert days == [("2027-03-01", 1, 0), ("2027-03-02", 0, 1)]
    assert (found.both, found.only_one, found.only_other) == (1, 0, 0)


def test_members_who_get_something_under_one_alone_are_counted() -> None:
    factories.members(3)
    scenes.readers(2)
    wide = scenes.draft(channels=("inbox",))
    copy_of(wide, steps=[{"channels": ["email"], "variants": [scenes.VARIANT]}])
    found = compared("news", "copy")
    assert (found.both, found.only_one, found.only_other) == (2, 3, 0)
    assert [(line.channel, line.one.sent, line.other.sent) for line in found.lines] == [
        ("email", 0, 2),
        ("inbox", 5, 0),
    ]


def test_neither_campaign_is_the_others_rival() -> None:
    ContactCap.objects.all().delete()
    ContactCap.objects.create(name="one", channels=["email"], max_messages=1, window_days=7)
    scenes.reader()
    copy_of(scenes.live(), priority=10)
    assert sent(compared("news", "copy")) == (1, 1)
    assert sent(compared("copy", "news")) == (1, 1)


def test_other_live_campaigns_run_along_with_both() -> None:
    ContactCap.objects.all().delete()
    ContactCap.objects.create(name="one", channels=["email"], max_messages=1, window_days=7)
    scenes.reader()
    scenes.live("film", priority=100)
    copy_of(scenes.draft(priority=10), priority=1_000)
    found = compared("news", "copy")
    assert sent(found) == (0, 1)
    assert (found.only_one, found.only_other) == (0, 1)


def test_next_version_is_compared_with_what_is_in_force_and_what_was() -> None:
    factories.member()
    campaign = scenes.live(channels=("inbox",))
    rewritten(campaign, audience={"any": []})
    launching.launch(code="news", by=None, now=NOW)
    campaign.refresh_from_db()
    rewritten(campaign, priority=70)
    assert sent(compared("news@1", "news")) == (1, 0)
    assert sent(compared("news@2", "news@next")) == (0, 0)
    assert [c.pointer for c in compared("news@1", "news@next").changes] == [
        "/audience/all",
        "/audience/any",
        "/priority",
    ]


def test_file_is_played_as_if_it_were_loaded() -> None:
    factories.members(2)
    document = files.export(scenes.draft(channels=("inbox",)))
    narrow = comparing.side_of({**document, "audience": {"any": []}}, name="narrow.json")
    strange = comparing.side_of({**document, "code": "new"}, name="new.json")
    assert sent(comparing.compare(narrow, strange, start=NOW, days=1)) == (0, 2)


def everything() -> list[Any]:
    rows: list[Any] = []
    with connection.cursor() as cursor:
        for model in (Campaign, Step, Variant, Audience):
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
            rows.append(cursor.fetchall())
    return rows


def test_comparing_changes_nothing() -> None:
    factories.member()
    campaign = scenes.live(channels=("inbox",))
    rewritten(campaign, priority=70)
    before = everything()
    given = comparing.side_of({**files.export(campaign), "priority": 1}, name="one.json")
    comparing.compare(given, comparing.side("news@next"), start=NOW, days=1)
    assert everything() == before


@pytest.mark.parametrize("name", ["other", "news@2", "news@0", "news@x", "news@next", "news@٣"])
def test_side_that_is_not_there_is_refused(name: str) -> None:
    scenes.live()
    with pytest.raises(NotFound):
        comparing.side(name)


def test_file_that_is_no_campaign_is_refused() -> None:
    with pytest.raises(Invalid):
        comparing.side_of({"code": "x"}, name="x.json")
