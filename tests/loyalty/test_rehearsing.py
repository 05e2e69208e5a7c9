"""What other terms would have cost: read off what happened, changing nothing."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Invalid
from loyalty import checkins, earn_rules, outings, purchases, rehearsing, returns
from loyalty.models import EarnRule, Place, Purchase
from members.models import Member
from tests import factories
from tests.factories import NOW, line

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

pytestmark = pytest.mark.django_db


def rehearse(rule: EarnRule, **said: Any) -> rehearsing.Rehearsal:
    """These terms on everything that happens in the tests, unless told otherwise."""
    times = {"start": NOW - 30 * DAY, "end": NOW + 60 * DAY}
    return rehearsing.rehearse(rule=rule, **{**times, **said})


def draft(slug: str, **changes: Any) -> EarnRule:
    rule = earn_rules.in_force(slug=slug, now=NOW)
    assert rule is not None
    return earn_rules.draft(rule=rule, changes=changes, now=NOW)


def come_here(member: Member, place: Place, at: datetime = NOW) -> checkins.Judged:
    away = (at - NOW) / DAY / 100_000  # The same spot to the metre would be held for review.
    report = checkins.Report(
        latitude=place.latitude + away, longitude=place.longitude, accuracy_m=10, occurred_at=at
    )
    return checkins.check_in(member=member, report=report, now=at)


def bring_back(receipt: purchases.Receipt, sku: str, at: datetime) -> None:
    purchase = Purchase.objects.get(pk=receipt.purchase_id)
    returns.record(
        purchase=purchase, reference=f"back {at}", occurred_at=at, now=at,
        lines=[returns.ReturnedLine(sku, 1)],
    )  # fmt: skip


# --- What it answers --------------------------------------------------------------------------
def test_draft_on_what_happened_tells_what_it_would_have_cost() -> None:
    alex, kim = factories.members(2)
    factories.buy(alex, 50)
    factories.buy(kim, 20)
    found = rehearse(draft("purchases", points=3))
    assert (found.facts, found.given, found.change, found.would) == (2, 70, 140, 210)
    assert found.members == 2
    assert found.winners == (
        rehearsing.Change(alex.pk, alex.number, 100),
        rehearsing.Change(kim.pk, kim.number, 40),
    )
    assert found.losers == ()


def test_draft_that_gives_less_has_losers() -> None:
    alex = factories.member()
    factories.buy(alex, 50)
    found = rehearse(draft("purchases", per_amount=Decimal(2)))
    assert (found.change, found.winners) == (-25, ())
    assert found.losers == (rehearsing.Change(alex.pk, alex.number, -25),)


def test_new_rule_adds_to_the_others_and_need_not_be_saved() -> None:
    factories.buy(factories.member(), 50)
    factories.buy(factories.member(), 50, channel="app")
    rule = EarnRule(slug="app", name="App", fact="purchase", points=100, channels=["app"])
    found = rehearse(rule)
    assert (found.given, found.change, found.members) == (100, 100, 1)


def test_only_what_happened_in_the_period_counts() -> None:
    alex = factories.member()
    for hours in (-1, 0, 1, 2):
        factories.buy(alex, 10, occurred_at=NOW + hours * HOUR)
    found = rehearse(draft("purchases", points=2), start=NOW, end=NOW + 2 * HOUR)
    assert (found.facts, found.change) == (2, 20)


def test_nothing_is_changed() -> None:
    alex = factories.member()
    factories.rule("capped", member_cap=5, programme_cap=7)
    factories.buy(alex, 50)
    terms = draft("purchases", points=3)
    before = factories.row_counts()
    said = {**factories.account(alex).__dict__, "_state": None}
    rehearse(terms)
    assert factories.row_counts() == before
    assert {**factories.account(alex).__dict__, "_state": None} == said


def test_returned_pieces_would_have_given_their_points_back() -> None:
    receipt = factories.buy(factories.member(), line(10, 3, sku="cup"))
    bring_back(receipt, "cup", NOW + HOUR)
    found = rehearse(draft("purchases", points=2))
    assert (found.change, found.change_kept) == (30, 20)


def test_cap_of_the_draft_counts_for_each_member() -> None:
    factories.only_rule(per="amount", points=1)
    alex, kim = factories.members(2)
    for _ in range(3):
        factories.buy(alex, 10)
        factories.buy(kim, 4)
    found = rehearse(draft("only", member_cap=15, member_cap_period="month"))
    assert (found.given, found.would) == (42, 15 + 12)


def test_cap_for_all_together_is_used_up_in_the_order_of_recording() -> None:
    factories.only_rule(per="amount", points=1)
    alex, kim = factories.members(2)
    factories.buy(kim, 10)
    factories.buy(alex, 10)
    found = rehearse(draft("only", programme_cap=12))
    assert found.would == 12
    assert found.losers == (rehearsing.Change(alex.pk, alex.number, -8),)


def test_cap_begins_with_what_was_used_before() -> None:
    rule = factories.only_rule(
        per="amount", points=1, member_cap=30, member_cap_period="year",
        programme_cap=45, programme_cap_period="ever",
    )  # fmt: skip
    alex, kim = factories.members(2)
    factories.buy(alex, 25, occurred_at=NOW - 10 * DAY)
    factories.buy(alex, 10)  # Five are left of her thirty.
    factories.buy(kim, 20)  # Fifteen are left of all.
    found = rehearse(rule, start=NOW - DAY)
    assert (found.given, found.change, found.unlike) == (20, 0, 0)


def test_draft_for_another_season_is_tried_as_if_it_were_now() -> None:
    factories.buy(factories.member(), 10)
    found = rehearse(draft("purchases", points=2, starts_at=NOW + 100 * DAY))
    assert (found.change, found.is_season_set_aside) == (10, True)
    found = rehearse(draft("purchases", points=2, starts_at=NOW + HOUR))
    assert (found.change, found.is_season_set_aside) == (-10, False)


def test_purchase_recorded_without_points_stays_without() -> None:
    purchases.record_many([factories.basket(factories.member(), 50)], now=NOW, with_points=False)
    found = rehearse(draft("purchases", points=3))
    assert (found.facts, found.left_out, found.given, found.change) == (1, 1, 0, 0)


def test_terms_that_cannot_be_are_refused() -> None:
    with pytest.raises(Invalid, match="at least one point"):
        rehearse(EarnRule(slug="x", fact="purchase", points=0))


def test_sample_stands_for_all_members() -> None:
    for _ in range(8):
        factories.buy(factories.member(), 10)
    found = rehearse(draft("purchases", points=2), one_in=2)
    assert (found.facts, found.given, found.change, found.members) == (8, 80, 80, 8)


# --- Other facts ------------------------------------------------------------------------------
def test_check_ins_are_rehearsed_with_what_their_places_offer() -> None:
    alex = factories.member()
    usual = factories.place()
    special = factories.place("lake", points=80, latitude=10.0)
    for day, place in enumerate((usual, usual, special)):
        come_here(alex, place, NOW + day * DAY)
    found = rehearse(draft("check-ins", points=60))
    assert (found.facts, found.given, found.would, found.unlike) == (3, 180, 200, 0)


def test_check_in_that_a_cap_refused_is_paid_by_a_higher_one() -> None:
    rule = EarnRule.objects.get(slug="check-ins")
    earn_rules.revise(rule=rule, changes={"member_cap": 50}, now=NOW - DAY)
    alex, here = factories.member(), factories.place()
    for day in range(2):
        come_here(alex, here, NOW + day * DAY)
    found = rehearse(draft("check-ins", member_cap=100))
    assert (found.given, found.change, found.left_out) == (50, 50, 0)


def test_outings_are_rehearsed() -> None:
    alex, outing = factories.member(), factories.outing()
    outings.tick(member=alex, outing=outing, now=outing.starts_at)
    found = rehearse(draft("outings", points=150))
    assert (found.given, found.change, found.unlike) == (100, 50, 0)


# --- The rules in force give what was given ----------------------------------------------------
RULES: dict[str, dict[str, Any]] = {
    "cups": {"per": "unit", "points": 3, "skus": ["cup"]},
    "welcome": {"per": "fact", "points": 25, "first_purchase_only": True},
    "gold": {"per": "amount", "tiers": ["gold"], "points": 2},
    "large": {"per": "fact", "points": 40, "minimum_total": Decimal(30), "group": "g"},
    "app": {"per": "amount", "points": 1, "channels": ["app"], "group": "g", "priority": 1},
    "monthly": {
        "per": "fact", "points": 7, "member_cap": 16, "member_cap_period": "month",
        "programme_cap": 40, "programme_cap_period": "ever",
    },
    "alone": {"per": "fact", "points": 9, "minimum_total": Decimal(50), "is_exclusive": True,
              "priority": 2},
    "half": {"per": "point", "points": 1, "per_amount": Decimal(2), "skus": ["cup"]},
}  # fmt: skip
bought = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["web", "app"]),
    st.dictionaries(st.sampled_from(["cup", "cap"]), st.integers(1, 4), min_size=1),
    st.sampled_from(["", "return", "revise"]),
)


@given(
    chosen=st.sets(st.sampled_from(sorted(RULES))),
    history=st.lists(bought, min_size=1, max_size=7),
)
@settings(max_examples=15)
def test_rules_in_force_give_what_they_gave(chosen: set[str], history: list[Any]) -> None:
    with factories.undone():
        factories.tier("gold", 30)
        people = factories.members(3)
        for slug in chosen:
            factories.rule(slug, **RULES[slug])
        total, then = 0, NOW
        for who, channel, wanted, afterwards in history:
            then += HOUR
            lines = [line(8 if sku == "cup" else 3, n, sku=sku) for sku, n in wanted.items()]
            receipt = factories.buy(people[who], *lines, channel=channel, occurred_at=then)
            total += receipt.points
            if afterwards == "return":
                bring_back(receipt, next(iter(wanted)), then + HOUR / 4)
            if afterwards == "revise":
                rule = earn_rules.in_force(slug="purchases", now=then)
                assert rule is not None
                changes = {"points": rule.points + 1}
                earn_rules.revise(rule=rule, changes=changes, now=then + HOUR / 2)
        for slug in chosen:
            found = rehearse(EarnRule.objects.get(slug=slug))
            assert (found.given, found.unlike, found.left_out) == (total, 0, 0)
            assert (found.change, found.change_kept, found.members) == (0, 0, 0)
        # The second half alone: caps begin with what the first one used.
        found = rehearse(EarnRule(slug="no", name="No", fact="purchase", points=1, skus=["none"]),
                         start=NOW + HOUR * (len(history) // 2 + 1))  # fmt: skip
        assert (found.unlike, found.change) == (0, 0)


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.only_rule(per="amount", points=1, member_cap=25, member_cap_period="month")
    people = factories.members(3)
    for _ in range(4):
        for member in people:
            factories.buy(member, 10)
    terms = draft("only", points=2)
    whole = rehearse(terms)
    monkeypatch.setattr(rehearsing, "BATCH", 2)
    assert rehearse(terms) == whole
    assert (whole.given, whole.change, whole.unlike) == (75, 0, 0)


def test_queries_of_a_batch_do_not_grow_with_it() -> None:
    alex = factories.member()
    factories.tier("gold", 1_000)
    terms = draft("purchases", points=3)
    counted = []
    for _ in range(2):
        for _ in range(4):
            factories.buy(alex, 10, 5)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            rehearse(terms)
        counted.append(len(queries))
    assert counted[0] == counted[1] == 11


# --- Periods and the command ------------------------------------------------------------------
@pytest.mark.parametrize(("hour", "month"), [(5, 1), (8, 2)])
def test_last_month_is_the_programmes(hour: int, month: int) -> None:
    start, end = rehearsing.last_month(now=datetime(2027, 3, 1, hour, tzinfo=UTC))
    denver = ZoneInfo("America/Denver")
    assert start == datetime(2027, month, 1, tzinfo=denver)
    assert end == datetime(2027, month + 1, 1, tzinfo=denver)


def test_period_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(Invalid, match="before the first"):
        rehearsing.period(first=date(2027, 3, 2), last=date(2027, 3, 1))


def told(*said: str) -> str:
    out = StringIO()
    call_command("rehearse_rule", *said, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_command_tells_the_cost_in_sentences_and_as_json() -> None:
    alex = factories.member()
    factories.buy(alex, 50)
    draft("purchases", points=3)
    days = ("--from", "2027-03-01", "--to", "2027-03-31")
    assert told("purchases", *days).splitlines()[:3] == [
        "From 2027-03-01 to 2027-03-31: 1 fact, given 50 points; with these terms 150.",
        "It would have cost 100 points more (+100 after returns).",
        "1 member would have had other points.",
    ]
    assert f"  {alex.number}  +100" in told("purchases", *days)
    said = json.loads(told("purchases", "--version", "1", "--json", *days))
    assert (said["change"], said["would"]) == (0, 50)


def test_command_refuses_what_is_not_there() -> None:
    with pytest.raises(CommandError, match="no such rule"):
        told("nothing")
    with pytest.raises(CommandError, match="both"):
        told("purchases", "--from", "2027-03-01")
