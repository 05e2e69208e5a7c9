"""Purchases from files: recorded once, paid as at the till."""

import csv
import math
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command

from loyalty import auditing, baskets, guests, purchases
from loyalty.models import Account, Award, Entry, Purchase, PurchaseLine
from members.models import Interaction, InterestEvidence, Member
from tests import factories
from tests.files import Said, load, reasons, sample, write_csv

HEADER = "reference,member,occurred_at,channel,store,sku,quantity,unit_price,currency,category"
AT = "2024-06-01T10:00:00+00:00"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    return factories.member(number="A1", email="alex@example.com")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


def bought(reference: str, *, price: str = "10.50", member: str = "A1", rest: str = "") -> str:
    return f"{reference},{member},{AT},web,,,1,{price},USD,{rest}"


def load_purchases(path: Path, *rows: str, words: tuple[str, ...] = ()) -> Said:
    return load("purchases", write_csv(path, HEADER, *rows), *words)


def test_receipt_that_is_kept_for_a_guest_is_refused_alone(path: Path, alex: Member) -> None:
    guests.keep(factories.guest_basket("20", reference="R1"), now=factories.NOW)
    said = load_purchases(path, bought("R1"), bought("R2"))
    assert said.tally == "loaded 1, unchanged 0, rejected 1"
    assert Purchase.objects.get().reference == "R2"


def test_purchase_earns_exactly_as_at_the_till(path: Path, alex: Member) -> None:
    factories.rule("hikers", per="unit", points=7, interests=["hiking"])
    factories.product("BOOT", interests=["hiking"])
    said = load_purchases(
        path,
        f"R1,A1,{AT},web,,BOOT,2,10.60,USD,",
        f"R1,A1,{AT},web,,,1,0.60,USD,climbing",
    )
    assert said.tally == "loaded 1, unchanged 0, rejected 0"
    loaded = list(Award.objects.order_by("rule__slug").values_list("rule__slug", "points"))
    basket = baskets.Basket(
        reference="R2",
        member_id=alex.pk,
        zone=alex.zone,
        occurred_at=Purchase.objects.get().occurred_at,
        channel="web",
        store=None,
        currency="USD",
        lines=(
            baskets.Line(sku="BOOT", quantity=2, unit_price=Decimal("10.60")),
            baskets.Line(quantity=1, unit_price=Decimal("0.60"), category="climbing"),
        ),
    )
    receipt = purchases.record(basket, now=factories.NOW)
    assert loaded == [(award.rule, award.points) for award in receipt.awards]
    assert loaded == [("hikers", 14), ("purchases", 21)]
    assert Account.objects.get(member=alex).balance == 70
    assert set(InterestEvidence.objects.values_list("interest__slug", "facts")) == {
        ("climbing", 2), ("hiking", 2),
    }  # fmt: skip


def test_second_run_adds_nothing(path: Path, alex: Member) -> None:
    rows = [bought("R1"), bought("R1", price="3"), bought("R2", member="ALEX@example.com")]
    assert load_purchases(path, *rows).tally == "loaded 2, unchanged 0, rejected 0"
    assert load("purchases", path).tally == "loaded 0, unchanged 2, rejected 0"
    assert PurchaseLine.objects.count() == 3
    assert Entry.objects.count() == 2


def test_rows_of_one_purchase_must_stand_together(path: Path, alex: Member) -> None:
    rows = [bought("R1"), bought("R2"), bought("R1", price="3"), bought("R2")]
    assert load_purchases(path, *rows).tally == "loaded 2, unchanged 1, rejected 1"
    assert reasons(path) == {
        4: "'R1' of web is recorded with other content. The rows of one purchase must stand"
        " together; a purchase once recorded is changed by a return only."
    }


def test_one_reference_in_two_stores_is_two_purchases(path: Path, alex: Member) -> None:
    factories.store("denver")
    factories.store("boston")
    rows = [f"R1,A1,{AT},store,{code},,1,5,USD," for code in ("denver", "boston")]
    assert load_purchases(path, *rows).tally == "loaded 2, unchanged 0, rejected 0"


def test_one_bad_row_refuses_its_whole_purchase_and_no_other(path: Path, alex: Member) -> None:
    rows = [bought("R0"), bought("R1"), bought("R1", price="free"), bought("R1"), bought("R2")]
    assert load_purchases(path, *rows).tally == "loaded 2, unchanged 0, rejected 1"
    problem = "unit_price is not an amount like 12.50: 'free'."
    assert reasons(path) == {
        3: f"Line 4, of the same: {problem}", 4: problem, 5: f"Line 4, of the same: {problem}",
    }  # fmt: skip


@pytest.mark.parametrize("broken", ['R1,"x"y,1', "R1,A1"])
def test_row_that_cannot_be_read_refuses_the_purchase_it_speaks_of(
    path: Path, alex: Member, broken: str
) -> None:
    rows = [bought("R0"), bought("R1"), broken, bought("R1"), bought("R2")]
    assert load_purchases(path, *rows).exit == 3
    assert set(Purchase.objects.values_list("reference", flat=True)) == {"R0", "R2"}
    assert sorted(reasons(path)) == [3, 4, 5]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (bought("R1", member="Z9"), "There is no member 'Z9'."),
        (f"R1,A1,{AT},store,nowhere,,1,5,USD,", "There is no store 'nowhere'."),
        (f"R1,A1,{AT},store,,,1,5,USD,", "A purchase in a store names the store."),
        (f"R1,A1,{AT},web,,,0,5,USD,", "quantity lies between 1 and 1,000,000, unlike '0'."),
        (f"R1,A1,{AT},web,,,-1,5,USD,", "quantity lies between 1 and 1,000,000, unlike '-1'."),
        (f"R1,A1,{AT},web,,,1.5,5,USD,", "quantity is not a whole number: '1.5'."),
        (bought("R1", price="-5"),
         "unit_price lies between 0 and 9,999,999,999.99, unlike '-5'."),
        (f"R1,A1,{AT},web,,,1000000,9999999999,USD,",
         "The purchase is larger than any till can take."),
        ("R1,A1,2199-01-01T00:00:00Z,web,,,1,5,USD,", "This lies in the future."),
        ("R1,A1,1969-01-01T00:00:00Z,web,,,1,5,USD,", "This lies before 1970."),
        ("R1,A1,2024-06-01 10:00,web,,,1,5,USD,",
         "occurred_at has no offset, as in 2026-09-08T10:00:00+02:00: '2024-06-01 10:00'."),
        (f"R1,A1,{AT},web,,,1,5,ABC,", "currency is an ISO 4217 code like USD, not 'ABC'."),
        (bought(""), "reference is missing."),
    ],
)  # fmt: skip
def test_row_that_is_no_purchase_is_refused(
    path: Path, alex: Member, row: str, reason: str
) -> None:
    assert load_purchases(path, bought("R0"), row, bought("R2")).tally == (
        "loaded 2, unchanged 0, rejected 1"
    )
    assert reasons(path) == {3: reason}


def test_rows_that_disagree_are_refused(path: Path, alex: Member) -> None:
    factories.member(number="B2")
    said = load_purchases(path, bought("R1"), bought("R1", member="B2"))
    assert said.tally == "loaded 0, unchanged 0, rejected 1"
    assert set(reasons(path).values()) == {"The rows of this purchase disagree on member."}


def test_endless_purchase_is_refused_whole(path: Path, alex: Member) -> None:
    rows = [bought("R1", price=str(line)) for line in range(1_100)]
    said = load_purchases(path, bought("R0"), *rows, bought("R2"))
    assert said.tally == "loaded 2, unchanged 0, rejected 3"
    assert len(reasons(path)) == 1_100


def test_no_points_records_and_teaches_but_earns_nothing(path: Path, alex: Member) -> None:
    said = load_purchases(path, bought("R1", rest="hiking"), words=("--no-points",))
    assert said.tally == "loaded 1, unchanged 0, rejected 0"
    assert (Purchase.objects.count(), Interaction.objects.count(), Entry.objects.count()) == (
        1, 1, 0,
    )  # fmt: skip


def test_cap_counts_the_days_of_the_members_zone(path: Path) -> None:
    factories.member(number="A1", time_zone="Pacific/Auckland")
    factories.rule("daily", points=10, per="fact", member_cap=10, member_cap_period="day")
    at = ["2024-06-01T11:00:00Z", "2024-06-01T13:00:00Z", "2024-06-01T14:00:00Z"]
    rows = [f"R{n},A1,{moment},web,,,1,0.50,USD," for n, moment in enumerate(at)]
    assert load_purchases(path, *rows).tally == "loaded 3, unchanged 0, rejected 0"
    assert Account.objects.get().balance == 20


def test_dry_run_keeps_no_purchase(path: Path, alex: Member) -> None:
    said = load_purchases(path, bought("R1"), bought("R1"), words=("--dry-run",))
    assert said.tally == "loaded 1, unchanged 0, rejected 0"
    assert not Purchase.objects.exists()
    assert not Entry.objects.exists()


def test_sample_purchases_earn_what_they_are_worth(capsys: pytest.CaptureFixture[str]) -> None:
    path = sample("cdnow/purchases.csv")
    load("members", sample("cdnow/members.csv"))
    assert load("purchases", path).tally == "loaded 4960, unchanged 0, rejected 0"
    worth: dict[str, int] = defaultdict(int)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            worth[row["member"]] += math.floor(int(row["quantity"]) * Decimal(row["unit_price"]))
    assert len(set(worth)) == 2357
    assert dict(Account.objects.values_list("member__number", "balance")) == worth
    assert load("purchases", path).tally == "loaded 0, unchanged 4960, rejected 0"
    assert auditing.audit().findings == ()
    call_command("audit_ledger")
    assert capsys.readouterr().out.splitlines()[-1].startswith("2,357 accounts, ")
