"""The moment when a member has told everything about themself, once ever."""

from typing import Any

import pytest

from config.errors import Invalid
from members import interests, joining, profiles
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW

WHOLE: dict[str, Any] = {
    "given_name": "Alex", "family_name": "Doe", "birth_date": NOW.date().replace(year=1990),
    "postal_code": "84101", "country": "US",
}  # fmt: skip

pytestmark = pytest.mark.django_db


def noted(of: Member) -> int:
    return Interaction.objects.filter(member=of, kind__slug="profile-complete").count()


def test_profile_is_complete_with_the_last_of_it() -> None:
    alex = factories.member(given_name="")
    profiles.state(member=alex, levels={"hiking": 1.0}, now=NOW)
    assert noted(alex) == 0
    profiles.change(member=alex, changes=WHOLE, now=NOW)
    assert noted(alex) == 1


def test_profile_is_complete_once_ever() -> None:
    alex = factories.member(**WHOLE)
    for level in (1.0, 0.5):
        profiles.state(member=alex, levels={}, now=NOW)
        profiles.state(member=alex, levels={"hiking": level}, now=NOW)
    assert noted(alex) == 1


@pytest.mark.parametrize("name", ["given_name", "family_name", "birth_date", "postal_code"])
def test_profile_with_a_gap_is_not_complete(name: str) -> None:
    empty = None if name == "birth_date" else ""
    alex = factories.member(**{**WHOLE, name: empty})
    profiles.state(member=alex, levels={"hiking": 1.0}, now=NOW)
    assert noted(alex) == 0


def test_sweep_finds_what_no_door_noticed() -> None:
    alex = factories.member()
    interests.state(member=alex, levels={"hiking": 1.0}, now=NOW)
    joining.change(member=alex, changes=WHOLE)
    assert [profiles.complete(now=NOW) for _ in range(2)] == [1, 0]


def test_refused_change_completes_nothing() -> None:
    alex = factories.member(given_name="")
    interests.state(member=alex, levels={"hiking": 1.0}, now=NOW)
    with pytest.raises(Invalid):
        profiles.change(member=alex, changes={**WHOLE, "time_zone": "Mars"}, now=NOW)
    assert noted(alex) == 0
