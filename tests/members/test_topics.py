"""What members want to hear about: an append-only record, and the state it adds up to."""

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from config.errors import Invalid
from members import topics
from members.models import Member, Topic, TopicDecision, TopicState
from tests import factories
from tests.factories import NOW
from tests.staff import SignIn

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def stories() -> Topic:
    Topic.objects.create(slug="gear", name="Gear")
    return Topic.objects.create(slug="stories", name="Stories")


def said(by: Member, *, at: datetime = NOW, **wanted: bool) -> None:
    topics.record(member=by, wanted=wanted, at=at, source="test", now=NOW)


def test_silence_means_everything(alex: Member) -> None:
    wanted = topics.wanted(member=alex)
    assert {topic.slug: yes for topic, yes in wanted.items()} == {"gear": True, "stories": True}


def test_no_is_about_its_member_and_topic_only(alex: Member) -> None:
    said(alex, stories=False)
    assert topics.unwanted(member=alex) == ["stories"]
    assert topics.unwanted(member=factories.member()) == []


def test_later_decision_counts_whatever_comes_in_first(alex: Member) -> None:
    said(alex, stories=True, at=NOW + HOUR)
    said(alex, stories=False)
    assert topics.unwanted(member=alex) == []
    assert TopicDecision.objects.count() == 2


def test_decision_told_twice_is_recorded_once(alex: Member) -> None:
    said(alex, stories=False)
    said(alex, stories=False)
    assert (TopicDecision.objects.count(), TopicState.objects.count()) == (1, 1)


def test_unknown_topic_is_refused_and_nothing_recorded(alex: Member) -> None:
    with pytest.raises(Invalid) as refusal:
        said(alex, stories=False, sailing=False)
    assert refusal.value.pointer == "/topics/sailing"
    assert TopicDecision.objects.count() == 0


@pytest.mark.parametrize("change", ["update", "delete"])
def test_record_is_append_only(alex: Member, change: str) -> None:
    said(alex, stories=False)
    rows = TopicDecision.objects.all()
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.delete() if change == "delete" else rows.update(is_wanted=True)


def test_marketer_adds_a_topic_and_its_slug_stays(marketer: Client) -> None:
    said = {"name": "Trail news", "slug": "trail-news", "description": "Now and then."}
    assert marketer.post("/admin/members/topic/add/", said).status_code == 302
    row = Topic.objects.get(slug="trail-news")
    renamed = {**said, "name": "News", "slug": "other"}
    assert marketer.post(f"/admin/members/topic/{row.pk}/change/", renamed).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.slug) == ("News", "trail-news")
    assert marketer.get(f"/admin/members/topic/{row.pk}/delete/").status_code == 403
    assert "Topics" in marketer.get("/admin/").content.decode()


def test_clerk_has_no_topics(sign_in: SignIn) -> None:
    assert sign_in("Clerk").get("/admin/members/topic/").status_code == 403


def test_staff_see_what_a_member_does_not_want(alex: Member, sign_in: SignIn) -> None:
    said(alex, stories=False)
    page = sign_in("").get(f"/admin/members/member/{alex.pk}/change/").content.decode()
    assert "Not wanted: Stories." in page
