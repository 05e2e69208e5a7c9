"""The marketer's desk for earn rules: drafts, versions, and what they would have cost."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty import earn_rules, rehearsing, rule_words
from loyalty.admin import rule_pages
from loyalty.models import EarnRule
from tests import factories
from tests.staff import SignIn

DENVER = ZoneInfo("America/Denver")

pytestmark = pytest.mark.django_db


@pytest.fixture
def rule() -> EarnRule:
    return EarnRule.objects.get(slug="purchases")


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:loyalty_earnrule_{name}", args=args)


def sent(rule: EarnRule, **said: Any) -> dict[str, Any]:
    """What the browser sends for this rule, changed."""
    sent: dict[str, Any] = {
        "name": rule.name, "points": rule.points, "per": rule.per, "per_amount": rule.per_amount,
        "member_cap_period": rule.member_cap_period, "pending_days": rule.pending_days,
        "programme_cap_period": rule.programme_cap_period, "priority": rule.priority,
        "counts_for_tier": "on",
    }  # fmt: skip
    return {**sent, **said}


def move(client: Client, rule: EarnRule, said: str, **more: Any) -> list[str]:
    """Press a button of a version; what the next page says."""
    where = page("move", rule.pk)
    answer = client.post(where, {"said": said, **more}, follow=True)
    return [str(message) for message in answer.context["messages"]]


def versions() -> list[tuple[int, int, bool]]:
    rows = EarnRule.objects.filter(slug="purchases").order_by("version")
    return list(rows.values_list("version", "points", "is_published"))


# --- Drafts and versions ----------------------------------------------------------------------
def test_form_saved_as_a_draft_awards_nothing_until_published(
    marketer: Client, rule: EarnRule
) -> None:
    marketer.post(page("change", rule.pk), sent(rule, points=5, _draft="1"))
    assert versions() == [(1, 1, True), (2, 5, False)]
    assert factories.buy(factories.member(), 10).points == 10
    drafted = EarnRule.objects.get(slug="purchases", version=2)
    marketer.post(page("change", drafted.pk), sent(drafted, points=6, _save="1"))
    assert versions() == [(1, 1, True), (2, 6, False)]
    assert move(marketer, drafted, "publish")[-1] == "Version 2 awards from now on."
    receipt = factories.buy(factories.member(), 10, occurred_at=timezone.now())
    assert receipt.points == 60


def test_new_rule_may_begin_as_a_draft(marketer: Client) -> None:
    said = sent(EarnRule(name="Snow", points=5, per="fact"), slug="snow", fact="purchase")
    marketer.post(page("add"), {**said, "_draft": "1"})
    added = EarnRule.objects.get(slug="snow")
    assert (added.version, added.is_published) == (1, False)
    assert added.settled_by is not None
    assert added.settled_by.email == "marketer@cairn.example"


def test_draft_is_published_at_a_time_on_the_stores_clock(sign_in: SignIn, rule: EarnRule) -> None:
    shop = factories.store("denver")
    client = sign_in("Marketer", store=shop)
    drafted = earn_rules.draft(rule=rule, changes={"points": 3}, now=timezone.now())
    at = (timezone.now() + timedelta(days=3)).astimezone(DENVER).replace(second=0, microsecond=0)
    said = move(client, drafted, "publish_at", at=f"{at:%Y-%m-%dT%H:%M}")
    assert said == [f"Version 2 awards from {at:%d %B %Y, %H:%M} on."]
    drafted.refresh_from_db()
    assert drafted.effective_at == at
    assert move(client, drafted, "withdraw") == ["Version 2 is a draft again."]
    assert versions() == [(1, 1, True), (2, 3, False)]


@pytest.mark.parametrize(
    ("said", "more", "refusal"),
    [
        ("publish_at", {"at": ""}, "Say the date and the time to publish at."),
        ("publish_at", {"at": "soon"}, "Say the date and the time to publish at."),
        ("publish_at", {"at": "2020-01-01T10:00"},
         "Terms cannot change for what has happened already."),
        ("withdraw", {}, "This version has taken effect; end it or roll back instead."),
        ("explode", {}, "Nothing was asked for."),
    ],
)  # fmt: skip
def test_refusal_is_a_message(
    marketer: Client, rule: EarnRule, said: str, more: dict[str, str], refusal: str
) -> None:
    drafted = earn_rules.draft(rule=rule, changes={"points": 3}, now=timezone.now())
    assert move(marketer, drafted, said, **more) == [refusal]
    assert versions() == [(1, 1, True), (2, 3, False)]


def test_version_in_force_cannot_be_published_again(marketer: Client, rule: EarnRule) -> None:
    assert move(marketer, rule, "publish") == ["Only a draft can be published."]


def test_rolling_back_publishes_the_old_terms_again(marketer: Client, rule: EarnRule) -> None:
    factories.buy(factories.member(), 10)
    earn_rules.revise(rule=rule, changes={"points": 9}, now=timezone.now())
    said = move(marketer, rule, "roll_back")
    assert said == ["Version 3 has the terms of version 1 and awards from now on."]
    assert versions() == [(1, 1, True), (2, 9, True), (3, 1, True)]


def test_page_lists_the_versions_with_what_differs(marketer: Client, rule: EarnRule) -> None:
    factories.buy(factories.member(), 10)
    now = timezone.now()
    second = earn_rules.revise(rule=rule, changes={"points": 9}, now=now)
    changes = {"points": 15, "stores": ["denver"]}
    drafted = earn_rules.draft(rule=second, changes=changes, now=now)
    answer = marketer.get(page("change", drafted.pk))
    rows = answer.context["versions"]
    assert [(row.rule.version, row.state, row.changes) for row in rows] == [
        (3, "draft", ["points 9 → 15", "stores: denver added"]),
        (2, "awards", []),
        (1, "replaced", ["points 9 → 1"]),
    ]
    assert [(row.is_draft, row.may_withdraw, row.may_roll_back) for row in rows] == [
        (True, False, False), (False, False, False), (False, False, True),
    ]  # fmt: skip


def test_draft_stays_open_to_changes_when_a_version_has_a_day(
    marketer: Client, rule: EarnRule
) -> None:
    now = timezone.now()
    drafted = earn_rules.draft(rule=rule, changes={"points": 3}, now=now)
    other = earn_rules.draft(rule=rule, changes={"points": 4}, now=now)
    earn_rules.publish(rule=other, at=now + timedelta(days=9), now=now)
    marketer.post(page("change", drafted.pk), sent(drafted, points=5, _save="1"))
    assert versions() == [(1, 1, True), (2, 5, False), (3, 4, True)]


def test_difference_is_said_in_words() -> None:
    at = datetime(2027, 6, 1, 18, tzinfo=DENVER)
    before = EarnRule(slug="x", points=1_000, stores=["denver"], counts_for_tier=True)
    after = EarnRule(
        slug="x", points=2_000, per="point", starts_at=at, counts_for_tier=False, member_cap=5
    )
    assert rule_words.difference_in_words(before=before, after=after, zone=DENVER) == [
        "counts for tier yes → no",
        "member cap none → 5",
        "per once for the fact → for every so many points of other rules",
        "points 1,000 → 2,000",
        "starts at none → 2027-06-01 18:00",
        "stores: denver removed",
    ]


# --- What it would have cost -------------------------------------------------------------------
def buy_last_month(price: int) -> None:
    start, _ = rehearsing.last_month(now=timezone.now())
    factories.buy(factories.member(), price, occurred_at=start + timedelta(days=3))


def test_unsaved_terms_are_rehearsed_without_saving_them(marketer: Client, rule: EarnRule) -> None:
    buy_last_month(50)
    before = factories.row_counts()
    answer = marketer.post(page("change", rule.pk), sent(rule, points=4, _rehearse="1"))
    found = answer.context["found"]
    assert (found.given, found.would, found.change) == (50, 200, 150)
    assert answer.context["changes"] == ["points 1 → 4"]
    assert "+150" in answer.content.decode()
    assert (factories.row_counts(), versions()) == (before, [(1, 1, True)])


def test_new_terms_and_drafts_are_rehearsed(marketer: Client, rule: EarnRule) -> None:
    buy_last_month(50)
    said = sent(EarnRule(name="Snow", points=5, per="fact"), slug="snow", fact="purchase")
    answer = marketer.post(page("add"), {**said, "_rehearse": "1"})
    assert answer.context["found"].change == 5
    drafted = earn_rules.draft(rule=rule, changes={"points": 3}, now=timezone.now())
    answer = marketer.get(page("rehearse", drafted.pk))
    assert answer.context["found"].change == 100
    assert not EarnRule.objects.filter(slug="snow").exists()


def test_terms_that_cannot_be_are_refused_in_the_form(marketer: Client, rule: EarnRule) -> None:
    said = sent(rule, points=4, valid_to_end_of="year", _rehearse="1")
    answer = marketer.post(page("change", rule.pk), said)
    assert answer.context["adminform"].form.errors == {
        "valid_to_end_of": ["Say after how many months first."]
    }
    assert versions() == [(1, 1, True)]


def test_large_month_is_estimated_from_some_members(
    marketer: Client, rule: EarnRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        buy_last_month(10)
    monkeypatch.setattr(rule_pages, "MOST_FACTS", 2)
    found = marketer.get(page("rehearse", rule.pk)).context["found"]
    assert (found.one_in, found.facts, found.given) == (2, 4, 40)


# --- Who may ----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["move", "rehearse", "change"])
def test_clerk_changes_and_rehearses_nothing(sign_in: SignIn, rule: EarnRule, name: str) -> None:
    clerk = sign_in("Clerk", store=factories.store("denver"))
    said = {"said": "publish", "_rehearse": "1"}
    assert clerk.post(page(name, rule.pk), said).status_code == 403
    assert clerk.get(page("rehearse", rule.pk)).status_code == 403


def test_marketer_of_one_store_sees_no_names_of_others(sign_in: SignIn, rule: EarnRule) -> None:
    buy_last_month(50)
    client = sign_in("Marketer", store=factories.store("denver"))
    drafted = earn_rules.draft(rule=rule, changes={"points": 3}, now=timezone.now())
    answer = client.get(page("rehearse", drafted.pk))
    assert (answer.context["found"].change, answer.context["lists"]) == (100, [])
