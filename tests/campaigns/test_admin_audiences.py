"""Audiences in the admin: asked before they are saved, refused beside the clause."""

import json

import pytest
from django.test import Client

from campaigns.models import Audience
from members.models import User
from tests import factories
from tests.campaigns.desk import EVERYONE, HIKERS, ask, draft, page

pytestmark = pytest.mark.django_db


def test_an_unsaved_definition_is_counted_and_sampled(marketer: Client) -> None:
    factories.member(given_name="Ada", family_name="Peak", labels=("student",), city="Denver")
    factories.members(2)
    students = {"all": [{"condition": "labelled", "label": "student"}]}
    found = ask(marketer, "count", students).json()
    assert found["count"] == 1
    assert [(m["name"], m["city"]) for m in found["sample"]] == [("Ada Peak", "Denver")]
    assert ask(marketer, "count", EVERYONE).json()["count"] == 3
    assert not Audience.objects.exists()


def test_counting_needs_the_token_of_the_page() -> None:
    user = User.objects.create_superuser("root@example.com")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert ask(client, "count", EVERYONE).status_code == 403


@pytest.mark.parametrize(
    ("definition", "pointer"),
    [
        ({"all": [{"condition": "bought"}]}, "/definition/all/0/condition"),
        ({"any": [{"not": {"condition": "aged", "minimum": -1}}]}, "/definition/any/0/not/minimum"),
        ({"all": [{"condition": "tier_is"}]}, "/definition/all/0/tier"),
        ({"all": {}}, "/definition/all"),
        ({"all": [], "any": []}, "/definition"),
        ('{"all": [NaN]}', ""),
        ('{"all": [], "all": []}', ""),
        ("[]", ""),
        ("", ""),
        ('{"all":' * 10_000, ""),
        ({"all": [{"condition": "labelled", "label": "x"}] * 10_000}, "/definition/all"),
        ({"all": [{"condition": "labelled", "label": "a\x00"}]}, "/all/0/label"),
    ],
)
def test_what_is_no_audience_is_refused_with_its_place(
    marketer: Client, definition: object, pointer: str
) -> None:
    for answer in (
        ask(marketer, "count", definition),
        ask(marketer, "explain", definition, member="1"),
    ):
        assert answer.status_code == 400
        assert answer.json()["pointer"] == pointer
        assert answer.json()["detail"]


def test_why_a_member_is_in_it_is_said_clause_by_clause(marketer: Client) -> None:
    member = factories.member(labels=("student",))
    definition = {
        "all": [
            {"condition": "labelled", "label": "student"},
            {"not": {"condition": "labelled", "label": "staff"}},
        ]
    }
    found = ask(marketer, "explain", definition, member=member.number).json()
    assert found["is_in"] is True
    assert [(c["text"], c["is_true"], c["depth"]) for c in found["clauses"]] == [
        ("all of", True, 0),
        ("labelled: label student", True, 1),
        ("not", True, 1),
        ("labelled: label staff", False, 2),
    ]
    assert ask(marketer, "explain", definition, member="nobody").status_code == 404


def test_names_come_from_the_rows_that_conditions_name(marketer: Client) -> None:
    factories.place("slacker-hill", name="Slacker Hill")

    def names(source: str, term: str) -> list[list[str]]:
        answer = marketer.get(page("audience_names"), {"source": source, "term": term})
        return list(answer.json()["names"])

    assert names("loyalty.place", "slack") == [["slacker-hill", "Slacker Hill"]]
    assert names("members.user", "") == []


def test_an_audience_is_saved_or_shown_again_with_the_error(marketer: Client) -> None:
    data = {"name": "Hikers", "code": "hikers", "definition": json.dumps(HIKERS)}
    broken = json.dumps({"all": [{"condition": "interest_above", "interest": "chess", "score": 1}]})
    answer = marketer.post(page("audience_add"), {**data, "definition": broken})
    assert answer.status_code == 200
    assert 'data-error-pointer="/definition/all/0/interest"' in answer.content.decode()
    assert not Audience.objects.exists()
    assert marketer.post(page("audience_add"), data).status_code == 302
    assert Audience.objects.get().definition == HIKERS


def test_an_audience_of_a_launched_campaign_stays_as_it_is(marketer: Client) -> None:
    audience = draft(is_live=True).audience
    address = page("audience_change", audience.pk)
    assert "data-audience-builder" in marketer.get(address).content.decode()
    data = {"name": "Other", "definition": json.dumps(HIKERS)}
    assert marketer.post(address, data).status_code == 403
    assert marketer.post(page("audience_delete", audience.pk), {"post": "yes"}).status_code == 403
    audience.refresh_from_db()
    assert audience.definition == EVERYONE
