"""Challenges: who may win, how many, what is completed later, and what is told of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from config.errors import Invalid, NotFound
from loyalty import (
    auditing,
    behaviour,
    challenge_facts,
    challenge_standings,
    challenge_terms,
    challenges,
    purchases,
    sweeping,
)
from loyalty.models import Challenge, ChallengeCompletion, ChallengeJoining
from members import interactions
from members.models import InteractionKind, Member
from tests import factories
from tests.factories import NOW
from tests.processes import at_once

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def buying(slug: str = "summer", **said: Any) -> Challenge:
    """A challenge that one purchase completes."""
    return factories.challenge(slug, **{"counts": "purchase", "target": 1, "points": 30, **said})


def winners(of: Challenge) -> list[int]:
    return list(of.completions.order_by("pk").values_list("member", flat=True))


def counted(of: Challenge) -> int:
    return Challenge.objects.get(pk=of.pk).winners


# --- Joining ----------------------------------------------------------------------------------
def test_who_did_not_join_does_not_win(alex: Member) -> None:
    summer = buying(needs_joining=True)
    factories.buy(alex, "5")
    assert winners(summer) == []
    challenges.join(member=alex, slug="summer", now=NOW)
    factories.buy(factories.member(), "5")
    assert winners(summer) == [alex.pk]


def test_joining_counts_what_was_done_before_and_pays_at_once(alex: Member) -> None:
    buying(needs_joining=True)
    factories.buy(alex, "5")
    challenges.join(member=alex, slug="summer", now=NOW)
    assert factories.account(alex).balance == 35


def test_joining_again_changes_nothing(alex: Member) -> None:
    buying(needs_joining=True)
    first = challenges.join(member=alex, slug="summer", now=NOW)
    again = challenges.join(member=alex, slug="summer", now=NOW + DAY)
    assert (again.pk, again.joined_at) == (first.pk, NOW)


def test_what_is_over_or_full_cannot_be_joined(alex: Member) -> None:
    buying("over", ends_at=NOW)
    buying("full", max_winners=1)
    factories.buy(factories.member(), "5")
    with pytest.raises(challenges.ChallengeOver), transaction.atomic():
        challenges.join(member=alex, slug="over", now=NOW)
    with pytest.raises(challenges.ChallengeFull), transaction.atomic():
        challenges.join(member=alex, slug="full", now=NOW)
    assert not ChallengeJoining.objects.exists()


@pytest.mark.parametrize("said", [{"is_open": False}, {"tiers": ["gold"]}])
def test_what_is_not_for_a_member_is_not_found(alex: Member, said: dict[str, Any]) -> None:
    buying(**said)
    with pytest.raises(NotFound), transaction.atomic():
        challenges.join(member=alex, slug="summer", now=NOW)


def test_only_members_of_the_tier_see_it_and_win(alex: Member) -> None:
    factories.tier("gold", 100)
    summer = buying(tiers=["gold"])
    factories.buy(alex, "5")
    assert challenge_standings.listed(member=alex, now=NOW) == []
    factories.buy(alex, "100")
    (one,) = challenge_standings.listed(member=alex, now=NOW)
    assert one.completed_at == NOW
    assert winners(summer) == [alex.pk]


# --- As many as may win -----------------------------------------------------------------------
def test_no_more_win_than_may(alex: Member) -> None:
    summer = buying(max_winners=2)
    people = [alex, *factories.members(2)]
    balances = [factories.buy(one, "5").balance for one in people]
    assert balances == [35, 35, 5]
    assert (winners(summer), counted(summer)) == ([one.pk for one in people[:2]], 2)


def test_of_many_at_once_the_first_to_have_done_it_win() -> None:
    summer = buying(max_winners=2)
    people = factories.members(4)
    baskets = [
        factories.basket(one, "5", occurred_at=NOW - number * DAY)
        for number, one in enumerate(people)
    ]
    receipts = purchases.record_many(baskets, now=NOW)
    assert [receipt.balance for receipt in receipts] == [5, 5, 35, 35]
    assert winners(summer) == [people[3].pk, people[2].pk]


def test_database_lets_no_more_win_whatever_the_code(alex: Member) -> None:
    summer = buying(max_winners=1)
    with pytest.raises(IntegrityError, match="challenge_winners_never_exceeded"):
        Challenge.objects.filter(pk=summer.pk).update(winners=2)


def test_database_takes_one_completion_of_a_member(alex: Member) -> None:
    factories.buy(alex, "5")
    row = ChallengeCompletion(challenge=buying(), member=alex, completed_at=NOW, recorded_at=NOW)
    row.save(force_insert=True)
    row.pk = None
    with pytest.raises(IntegrityError, match="challenge_completed_once"):
        row.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_last_wins_go_to_as_many_as_there_are() -> None:
    summer = buying(max_winners=3)
    baskets = [factories.basket(one, "5") for one in factories.members(8)]
    balances = at_once(lambda n: purchases.record(baskets[n], now=NOW).balance)
    assert sorted(balances) == [5] * 5 + [35] * 3
    assert counted(summer) == len(winners(summer)) == 3
    assert auditing.audit().findings == ()


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_member_who_does_it_eight_times_at_once_is_paid_once() -> None:
    alex, summer = factories.member(), buying()
    baskets = [factories.basket(alex, "5") for _ in range(8)]
    at_once(lambda n: purchases.record(baskets[n], now=NOW).balance)
    assert factories.account(alex).balance == 8 * 5 + 30
    assert winners(summer) == [alex.pk]


# --- Later ------------------------------------------------------------------------------------
def test_many_purchases_at_once_complete_with_a_constant_number_of_statements(
    django_assert_num_queries: Any,
) -> None:
    buying()
    for many in (2, 30):
        people = factories.members(many)
        purchases.record_many([factories.basket(one, "5") for one in people], now=NOW - 99 * DAY)
        baskets = [factories.basket(one, "5") for one in people]
        with django_assert_num_queries(22):
            receipts = purchases.record_many(baskets, now=NOW)
        assert {receipt.balance for receipt in receipts} == {40}


def test_sweep_completes_what_was_missed_once(alex: Member) -> None:
    purchases.record_many([factories.basket(alex, "5")], now=NOW)
    kim = factories.member()
    summer = buying()
    assert challenges.complete_missed(now=NOW) == 1
    assert challenges.complete_missed(now=NOW) == 0
    assert winners(summer) == [alex.pk]
    assert not ChallengeCompletion.objects.filter(member=kim).exists()
    assert sweeping.each(sweeping.NIGHTLY, now=NOW)["challenges completed"] == 0


def test_sweep_leaves_what_has_not_begun_or_was_long_ago(alex: Member) -> None:
    summer = buying()
    Challenge.objects.update(is_open=False)
    factories.buy(alex, "5", occurred_at=NOW + DAY, now=NOW + DAY)
    Challenge.objects.update(is_open=True)
    assert challenges.complete_missed(now=summer.starts_at - DAY) == 0
    assert challenges.complete_missed(now=summer.ends_at + challenge_facts.LATE) == 0
    assert challenges.complete_missed(now=summer.ends_at + challenge_facts.LATE - DAY) == 1


def test_interactions_of_the_kind_count(alex: Member) -> None:
    shared = InteractionKind.objects.get(slug="share")
    summer = factories.challenge(
        counts="interaction", kind=shared, how="distinct", unit="category", target=2,
        interests=["snow"],
    )  # fmt: skip
    snow = (factories.interest("snow").pk,)
    facts = [("share", "a", snow), ("share", "b", snow), ("share", "c", ()), ("view", "d", snow)]
    interactions.record(
        [
            interactions.Fact(
                member_id=alex.pk, kind=kind, occurred_at=NOW, reference=name, category=name,
                interest_ids=taught,
            )
            for kind, name, taught in facts
        ],
        now=NOW,
    )  # fmt: skip
    (one,) = challenge_standings.listed(member=alex, now=NOW)
    assert one.progress.items == ("a", "b")
    assert challenges.complete_missed(now=NOW) == 1
    assert winners(summer) == [alex.pk]


def test_report_that_completes_it_pays_at_once(alex: Member) -> None:
    factories.challenge(
        counts="interaction", kind=InteractionKind.objects.get(slug="share"), points=30
    )
    for name in "ab":
        said = behaviour.Report(member_id=alex.pk, kind="share", occurred_at=NOW, reference=name)
        behaviour.report([said], now=NOW)
    assert factories.account(alex).balance == 30


def test_erased_member_wins_nothing(alex: Member) -> None:
    purchases.record_many([factories.basket(alex, "5")], now=NOW)
    Member.objects.update(erased_at=NOW)
    buying()
    assert challenges.complete_missed(now=NOW) == 0


# --- What is told -----------------------------------------------------------------------------
def test_list_is_what_is_on_or_to_come_with_what_it_means_to_me(alex: Member) -> None:
    buying("over", ends_at=NOW)
    buying("later", starts_at=NOW + DAY, ends_at=NOW + 2 * DAY)
    buying("joined", target=3, needs_joining=True, max_winners=9, ends_at=NOW + DAY)
    buying("won", points=None)
    challenges.join(member=alex, slug="joined", now=NOW)
    factories.buy(alex, "5")
    found = challenge_standings.listed(member=alex, now=NOW)
    assert [
        (one.challenge.slug, one.progress.done, one.joined_at, one.completed_at, one.points,
         one.winners_left)
        for one in found
    ] == [
        ("joined", 1, NOW, None, 30, 9),
        ("later", 0, None, None, 30, None),
        ("won", 1, None, NOW, 100, None),
    ]  # fmt: skip


def test_standing_tells_who_is_on_the_way(alex: Member) -> None:
    summer = buying(target=3, needs_joining=True)
    kim, lee, winner = factories.members(3)
    for one in (alex, kim, winner):
        challenges.join(member=one, slug="summer", now=NOW)
    for one, times in ((alex, 1), (kim, 2), (lee, 2), (winner, 3)):
        for _ in range(times):
            factories.buy(one, "5")
    found = challenge_standings.standing(challenge=summer, members=Member.objects.all(), now=NOW)
    assert (found.joined, found.on_the_way, found.completed) == (3, 2, 1)
    assert [(pk, progress.done) for pk, progress in found.leading] == [(kim.pk, 2), (alex.pk, 1)]
    only = Member.objects.filter(pk=alex.pk)
    few = challenge_standings.standing(challenge=summer, members=only, now=NOW)
    assert (few.joined, few.on_the_way, few.completed) == (1, 1, 0)


# --- Terms ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"ends_at": NOW - 40 * DAY}, "/ends_at"),
        ({"target": 0}, "/target"),
        ({"target": 1_001}, "/target"),
        ({"counts": "interaction"}, "/kind"),
        ({"stores": ["denver"]}, "/stores"),
        ({"categories": ["tents"]}, "/categories"),
        ({"counts": "outing", "categories": ["tents"]}, "/categories"),
        ({"unit": "day"}, "/unit"),
        ({"how": "distinct"}, "/unit"),
        ({"how": "distinct", "unit": "category"}, "/unit"),
        ({"how": "distinct", "unit": "place", "counts": "purchase"}, "/unit"),
        ({"how": "streak", "unit": "place"}, "/unit"),
        ({"forgiven": 1}, "/forgiven"),
        ({"winners": 3, "max_winners": 2}, "/max_winners"),
    ],
)  # fmt: skip
def test_terms_that_cannot_be_are_refused(said: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        factories.challenge(**said)
    assert refusal.value.pointer == pointer


def test_more_places_than_the_collection_has_are_refused() -> None:
    huts = factories.collection("huts", factories.place())
    with pytest.raises(Invalid, match="The collection has 1 places"):
        factories.challenge(how="distinct", unit="place", collection=huts)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"target": 1}, "1 check-in"),
        ({"counts": "purchase"}, "2 purchases"),
        ({"how": "distinct", "unit": "place"}, "2 different places of check-ins"),
        (
            {"how": "streak", "unit": "week", "forgiven": 1, "counts": "outing"},
            "2 weeks in a row with outings (1 may be missing)",
        ),
    ],
)
def test_challenge_is_said_in_words(said: dict[str, Any], words: str) -> None:
    assert challenge_terms.in_words(factories.challenge(**said)) == words
