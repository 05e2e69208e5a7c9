"""Versions: what was launched stays as it was, members stay on theirs, moving them is a verb."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from campaigns import files, journeys, launching, progress, reporting, simulating, versions
from campaigns.launching import NotLaunchable
from campaigns.models import Audience, Campaign, CampaignVersion, Delivery, Journey, Step
from config.errors import Invalid
from members.models import Member, Programme, Topic, User
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE, VARIANT
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def step(subject: str = "Hello", **said: Any) -> dict[str, Any]:
    return {"channels": ["inbox"], "variants": [{**VARIANT, "subject": subject}], **said}


def drip(*steps: dict[str, Any], **said: Any) -> dict[str, Any]:
    return {
        "code": "drip",
        "name": "Drip",
        "audience": {"all": []},
        "entry": {"kind": "interaction", "interaction": "view"},
        "steps": [*steps],
        **said,
    }


def launched(document: dict[str, Any], *, now: Any = NOW, by: User | None = None) -> Campaign:
    files.load(document, now=now)
    return launching.launch(code=document["code"], by=by, now=now)


def subjects() -> list[str]:
    rows = Delivery.objects.filter(state="sent").order_by("due_at", "pk")
    return [row.variant.subject for row in rows.select_related("variant") if row.variant]


def test_file_of_a_launched_campaign_is_the_draft_of_its_next_version() -> None:
    launched(drip(step("one")))
    assert files.load(drip(step("two")), now=NOW) == "loaded"
    assert files.load(drip(step("two")), now=NOW) == "unchanged"
    campaign = Campaign.objects.get(code="drip")
    assert files.export(campaign)["steps"][0]["variants"][0]["subject"] == "one"
    assert files.export(campaign.next_version)["steps"][0]["variants"][0]["subject"] == "two"


def test_file_that_says_what_is_in_force_makes_no_draft() -> None:
    launched(drip(step("one")))
    assert files.load(drip(step("one")), now=NOW) == "unchanged"
    assert Campaign.objects.count() == 1


def test_launch_puts_the_next_version_into_force_and_keeps_the_former() -> None:
    launched(drip(step("one")))
    files.load(drip(step("two"), audience={"any": []}), now=NOW)
    campaign = launching.launch(code="drip", by=None, now=NOW + DAY)
    assert (campaign.version, campaign.state) == (2, "live")
    assert campaign.audience.definition == {"any": []}
    kept = CampaignVersion.objects.order_by("number")
    assert [each.number for each in kept] == [1, 2]
    said = [each.document["steps"][0]["variants"][0]["subject"] for each in kept]
    assert said == ["one", "two"]
    assert (Campaign.objects.count(), Audience.objects.count()) == (1, 1)


def test_launched_version_cannot_be_rewritten() -> None:
    launched(drip(step("one")))
    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        CampaignVersion.objects.update(document={})


def test_members_go_on_by_the_version_they_entered() -> None:
    early, late = factories.members(2)
    launched(drip(step("one"), step("one, later", wait={"days": 2})))
    scenes.did(early, "view")
    scenes.turn(NOW)
    files.load(drip(step("two"), step("two, later", wait={"days": 2})), now=NOW)
    launching.launch(code="drip", by=None, now=NOW)
    scenes.did(late, "view", at=NOW + DAY)
    for days in range(1, 5):
        scenes.turn(NOW + days * DAY)
    assert subjects() == ["one", "two", "one, later", "two, later"]


def test_goal_is_that_of_the_version_entered() -> None:
    member = factories.member()
    launched(drip(step("one"), step("later", wait={"days": 2}), goal={"kind": "purchase"}))
    scenes.did(member, "view")
    scenes.turn(NOW)
    files.load(drip(step("one"), step("later", wait={"days": 2}), goal={}), now=NOW)
    launching.launch(code="drip", by=None, now=NOW)
    factories.buy(member, 10, occurred_at=NOW + DAY)
    scenes.turn(NOW + 2 * DAY)
    assert subjects() == ["one"]
    assert Journey.objects.get().goal_at is not None


def test_moving_members_says_whom_first_and_then_moves_them() -> None:
    member = factories.member()
    campaign = launched(drip(step("one"), step("one, later", wait={"days": 2})))
    scenes.did(member, "view")
    scenes.turn(NOW)
    files.load(drip(step("two"), step("two, later", wait={"days": 9})), now=NOW)
    campaign = launching.launch(code="drip", by=None, now=NOW)
    assert versions.move(campaign=campaign, now=NOW, is_rehearsal=True) == {2: 1}
    assert Step.every.get(position=2, version=1).pk == Journey.objects.get().next_step_id
    assert versions.move(campaign=campaign, now=NOW) == {2: 1}
    assert versions.move(campaign=campaign, now=NOW) == {}
    scenes.turn(NOW + 2 * DAY)
    assert subjects() == ["one", "two, later"]


def test_moving_members_to_a_version_without_their_step_ends_the_journey() -> None:
    factories.member()
    campaign = launched(drip(step("one"), step("later", wait={"days": 2})))
    scenes.did(factories.member(), "view")
    scenes.turn(NOW)
    files.load(drip(step("two")), now=NOW)
    campaign = launching.launch(code="drip", by=None, now=NOW)
    versions.move(campaign=campaign, now=NOW)
    assert Journey.objects.get().next_at is None


def test_changes_of_a_draft_are_told_place_by_place() -> None:
    launched(drip(step("one"), priority=50))
    files.load(drip(step("two"), priority=70), now=NOW)
    draft = Campaign.objects.get(code="drip").next_version
    assert [(c.pointer, c.before, c.after) for c in versions.changes(draft)] == [
        ("/priority", 50, 70),
        ("/steps/0/variants/0/subject", "one", "two"),
    ]


def test_finished_campaign_has_no_next_version() -> None:
    launched(drip(step("one")))
    Campaign.objects.update(state="finished")
    with pytest.raises(files.AlreadyLaunched):
        files.load(drip(step("two")), now=NOW)


def test_launch_of_a_live_campaign_without_a_draft_is_refused() -> None:
    launched(drip(step("one")))
    with pytest.raises(NotLaunchable):
        launching.launch(code="drip", by=None, now=NOW)


# --- Two people ---------------------------------------------------------------------------------
@pytest.fixture
def two_people() -> tuple[User, User]:
    Programme.objects.update(launch_alone_up_to=2)
    first, second = (
        User.objects.create(email=f"{name}@example.com", is_staff=True) for name in ("a", "b")
    )
    return first, second


def test_large_campaign_takes_a_second_person(two_people: tuple[User, User]) -> None:
    first, second = two_people
    factories.members(3)
    assert launched(drip(step()), by=first).state == "draft"
    with pytest.raises(NotLaunchable):
        launching.launch(code="drip", by=first, now=NOW)
    campaign = launching.launch(code="drip", by=second, now=NOW)
    assert (campaign.state, campaign.asked_by, campaign.launched_by) == ("live", first, second)


def test_small_campaign_is_launched_alone(two_people: tuple[User, User]) -> None:
    factories.members(2)
    assert launched(drip(step()), by=two_people[0]).state == "live"


def test_change_after_asking_has_to_be_asked_for_again(two_people: tuple[User, User]) -> None:
    first, second = two_people
    factories.members(3)
    launched(drip(step("harmless")), by=first)
    assert launched(drip(step("changed")), by=second).state == "draft"
    assert Campaign.objects.get().asked_by == second


# --- Order --------------------------------------------------------------------------------------
def test_campaigns_that_wait_for_each_other_are_refused() -> None:
    files.load(drip(step(), code="b"), now=NOW)
    only_after_b = {"all": [{"condition": "in_campaign", "campaign": "b"}]}
    launched(drip(step(), code="a", audience=only_after_b))
    only_after_a = {"all": [{"condition": "in_campaign", "campaign": "a"}]}
    files.load(drip(step(), code="b", audience=only_after_a), now=NOW)
    with pytest.raises(Invalid) as refusal:
        launching.launch(code="b", by=None, now=NOW)
    assert refusal.value.pointer == "/audience"


@pytest.mark.django_db(transaction=True)
def test_next_version_can_be_played_before_it_is_in_force() -> None:
    factories.member()
    entry = {"kind": "moment", "at": DUE.isoformat()}
    launched(drip(step("one"), entry=entry))
    files.load(drip(step("two"), step("later", wait={"days": 1}), entry=entry), now=NOW)
    now_in_force = simulating.simulate(code="drip", start=NOW, days=2)
    drafted = simulating.simulate(code="drip", start=NOW, days=2, is_next=True)
    assert (now_in_force.totals.sent, drafted.totals.sent) == (1, 2)
    assert Campaign.objects.get(code="drip").version == 1


def test_topic_belongs_to_the_version() -> None:
    Topic.objects.create(slug="stories", name="Stories")
    launched(drip(step("one")))
    files.load(drip(step("one"), topic="stories"), now=NOW)
    campaign = launching.launch(code="drip", by=None, now=NOW)
    assert campaign.topic == Topic.objects.get()


def test_purpose_does_not_change_with_a_version() -> None:
    """Who agreed to service messages did not agree to advertising, and the other way round."""
    launched(drip(step("one")))
    with pytest.raises(Invalid) as refusal:
        files.load(drip(step("one"), purpose="service"), now=NOW)
    assert refusal.value.pointer == "/purpose"


def test_member_who_came_otherwise_needs_no_date_of_the_next_version() -> None:
    member = factories.member()
    launched(drip(step("one"), step("later", wait={"days": 2})))
    scenes.did(member, "view")
    scenes.turn(NOW)
    scenes.calendar("school-start", (NOW + 60 * DAY).date())
    entry = {"kind": "occasion", "occasion": "school-start"}
    files.load(drip(step("one"), step("later", wait={"days": 3}), entry=entry), now=NOW)
    launching.launch(code="drip", by=None, now=NOW)
    scenes.turn(NOW + 2 * DAY)
    assert subjects() == ["one", "later"]


def test_moment_of_a_next_version_within_the_hour_is_not_lost() -> None:
    factories.member()
    launched(drip(step("one"), entry={"kind": "moment", "at": (NOW + 9 * DAY).isoformat()}))
    scenes.turn(NOW)
    at = NOW + timedelta(minutes=30)
    files.load(drip(step("two"), entry={"kind": "moment", "at": at.isoformat()}), now=NOW)
    launching.launch(code="drip", by=None, now=NOW)
    scenes.turn(at)
    assert subjects() == ["two"]


def test_draft_of_a_finished_campaign_does_not_launch() -> None:
    launched(drip(step("one")))
    files.load(drip(step("two")), now=NOW)
    Campaign.objects.filter(code="drip").update(state="finished")
    with pytest.raises(NotLaunchable):
        launching.launch(code="drip", by=None, now=NOW)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("many", [2, 3])
def test_member_who_is_moved_on_while_moving_gets_no_step_twice(many: int) -> None:
    factories.member()
    waits = [{}, {"days": 2}, {"days": 2}][:many]
    launched(drip(*[step(f"one {n}", wait=wait) for n, wait in enumerate(waits)]))
    scenes.did(Member.objects.get(), "view")
    scenes.turn(NOW)
    files.load(drip(*[step(f"two {n}", wait=wait) for n, wait in enumerate(waits)]), now=NOW)
    campaign = launching.launch(code="drip", by=None, now=NOW)

    def move() -> None:
        versions.move(campaign=campaign, now=NOW)
        connection.close()

    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            journeys.advance(now=NOW + 2 * DAY)
            moving = other.submit(move)
            time.sleep(0.5)
        moving.result()
    for days in range(2, 9):
        scenes.turn(NOW + days * DAY)
    assert [subject[-1] for subject in subjects()] == [str(n) for n in range(many)]


def test_audience_changed_after_asking_has_to_be_asked_for_again(
    two_people: tuple[User, User],
) -> None:
    first, second = two_people
    factories.members(3)
    launched(drip(step()), by=first)
    Audience.objects.update(definition={"all": [{"condition": "joined_before", "days": 1}]})
    assert launching.launch(code="drip", by=second, now=NOW).state == "draft"
    assert launching.launch(code="drip", by=first, now=NOW).state == "live"


def test_steps_of_former_versions_are_in_the_numbers() -> None:
    member = factories.member()
    launched(drip(step("one"), step("later", wait={"days": 2})))
    scenes.did(member, "view")
    scenes.turn(NOW)
    files.load(drip(step("two"), step("later", wait={"days": 2})), now=NOW)
    campaign = launching.launch(code="drip", by=None, now=NOW)
    scenes.turn(NOW + 2 * DAY)
    entered = sum(stage.tally.entered for stage in progress.stages(campaign))
    assert entered == reporting.balance(campaign).entered == 2
