"""Topics: planning and the last gate ask the same question."""

import pytest

from campaigns import files, rehearsing
from campaigns.models import Campaign
from config.errors import Invalid
from loyalty import merging
from members import topics
from members.models import Member, Topic
from tests import factories
from tests.campaigns import scenes
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def stories() -> None:
    for slug in ("stories", "gear"):
        Topic.objects.create(slug=slug, name=slug.title())


def refuse(member: Member, slug: str = "stories", *, is_wanted: bool = False) -> Member:
    topics.record(member=member, wanted={slug: is_wanted}, at=NOW, source="app", now=NOW)
    return member


def test_planning_says_that_the_topic_is_not_wanted() -> None:
    reader, refuser, other = scenes.reader(), refuse(scenes.reader()), scenes.reader()
    refuse(other, "gear")
    campaign = scenes.planned(topic="stories", channels=("email", "inbox"))
    assert scenes.fates(campaign) == {
        reader.pk: ("planned", ""),
        refuser.pk: ("objected", "topic"),
        other.pk: ("planned", ""),
    }


def test_rehearsal_counts_who_does_not_want_the_topic_as_unreached() -> None:
    scenes.reader()
    refuse(scenes.reader())
    rehearsal = rehearsing.rehearse(scenes.draft(topic="stories"), now=NOW)
    assert (rehearsal.reached, rehearsal.unreached) == (1, 1)


@pytest.mark.parametrize("purpose", ["marketing", "service"])
def test_topic_refused_after_planning_binds_on_every_channel(purpose: str) -> None:
    member = scenes.reader()
    scenes.planned(topic="stories", channels=("email", "inbox"), purpose=purpose)
    refuse(member)
    scenes.turn()
    assert scenes.fate(member) == ("objected", "topic")


def test_campaign_of_no_topic_or_another_goes_to_who_refused_one() -> None:
    member = refuse(scenes.reader())
    none, gear = scenes.planned("none"), scenes.planned("gear", topic="gear")
    scenes.turn()
    assert (scenes.fate(member, none), scenes.fate(member, gear)) == (("sent", ""), ("sent", ""))


def test_topic_wanted_again_is_heard_of_again() -> None:
    member = refuse(scenes.reader())
    topics.record(member=member, wanted={"stories": True}, at=scenes.DUE, source="app", now=NOW)
    scenes.planned(topic="stories")
    scenes.turn()
    assert scenes.fate(member) == ("sent", "")


def test_no_of_a_merged_row_binds_the_person() -> None:
    gone, kept = refuse(factories.member(email="", number="Z9")), scenes.reader()
    merging.merge(gone=gone, kept=kept, reason="same", by=None, now=NOW)
    assert topics.unwanted(member=kept) == ["stories"]


def test_topic_of_a_file_is_kept_and_written_back() -> None:
    draft = scenes.draft(topic="stories")
    assert draft.topic == Topic.objects.get(slug="stories")
    exported = files.export(draft)
    assert exported["topic"] == "stories"
    assert files.load(exported, now=NOW) == "unchanged"
    assert files.load({**exported, "topic": None}, now=NOW) == "loaded"
    assert Campaign.objects.get().topic is None


@pytest.mark.parametrize("topic", ["sailing", "", 7, True, ["stories"], {}])
def test_unknown_topic_of_a_file_is_refused_at_its_place(topic: object) -> None:
    exported = files.export(scenes.draft())
    with pytest.raises(Invalid) as refusal:
        files.load({**exported, "code": "other", "topic": topic}, now=NOW)
    assert refusal.value.pointer == "/topic"
