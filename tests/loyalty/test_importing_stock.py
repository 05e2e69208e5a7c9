"""What stores have, from files."""

import time
from pathlib import Path

import pytest

from loyalty.models import Product, StoreStock
from members.models import Store
from tests import factories
from tests.files import load, reasons, write_csv

pytestmark = pytest.mark.django_db

HEADER = "store,sku,quantity,counted_at,expected_on"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    factories.store("denver")
    factories.product("TENT")
    factories.product("MAT")
    return tmp_path / "stock.csv"


def rows() -> list[tuple[str, int, str]]:
    found = StoreStock.objects.order_by("product__sku").select_related("product")
    return [(row.product.sku, row.quantity, str(row.expected_on)) for row in found]


def test_stock_is_loaded_once_and_changed_by_store_and_sku(path: Path) -> None:
    write_csv(path, "store,sku,quantity,expected_on", "denver,TENT,3,", "denver,MAT,0,2027-04-15")
    assert load("stock", path).tally == "loaded 2, unchanged 0, rejected 0"
    assert load("stock", path).tally == "loaded 0, unchanged 2, rejected 0"
    write_csv(path, "store,sku,quantity", "denver,TENT,3", "denver,MAT,5")
    assert load("stock", path).tally == "loaded 1, unchanged 1, rejected 0"
    assert rows() == [("MAT", 5, "None"), ("TENT", 3, "None")]


def test_older_file_does_not_overwrite_a_newer_one(path: Path) -> None:
    write_csv(path, HEADER, "denver,TENT,3,2026-02-02T08:00:00+00:00,")
    load("stock", path)
    write_csv(
        path, HEADER, "denver,TENT,8,2026-02-01T08:00:00+00:00,",
        "denver,TENT,9,2026-02-02T00:59:59-07:00,",
    )  # fmt: skip
    assert load("stock", path).tally == "loaded 0, unchanged 2, rejected 0"
    assert rows() == [("TENT", 3, "None")]


def test_rows_that_cannot_be_are_rejected_with_the_reason(path: Path) -> None:
    write_csv(
        path, HEADER, "denver,TENT,1,,", "atlantis,TENT,1,,", "denver,NEVER,1,,", "denver,MAT,-1,,",
        "denver,MAT,1.5,,", "denver,MAT,99999999999,,", "denver,MAT,1,2999-01-01T00:00:00Z,",
        "denver,MAT,1,2100-01-01T00:00:00Z,", "denver,MAT,1,,2090-01-01", "denver,TENT,2,,",
    )  # fmt: skip
    assert load("stock", path).tally == "loaded 1, unchanged 0, rejected 9"
    assert reasons(path) == {
        3: "store: There is no store 'atlantis'.",
        4: "sku: There is no product 'NEVER'.",
        5: "quantity lies between 0 and 1,000,000, unlike '-1'.",
        6: "quantity is not a whole number: '1.5'.",
        7: "quantity lies between 0 and 1,000,000, unlike '99999999999'.",
        8: "counted_at lies before 1900 or after 2200: '2999-01-01T00:00:00Z'.",
        9: "counted_at: This lies in the future.",
        10: "expected_on: This is more than five years from the count.",
        11: "Line 2 says something else of the same stock.",
    }


def test_hundred_thousand_rows_take_seconds(path: Path) -> None:
    stores = Store.objects.bulk_create(
        Store(code=f"s{n}", name="S", latitude=0, longitude=0, time_zone="UTC", country="US")
        for n in range(100)
    )
    products = Product.objects.bulk_create(Product(sku=f"P{n}", name="P") for n in range(1_000))
    write_csv(
        path, "store,sku,quantity",
        *(f"{store.code},{product.sku},5" for store in stores for product in products),
    )  # fmt: skip
    started = time.monotonic()
    assert load("stock", path).tally == "loaded 100000, unchanged 0, rejected 0"
    assert time.monotonic() - started < 60
