"""Days on which everybody's points become vouchers."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from config.errors import Invalid
from loyalty import auditing, issuing, rewards
from loyalty.models import Issuance, IssuanceWindow, Redemption, Reward, Voucher
from members.models import Member
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sound() -> Any:
    factories.reward(points=100, value=Decimal(5))
    yield
    assert auditing.audit().findings == ()


def window(*, opens_at: datetime = NOW, **said: Any) -> IssuanceWindow:
    return IssuanceWindow.objects.create(reward=Reward.objects.get(), opens_at=opens_at, **said)


def with_points(points: int, **said: Any) -> Member:
    member = factories.member()
    factories.grant(member, points, **said)
    return member


def balance(of: Member) -> int:
    return factories.account(of).balance


def test_whole_portions_become_one_voucher_and_the_rest_is_carried_on() -> None:
    window()
    alex = with_points(350)
    assert issuing.issue_due(now=NOW) == 1
    voucher = Voucher.objects.get()
    assert (voucher.member, voucher.value, balance(alex)) == (alex, Decimal(15), 50)


def test_rest_lapses_where_the_window_says_so() -> None:
    window(keeps_rest=False)
    alex = with_points(350)
    issuing.issue_due(now=NOW)
    assert (balance(alex), Issuance.objects.get().lapsed) == (0, 50)


def test_who_has_too_few_keeps_them() -> None:
    window(least_points=300)
    alex = with_points(250)
    assert issuing.issue_due(now=NOW) == 0
    assert (balance(alex), Voucher.objects.exists()) == (250, False)


def test_at_most_so_many_points_of_each_become_vouchers() -> None:
    window(most_points=250)
    alex = with_points(1_000)
    issuing.issue_due(now=NOW)
    assert (Voucher.objects.get().value, balance(alex)) == (Decimal(10), 800)


def test_points_past_their_date_become_nothing() -> None:
    window()
    with_points(100, expires_at=NOW)
    assert issuing.issue_due(now=NOW) == 0


def test_window_serves_when_it_opens_and_once() -> None:
    window(opens_at=NOW + DAY)
    alex = with_points(100)
    assert issuing.issue_due(now=NOW) == 0
    assert issuing.issue_due(now=NOW + DAY) == 1
    factories.grant(alex, 100, now=NOW + DAY)
    assert issuing.issue_due(now=NOW + 2 * DAY) == 0
    assert balance(alex) == 100


def test_run_that_was_stopped_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "BATCH", 2)
    window()
    members = [with_points(100) for _ in range(5)]
    issuing.issue_due(now=NOW)
    # As after a kill: some are served, and the window does not know that it was.
    gone = Issuance.objects.filter(member__in=members[3:])
    assert gone.count() == 2
    IssuanceWindow.objects.update(closed_at=None)
    assert issuing.issue_due(now=NOW) == 0
    assert Voucher.objects.count() == 5


def test_who_was_erased_or_merged_gets_none() -> None:
    plan = window()
    gone, merged, kept = (with_points(100) for _ in range(3))
    Member.objects.filter(pk=gone.pk).update(erased_at=NOW)
    Member.objects.filter(pk=merged.pk).update(merged_into=kept)
    assert issuing.preview(window=plan) == (1, Decimal(5))
    issuing.issue_due(now=NOW)
    assert Voucher.objects.get().member == kept


@pytest.mark.parametrize("limit", [{"stock": 5}, {"per_member": 1}, {"tiers": ["gold"]}])
def test_reward_with_limits_is_issued_to_nobody_and_stops_no_other(limit: dict[str, Any]) -> None:
    window(opens_at=NOW - DAY)
    Reward.objects.update(**limit)
    fine = factories.reward("fiver", points=100, value=Decimal(5))
    IssuanceWindow.objects.create(reward=fine, opens_at=NOW)
    with_points(100)
    with pytest.raises(Invalid):
        issuing.issue_due(now=NOW)
    assert [row.window.reward for row in Issuance.objects.all()] == [fine]


def test_cancelling_what_was_issued_adds_nothing_to_the_stock() -> None:
    window()
    with_points(100)
    issuing.issue_due(now=NOW)
    Reward.objects.update(stock=5)
    rewards.cancel(redemption=Redemption.objects.get(), why="mistake", now=NOW)
    assert Reward.objects.get().stock == 5


def test_preview_says_what_it_would_give() -> None:
    plan = window(most_points=250)
    for points in (99, 100, 250, 1_000):
        with_points(points)
    assert issuing.preview(window=plan) == (3, Decimal(25))


def test_batch_takes_the_same_queries_for_any_number(django_assert_num_queries: Any) -> None:
    for number in (2, 20):
        window(opens_at=NOW - number * DAY)
        for _ in range(number):
            with_points(100)
        with django_assert_num_queries(14):
            assert issuing.issue_due(now=NOW) == number
