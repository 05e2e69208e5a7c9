"""Grants, merges, redemptions, voucher days and open vouchers, as staff do them."""

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalty import merging, rewards
from loyalty.admin.rewards import SessionForm
from loyalty.models import Grant, IssuanceWindow, Merge, Redemption, Reward, Session, Voucher
from members import signing_in
from members.models import Member
from tests import factories
from tests.staff import SignIn

pytestmark = pytest.mark.django_db


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:loyalty_{name}", args=args)


def act(client: Client, model: str, action: str, pk: Any) -> str:
    said = {"action": action, "_selected_action": [pk]}
    answer = client.post(page(f"{model}_changelist"), said, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def balance(of: Member) -> int:
    return factories.account(of).balance


@pytest.mark.parametrize(
    "model", ["grant", "merge", "redemption", "waiting", "issuancewindow", "voucher", "reward"]
)
def test_list_opens_and_says_what_to_do_next(marketer: Client, model: str) -> None:
    assert marketer.get(page(f"{model}_changelist")).status_code == 200


@pytest.mark.parametrize("model", ["grant", "merge", "issuancewindow", "voucher", "reward"])
def test_form_to_add_opens(marketer: Client, model: str) -> None:
    assert marketer.get(page(f"{model}_add")).status_code == 200


# --- Grants -----------------------------------------------------------------------------------
def test_clerk_grants_to_a_member_of_the_own_store(sign_in: SignIn) -> None:
    here = factories.store()
    alex = factories.member(home_store=here)
    clerk = sign_in("Clerk", store=here)
    said = {"member": alex.pk, "points": 50, "reason": "A parcel came late"}
    clerk.post(page("grant_add"), said)
    assert (Grant.objects.get().state, balance(alex)) == ("given", 50)


def test_clerk_cannot_grant_to_a_member_of_another_store(sign_in: SignIn, alex: Member) -> None:
    clerk = sign_in("Clerk", store=factories.store())
    said = {"member": alex.pk, "points": 50, "reason": "A parcel came late"}
    assert clerk.post(page("grant_add"), said).status_code == 200
    assert not Grant.objects.exists()


def test_refusal_is_told_in_the_form(marketer: Client, alex: Member) -> None:
    said = {"member": alex.pk, "points": -50, "reason": "A parcel came late"}
    answer = marketer.post(page("grant_add"), said)
    assert "This costs 50 points; 0 can be spent." in answer.content.decode()


def test_grant_above_the_allowance_is_agreed_to_by_an_administrator(
    sign_in: SignIn, alex: Member
) -> None:
    said = {"member": alex.pk, "points": 900, "reason": "A parcel came late"}
    marketer = sign_in("Marketer")
    marketer.post(page("grant_add"), said)
    row = Grant.objects.get()
    act(marketer, "grant", "approve", row.pk)
    assert Grant.objects.get().state == "waiting"
    act(sign_in("Administrator"), "grant", "approve", row.pk)
    assert (Grant.objects.get().state, balance(alex)) == ("given", 900)


def test_list_is_filtered_by_those_who_asked_alone(sign_in: SignIn, alex: Member) -> None:
    signing_in.ensure_user(member=alex)
    said = {"member": alex.pk, "points": 5, "reason": "A parcel came late"}
    for role in ("Marketer", "Administrator"):
        office = sign_in(role)
        office.post(page("grant_add"), said)
    asked = set(Grant.objects.values_list("asked_by", flat=True))
    assert (len(asked), askers_offered(office)) == (2, asked)
    assert askers_offered(sign_in("Clerk", store=factories.store())) == set()


def askers_offered(client: Client) -> set[int]:
    filters = client.get(page("grant_changelist")).context["cl"].filter_specs
    return {pk for one in filters for pk, _ in getattr(one, "lookup_choices", ())}


# --- Merges -----------------------------------------------------------------------------------
def test_members_are_merged_and_parted(marketer: Client, alex: Member) -> None:
    twin = factories.member()
    factories.grant(twin, 50)
    marketer.post(page("merge_add"), {"gone": twin.pk, "kept": alex.pk, "reason": "same phone"})
    assert balance(alex) == 50
    assert "two again" in act(marketer, "merge", "undo", Merge.objects.get().pk)
    assert (balance(alex), balance(twin)) == (0, 50)


@pytest.mark.parametrize("theirs", ["gone", "kept"])
def test_merge_with_a_member_of_another_store_is_not_there(sign_in: SignIn, theirs: str) -> None:
    here, there = factories.store("sf"), factories.store("denver")
    homes = {"gone": here, "kept": here, theirs: there}
    pair = {name: factories.member(home_store=home) for name, home in homes.items()}
    row = merging.merge(**pair, reason="same phone", by=None, now=factories.NOW)
    marketer = sign_in("Marketer", store=here)
    assert pair[theirs].number not in marketer.get(page("merge_changelist")).content.decode()
    act(marketer, "merge", "undo", row.pk)
    row.refresh_from_db()
    assert row.undone_at is None


def test_clerk_merges_nobody(sign_in: SignIn) -> None:
    clerk = sign_in("Clerk", store=factories.store())
    assert clerk.get(page("merge_add")).status_code == 403


# --- What points bought -----------------------------------------------------------------------
@pytest.fixture
def mug(alex: Member) -> Redemption:
    factories.grant(alex, 100)
    factories.reward("mug", kind="gift")
    return rewards.redeem(member=alex, slug="mug", now=factories.NOW).redemption


def test_gift_is_handed_over_once(marketer: Client, mug: Redemption) -> None:
    assert "noted" in act(marketer, "redemption", "handed_over", mug.pk)
    assert "further along" in act(marketer, "redemption", "ready", mug.pk)
    mug.refresh_from_db()
    assert mug.fulfilment == "handed_over"


def test_gift_is_cancelled_and_its_points_given_back(
    marketer: Client, alex: Member, mug: Redemption
) -> None:
    assert "has 100 points again" in act(marketer, "redemption", "cancel", mug.pk)
    assert balance(alex) == 100


def test_voucher_day_is_of_money_and_to_come(marketer: Client) -> None:
    gift = factories.reward("mug", kind="gift")
    limits: list[dict[str, Any]] = [{"stock": 5}, {"per_member": 1}, {"tiers": ["gold"]}]
    limited = [factories.reward(f"some-{n}", **said) for n, said in enumerate(limits)]
    tenner = factories.reward()
    when = timezone.now() + timedelta(days=1)
    said = {"least_points": 0, "keeps_rest": "on", "opens_at_0": f"{when:%Y-%m-%d}"}
    for reward in (gift, *limited, tenner):
        form = {**said, "reward": reward.pk, "opens_at_1": "10:00"}
        marketer.post(page("issuancewindow_add"), form)
    day = IssuanceWindow.objects.get()
    assert day.reward == tenner
    assert b"as of now 0 vouchers" in marketer.get(page("issuancewindow_change", day.pk)).content


def test_list_of_voucher_days_adds_up_no_accounts(marketer: Client) -> None:
    IssuanceWindow.objects.create(reward=factories.reward(), opens_at=timezone.now())
    with CaptureQueriesContext(connection) as queries:
        marketer.get(page("issuancewindow_changelist"))
    assert [query["sql"] for query in queries if "loyalty_account" in query["sql"]] == []


# --- Stock and seats --------------------------------------------------------------------------
def edit(client: Client, reward: Reward, **said: Any) -> Any:
    """Post the form of a reward as it is, with what is said; sales may have gone on meanwhile."""
    form = {
        "name": reward.name, "points": reward.points, "value": reward.value, "currency": "USD",
        "minimum_spend": 0, "valid_days": 365, "description": "", "kind": reward.kind,
        "off": "amount", "uses": 1, "sessions-TOTAL_FORMS": 0, "sessions-INITIAL_FORMS": 0,
    }  # fmt: skip
    return client.post(page("reward_change", reward.pk), {**form, **said})


def stock(of: Reward) -> int | None:
    of.refresh_from_db()
    return of.stock


def test_editing_a_reward_leaves_its_stock_alone(marketer: Client) -> None:
    reward = factories.reward(stock=6)
    edit(marketer, reward, description="Now without the typo", stock=10)
    assert (stock(reward), reward.description) == (6, "Now without the typo")


@pytest.mark.parametrize(("more", "left"), [(4, 10), (-6, 0), (-7, 6)])
def test_stock_is_added_to_and_taken_from(marketer: Client, more: int, left: int) -> None:
    reward = factories.reward(stock=6)
    edit(marketer, reward, more=more)
    assert stock(reward) == left


def test_reward_that_is_issued_gets_no_limits(marketer: Client) -> None:
    reward = factories.reward()
    IssuanceWindow.objects.create(reward=reward, opens_at=timezone.now())
    assert edit(marketer, reward, more=5).status_code == 200
    assert stock(reward) is None


def test_editing_a_session_leaves_its_seats_alone(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reward = factories.reward("climb", kind="experience")
    session = factories.session("climb", seats=2)
    check = SessionForm.clean_seats

    def sell_first(form: SessionForm) -> int:
        Session.objects.update(taken=1)
        return check(form)

    monkeypatch.setattr(SessionForm, "clean_seats", sell_first)
    edit(
        marketer, reward, **{
            "sessions-TOTAL_FORMS": 1, "sessions-INITIAL_FORMS": 1, "sessions-0-id": session.pk,
            "sessions-0-reward": reward.pk, "sessions-0-where": "Eldorado", "sessions-0-seats": 3,
            "sessions-0-starts_at_0": f"{session.starts_at:%Y-%m-%d}",
            "sessions-0-starts_at_1": f"{session.starts_at:%H:%M}", "sessions-0-cancel_hours": 48,
        }
    )  # fmt: skip
    session.refresh_from_db()
    assert (session.where, session.seats, session.taken) == ("Eldorado", 3, 1)


def test_seats_that_are_sold_while_the_form_is_checked_are_an_error_of_it(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reward = factories.reward("climb", kind="experience")
    session = factories.session("climb", seats=2)

    def sell_last(form: SessionForm) -> int:
        seats = int(form.cleaned_data["seats"])
        Session.objects.update(taken=2)
        return seats

    monkeypatch.setattr(SessionForm, "clean_seats", sell_last)
    page = edit(
        marketer, reward, description="Also changed", **{
            "sessions-TOTAL_FORMS": 1, "sessions-INITIAL_FORMS": 1, "sessions-0-id": session.pk,
            "sessions-0-reward": reward.pk, "sessions-0-where": session.where,
            "sessions-0-seats": 1, "sessions-0-starts_at_0": f"{session.starts_at:%Y-%m-%d}",
            "sessions-0-starts_at_1": f"{session.starts_at:%H:%M}", "sessions-0-cancel_hours": 48,
        }
    )  # fmt: skip
    (error,) = page.context["adminform"].form.non_field_errors()
    assert (page.status_code, "“session never overbooked”" in error) == (200, True)
    session.refresh_from_db()
    reward.refresh_from_db()
    assert (session.seats, reward.description) == (2, "")


def test_slug_that_is_taken_while_the_form_is_checked_is_an_error_of_it(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.reward("tenner")
    monkeypatch.setattr(Reward, "validate_unique", lambda row, exclude: None)
    said = {
        "name": "Ten off", "slug": "tenner", "points": 100, "kind": "voucher", "off": "amount",
        "value": 10, "currency": "USD", "minimum_spend": 0, "uses": 1, "valid_days": 365,
        "sessions-TOTAL_FORMS": 0, "sessions-INITIAL_FORMS": 0,
    }  # fmt: skip
    answer = marketer.post(page("reward_add"), said)
    (error,) = answer.context["adminform"].form.non_field_errors()
    assert (answer.status_code, "reward slug" in error) == (200, True)
    assert Reward.objects.count() == 1


# --- Open vouchers ----------------------------------------------------------------------------
OPEN = {
    "label": "Climbing fair", "number": 3, "valid_days": 30, "off": "percent", "value": 20,
    "currency": "USD", "minimum_spend": 0, "uses": 1,
}  # fmt: skip


def test_codes_of_open_vouchers_come_as_a_file(marketer: Client) -> None:
    answer = marketer.post(page("voucher_add"), OPEN)
    rows = list(csv.DictReader(b"".join(answer).decode().splitlines()))
    assert [row["worth"] for row in rows] == ["20 % off"] * 3
    assert Voucher.objects.filter(member=None, label="Climbing fair").count() == 3


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"value": 0}, "value"), ({"value": 101}, "value"), ({"off": "product"}, "sku"),
        ({"off": "amount", "currency": ""}, "currency"), ({"number": 10**6}, "number"),
        ({"uses": 0}, "uses"), ({"label": ""}, "label"),
    ],
)  # fmt: skip
def test_open_vouchers_that_make_no_sense_are_refused(
    marketer: Client, said: dict[str, Any], field: str
) -> None:
    answer = marketer.post(page("voucher_add"), {**OPEN, **said})
    assert field in answer.context["adminform"].form.errors
    assert not Voucher.objects.exists()


def test_clerk_makes_no_open_vouchers(sign_in: SignIn) -> None:
    clerk = sign_in("Clerk", store=factories.store())
    assert clerk.post(page("voucher_add"), OPEN).status_code == 403
