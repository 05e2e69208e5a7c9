"""The page finance sees: whose it is, what it says, and the files of its tables."""

import csv
import html
import json
import re
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty.models import Entry, PointsPolicy
from members.models import Member, User
from tests import factories
from tests.staff import SignIn, person

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:loyalty_account_owed")


@pytest.fixture
def finance(sign_in: SignIn) -> Client:
    return sign_in("Finance")


def give(to: Member, points: int, **said: Any) -> None:
    now = said.pop("now", timezone.now() - timedelta(minutes=1))
    by = said.pop("by", None)
    with factories.book(to, now=now) as book:
        book.earn(
            member_id=to.pk, points=points, at=now, kind=Entry.Kind.GRANTED,
            actor_id=by.pk if by else None, **said,
        )  # fmt: skip


def words(client: Client, **asked: str) -> str:
    shown = html.unescape(client.get(PAGE, asked).content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown))


def file(client: Client, table: str, **asked: str) -> list[dict[str, str]]:
    answer: Any = client.get(reverse("admin:loyalty_account_owed_file", args=[table]), asked)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))


# --- Whose it is ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("role", "status"),
    [("Finance", 200), ("Administrator", 200), ("Marketer", 403), ("Clerk", 403), ("", 200)],
)
def test_page_is_for_finance_and_administrators(role: str, status: int, sign_in: SignIn) -> None:
    client = sign_in(role)
    assert client.get(PAGE).status_code == status
    path = reverse("admin:loyalty_account_owed_file", args=["cohorts"])
    assert client.get(path).status_code == status


def test_somebody_of_one_store_does_not_see_everybodys_points(sign_in: SignIn) -> None:
    assert sign_in("Finance", store=factories.store()).get(PAGE).status_code == 403


def test_finance_changes_nothing(finance: Client) -> None:
    user = User.objects.get()
    rights = {name.partition(".")[2].partition("_")[0] for name in user.get_all_permissions()}
    assert rights == {"view", "see", "audit"}


def test_finance_finds_its_links_open(finance: Client) -> None:
    groups = finance.get(reverse("admin:index")).context["sidebar_navigation"]
    links = {item["title"]: item["link"] for group in groups for item in group["items"]}
    assert links.keys() == {
        "Today", "Purchases", "Rewards", "Vouchers", "Tiers", "Points ledger", "Owed", "Campaigns",
    }  # fmt: skip
    assert {finance.get(link).status_code for link in links.values()} == {200}


# --- What it says -----------------------------------------------------------------------------
def test_page_of_a_programme_without_points(finance: Client) -> None:
    said = words(finance)
    assert "Nothing is outstanding." in said
    assert "too early to tell" in said
    assert "Nobody of the staff gave points." in said


def test_page_says_what_is_owed_and_what_it_is_worth(finance: Client, alex: Member) -> None:
    PointsPolicy.objects.update(point_value=Decimal("0.01"), point_currency="USD")
    give(alex, 1_200)
    give(alex, 300, expires_at=timezone.now() + timedelta(days=1_000))
    shown = finance.get(PAGE)
    assert shown.context["owed"].points == 1_500
    assert shown.context["money"] == Decimal("15.00")
    assert shown.context["columns"][0] == "all"
    assert shown.context["columns"][-2:] == ["later", "never"]
    assert shown.context["rows"][-1]["cells"] == [1_500, *[0] * 6, 300, 1_200]
    assert shown.context["adds_up"]
    assert "1,500" in words(finance)


def test_page_of_a_day_that_is_over(finance: Client, alex: Member) -> None:
    before = timezone.now() - timedelta(days=40)
    give(alex, 70, now=before - timedelta(days=2))
    give(alex, 5)
    shown = finance.get(PAGE, {"on": f"{before:%Y-%m-%d}"})
    assert shown.context["owed"].points == 70


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("soon", "That is not a date."),
        ("9999-12-31", "What will be owed on a day to come cannot be known."),
    ],
)
def test_day_that_cannot_be_shown_is_told(said: str, told: str, finance: Client) -> None:
    assert told in words(finance, on=said)


def test_page_names_who_gave_most(finance: Client, alex: Member) -> None:
    Member.objects.filter(pk=alex.pk).update(given_name="<script>alert(1)</script>")
    give(alex, 50, by=person("Clerk"))
    assert "<script>alert(1)" not in finance.get(PAGE).content.decode()
    assert "clerk" in words(finance).lower()


def test_page_asks_a_fixed_number_of_questions(
    finance: Client, django_assert_num_queries: Any
) -> None:
    for one in factories.members(3):
        give(one, 50, by=person("Clerk", email=f"{one.number}@cairn.example"))
    finance.get(PAGE)
    with django_assert_num_queries(31):
        finance.get(PAGE)


# --- Files ------------------------------------------------------------------------------------
def test_cohorts_as_a_file(finance: Client, alex: Member) -> None:
    give(alex, 40)
    (row,) = file(finance, "cohorts")
    assert (row["expires"], row["available"], row["money"]) == ("never", "40", "")


def test_movements_as_a_file(finance: Client, alex: Member) -> None:
    give(alex, 40)
    row = file(finance, "movements")[-1]
    assert (row["granted"], row["closing"], row["adds_up"]) == ("40", "40", "True")


def test_breakage_as_a_file(finance: Client) -> None:
    (row,) = file(finance, "breakage")
    assert row["verdict"] == "too early to tell"


def test_granters_and_takers_as_files_run_no_formula(finance: Client, alex: Member) -> None:
    Member.objects.filter(pk=alex.pk).update(given_name="=HYPERLINK()", family_name="")
    give(alex, 50, by=person("Clerk", email="=a@cairn.example"))
    assert [row["email"] for row in file(finance, "granters")] == ["'=a@cairn.example"]
    assert [row["name"] for row in file(finance, "takers")] == ["'=HYPERLINK()"]


def test_file_of_another_name_is_not_found(finance: Client) -> None:
    path = reverse("admin:loyalty_account_owed_file", args=["everything"])
    assert finance.get(path).status_code == 404


# --- The command ------------------------------------------------------------------------------
def liability(*said: str) -> str:
    out = StringIO()
    call_command("liability", *said, stdout=out)
    return out.getvalue()


def test_command_tells_in_words(alex: Member) -> None:
    give(alex, 1_200)
    first, second, third, *months = liability().splitlines()
    assert first.startswith("1,200 points outstanding at ")
    assert second == "1,200 available, 0 pending; debt 0"
    assert third == "never spent: too early to tell"
    assert [month.endswith("0 to 1,200") for month in months] == [True]


def test_command_tells_everything_as_json(alex: Member) -> None:
    PointsPolicy.objects.update(point_value=Decimal("0.01"), point_currency="USD")
    give(alex, 1_200)
    told = json.loads(liability("--json"))
    assert (told["points"], told["money"], told["currency"]) == (1_200, "12.00", "USD")
    assert [month["granted"] for month in told["months"]] == [1_200]
    assert told["breakage"]["verdict"] == "too early to tell"


def test_command_writes_cohorts(alex: Member, tmp_path: Path) -> None:
    give(alex, 40)
    path = tmp_path / "owed.csv"
    assert liability("--csv", str(path)) == f"1 rows written to {path}\n"
    (row,) = csv.DictReader(path.open())
    assert (row["expires"], row["points"]) == ("never", "40")


def test_command_of_a_day_that_is_over(alex: Member) -> None:
    give(alex, 40)
    assert liability("--at", "2020-01-31").startswith("0 points outstanding at 2020-01-31")


@pytest.mark.parametrize("said", ["2020-02-31", "9998-01-01"])
def test_command_refuses_a_day_that_is_none(said: str) -> None:
    with pytest.raises(CommandError):
        liability("--at", said)
