"""Points by age: what breakage is told of spends, cancellations, expiries and late loading."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from loyalty import ageing, breakage, expiry, rewards
from members.models import Member
from tests import factories
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=31)


def told(at: datetime) -> tuple[dict[tuple[str, int], int], dict[tuple[int, int | None], int]]:
    """Points by (kind, age), and those held by (age, end)."""
    history = ageing.history(at=at)
    fates: Counter[tuple[str, int]] = Counter()
    for fate in history.fates:
        fates[fate.kind, fate.age] += fate.points
    return dict(fates), {(held.age, held.end): held.points for held in history.held}


def test_spent_points_have_the_age_of_their_lot(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + 12 * MONTH)
    factories.spend(alex, 40, now=NOW + 3 * MONTH)
    fates, held = told(NOW + 5 * MONTH)
    assert fates == {("entered", 0): 100, ("spent", 3): 40, ("censored", 5): 60}
    assert held == {(5, 12): 60}
    assert ageing.history(at=NOW + 5 * MONTH).spenders == 1


def test_what_was_not_recorded_yet_is_not_known(alex: Member) -> None:
    factories.grant(alex, 100)
    factories.spend(alex, 40, now=NOW + 3 * MONTH)
    assert told(NOW + 2 * MONTH) == ({("entered", 0): 100, ("censored", 2): 100}, {(2, None): 100})
    assert told(NOW - MONTH) == ({}, {})


def test_cancelled_spend_did_not_happen(alex: Member) -> None:
    factories.reward(points=40)
    factories.grant(alex, 100)
    done = rewards.redeem(member=alex, slug="tenner", now=NOW + MONTH)
    rewards.cancel(redemption=done.redemption, why="test", now=NOW + 2 * MONTH)
    fates, held = told(NOW + 3 * MONTH)
    assert fates == {("entered", 0): 100, ("censored", 3): 100}
    assert held == {(3, None): 100}
    fates, _ = told(NOW + MONTH)
    assert fates[("spent", 1)] == 40  # Nobody knew better then.


def test_points_past_their_date_were_watched_until_then(alex: Member) -> None:
    factories.grant(alex, 100, expires_at=NOW + 2 * MONTH)
    assert told(NOW + 4 * MONTH) == ({("entered", 0): 100, ("censored", 2): 100}, {(4, -1): 100})
    expiry.expire(now=NOW + 5 * MONTH)
    assert told(NOW + 6 * MONTH) == ({("entered", 0): 100, ("censored", 2): 100}, {})


def test_lapse_of_points_without_a_date_competes_with_spending(alex: Member) -> None:
    factories.grant(alex, 100)
    with factories.book(alex, now=NOW + 4 * MONTH) as book:
        book.lapse(member_id=alex.pk)
    fates, _ = told(NOW + 6 * MONTH)
    assert fates == {("entered", 0): 100, ("lapsed", 4): 100}


def test_points_loaded_late_are_watched_from_then_on(alex: Member) -> None:
    factories.only_rule(points=50)
    factories.buy(alex, line("10"), now=NOW + 7 * MONTH)
    fates, _ = told(NOW + 9 * MONTH)
    assert fates == {("entered", 7): 50, ("censored", 9): 50}


def test_breakage_of_a_young_programme_is_too_early_to_tell(alex: Member) -> None:
    factories.grant(alex, 100)
    found = ageing.breakage_of(at=NOW + MONTH)
    assert (found.points, found.verdict) == (100, "too early to tell")


def test_breakage_of_a_programme_whose_members_spend_alike() -> None:
    """Forty members: each spends half after three months; the other half is lost after six."""
    everybody = factories.members(40)
    for month in range(12):
        for one in everybody:
            now = NOW + month * MONTH
            factories.grant(one, 100, expires_at=now + 6 * MONTH, now=now)
            if month >= 3:
                factories.spend(one, 50, now=now)
    found = ageing.breakage_of(at=NOW + 11 * MONTH)
    assert found.verdict == "estimate"
    assert found.low is not None
    assert found.high is not None
    assert breakage.LAST > found.seen_months >= 6
    assert 0 <= found.low <= found.high <= 1
