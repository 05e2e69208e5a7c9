"""Bytes a row takes on disk in the tables that grow with every deed and message.

Journeys and deliveries as the planner writes them, deliveries also as the widest they become: with
a version that was learned, sent, and having waited for a rival. Interactions and entries as
purchases from a file do; the table with its free space and what lies outside it, by the number of
rows. Indexes are told beside, and what each column takes on average.
"""

import csv
import io
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from tests.benchmarks import plan, scratch, world
from tests.benchmarks.load_purchases import HEADER
from tests.benchmarks.reports import Asked, Report

MOST_BYTES = 150
TABLES = (
    "campaigns_delivery", "campaigns_journey", "members_interaction", "loyalty_entry",
)  # fmt: skip
FIXED = 24 + 4  # the head of a row and its place in the page


@dataclass(slots=True)
class Size:
    """Bytes a row: of the table, of each index, of each column where it is not NULL."""

    rows: int
    table: float
    indexes: dict[str, float] = field(default_factory=dict)
    columns: dict[str, float] = field(default_factory=dict)


def run(asked: Asked) -> Report:
    # Of a thousand members, some live abroad and some have a date that lies ahead.
    members = asked.sized(120_000, quick=2_000)
    report = Report(sizes={"members": members})
    with scratch.database("rows") as database:
        plan.build(database, members)
        scratch.use(database)
        plan.plan()
        connection.close()
        with scratch.connect(database) as builder:
            world.add_product(builder)
            world.open_accounts(builder)
        scratch.settle(database)
        _buy(database, members)
        scratch.settle(database)
        with scratch.connect(database) as reader:
            sizes = {table: measure(reader, table) for table in TABLES}
        with scratch.connect(database, autocommit=True) as sender:
            sender.execute(_SEND)
            sender.execute("VACUUM FULL campaigns_delivery")
            sizes["campaigns_delivery, sent"] = measure(sender, "campaigns_delivery")
    for table, size in sizes.items():
        beside = ", ".join(f"{name} {each:.0f}" for name, each in size.indexes.items())
        report.told.append(
            f"{table}: {size.table:.0f} bytes a row ({size.rows:,} rows), and in indexes"
            f" {sum(size.indexes.values()):.0f}: {beside}"
        )
        report.facts[table] = {
            "rows": size.rows,
            "bytes": round(size.table, 1),
            "indexes": {name: round(each, 1) for name, each in size.indexes.items()},
            "columns": {name: round(each, 1) for name, each in size.columns.items()},
        }
        # Of few rows, the last page and the map of free space count too much.
        if not asked.is_quick and size.table > MOST_BYTES:
            widest = sorted(size.columns.items(), key=lambda column: -column[1])
            costs = ", ".join(f"{name} {each:.0f}" for name, each in widest)
            report.flaws.append(
                f"{table} takes {size.table:.0f} bytes a row, not {MOST_BYTES}:"
                f" {FIXED} of its head, {costs}"
            )
        if not size.rows:
            report.flaws.append(f"{table} has no rows")
    return report


# What the last gate, a rival and a learned version leave in a row; no lease outlives a record.
_SEND = """
UPDATE campaigns_delivery
   SET state = 'sent', sent_at = due_at, tries = 1, is_charged = true, beaten_by_id = id,
       propensity = 0.5, context_id = (SELECT min(id) FROM members_interest)
"""


def measure(reader: psycopg.Connection[Any], table: str) -> Size:
    name = sql.Identifier(table)
    row = reader.execute(
        sql.SQL("SELECT count(*), pg_table_size({}) FROM {}").format(sql.Literal(table), name)
    ).fetchone()
    assert row is not None
    rows, size = int(row[0]), int(row[1])
    found = Size(rows, size / max(rows, 1))
    for index, taken in reader.execute(
        "SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index"
        " WHERE indrelid = %s::regclass ORDER BY 2 DESC",
        [table],
    ):
        found.indexes[index] = taken / max(rows, 1)
    columns = reader.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum",
        [table],
    ).fetchall()
    sums = sql.SQL(", ").join(
        sql.SQL("sum(pg_column_size({}))").format(sql.Identifier(column)) for (column,) in columns
    )
    taken = reader.execute(sql.SQL("SELECT {} FROM {}").format(sums, name)).fetchone() or ()
    for (column,), each in zip(columns, taken, strict=True):
        found.columns[column] = float(each or 0) / max(rows, 1)
    return found


def _buy(database: str, purchases: int) -> None:
    """One purchase of each member, from a file: it earns points and teaches an interest."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "purchases.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for number in range(1, purchases + 1):
                at = world.JOINED + timedelta(minutes=number)
                writer.writerow(
                    [
                        f"web-2027-{number:08}", 1_000_000 + number, at.isoformat(), "web", "",
                        world.SKU, 1, "89.50", "USD", "",
                    ]
                )  # fmt: skip
        scratch.use(database)
        with redirect_stdout(io.StringIO()):
            call_command("load", "purchases", str(path))
        connection.close()
