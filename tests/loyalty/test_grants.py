"""Points by hand: with a reason, within the day's allowance, else with a second person."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from config.errors import Invalid
from loyalty import auditing, grants, ledger, merging
from loyalty.models import Entry, Grant, Lot, PointsPolicy
from members import households
from members.models import Household, Member, User
from tests import factories
from tests.factories import NOW
from tests.staff import person

DAY = timedelta(days=1)
WHY = "A parcel came late"

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> User:
    return person("Clerk")


@pytest.fixture
def boss() -> User:
    return person("Administrator")


@pytest.fixture(autouse=True)
def sound() -> Any:
    yield
    assert auditing.audit().findings == ()


def give(to: Member, points: int, by: User, *, reason: str = WHY, now: Any = NOW) -> Grant:
    return grants.grant(member=to, points=points, reason=reason, by=by, now=now)


def balance(of: Member) -> int:
    return factories.account(of).balance


def test_grant_gives_points_at_once_and_says_who_and_when(alex: Member, clerk: User) -> None:
    row = give(alex, 200, clerk)
    entry = Entry.objects.get()
    assert (row.state, balance(alex)) == ("given", 200)
    assert (entry.kind, entry.actor, entry.why) == ("granted", clerk, f"grant {row.pk}")
    assert Lot.objects.get().expires_at == NOW.replace(year=2029)


def test_correction_takes_points(alex: Member, clerk: User) -> None:
    give(alex, 200, clerk)
    give(alex, -50, clerk)
    assert balance(alex) == 150


def test_correction_beyond_what_there_is_changes_nothing(alex: Member, clerk: User) -> None:
    with pytest.raises(ledger.InsufficientPoints):
        give(alex, -50, clerk)
    assert not Grant.objects.exists()


def test_above_the_days_allowance_a_grant_waits(alex: Member, clerk: User) -> None:
    assert [give(alex, points, clerk).state for points in (300, 200, 1)] == [
        "given", "given", "waiting",
    ]  # fmt: skip
    assert balance(alex) == 500


def test_allowance_is_of_each_person_and_day(alex: Member, clerk: User) -> None:
    give(alex, 500, clerk)
    assert give(alex, 500, person("Marketer")).state == "given"
    assert give(alex, 500, clerk, now=NOW + DAY).state == "given"


def test_corrections_count_like_gifts(alex: Member, clerk: User) -> None:
    give(alex, 400, clerk)
    assert give(alex, -200, clerk).state == "waiting"


def test_allowance_is_the_policys(alex: Member, clerk: User) -> None:
    PointsPolicy.objects.update(grants_a_day=0)
    assert give(alex, 1, clerk).state == "waiting"


def test_second_person_agrees(alex: Member, clerk: User, boss: User) -> None:
    row = grants.approve(grant=give(alex, 900, clerk), by=boss, now=NOW)
    assert (row.state, row.decided_by, balance(alex)) == ("given", boss, 900)


def test_second_person_refuses(alex: Member, clerk: User, boss: User) -> None:
    row = grants.refuse(grant=give(alex, 900, clerk), by=boss, now=NOW)
    assert (row.state, factories.account(alex).balance if row.entry else 0) == ("refused", 0)


@pytest.mark.parametrize("verb", [grants.approve, grants.refuse])
def test_nobody_decides_on_their_own_grant(
    alex: Member, clerk: User, verb: Callable[..., Grant]
) -> None:
    row = give(alex, 900, clerk)
    with pytest.raises(grants.OwnGrant):
        verb(grant=row, by=clerk, now=NOW)


@pytest.mark.parametrize("verb", [grants.approve, grants.refuse])
def test_grant_is_decided_once(
    alex: Member, clerk: User, boss: User, verb: Callable[..., Grant]
) -> None:
    row = give(alex, 900, clerk)
    grants.approve(grant=row, by=boss, now=NOW)
    with pytest.raises(grants.GrantDecided):
        verb(grant=row, by=boss, now=NOW)
    assert balance(alex) == 900


def test_nobody_grants_to_themselves(alex: Member, clerk: User, boss: User) -> None:
    Member.objects.filter(pk=alex.pk).update(user=boss)
    alex.refresh_from_db()
    with pytest.raises(grants.OwnGrant):
        give(alex, 1, boss)
    with pytest.raises(grants.OwnGrant):
        grants.approve(grant=give(alex, 900, clerk), by=boss, now=NOW)


@pytest.mark.parametrize(("points", "reason"), [(0, WHY), (10**7, WHY), (5, ""), (5, "  oh  ")])
def test_grant_of_nothing_or_without_a_reason_is_refused(
    alex: Member, clerk: User, points: int, reason: str
) -> None:
    with pytest.raises(Invalid):
        give(alex, points, clerk, reason=reason)


def test_membership_not_signed_in_yet_is_ones_own_too(clerk: User) -> None:
    own = factories.member(email=clerk.email)
    with pytest.raises(grants.OwnGrant):
        give(own, 1, clerk)


def test_household_is_served_by_a_colleague(clerk: User, alex: Member) -> None:
    own = factories.member(email=clerk.email)
    households.invite(member=own, named=alex.number, now=NOW)
    home = Household.objects.get()
    households.accept(member=alex, household_id=home.pk, now=NOW)
    with pytest.raises(grants.OwnGrant):
        give(alex, 1, clerk)


def test_number_that_leads_to_oneself_is_ones_own(clerk: User, alex: Member) -> None:
    own = factories.member(email=clerk.email)
    merging.merge(gone=own, kept=alex, reason="same", by=None, now=NOW)
    with pytest.raises(grants.OwnGrant):
        give(alex, 1, clerk)
