"""`manage.py simulate`: what it prints of days to come, of a kept plan, and of two compared."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campaigns import files, forecasting, launching, simulating
from campaigns.models import Campaign, ContactCap, Forecast
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.test_commands import refusal, run, soon

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def as_json(*words: str) -> Any:
    return json.loads(run("simulate", *words, "--json"))


def came_true() -> Campaign:
    """A campaign that was foreseen, launched and sent two days ago."""
    began = timezone.now() - 2 * DAY
    entry = {"kind": "moment", "at": (began + timedelta(hours=1)).isoformat()}
    campaign = scenes.draft(channels=("inbox",), entry=entry, now=began)
    forecasting.remember(simulating.simulate(code="news", start=began, days=2), now=began)
    launching.launch(code="news", by=None, now=began)
    scenes.turn(began)
    scenes.turn(began + timedelta(hours=2))
    return campaign


def test_json_tells_reasons_vouchers_and_cost() -> None:
    ContactCap.objects.all().delete()
    ContactCap.objects.create(name="none", channels=["email"], max_messages=0, window_days=7)
    scenes.reader()
    soon()
    totals = as_json("news", "--days", "1")["totals"]
    assert (totals["reasons"], totals["vouchers"], totals["cost"]) == ({"cap": 1}, 0, "0")


def test_playing_alone_keeps_nothing() -> None:
    soon()
    run("simulate", "news", "--days", "1")
    assert not Forecast.objects.exists()


def test_kept_of_a_draft_says_when_it_becomes_the_plan() -> None:
    soon()
    said = run("simulate", "news", "--days", "1", "--keep").splitlines()[-1]
    assert said == "Kept: it is the plan once this is launched as it stands."
    launching.launch(code="news", by=None, now=timezone.now())
    assert Forecast.objects.get().kept_at is not None


def test_kept_of_what_is_in_force_is_its_plan() -> None:
    soon(is_live=True)
    said = run("simulate", "news", "--days", "1", "--keep").splitlines()[-1]
    assert said == "Kept as the plan of version 1: --against sets it beside what came."


def test_against_sets_the_plan_beside_what_came() -> None:
    factories.member()
    came_true()
    head, day, together = run("simulate", "news", "--against").splitlines()
    assert head.startswith("news, version 1: foreseen ")
    assert day.endswith("  inbox: entered 1 -> 1 (+0), sent 1 -> 1 (+0)")
    assert together == "together: entered 1 -> 1 (+0), sent 1 -> 1 (+0)"
    found = as_json("news@1", "--against")
    (day,) = found["days"]
    assert day["sent"] == {"foreseen": 1, "actual": 1, "difference": 0}
    assert (day["far"], day["causes"], found["total"]["day"]) == ([], [], None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("news@2", "--against"), "Nothing is kept as the plan of 'news@2'."),
        (("news@x", "--against"), "There is no version 'x' of 'news' that was launched."),
        (("nothing", "--against"), "There is no campaign 'nothing'."),
        (("news@x",), "There is no version 'x' of 'news'."),
        (("news", "--compare", "nothing"), "There is no campaign 'nothing'."),
        (("news", "--compare", "missing.json"), "[Errno 2]"),
    ],
)
def test_refusal_is_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    soon(is_live=True)
    assert refusal("simulate", *words).startswith(sentence)


def test_compare_tells_lines_days_and_members(tmp_path: Path) -> None:
    factories.members(2)
    campaign = soon(channels=("inbox",))
    file = tmp_path / "narrow.json"
    file.write_text(json.dumps({**files.export(campaign), "audience": {"any": []}}))
    found = as_json("news", "--compare", str(file), "--days", "2")
    assert found["changes"] == [
        {"path": "/audience/all", "from": [], "to": None},
        {"path": "/audience/any", "from": None, "to": []},
    ]
    assert found["total"]["sent"] == {"one": 2, "other": 0, "difference": -2}
    assert found["members"] == {"both": 0, "one": 2, "other": 0}
    said = run("simulate", "news", "--compare", str(file), "--days", "2").splitlines()
    assert said[1:3] == ["  /audience/all: [] -> null", "  /audience/any: null -> []"]
    assert said[-2].startswith("members who get something: 0 by both, 2 by news alone, 0 by ")


def test_file_cannot_be_kept_as_a_plan(tmp_path: Path) -> None:
    file = tmp_path / "news.json"
    file.write_text(json.dumps(files.export(soon())))
    assert refusal("simulate", str(file), "--keep").startswith("Only what is drafted or in force")
