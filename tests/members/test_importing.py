"""Members and consents from files: who they are, found again, never revived."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from members import consents, privacy
from members.joining import with_check_digit
from members.models import (
    Address,
    Confirmation,
    Consent,
    ConsentState,
    ErasedContact,
    Member,
    Programme,
    Store,
)
from tests import factories
from tests.files import load, reasons, sample, write_csv, write_lines

JOINED = datetime(2024, 5, 1, 10, tzinfo=UTC)
HEADER = "number,email,phone,given_name,postal_code,country,joined_at,email_opt_in"
ALEX = "A1,Alex@Example.com,+1 303 555 0112,Alex,80302,US,2024-05-01T10:00:00+00:00,yes"

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "members.csv"


def outcome(path: Path, header: str, *rows: str) -> str:
    return load("members", write_csv(path, header, *rows)).tally


def allowed(member: Member) -> dict[str, bool]:
    states = ConsentState.objects.filter(member=member, purpose="marketing")
    return {state.channel: state.is_allowed for state in states}


# --- Members who are new ----------------------------------------------------------------------
def test_member_is_made_with_address_zone_and_consent(path: Path) -> None:
    assert outcome(path, HEADER, ALEX) == "loaded 1, unchanged 0, rejected 0"
    alex = Member.objects.get()
    assert (alex.number, alex.email, alex.email_key, alex.phone) == (
        "A1", "Alex@Example.com", "alex@example.com", "+13035550112",
    )  # fmt: skip
    assert (alex.given_name, alex.joined_at, alex.zone) == ("Alex", JOINED, "America/Denver")
    address = Address.objects.get(member=alex)
    assert (address.city, address.region, address.county_key) == ("Boulder", "CO", "boulder")
    consent = Consent.objects.get(member=alex)
    assert (consent.action, consent.at, consent.source) == ("granted", JOINED, "import")
    assert allowed(alex) == {"email": True}


def test_second_run_adds_nothing(path: Path) -> None:
    outcome(path, HEADER, ALEX)
    assert load("members", path).tally == "loaded 0, unchanged 1, rejected 0"
    assert Consent.objects.count() == 1


def test_member_without_a_number_gets_one_that_nobody_has(path: Path) -> None:
    drawn = next_number()
    rows = [f"{drawn},,,,,,,", ",kim@example.com,,,,,,"]
    assert outcome(path, HEADER, *rows) == "loaded 2, unchanged 0, rejected 0"
    kim = Member.objects.get(email_key="kim@example.com")
    assert kim.number != drawn
    assert kim.number.isdigit()


def next_number() -> str:
    """The number that the next member without one would get."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('members_member_number')")
        return with_check_digit(str(cursor.fetchone()[0] + 1))


def test_home_store_gives_the_zone_where_no_address_does(path: Path) -> None:
    factories.store("boston", time_zone="America/New_York")
    outcome(path, "number,home_store", "A1,boston")
    assert Member.objects.get().zone == "America/New_York"


def test_optional_cells_fall_back_to_the_programme(path: Path) -> None:
    Programme.objects.update(locale="fr", time_zone="Europe/Paris")
    outcome(path, "number", "A1")
    alex = Member.objects.get()
    assert (alex.locale, alex.zone, alex.email, alex.phone) == ("fr", "Europe/Paris", None, None)
    assert not Address.objects.exists()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",,,Alex,,,,", "Give a number, an e-mail or a telephone."),
        ("A1,not an address,,,,,,", "'not an address' is not an e-mail address."),
        (",,12,,,US,,", "'12' is not a number that can be called."),
        ("A1,,,,,,2199-01-01T00:00:00Z,", "Nobody joins in the future."),
        ("A1,,,,,,2024-05-01,", ("joined_at has no offset, as in 2026-09-08T10:00:00+02:00:"
         " '2024-05-01'.")),
        ("A1,,,,,,,perhaps", "email_opt_in is yes or no, not 'perhaps'."),
        ("a@example.com,,,,,,,", "number is no e-mail address: 'a@example.com'."),
        (f"{'9' * 33},,,,,,,", f"number is longer than 32 characters: '{'9' * 33}'."),
    ],
)  # fmt: skip
def test_row_is_refused_with_a_reason(path: Path, row: str, reason: str) -> None:
    assert outcome(path, HEADER, row, ALEX) == "loaded 1, unchanged 0, rejected 1"
    assert reasons(path) == {2: reason}


def test_unknown_home_store_is_refused(path: Path) -> None:
    assert outcome(path, "number,home_store", "A1,x") == "loaded 0, unchanged 0, rejected 1"
    assert reasons(path) == {2: "There is no store 'x'."}


def test_json_lines_say_the_same(tmp_path: Path) -> None:
    row = {"number": 7, "email": "a@example.com", "email_opt_in": True, "sms_opt_in": False}
    said = load("members", write_lines(tmp_path / "members.jsonl", [row]))
    assert said.tally == "loaded 1, unchanged 0, rejected 0"
    member = Member.objects.get()
    assert (member.number, allowed(member)) == ("7", {"email": True, "sms": False})


# --- Members who are there --------------------------------------------------------------------
@pytest.mark.parametrize(
    "row",
    ["A1,,,Sasha", ",ALEX@example.com,,Sasha", ",,(303) 555-0112,Sasha"],
    ids=["number", "e-mail", "telephone"],
)
def test_member_is_found_again(path: Path, row: str) -> None:
    outcome(path, HEADER, ALEX)
    header = "number,email,phone,given_name"
    assert outcome(path, header, row) == "loaded 1, unchanged 0, rejected 0"
    assert Member.objects.get().given_name == "Sasha"


def test_empty_cells_erase_nothing(path: Path) -> None:
    outcome(path, HEADER, ALEX)
    assert outcome(path, HEADER, "A1,,,,,,,") == "loaded 0, unchanged 1, rejected 0"
    assert Member.objects.get().phone == "+13035550112"


def test_new_postal_code_takes_the_town_along_and_moves_the_zone(path: Path) -> None:
    outcome(path, HEADER, ALEX)
    assert outcome(path, "number,postal_code", "A1,02108") == "loaded 1, unchanged 0, rejected 0"
    address = Address.objects.get()
    assert (address.city, address.region, address.country) == ("Boston", "MA", "US")
    assert Member.objects.get().zone == "America/New_York"
    assert load("members", path).tally == "loaded 0, unchanged 1, rejected 0"


def test_row_of_two_members_is_refused(path: Path) -> None:
    outcome(path, "number,email", "A1,a@example.com", "B2,b@example.com")
    assert outcome(path, "number,email", "A1,b@example.com", "C3,a@example.com") == (
        "loaded 0, unchanged 0, rejected 2"
    )
    assert reasons(path) == {
        2: "This row is of two members: the e-mail is member B2's, the number is member A1's.",
        3: "This row is of two members: the e-mail is member A1's.",
    }


def test_one_number_twice_in_a_file_changes_one_member(path: Path) -> None:
    rows = ["A1,a@example.com,Alex", "B2,b@example.com,Kim", "A1,a@example.com,Sasha"]
    assert outcome(path, "number,email,given_name", *rows) == "loaded 3, unchanged 0, rejected 0"
    assert list(Member.objects.order_by("number").values_list("number", "given_name")) == [
        ("A1", "Sasha"), ("B2", "Kim"),
    ]  # fmt: skip


def test_one_e_mail_under_two_numbers_is_refused(path: Path) -> None:
    rows = ["A1,same@example.com", "B2,SAME@example.com"]
    assert outcome(path, "number,email", *rows) == "loaded 1, unchanged 0, rejected 1"
    assert reasons(path) == {3: "This row is of two members: the e-mail is member A1's."}


def test_endless_rows_of_one_member_end(path: Path) -> None:
    rows = [f"A1,Alex{turn}" for turn in range(30)]
    assert outcome(path, "number,given_name", *rows) == "loaded 20, unchanged 0, rejected 10"
    assert set(reasons(path).values()) == {"There are too many rows of this member."}


# --- What people allowed, and who is gone -----------------------------------------------------
def test_old_yes_does_not_undo_a_later_no(path: Path) -> None:
    outcome(path, HEADER, ALEX)
    alex = Member.objects.get()
    consents.stop_marketing(
        member=alex, at=datetime(2025, 1, 1, tzinfo=UTC), source="app", now=factories.NOW
    )
    assert load("members", path).tally == "loaded 0, unchanged 1, rejected 0"
    assert allowed(alex)["email"] is False


def test_file_of_the_brands_own_records_is_believed_and_asks_nobody(path: Path) -> None:
    Programme.objects.update(double_opt_in=True)
    outcome(path, HEADER, ALEX)
    alex = Member.objects.get()
    assert allowed(alex) == {"email": True}
    header = "member,channel,purpose,action,at,source"
    write_csv(path, header, "A1,email,marketing,requested,2025-01-01T10:00:00Z,fair")
    assert load("consents", path).tally == "loaded 1, unchanged 0, rejected 0"
    assert (allowed(alex), Confirmation.objects.count()) == ({"email": True}, 0)


@pytest.mark.parametrize(("said", "is_allowed"), [("yes", True), ("", False)])
def test_new_address_in_a_file_is_asked_unless_the_file_says_yes(
    path: Path, said: str, is_allowed: bool
) -> None:
    Programme.objects.update(double_opt_in=True)
    header = "number,email,joined_at,email_opt_in"
    outcome(path, header, "A1,old@example.com,2024-05-04T10:00:00Z,yes")
    outcome(path, header, f"A1,new@example.com,2024-05-04T10:00:00Z,{said}")
    assert allowed(Member.objects.get()) == {"email": is_allowed}
    asked = Confirmation.objects.values_list("email_key", flat=True)
    assert list(asked) == ([] if is_allowed else ["new@example.com"])


def test_no_of_a_corrected_file_counts_and_stays(path: Path) -> None:
    outcome(path, HEADER, ALEX)
    alex = Member.objects.get()
    assert outcome(path, HEADER, ALEX[:-3] + "no") == "loaded 1, unchanged 0, rejected 0"
    assert allowed(alex) == {"email": False}
    assert outcome(path, HEADER, ALEX) == "loaded 0, unchanged 1, rejected 0"
    assert allowed(alex) == {"email": False}


@pytest.mark.parametrize("contact", ["alex@example.com", "+13035550112"])
def test_erased_person_is_not_revived(path: Path, contact: str) -> None:
    ErasedContact.objects.create(contact_hash=privacy.erased_hash(contact), erased_at=factories.NOW)
    assert outcome(path, HEADER, ALEX) == "loaded 0, unchanged 0, rejected 1"
    assert reasons(path) == {2: "This person was erased."}
    assert not Member.objects.exists()


def test_number_of_an_erased_member_is_refused(path: Path) -> None:
    outcome(path, HEADER, ALEX)
    Member.objects.update(erased_at=factories.NOW)
    assert outcome(path, "number", "A1") == "loaded 0, unchanged 0, rejected 1"
    assert reasons(path) == {2: "This person was erased."}


def test_consents_are_appended_once_each_with_their_time_and_source(tmp_path: Path) -> None:
    alex = factories.member(number="A1", email="alex@example.com")
    header = "member,channel,purpose,action,at,source"
    rows = [
        "A1,email,marketing,granted,2024-06-01T10:00:00+02:00,till",
        "ALEX@example.com,email,marketing,withdrawn,2024-07-01T10:00:00+02:00,letter",
        "A1,email,marketing,granted,2024-06-01T08:00:00Z,the same moment",
        "A1,email,marketing,granted,2199-06-01T08:00:00Z,till",
        "Z9,email,marketing,granted,2024-06-01T08:00:00Z,till",
        "A1,fax,marketing,granted,2024-06-01T08:00:00Z,till",
    ]
    path = write_csv(tmp_path / "consents.csv", header, *rows)
    assert load("consents", path).tally == "loaded 2, unchanged 1, rejected 3"
    assert reasons(path) == {
        5: "This lies in the future.",
        6: "There is no member 'Z9'.",
        7: "channel is one of email, push, sms, inbox, people, not 'fax'.",
    }
    assert allowed(alex) == {"email": False}
    assert list(Consent.objects.order_by("at").values_list("source", flat=True)) == [
        "till", "letter",
    ]  # fmt: skip
    assert load("consents", path).tally == "loaded 0, unchanged 3, rejected 3"


def test_stores_are_changed_by_code(tmp_path: Path) -> None:
    factories.store("denver")
    header = "code,name,latitude,longitude,time_zone,country"
    path = write_csv(tmp_path / "stores.csv", header, "denver,LoDo,39.75,-105,America/Denver,US")
    assert load("stores", path).tally == "loaded 1, unchanged 0, rejected 0"
    assert Store.objects.get().name == "LoDo"


def test_sample_members_load() -> None:
    path = sample("cdnow/members.csv")
    assert load("members", path).tally == "loaded 2357, unchanged 0, rejected 0"
    assert load("members", path).tally == "loaded 0, unchanged 2357, rejected 0"
    assert ConsentState.objects.filter(is_allowed=True).count() == 2357
