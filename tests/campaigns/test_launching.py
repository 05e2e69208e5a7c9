"""Launching, pausing and resuming: what each refuses, and what it starts or stops."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from campaigns import launching
from campaigns.models import Campaign, Delivery, Link, Occasion, Step, Variant
from config.errors import Invalid, NotFound
from members.models import Interest, User
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

VERBS: dict[str, Callable[[str], Campaign]] = {
    "launch": lambda code: launching.launch(code=code, by=None, now=NOW),
    "pause": lambda code: launching.pause(code=code, now=NOW),
    "resume": lambda code: launching.resume(code=code, now=NOW),
}
ALLOWED = {("launch", "draft"): "live", ("pause", "live"): "paused", ("resume", "paused"): "live"}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", Campaign.State.values)
def test_verb_is_refused_but_in_its_own_state(verb: str, state: str) -> None:
    campaign = scenes.draft()
    Campaign.objects.update(state=state, launched_at=NOW)
    if after := ALLOWED.get((verb, state)):
        assert VERBS[verb]("news").state == after
    else:
        with pytest.raises(launching.NotLaunchable, match=f"'news' is {state}; only"):
            VERBS[verb]("news")
    campaign.refresh_from_db()
    assert campaign.state == (after or state)


@pytest.mark.parametrize("verb", VERBS)
def test_campaign_that_is_not_there_is_not_found(verb: str) -> None:
    with pytest.raises(NotFound, match="There is no campaign 'nowhere'"):
        VERBS[verb]("nowhere")


def test_launch_says_when_and_by_whom() -> None:
    scenes.draft()
    user = User.objects.create_user("mo@example.com", name="Mo")
    campaign = launching.launch(code="news", by=user, now=NOW)
    assert (campaign.launched_at, campaign.launched_by, campaign.planned_until) == (NOW, user, None)


def test_launch_writes_down_the_links_of_each_variant() -> None:
    body = (
        "[a](https://example.com/a) [again](https://example.com/a) [b](http://example.com/b)"
        " [own](https://example.com/{{ member.number }}) [m](mailto:a@example.com)"
        " [js](javascript:alert) [bad](https://[bad) ![p](https://example.com/p.png)"
    )
    scenes.live(variants=[{**scenes.VARIANT, "body": body}])
    assert sorted(Link.objects.values_list("url", flat=True)) == [
        "http://example.com/b",
        "https://example.com/a",
    ]


# --- What a draft may have become since it was loaded ---------------------------------------------
def _entry(**said: Any) -> Callable[[Campaign], object]:
    return lambda campaign: Campaign.objects.update(entry=said)


def _audience(definition: Any) -> Callable[[Campaign], object]:
    def change(campaign: Campaign) -> None:
        campaign.audience.definition = definition
        campaign.audience.save()

    return change


def _variant(**said: Any) -> Callable[[Campaign], object]:
    return lambda campaign: Variant.objects.update(**said)


def _only_hikers(campaign: Campaign) -> None:
    Variant.objects.update(interest=Interest.objects.get(slug="hiking"))


def _no_steps(campaign: Campaign) -> None:
    campaign.steps.all().delete()


def _second_step(campaign: Campaign) -> None:
    Step.objects.create(campaign=campaign, position=2, channels=["email"])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (_entry(), "/entry/kind"),
        (_entry(kind="moment", at=NOW.isoformat()), "/entry"),
        (_entry(kind="local", date="2027-02-26"), "/entry"),
        (_entry(kind="occasion", occasion="first-snow"), "/entry/occasion"),
        (_entry(kind="interaction", interaction="sneeze"), "/entry/interaction"),
        (_entry(kind="interaction", interaction="view", interest="chess"), "/entry/interest"),
        (_entry(kind="interaction", interaction="check-in", place="nowhere"), "/entry/place"),
        (_audience({"condition": "home_store", "store": "gone"}), "/audience/store"),
        (_audience([]), "/audience"),
        (lambda campaign: Campaign.objects.update(goal={"kind": "fame"}), "/goal/kind"),
        (_no_steps, "/steps"),
        (_second_step, "/steps/1/variants"),
        (lambda campaign: Step.objects.update(channels=[]), "/steps/0/channels"),
        (lambda campaign: Step.objects.update(channels=["email", "fax"]), "/steps/0/channels/1"),
        (_only_hikers, "/steps/0/variants"),
        (lambda campaign: Variant.objects.all().delete(), "/steps/0/variants"),
        (_variant(subject=""), "/steps/0/variants/0/subject"),
        (_variant(subject="a\nb"), "/steps/0/variants/0/subject"),
        (_variant(body="{{ member.email }}"), "/steps/0/variants/0/body"),
        (_variant(image="moon"), "/steps/0/variants/0/image"),
    ],
)
def test_launch_refuses_what_could_not_be_carried_out(
    change: Callable[[Campaign], object], pointer: str
) -> None:
    change(scenes.draft())
    with pytest.raises(Invalid) as caught:
        VERBS["launch"]("news")
    assert caught.value.pointer == pointer
    campaign = Campaign.objects.get()
    assert (campaign.state, campaign.launched_at, Link.objects.count()) == ("draft", None, 0)


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "occasion", "occasion": "opening"},
        {"kind": "interaction", "interaction": "check-in", "place": "peak"},
        {"kind": "interaction", "interaction": "view", "interest": "hiking"},
        {"kind": "recurring", "crontab": "0 10 * * mon"},
    ],
    ids=lambda entry: entry["kind"],
)
def test_launch_takes_what_names_rows_that_are_there(entry: dict[str, str]) -> None:
    factories.place("peak")
    Occasion.objects.create(occasion="opening", date=NOW.date(), year=2027, country="US")
    assert scenes.live(entry=entry).state == "live"


# --- Pausing and going on -------------------------------------------------------------------------
def test_pause_stops_planning_and_sending_and_resume_goes_on() -> None:
    members = scenes.readers(3)
    scenes.planned()
    launching.pause(code="news", now=NOW)
    scenes.turn()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"planned"}
    resumed = launching.resume(code="news", now=DUE)
    scenes.turn(DUE + timedelta(hours=1))
    assert (resumed.paused_at, resumed.state) == (None, "live")
    assert Delivery.objects.filter(state="sent").count() == len(members)


def test_resume_after_the_moment_still_plans_it_once() -> None:
    member = scenes.reader()
    scenes.live()
    launching.pause(code="news", now=NOW)
    scenes.turn()
    launching.resume(code="news", now=DUE + timedelta(hours=3))
    scenes.turn(DUE + timedelta(hours=3))
    scenes.turn(DUE + timedelta(hours=4))
    assert scenes.fate(member) == ("sent", "")


def test_resume_sends_nothing_that_is_too_old(mailoutbox: list[Any]) -> None:
    member = scenes.reader()
    scenes.planned(expires_hours=24)
    launching.pause(code="news", now=NOW)
    launching.resume(code="news", now=DUE + timedelta(days=3))
    scenes.turn(DUE + timedelta(days=3))
    assert (scenes.fate(member), mailoutbox) == (("expired", "late"), [])


def test_campaign_that_gives_more_points_than_a_day_allows_takes_two() -> None:
    scenes.readers(11)
    scenes.draft("gift", points=50)
    first, second = (User.objects.create_user(f"{name}@example.com") for name in "ab")
    assert launching.launch(code="gift", by=first, now=NOW).state == "draft"
    with pytest.raises(launching.NotLaunchable, match="second person"):
        launching.launch(code="gift", by=first, now=NOW)
    assert launching.launch(code="gift", by=second, now=NOW).state == "live"


def test_campaign_that_gives_as_many_points_as_a_day_allows_takes_one() -> None:
    scenes.readers(10)
    scenes.draft("gift", points=50)
    by = User.objects.create_user("a@example.com")
    assert launching.launch(code="gift", by=by, now=NOW).state == "live"


def test_member_of_the_staff_gives_nobody_points_alone() -> None:
    factories.member(email="a@example.com")
    scenes.draft("gift", points=1)
    by = User.objects.create_user("a@example.com")
    assert launching.launch(code="gift", by=by, now=NOW).state == "draft"
