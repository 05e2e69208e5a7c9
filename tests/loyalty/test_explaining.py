"""Why an entry is there: the fact, the rules of that moment, and what became of each."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.errors import NotFound
from loyalty import (
    checkins,
    earn_rules,
    expiry,
    explaining,
    merging,
    outings,
    purchases,
    returns,
    rewards,
)
from loyalty.models import EarnRule, Entry, Purchase
from members.models import Member
from tests import factories
from tests.factories import NOW, PEAK, line
from tests.staff import SignIn

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    return factories.member(time_zone="America/Denver")


def why(of: Member, kind: str = "earned") -> explaining.Why:
    """Of the member's last entry of a kind."""
    entry = Entry.objects.filter(account_id=of.pk, kind=kind).latest("pk")
    return explaining.of_member(member=of, entry_id=entry.pk)


def said(found: explaining.Why) -> dict[str, tuple[int, str]]:
    return {one.rule: (one.points, one.because) for one in found.rules}


def bring_back(receipt: purchases.Receipt, sku: str, pieces: int = 1) -> None:
    returns.record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference="back-1",
        lines=[returns.ReturnedLine(sku, pieces)], occurred_at=NOW, now=NOW,
    )  # fmt: skip


# --- Earned -----------------------------------------------------------------------------------
def test_purchase_tells_its_receipt_and_what_each_rule_said(alex: Member) -> None:
    factories.rule("shop", stores=["san-francisco"], per="amount")
    factories.rule("best", points=5, per="fact", group="g")
    factories.rule("other", points=4, per="fact", group="g")
    factories.rule("over", ends_at=NOW - DAY)
    factories.buy(alex, 50, reference="R-1", store=factories.store("denver"), channel="store")
    found = why(alex)
    assert found.about == explaining.About(
        kind="purchase", name="Denver", reference="R-1", happened_at=NOW
    )
    assert said(found) == {
        "best": (5, "Best: 5 points"),
        "purchases": (50, "Purchases: 1 per 1 USD on 50.00 USD"),
        "other": (0, "Of 'g' only one gives: Best."),
        "over": (0, "It ended on 2027-02-28."),
        "shop": (0, "For purchases in san-francisco."),
    }
    assert found.sentence.startswith("Earned with purchase R-1 (Denver) on 1 March 2027, by '")


def test_cap_is_told_where_it_cut_and_where_it_left_nothing(alex: Member) -> None:
    factories.only_rule(per="amount", points=1, member_cap=15, member_cap_period="month")
    factories.rule("visit", points=1, per="fact")
    factories.buy(alex, 10)
    factories.buy(alex, 10)
    assert said(why(alex))["only"] == (5, "Only: 1 per 1 USD on 10.00 USD (up to the cap)")
    factories.buy(alex, 10)
    assert said(why(alex))["only"] == (0, "The most that it gives had been given already.")


def test_frozen_award_is_the_truth_and_later_rules_say_nothing(alex: Member) -> None:
    factories.only_rule(per="fact", points=10)
    factories.buy(alex, 50)
    now = NOW + DAY
    rule = EarnRule.objects.get(slug="only")
    earn_rules.revise(rule=rule, changes={"points": 99}, now=now)
    added = EarnRule(slug="new", name="New", fact="purchase", points=7)
    earn_rules.introduce(rule=added, now=now)
    found = why(alex)
    assert [(one.rule, one.version, one.points) for one in found.rules] == [("only", 1, 10)]


def test_place_that_offers_less_today_gave_what_it_gave(alex: Member) -> None:
    here = factories.place(points=80)
    report = checkins.Report(**PEAK, accuracy_m=10, occurred_at=NOW)
    checkins.check_in(member=alex, report=report, now=NOW)
    here.points = 20
    here.save()
    found = why(alex)
    assert said(found)["check-ins"][0] == 80
    assert said(found)["check-ins"][1].endswith("80 points, as things stood then")
    assert found.sentence.startswith("Earned with a check-in at Peak on 1 March 2027")


def test_outing_names_itself(alex: Member) -> None:
    outing = factories.outing()
    outings.tick(member=alex, outing=outing, now=outing.starts_at)
    found = why(alex)
    assert found.about is not None
    assert (found.about.name, found.about.reference) == ("Ridge", "ridge")
    assert said(found)["outings"][0] == 100


def test_multiple_tells_what_it_multiplied(alex: Member) -> None:
    factories.rule("half", per="point", points=1, per_amount=Decimal(2))
    factories.buy(alex, 11)
    assert said(why(alex))["half"] == (5, "Half: 1 for every 2 of 11 points")


# --- Everything else --------------------------------------------------------------------------
def test_spent_names_the_reward_and_the_lots(alex: Member) -> None:
    factories.buy(alex, 60)
    factories.grant(alex, 50)
    factories.reward()
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    found = why(alex, "spent")
    assert found.sentence == "Spent on 'Tenner'."
    assert [(lot.points, lot.origin) for lot in found.lots] == [(60, "Purchases"), (40, "Granted")]


def test_returned_names_the_return_and_what_came_back(alex: Member) -> None:
    bring_back(factories.buy(alex, line(10, 3, sku="cup"), reference="R-1"), "cup", 2)
    found = why(alex, "returned")
    assert found.sentence == (
        "Taken back, as earned with purchase R-1 (web) on 1 March 2027:"
        " 2 x cup came back (return back-1)."
    )
    assert [(lot.points, lot.origin) for lot in found.lots] == [(20, "Purchases")]


def test_debt_is_told_where_it_was_made_and_where_it_was_paid(alex: Member) -> None:
    receipt = factories.buy(alex, line(10, 1, sku="cup"))
    factories.spend(alex, 10)
    bring_back(receipt, "cup")
    assert why(alex, "returned").sentence.endswith("10 are owed instead.")
    factories.grant(alex, 30)
    assert why(alex, "debt_paid").sentence == "Paid what was owed since return back-1."


def test_restored_says_what_it_undoes(alex: Member) -> None:
    factories.grant(alex, 100)
    factories.reward()
    done = rewards.redeem(member=alex, slug="tenner", now=NOW)
    rewards.cancel(redemption=done.redemption, why="changed her mind", now=NOW)
    found = why(alex, "restored")
    assert found.sentence == "Given back what 'Tenner' had cost: changed her mind."
    assert found.undoes == done.redemption.entry


def test_expired_and_matured_and_granted_say_so(alex: Member) -> None:
    factories.only_rule(per="amount", points=1, pending_days=1, valid_months=1)
    factories.buy(alex, 10, reference="R-1")
    expiry.mature(now=NOW + DAY)
    assert why(alex, "matured").sentence == (
        "What was earned with purchase R-1 (web) on 1 March 2027 may be spent from now on."
    )
    expiry.expire(now=NOW + 40 * DAY)
    found = why(alex, "expired")
    assert found.sentence == "Their time was over: points of 1 origin."
    assert [(lot.points, lot.origin) for lot in found.lots] == [(10, "Only")]
    factories.grant(alex, 5)
    assert why(alex, "granted").sentence == "Given by our staff."


# --- Doors ------------------------------------------------------------------------------------
def url(entry: Entry) -> str:
    return f"/api/v1/me/points/entries/{entry.pk}/why/"


def test_member_reads_the_own_entries_only(alex: Member) -> None:
    factories.buy(alex, 50, reference="R-1")
    entry = Entry.objects.get()
    answer = factories.app(alex).get(url(entry))
    body: dict[str, Any] = answer.json()
    assert body["about"]["reference"] == "R-1"
    assert body["rules"] == [
        {"rule": "purchases", "name": "Purchases", "version": 1, "points": 50,
         "because": "Purchases: 1 per 1 USD on 50.00 USD"},
    ]  # fmt: skip
    assert (body["lots"], body["undoes"]) == ([], None)
    stranger = factories.app(factories.member()).get(url(entry))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "not_found")
    with pytest.raises(NotFound):
        explaining.of_member(member=factories.member(), entry_id=entry.pk)


def test_entry_with_an_impossible_number_is_not_found(alex: Member) -> None:
    assert factories.app(alex).get(f"/api/v1/me/points/entries/{10**30}/why/").status_code == 404


def test_clerk_sees_why_on_the_entry(sign_in: SignIn) -> None:
    shop = factories.store("denver")
    member = factories.member(home_store=shop)
    factories.rule("app only", channels=["app"], per="fact")
    factories.buy(member, 50, reference="R-1")
    page = reverse("admin:loyalty_entry_change", args=[Entry.objects.get().pk])
    shown = sign_in("Clerk", store=shop).get(page).content.decode()
    assert "Earned with purchase R-1 (web)" in shown
    assert "<b>+50</b> Purchases: 1 per 1 USD on 50.00 USD<br><b>0</b> For purchases" in shown


def test_queries_do_not_grow_with_rules_and_lines(alex: Member) -> None:
    counted = []
    for many in (1, 8):
        for n in range(many):
            factories.rule(f"r{many}-{n}", per="fact")
        factories.buy(alex, *[5] * many)
        with CaptureQueriesContext(connection) as queries:
            why(alex)
        counted.append(len(queries))
    assert counted == [11, 11]


def test_points_that_paid_and_moved_say_so(alex: Member) -> None:
    kim = factories.member()
    factories.points_pay()
    factories.grant(alex, 500)
    factories.buy(alex, "9", points=300, reference="r-7")
    merging.merge(gone=alex, kept=kim, reason="same", by=None, now=NOW)
    said = [
        explaining.why(entry=entry).sentence
        for entry in Entry.objects.filter(kind__in=("spent", "transferred")).order_by("pk")
    ]
    assert said == [
        "Spent on a part of purchase r-7.",
        "Moved to your other number.",
        "Brought over from another number that was yours as well.",
        "Moved to your other number.",
        "Brought over from another number that was yours as well.",
    ]
