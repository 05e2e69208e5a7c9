"""/me/preferences/ and /me/interests/: what the member allows and loves."""

from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from members.models import Consent, Member, Topic, TopicDecision
from tests import factories

PREFERENCES, INTERESTS = "/api/v1/me/preferences/", "/api/v1/me/interests/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    return factories.member()


def test_every_channel_and_purpose_is_said(phone: APIClient) -> None:
    said = phone.get(PREFERENCES).json()
    assert said == {
        "channels": {
            "email": {"marketing": False, "service": True},
            "push": {"marketing": False, "service": True},
            "sms": {"marketing": False, "service": True},
            "inbox": {"marketing": True, "service": True},
            "people": {"marketing": False, "service": True},
        },
        "preferred_channel": "",
        "paused_until": None,
        "topics": {},
        "frequency": None,
    }


def test_what_is_left_out_stays_as_it_was(phone: APIClient) -> None:
    phone.patch(PREFERENCES, {"channels": {"email": {"marketing": True}}})
    said = phone.patch(
        PREFERENCES, {"channels": {"sms": {"marketing": True, "service": False}}}
    ).json()
    assert said["channels"]["email"] == {"marketing": True, "service": True}
    assert said["channels"]["sms"] == {"marketing": True, "service": False}
    assert phone.get(PREFERENCES).json() == said


def test_decision_is_recorded_with_its_source(alex: Member, phone: APIClient) -> None:
    phone.patch(PREFERENCES, {"channels": {"email": {"marketing": False}}})
    consent = Consent.objects.get()
    assert (consent.member, consent.action, consent.source) == (alex, "withdrawn", "app")


def test_pause_is_set_and_lifted(phone: APIClient) -> None:
    until = "2031-01-01T00:00:00+00:00"
    said = phone.patch(PREFERENCES, {"paused_until": until, "preferred_channel": "push"}).json()
    assert (said["paused_until"], said["preferred_channel"]) == (until, "push")
    assert phone.patch(PREFERENCES, {"paused_until": None}).json()["paused_until"] is None


def test_topic_is_refused_and_wanted_again(alex: Member, phone: APIClient) -> None:
    for slug in ("stories", "gear"):
        Topic.objects.create(slug=slug, name=slug.title())
    said = phone.patch(PREFERENCES, {"topics": {"gear": False}}).json()
    assert said["topics"] == {"gear": False, "stories": True}
    assert phone.patch(PREFERENCES, {"topics": {"gear": True}}).json()["topics"]["gear"] is True
    rows = TopicDecision.objects.order_by("at").values_list("member", "is_wanted", "source")
    assert list(rows) == [(alex.pk, False, "app"), (alex.pk, True, "app")]


def test_frequency_is_set_and_lifted(alex: Member, phone: APIClient) -> None:
    said = phone.patch(PREFERENCES, {"frequency": {"most": 2, "per": "month"}}).json()
    assert said["frequency"] == {"most": 2, "per": "month"}
    alex.refresh_from_db()
    assert (alex.most_messages, alex.most_messages_days) == (2, 30)
    assert phone.patch(PREFERENCES, {"frequency": None}).json()["frequency"] is None


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"topics": {"sailing": False}}, "/topics/sailing"),
        ({"topics": {"gear": "no"}}, "/topics/gear"),
        ({"topics": ["gear"]}, "/topics"),
        ({"topics": {"gear\u0000": False}}, "/topics"),
        ({"frequency": {"most": 0, "per": "week"}}, "/frequency/most"),
        ({"frequency": {"most": 1.5, "per": "week"}}, "/frequency/most"),
        ({"frequency": {"most": 51, "per": "week"}}, "/frequency/most"),
        ({"frequency": {"most": 1, "per": "year"}}, "/frequency/per"),
        ({"frequency": {"most": 1}}, "/frequency/per"),
        ({"frequency": 3}, "/frequency"),
        ({"frequency": {"most": 1, "per": "week", "on": "email"}}, "/frequency/on"),
    ],
)
def test_wish_that_cannot_be_is_refused_at_its_place(
    phone: APIClient, said: dict[str, Any], pointer: str
) -> None:
    Topic.objects.create(slug="gear", name="Gear")
    answer = phone.patch(PREFERENCES, {"channels": {"email": {"marketing": True}}, **said})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert Consent.objects.count() == 0


def test_interests_are_shown_with_their_evidence(alex: Member, phone: APIClient) -> None:
    factories.product("tent", interests=["camping"])
    factories.buy(alex, factories.line("80", sku="tent"))
    (shown,) = phone.get(INTERESTS).json()["interests"]
    (fact,) = shown["evidence"]
    assert (shown["interest"], shown["name"], shown["is_stated"]) == ("camping", "Camping", False)
    assert 0 < shown["score"] <= 1
    assert (fact["kind"], fact["facts"], fact["share"]) == ("purchase", 1, 1.0)


def test_own_word_replaces_what_was_said_before(phone: APIClient) -> None:
    phone.put(INTERESTS, {"interests": {"hiking": 1, "snow": 0.2}})
    shown = phone.put(INTERESTS, {"interests": {"climbing": 0.75}}).json()["interests"]
    assert [(one["interest"], one["score"], one["is_stated"]) for one in shown] == [
        ("climbing", 0.75, True)
    ]


@pytest.mark.parametrize(
    ("levels", "pointer"),
    [({"sailing": 0.5}, "/interests/sailing"), ({"snow": 1.5}, "/interests/snow")],
)
def test_interest_that_cannot_be_is_refused_by_name(
    phone: APIClient, levels: dict[str, float], pointer: str
) -> None:
    answer = phone.put(INTERESTS, {"interests": levels})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(("path", "queries"), [(PREFERENCES, 4), (INTERESTS, 3)])
def test_queries_are_as_many_for_much_as_for_little(
    alex: Member, phone: APIClient, django_assert_num_queries: Any, path: str, queries: int
) -> None:
    factories.product("tent", interests=["camping", "snow", "hiking"])
    for purchases in (1, 20):
        for _ in range(purchases):
            factories.buy(alex, factories.line("80", sku="tent"))
        with django_assert_num_queries(queries):
            assert phone.get(path).status_code == 200
