"""Birthdays: where the member lives, once a year, and on the 28th for who was born on the 29th."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from members import birthdays
from members.models import Interaction, Member, UnansweredInteraction
from tests import factories

pytestmark = pytest.mark.django_db


def born(on: str, zone: str = "UTC", **said: Any) -> Member:
    return factories.member(birth_date=date.fromisoformat(on), time_zone=zone, **said)


def celebrated(now: datetime) -> list[str]:
    """The references recorded by a sweep at this moment."""
    before = set(Interaction.objects.values_list("pk", flat=True))
    birthdays.celebrate(now=now)
    rows = Interaction.objects.exclude(pk__in=before).order_by("member")
    return list(rows.values_list("reference", flat=True))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_birthday_is_recorded_once_a_year_for_campaigns_to_answer() -> None:
    born("1990-03-01")
    assert celebrated(at("2027-03-01T09:00")) == ["2027"]
    assert celebrated(at("2027-03-01T12:00")) == []
    assert celebrated(at("2028-03-01T09:00")) == ["2028"]
    assert UnansweredInteraction.objects.count() == 2


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Pacific/Kiritimati", "2027-02-28T10:00", "2027-03-01T09:59"),
        ("UTC", "2027-03-01T00:00", "2027-03-01T23:59"),
        ("Pacific/Pago_Pago", "2027-03-01T11:00", "2027-03-02T10:59"),
    ],
)
def test_day_is_the_members_own(zone: str, first: str, last: str) -> None:
    born("1990-03-01", zone)
    minute = timedelta(minutes=1)
    assert celebrated(at(first) - minute) == []
    assert celebrated(at(last) + minute) == []
    assert celebrated(at(first)) == ["2027"]


@pytest.mark.parametrize(
    ("today", "who"),
    [
        ("2027-02-28", ["2027", "2027"]),  # The 28th, and the 29th that this year has not
        ("2027-03-01", []),
        ("2028-02-28", ["2028"]),
        ("2028-02-29", ["2028"]),
    ],
)
def test_29_february_is_the_28th_in_common_years(today: str, who: list[str]) -> None:
    born("1992-02-29")
    born("1991-02-28")
    assert celebrated(at(f"{today}T12:00")) == who


def test_new_year_abroad_belongs_to_the_year_there() -> None:
    born("1990-01-01", "Pacific/Auckland")
    assert celebrated(at("2027-12-31T18:00")) == ["2028"]


def test_day_of_birth_itself_and_who_left_are_not_celebrated() -> None:
    born("2024-05-04", joined_at=at("2024-05-04T00:00"))
    gone = born("1990-05-04")
    Member.objects.filter(pk=gone.pk).update(erased_at=at("2024-01-01T00:00"))
    assert celebrated(at("2024-05-04T12:00")) == []


def test_many_birthdays_cost_few_statements(django_assert_num_queries: Any) -> None:
    for _ in range(20):
        born("1990-03-01")
    with django_assert_num_queries(2):
        birthdays.celebrate(now=at("2027-03-01T09:00"))
