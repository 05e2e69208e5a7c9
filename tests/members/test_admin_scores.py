"""Lead scores at the desk: marketers write them, and whoever opens a member's page sees how far."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import triggers
from members import interactions, lifecycle
from members.models import InteractionKind, Member, MemberScore, Score, ScoreRule
from tests import factories
from tests.staff import SignIn

pytestmark = pytest.mark.django_db

ADD = reverse("admin:members_score_add")
ATTACK = "<script>alert(1)</script>"


def typed(*rules: dict[str, Any], **said: Any) -> dict[str, Any]:
    """The form of a new score, as a browser sends it."""
    sent: dict[str, Any] = {
        "name": "Warm", "slug": "warm", "is_active": "on", "threshold": 20, "half_life_days": 30,
        "rules-TOTAL_FORMS": len(rules), "rules-INITIAL_FORMS": 0, **said,
    }  # fmt: skip
    for number, one in enumerate(rules):
        kind = InteractionKind.objects.get(slug=one["kind"]).pk
        facts = {"category": "", **one, "kind": kind}
        sent |= {f"rules-{number}-{name}": value for name, value in facts.items()}
    return sent


def change(score: Score) -> str:
    return reverse("admin:members_score_change", args=[score.pk])


def click(by: Member, *, days_ago: float = 0, **said: Any) -> None:
    """A click that was counted by whoever answers interactions."""
    now = timezone.now()
    at = now - timedelta(days=days_ago)
    fact = interactions.Fact(
        member_id=by.pk, kind="click", occurred_at=at, reference=f"c{at}", **said
    )
    interactions.record([fact], now=at)
    triggers.answer(now=now)


def panels(client: Client, of: Member) -> dict[str, Any]:
    answer = client.get(reverse("admin:members_member_change", args=[of.pk]))
    assert answer.status_code == 200
    return {panel.title: panel.context for panel in answer.context["panels"]}


# --- Writing one ------------------------------------------------------------------------------
def test_score_is_written_with_its_rules(marketer: Client) -> None:
    form = typed({"kind": "download", "points": 2}, {"kind": "outing", "points": 10})
    assert marketer.post(ADD, form).status_code == 302
    rules = ScoreRule.objects.values_list("score__slug", "kind__slug", "category", "points")
    assert list(rules) == [("warm", "outing", "", 10), ("warm", "download", "", 2)]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([{"kind": "click", "points": 5}] * 2, {}),
        ([{"kind": "click", "points": 1_001}], {}),
        ([{"kind": "click", "points": ""}], {}),
        ([], {"threshold": 0}),
        ([], {"threshold": 10**9}),
        ([], {"half_life_days": 0}),
        ([], {"half_life_days": "nan"}),
    ],
)
def test_score_that_cannot_be_is_refused_in_the_form(
    rules: list[dict[str, Any]], said: dict[str, Any], marketer: Client
) -> None:
    assert marketer.post(ADD, typed(*rules, **said)).status_code == 200
    assert not Score.objects.exists()


def test_new_score_counts_what_was_done_before(marketer: Client, alex: Member) -> None:
    click(alex, days_ago=30)
    marketer.post(ADD, typed({"kind": "click", "points": 10}))
    assert panels(marketer, alex)["Lead scores"]["rows"][0]["points"] == 5
    assert Score.objects.get().caught_up_at is not None


def test_new_rule_and_new_half_life_count_everybody_anew(marketer: Client, alex: Member) -> None:
    click(alex, days_ago=30)
    marketer.post(ADD, typed({"kind": "click", "points": 10}))
    rule, score = ScoreRule.objects.get(), Score.objects.get()
    form = typed(
        {"kind": "click", "points": 40, "id": rule.pk, "score": score.pk},
        half_life_days=60, **{"rules-INITIAL_FORMS": 1},
    )  # fmt: skip
    assert marketer.post(change(score), form).status_code == 302
    (row,) = MemberScore.objects.weighed(at=timezone.now())
    assert round(row.weighed, 1) == 28.3  # type: ignore[attr-defined]


def test_new_threshold_counts_nobody_anew(marketer: Client, alex: Member) -> None:
    score = factories.score(click=5)
    click(alex)
    MemberScore.objects.update(mass=7)
    form = typed(threshold=7, name="Hot")
    rule = {"id": score.rules.get().pk, "score": score.pk, "points": 5, "category": ""}
    form |= {f"rules-0-{name}": value for name, value in rule.items()}
    form |= {"rules-0-kind": score.rules.get().kind_id}
    form |= {"rules-TOTAL_FORMS": 1, "rules-INITIAL_FORMS": 1}
    assert marketer.post(change(score), form).status_code == 302
    assert MemberScore.objects.get().mass == 7
    assert Score.objects.get().threshold == 7


def test_lists_and_forms_open(marketer: Client) -> None:
    score = factories.score(click=5)
    listed = marketer.get(reverse("admin:members_score_changelist"))
    assert "+5 click" in listed.content.decode()
    assert marketer.get(change(score)).status_code == 200


def test_score_is_switched_off_and_not_deleted(marketer: Client, alex: Member) -> None:
    score = factories.score(click=5)
    click(alex)
    assert marketer.post(reverse("admin:members_score_delete", args=[score.pk])).status_code == 403
    form = typed(slug="leads")
    del form["is_active"]
    assert marketer.post(change(score), form).status_code == 302
    click(alex)
    assert MemberScore.objects.get().facts == 1
    assert "Lead scores" not in panels(marketer, alex)


def test_score_that_is_switched_on_again_has_missed_nothing(marketer: Client, alex: Member) -> None:
    score = factories.score(click=5)
    Score.objects.update(is_active=False)
    click(alex)
    rule = {"kind": "click", "points": 5, "id": score.rules.get().pk, "score": score.pk}
    form = typed(rule, slug="leads", **{"rules-INITIAL_FORMS": 1})
    assert marketer.post(change(score), form).status_code == 302
    assert panels(marketer, alex)["Lead scores"]["rows"][0]["points"] == 5


def test_clerk_writes_no_scores(sign_in: SignIn) -> None:
    score = factories.score(click=5)
    clerk = sign_in("Clerk", store=factories.store())
    addresses = (ADD, change(score), reverse("admin:members_score_changelist"))
    assert [clerk.get(address).status_code for address in addresses] == [403, 403, 403]


# --- On a member's page -----------------------------------------------------------------------
@pytest.mark.parametrize("role", ["Clerk", "Marketer"])
def test_page_of_a_member_tells_the_score_and_the_events_behind_it(
    role: str, sign_in: SignIn
) -> None:
    store = factories.store()
    alex = factories.member(home_store=store)
    factories.score(threshold=20, click=10)
    click(alex, days_ago=30)
    click(alex, category="prices")
    client = sign_in(role, store=store if role == "Clerk" else None)
    (row,) = panels(client, alex)["Lead scores"]["rows"]
    assert (row["points"], row["threshold"], row["percent"]) == (15, 20, 75)
    assert (row["is_reached"], row["reached_at"], row["older"]) == (False, None, 0)
    assert row["newest"] == [
        "+10 click prices (today), 10.0 left",
        "+10 click (30 days ago), 5.0 left",
    ]
    page = client.get(reverse("admin:members_member_change", args=[alex.pk])).content.decode()
    assert "15 of 20" in page


def test_page_tells_that_the_threshold_is_reached(marketer: Client, alex: Member) -> None:
    factories.score(threshold=10, click=10)
    click(alex)
    (row,) = panels(marketer, alex)["Lead scores"]["rows"]
    assert row["is_reached"]
    assert row["reached_at"] is not None


def test_page_of_somebody_without_points_has_no_panel(marketer: Client, alex: Member) -> None:
    factories.score(click=10)
    assert "Lead scores" not in panels(marketer, alex)


def test_words_of_apps_are_shown_escaped(marketer: Client, alex: Member) -> None:
    factories.score(click=10)
    click(alex, category=ATTACK)
    page = marketer.get(reverse("admin:members_member_change", args=[alex.pk])).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert ATTACK not in page


@pytest.mark.parametrize("role", ["Clerk", "Marketer"])
@pytest.mark.parametrize(
    ("days", "words"), [(None, "getting to know us"), (1, "growing"), (200, "at risk of leaving")]
)
def test_page_of_a_member_tells_the_stage_after_the_review(
    days: int | None, words: str, role: str, sign_in: SignIn
) -> None:
    store = factories.store()
    alex = factories.member(home_store=store)
    now = timezone.now()
    if days is not None:
        factories.buy(alex, 10, occurred_at=now - timedelta(days=days))
    lifecycle.review(now=now)
    client = sign_in(role, store=store if role == "Clerk" else None)
    answer = client.get(reverse("admin:members_member_change", args=[alex.pk]))
    assert {badge.value for badge in answer.context["badges"] if badge.label == "Stage"} == {words}
