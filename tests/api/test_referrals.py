"""/me/referral/ and enrolling with a code."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from loyalty import referrals
from loyalty.models import Referral
from members.models import Member, User
from tests import factories
from tests.staff import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    return factories.member()


def code_of(member: Member) -> str:
    said = factories.app(member).get("/api/v1/me/referral/").json()
    assert said | {"code": ""} == {"code": "", "came": 0, "counted": 0, "points": 0}
    return str(said["code"])


def enrol(**said: Any) -> Any:
    return factories.till("members").post("/api/v1/members/", {"email": "kim@example.com", **said})


def test_shop_enrols_with_a_code(alex: Member) -> None:
    answer = enrol(referred_by=code_of(alex).lower())
    assert answer.status_code == 201
    row = Referral.objects.get()
    assert (row.referrer, row.referee.number) == (alex, answer.json()["number"])


def test_code_that_nobody_has_enrols_nobody(alex: Member) -> None:
    answer = enrol(referred_by="AAAAAAAA")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/referred_by"
    assert Member.objects.get() == alex


# --- The clerk ---------------------------------------------------------------------------------
def typed(code: str) -> dict[str, str]:
    return {"given_name": "Kim", "email": "kim@example.com", "asks_referred_by": code}


def test_clerk_enrols_with_a_code(alex: Member, sign_in: SignIn) -> None:
    client = sign_in("Clerk", store=factories.store())
    code = referrals.standing(member=alex).code
    answer = client.post(reverse("admin:members_member_add"), typed(f"{code[:4]} {code[4:]}"))
    assert answer.status_code == 302
    assert Referral.objects.get().referrer == alex


def test_clerk_hears_that_nobody_has_this_code(sign_in: SignIn) -> None:
    client = sign_in("Clerk", store=factories.store())
    answer = client.post(reverse("admin:members_member_add"), typed("AAAAAAAA"))
    assert "Nobody has this code." in answer.content.decode()
    assert not Member.objects.exists()


# --- The marketer ------------------------------------------------------------------------------
@pytest.fixture
def flagged() -> Referral:
    alex, kim = factories.member(email="a@example.org"), factories.member(email="a+1@example.org")
    return referrals.note(referrer=alex, referee=kim, now=factories.NOW)


def clear(client: Client, row: Referral) -> Any:
    said = {"action": "clear", "_selected_action": [row.pk]}
    return client.post(reverse("admin:loyalty_referral_changelist"), said, follow=True)


def test_marketer_lets_a_flagged_one_count(flagged: Referral, marketer: Client) -> None:
    page = marketer.get(reverse("admin:loyalty_referral_changelist")).content.decode()
    assert "One mailbox" in page
    clear(marketer, flagged)
    flagged.refresh_from_db()
    assert (flagged.state, flagged.is_cleared) == ("waiting", True)


def test_nobody_clears_their_own(flagged: Referral, sign_in: SignIn) -> None:
    client = sign_in()
    user = User.objects.get()
    Member.objects.filter(pk=flagged.referee_id).update(user=user)
    assert "ask a colleague" in clear(client, flagged).content.decode()
    flagged.refresh_from_db()
    assert flagged.state == "flagged"
