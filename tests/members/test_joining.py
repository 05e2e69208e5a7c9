"""Becoming a member: one person, one member, and a clock that is always known."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from config.errors import Invalid, NotFound
from members import consents, joining, privacy, signing_in
from members.models import Address, Member, Programme
from tests import factories
from tests.factories import JOINED, NOW

pytestmark = pytest.mark.django_db


def joins(**said: Any) -> Member:
    """Somebody who joins with exactly what is said."""
    with transaction.atomic():
        return joining.enrol(enrolment=joining.Enrolment(**said), now=NOW, source="test")


def changed(member: Member, **changes: Any) -> Member:
    with transaction.atomic():
        joining.change(member=member, changes=changes)
    return Member.objects.get(pk=member.pk)


# --- Numbers ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("digits", "number"), [("7992739871", "79927398713"), ("1000001", "10000016"), ("0", "00")]
)
def test_numbers_end_in_the_check_digit_of_luhn(digits: str, number: str) -> None:
    assert joining.with_check_digit(digits) == number


@given(st.integers(10**6, 10**9), st.integers(0, 8), st.integers(1, 9))
def test_one_digit_typed_wrong_is_noticed(digits: int, at: int, off: int) -> None:
    number = joining.with_check_digit(str(digits))
    at %= len(number) - 1
    wrong = number[:at] + str((int(number[at]) + off) % 10) + number[at + 1 :]
    assert joining.with_check_digit(wrong[:-1]) != wrong


def test_members_get_different_numbers_of_eight_digits() -> None:
    numbers = [member.number for member in factories.members(3)]
    assert len({*numbers}) == 3
    assert all(joining.with_check_digit(n[:-1]) == n and len(n) == 8 for n in numbers)


def test_number_of_an_older_programme_is_left_out() -> None:
    (last,) = joining.next_numbers(1)
    upcoming = joining.with_check_digit(str(int(last[:-1]) + 1))
    joins(number=upcoming)
    assert joins(email="a@example.com").number not in {last, upcoming}


# --- One person, one member -------------------------------------------------------------------
@pytest.mark.parametrize(
    "same",
    [
        "ann@example.com", " Ann@Example.COM ", "ＡＮＮ@example.com", "ann@ｅxample.com",
        "ann@EXAMPLE.com",
    ],
)  # fmt: skip
def test_lookalike_address_is_the_same_address(same: str) -> None:
    joins(email="Ann@example.com")
    with pytest.raises(joining.MemberExists):
        joins(email=same)
    assert Member.objects.count() == 1


def test_sharp_s_and_double_s_are_one_address() -> None:
    joins(email="strasse@example.com")
    with pytest.raises(joining.MemberExists):
        joins(email="straße@example.com")


@pytest.mark.parametrize("same", ["+14155552671", "(415) 555-2671", "415.555.2671"])
def test_number_dialled_otherwise_is_the_same_telephone(same: str) -> None:
    assert joins(phone="+1 415 555 2671").phone == "+14155552671"
    with pytest.raises(joining.MemberExists):
        joins(phone=same)


def test_address_is_shown_as_it_was_written() -> None:
    ann = joins(email=" Ann@Example.com ")
    assert (ann.email, ann.email_key) == ("Ann@Example.com", "ann@example.com")


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({}, "/email"),
        ({"email": "ann"}, "/email"),
        ({"email": f"{'a' * 250}@example.com"}, "/email"),
        ({"phone": "12"}, "/phone"),
        ({"phone": "+1 000"}, "/phone"),
        ({"number": "a@b"}, "/number"),
        ({"number": "erased-7"}, "/number"),
        ({"number": "1", "time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"number": "1", "time_zone": "localtime"}, "/time_zone"),
        ({"number": "1", "birth_date": date(1899, 12, 31)}, "/birth_date"),
        ({"number": "1", "birth_date": NOW.date() + timedelta(days=1)}, "/birth_date"),
        ({"number": "1", "joined_at": NOW + timedelta(seconds=1)}, "/joined_at"),
        ({"number": "1", "country": "Narnia"}, "/country"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(said: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        joins(**said)
    assert refusal.value.pointer == pointer
    assert not Member.objects.exists()


def test_consents_said_at_joining_are_recorded_for_that_moment() -> None:
    ann = joins(email="a@example.com", marketing={"email": True, "sms": False}, joined_at=JOINED)
    told = consents.preferences(member=ann)
    assert (told["email"]["marketing"], told["sms"]["marketing"]) == (True, False)
    assert {consent.at for consent in ann.consents.all()} == {JOINED}


# --- Where and what time ----------------------------------------------------------------------
def test_postal_code_tells_town_state_and_zone() -> None:
    address = joins(number="1", postal_code="84101", country="usa").address
    assert (address.city, address.region, address.country) == ("Salt Lake City", "UT", "US")
    assert (address.county_key, address.zone) == ("salt lake", "America/Denver")
    assert address.latitude == pytest.approx(40.76, abs=0.1)


ADDRESS = {"postal_code": "96701", "country": "US"}  # Pacific/Honolulu


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ({"time_zone": "Asia/Tokyo", **ADDRESS, "home_store": True}, "Asia/Tokyo"),
        ({**ADDRESS, "home_store": True}, "Pacific/Honolulu"),
        ({"home_store": True}, "America/Chicago"),
        ({"postal_code": "00000", "country": "US", "home_store": True}, "America/Chicago"),
        ({}, "America/Denver"),
    ],
    ids=["own word", "address", "store", "unknown address", "programme"],
)
def test_zone_is_ones_own_then_the_addresses_then_the_stores_then_the_programmes(
    said: dict[str, Any], zone: str
) -> None:
    if "home_store" in said:
        said = {**said, "home_store": factories.store(time_zone="America/Chicago")}
    assert joins(number="1", **said).zone == zone


def test_programmes_zone_is_a_row_and_not_a_constant() -> None:
    Programme.objects.update(time_zone="Europe/Vienna")
    assert joins(number="1").zone == "Europe/Vienna"


# --- Changing ---------------------------------------------------------------------------------
def test_zone_follows_a_move() -> None:
    ann = joins(number="1", postal_code="84101", country="US")
    assert changed(ann, postal_code="96701").zone == "Pacific/Honolulu"
    assert changed(ann, time_zone="Asia/Tokyo").zone == "Asia/Tokyo"
    assert changed(ann, time_zone="").zone == "Pacific/Honolulu"


def test_new_postal_code_forgets_the_old_town() -> None:
    ann = joins(number="1", postal_code="84101", country="US", street="1 Main St")
    changed(ann, postal_code="80301")
    address = Address.objects.get()
    assert (address.city, address.region, address.street) == ("Boulder", "CO", "1 Main St")


def test_new_address_is_also_the_new_sign_in() -> None:
    ann = joins(email="ann@example.com")
    signing_in.ensure_user(member=ann)
    ann = changed(ann, email="Anna@example.com")
    assert ann.user is not None
    assert ann.user.email == "anna@example.com"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"phone": "nobody"}, "/phone"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "localtime"}, "/time_zone"),
        ({"birth_date": date(2500, 1, 1)}, "/birth_date"),
        ({"birth_date": date(1066, 1, 1)}, "/birth_date"),
        ({"country": "Narnia"}, "/country"),
    ],
)
def test_change_that_cannot_be_is_refused_and_nothing_changes(
    change: dict[str, Any], pointer: str
) -> None:
    ann = joins(number="1", given_name="Ann")
    with pytest.raises(Invalid) as refusal:
        changed(ann, given_name="Bea", **change)
    assert refusal.value.pointer == pointer
    assert Member.objects.get().given_name == "Ann"


@pytest.mark.parametrize("what", [{"email": "kim@example.com"}, {"phone": "+14155552671"}])
def test_contact_of_somebody_else_is_refused(what: dict[str, str]) -> None:
    joins(**what)
    with pytest.raises(joining.MemberExists):
        changed(joins(number="1"), **what)


def test_change_keeps_what_others_changed_meanwhile() -> None:
    ann = joins(number="1")
    stale = Member.objects.get(pk=ann.pk)
    changed(ann, family_name="Lee")
    after = changed(stale, given_name="Ann")
    assert after.full_name == "Ann Lee"


def test_change_does_not_bring_an_erased_member_back() -> None:
    ann = joins(email="ann@example.com", given_name="Ann")
    stale = Member.objects.get(pk=ann.pk)
    privacy.erase(member=ann, now=NOW)
    with pytest.raises(NotFound):
        changed(stale, locale="de")
    assert Member.objects.get().given_name == ""


def test_database_itself_keeps_addresses_apart() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_indexes WHERE tablename = 'members_member'"
            " AND indexdef LIKE 'CREATE UNIQUE%' AND indexdef ~ '\\((email_key|phone|number)\\)'"
        )
        assert cursor.fetchone() == (3,)
