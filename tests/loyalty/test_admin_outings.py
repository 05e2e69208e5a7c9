"""Outings in the admin: the list, the code of the minute, and noting who came."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty import outings
from loyalty.models import Outing, Registration
from tests import factories
from tests.staff import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def ridge() -> Outing:
    return factories.outing(starts_at=timezone.now() - timedelta(minutes=5), capacity=3)


def test_list_and_form_open(marketer: Client, ridge: Outing) -> None:
    assert b"Show the code" in marketer.get(reverse("admin:loyalty_outing_changelist")).content
    page = reverse("admin:loyalty_outing_change", args=[ridge.pk])
    assert marketer.get(page).status_code == 200


def test_page_shows_the_code_of_this_minute_and_follows(marketer: Client, ridge: Outing) -> None:
    before = outings.code_of(outing=ridge, at=timezone.now())
    answer = marketer.get(reverse("admin:loyalty_outing_code", args=[ridge.pk]))
    after = outings.code_of(outing=ridge, at=timezone.now())
    shown = answer.context["code"].replace(" ", "")
    assert shown in {before, after}
    assert "<svg" in answer.content.decode()
    assert answer.headers["Refresh"] == "15"


def test_unknown_outing_has_no_code(marketer: Client) -> None:
    for pk in (999, 2**63):
        page = reverse("admin:loyalty_outing_code", args=[pk])
        assert marketer.get(page).status_code == 404


def test_staff_notes_who_came(marketer: Client, ridge: Outing) -> None:
    alex = factories.member()
    outings.register(member=alex, code="ridge", now=ridge.starts_at - timedelta(minutes=1))
    row = Registration.objects.get()
    said = {"action": "came", "_selected_action": [row.pk]}
    marketer.post(reverse("admin:loyalty_registration_changelist"), said)
    row.refresh_from_db()
    assert (row.state, row.points) == ("attended", 100)


def test_capacity_below_what_is_taken_is_refused(marketer: Client, ridge: Outing) -> None:
    for one in factories.members(2):
        outings.register(member=one, code="ridge", now=ridge.starts_at - timedelta(minutes=1))
    form = marketer.get(reverse("admin:loyalty_outing_change", args=[ridge.pk]))
    said = form.context["adminform"].form.initial
    answer = marketer.post(
        reverse("admin:loyalty_outing_change", args=[ridge.pk]),
        {"name": said["name"], "capacity": 1},
    )
    errors = answer.context["adminform"].form.errors
    assert errors["capacity"] == ["2 seats are taken already."]


# --- Another store's --------------------------------------------------------------------------
def test_clerk_sees_who_comes_of_the_own_store_only(sign_in: SignIn, ridge: Outing) -> None:
    here, there = factories.store("here"), factories.store("there")
    for store, name in ((here, "Ours"), (there, "Theirs")):
        one = factories.member(home_store=store, given_name=name)
        outings.register(member=one, code="ridge", now=ridge.starts_at - timedelta(minutes=1))
    clerk = sign_in("Clerk", store=here)
    page = clerk.get(reverse("admin:loyalty_outing_change", args=[ridge.pk])).content.decode()
    assert ("Ours" in page, "Theirs" in page) == (True, False)


def test_clerk_is_not_shown_the_code_of_another_stores_outing(sign_in: SignIn) -> None:
    here, there = factories.store("here"), factories.store("there")
    clerk = sign_in("Clerk", store=here)
    answers = [
        clerk.get(
            reverse("admin:loyalty_outing_code", args=[factories.outing(code, store=store).pk])
        ).status_code
        for code, store in (("a", here), ("b", there), ("c", None))
    ]
    assert answers == [200, 404, 200]
