"""/me/preferences/ and /me/interests/: what the member allows and loves."""

from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from members.models import Consent, Member
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


@pytest.mark.parametrize(("path", "queries"), [(PREFERENCES, 2), (INTERESTS, 3)])
def test_queries_are_as_many_for_much_as_for_little(
    alex: Member, phone: APIClient, django_assert_num_queries: Any, path: str, queries: int
) -> None:
    factories.product("tent", interests=["camping", "snow", "hiking"])
    for purchases in (1, 20):
        for _ in range(purchases):
            factories.buy(alex, factories.line("80", sku="tent"))
        with django_assert_num_queries(queries):
            assert phone.get(path).status_code == 200
