"""`manage.py load purchases` with points, against COPY and set-based statements by hand.

By hand is one transaction that knows there is one rule and no cap: COPY into a temporary table,
then an INSERT ... SELECT for each table, ids drawn beforehand. Bare COPY puts the finished rows
into the same tables with the same keys. Starting Python is not timed, its memory is measured.
"""

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

from tests.benchmarks import ledgers, races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

MOST_MEMORY_MB = 300
PRODUCTS = 20
FIRST = datetime(2023, 1, 1, tzinfo=UTC)
HEADER = (
    "reference", "member", "occurred_at", "channel", "store", "sku", "quantity", "unit_price",
    "currency", "category",
)  # fmt: skip
# In the order of their keys.
TABLES = (
    "loyalty_account", "loyalty_purchase", "loyalty_purchaseline", "loyalty_award",
    "loyalty_entry", "loyalty_lot", "members_interaction", "members_interestevidence",
)  # fmt: skip
_LOAD = """
import os, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from django.core.management import call_command
before = time.perf_counter()
call_command("load", "purchases", sys.argv[2])
print(time.perf_counter() - before)
"""


class Databases:
    """A fresh copy for every run, and how much memory the loader took at most."""

    def __init__(self, seed: str, file: Path) -> None:
        self.seed, self.file, self.current = seed, file, f"{seed}_run"
        self.folder = file.parent
        self.peak_mb = 0.0

    def renew(self) -> None:
        scratch.make(self.current, of=self.seed)
        scratch.checkpoint()

    def load(self) -> float:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _LOAD, self.current, str(self.file)],
            cwd=scratch.CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        told = process.stdout.read().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"The load ended with {process.returncode}: {told}")
        self.peak_mb = max(self.peak_mb, usage.ru_maxrss / 1024)
        return float(told[-1])

    def load_by_hand(self) -> float:
        with scratch.connect(self.current) as hand, self.file.open("rb") as file:

            def work() -> None:
                hand.execute(_GIVEN)
                copy: LiteralString = (
                    f"COPY given ({', '.join(HEADER)}) FROM STDIN (FORMAT csv, HEADER)"
                )
                with hand.cursor().copy(copy) as sink:
                    while block := file.read(1 << 18):
                        sink.write(block)
                for statement in _MERGE:
                    hand.execute(statement, {"now": world.NOW})
                hand.commit()

            return races.timed(work)

    def keep_rows(self) -> dict[str, sameness.Digest]:
        """The outcome; the first time also the rows, for bare COPY."""
        with scratch.connect(self.current) as reader:
            for table in TABLES:
                path = self.folder / table
                if not path.exists():
                    with (
                        path.open("wb") as file,
                        reader.cursor().copy(_sql(f"COPY {table} TO STDOUT")) as source,
                    ):
                        for block in source:
                            file.write(block)
        return self.outcome()

    def copy_bare(self) -> float:
        with scratch.connect(self.current) as hand:

            def work() -> None:
                for table in TABLES:
                    with (
                        (self.folder / table).open("rb") as file,
                        hand.cursor().copy(_sql(f"COPY {table} FROM STDIN")) as sink,
                    ):
                        while block := file.read(1 << 18):
                            sink.write(block)
                hand.commit()

            return races.timed(work)

    def outcome(self) -> dict[str, sameness.Digest]:
        return sameness.digests(self.current, ledgers.PURCHASE_ROWS)


def run(asked: Asked) -> Report:
    lines = asked.sized(100_000, quick=1_000)
    members = max(lines // 10, 50)
    report = Report(sizes={"lines": lines, "members": members})
    with scratch.database("load") as seed, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "purchases.csv"
        _write(file, lines, members)
        with scratch.connect(seed) as builder:
            world.add_members(builder, members)
            builder.execute(_PRODUCTS, [PRODUCTS])
        scratch.settle(seed)
        databases = Databases(seed, file)
        purchases = sum(1 for _ in _purchases(lines))
        try:
            report.races.append(
                races.race(
                    "a file",
                    unit="lines",
                    sides=[
                        races.Side(
                            name="manage.py load purchases",
                            run=databases.load,
                            units=lines,
                            ready=databases.renew,
                            outcome=databases.keep_rows,
                        ),
                        races.Side(
                            name="COPY and set-based merge by hand",
                            run=databases.load_by_hand,
                            units=lines,
                            ready=databases.renew,
                            outcome=databases.outcome,
                            target=0.7,
                        ),
                        races.Side(
                            name="bare COPY of the finished rows",
                            run=databases.copy_bare,
                            units=lines,
                            ready=databases.renew,
                            outcome=databases.outcome,
                            target=0.35,
                            stretch=0.51,
                        ),
                    ],
                    rounds=asked.rounds_of(3),
                    at_least={"lines": lines, "purchases": purchases, "entries": purchases},
                )
            )
        finally:
            scratch.drop(databases.current)
    tell_memory(report, databases)
    return report


def tell_memory(report: Report, databases: Databases) -> None:
    report.facts["peak_memory_mb"] = round(databases.peak_mb, 1)
    verdict = "met" if databases.peak_mb < MOST_MEMORY_MB else "MISSED"
    report.told.append(
        f"peak memory {databases.peak_mb:.0f} MB, target below {MOST_MEMORY_MB}: {verdict}"
    )


def _purchases(lines: int) -> Iterator[list[int]]:
    """The numbers of each purchase's lines: every fourth purchase has two."""
    number = 0
    while number < lines:
        count = 2 if number % 5 == 0 and number + 1 < lines else 1
        yield list(range(number, number + count))
        number += count


def _write(path: Path, lines: int, members: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for place, numbers in enumerate(_purchases(lines)):
            at = FIRST + timedelta(seconds=place * 50)
            member = 1_000_001 + place * 7919 % members
            for number in numbers:
                writer.writerow(
                    [
                        f"r{place}", member, at.isoformat(), "web", "", f"p{number % PRODUCTS}",
                        number % 3 + 1, f"{number % 80 + 5}.{number % 100:02d}", "USD", "",
                    ]
                )  # fmt: skip


def _sql(text: str) -> str:
    return text


_PRODUCTS = """
WITH product AS (
    INSERT INTO loyalty_product (sku, name, category, currency, family)
    SELECT 'p' || g, 'Product ' || g, 'things', 'USD', '' FROM generate_series(0, %s - 1) g
    RETURNING id
)
INSERT INTO loyalty_product_interests (product_id, interest_id)
SELECT p.id, i.id FROM product p JOIN members_interest i ON i.id = p.id %% 5 + 1
"""
_GIVEN = """
CREATE TEMPORARY TABLE given (
    number bigint GENERATED ALWAYS AS IDENTITY, reference text, member text,
    occurred_at timestamptz, channel text, store text, sku text, quantity int,
    unit_price numeric(12, 2), currency text, category text
) ON COMMIT DROP
"""
_MERGE: tuple[LiteralString, ...] = (
    "SET LOCAL work_mem = '256MB'",
    "ANALYZE given",
    """
    CREATE TEMPORARY TABLE line ON COMMIT DROP AS
    SELECT g.*, g.quantity * g.unit_price AS net, p.id AS product_id, i.interest_id,
           coalesce(nullif(g.category, ''), p.category, '') AS named,
           row_number() OVER (PARTITION BY g.channel, g.reference ORDER BY g.number) AS position
      FROM given g
      LEFT JOIN loyalty_product p ON p.sku = g.sku
      LEFT JOIN loyalty_product_interests i ON i.product_id = p.id
     WHERE NOT EXISTS (SELECT 1 FROM loyalty_purchase b
                        WHERE b.origin = g.channel AND b.reference = g.reference)
    """,
    "ANALYZE line",
    """
    CREATE TEMPORARY TABLE bought ON COMMIT DROP AS
    SELECT b.*, nextval('loyalty_purchase_id_seq') AS id, nextval('loyalty_award_id_seq') AS award,
           nextval('loyalty_entry_id_seq') AS entry, m.id AS member_id, floor(total)::int AS points,
           count(*) FILTER (WHERE total >= 1) OVER chain AS version,
           sum(floor(total)) OVER chain AS balance_after
      FROM (SELECT channel, reference, min(number) AS number, min(member) AS member,
                   min(occurred_at) AS occurred_at,
                   min(currency) AS currency, sum(net) AS total,
                   array_agg(position::smallint ORDER BY position) AS lines,
                   array_agg(DISTINCT interest_id::smallint ORDER BY interest_id::smallint)
                       FILTER (WHERE interest_id IS NOT NULL) AS interests,
                   (array_agg(sku ORDER BY net DESC, position))[1] AS sku,
                   (array_agg(named ORDER BY net DESC, position))[1] AS category
              FROM line GROUP BY channel, reference) b
      JOIN members_member m ON m.number = b.member
    WINDOW chain AS (PARTITION BY m.id ORDER BY b.occurred_at, b.number)
    """,
    "ANALYZE bought",
    """
    INSERT INTO loyalty_account (member_id, balance, pending, debt, version)
    SELECT DISTINCT member_id, 0, 0, 0, 0 FROM bought ON CONFLICT DO NOTHING
    """,
    """
    SELECT count(*) FROM (SELECT 1 FROM loyalty_account
                           WHERE member_id IN (SELECT member_id FROM bought)
                           ORDER BY member_id FOR NO KEY UPDATE) locked
    """,
    """
    INSERT INTO loyalty_purchase
           (id, channel, origin, reference, occurred_at, recorded_at, currency, total, member_id)
    SELECT id, channel, channel, reference, occurred_at, %(now)s, currency, total, member_id
      FROM bought
    """,
    """
    INSERT INTO loyalty_purchaseline
           (purchase_id, position, sku, category, quantity, unit_price, discount, returned,
            product_id)
    SELECT b.id, l.position, l.sku, l.named, l.quantity, l.unit_price, 0, 0, l.product_id
      FROM line l JOIN bought b ON b.channel = l.channel AND b.reference = l.reference
    """,
    """
    INSERT INTO loyalty_award
           (id, fact, fact_id, points, taken_back, base, lines, member_id, rule_id)
    SELECT b.award, 'purchase', b.id, b.points, 0, b.total, b.lines, b.member_id, r.id
      FROM bought b, loyalty_earnrule r
     WHERE b.points > 0 AND r.slug = 'purchases' AND r.is_published
    """,
    """
    INSERT INTO loyalty_entry
           (id, version, kind, amount, pending_change, debt_change, balance_after, at, recorded_at,
            why, account_id, award_id)
    SELECT b.entry, a.version + b.version, 'earned', b.points, 0, 0,
           a.balance + b.balance_after, b.occurred_at, %(now)s, '', member_id, b.award
      FROM bought b JOIN loyalty_account a USING (member_id) WHERE b.points > 0
    """,
    """
    INSERT INTO loyalty_lot
           (amount, remaining, is_pending, available_at, account_id, award_id, entry_id)
    SELECT points, points, false, occurred_at, member_id, award, entry FROM bought
     WHERE points > 0
    """,
    """
    UPDATE loyalty_account a SET balance = a.balance + s.points, version = a.version + s.entries
      FROM (SELECT member_id, sum(points) AS points, count(*) AS entries
              FROM bought WHERE points > 0 GROUP BY member_id) s
     WHERE a.member_id = s.member_id
    """,
    """
    INSERT INTO members_interaction
           (occurred_at, recorded_at, reference, interests, sku, category, value, member_id,
            kind_id)
    SELECT occurred_at, %(now)s, 'purchase:' || b.id, coalesce(interests, '{}'), nullif(sku, ''),
           nullif(category, ''), total, member_id, k.id
      FROM bought b, members_interactionkind k WHERE k.slug = 'purchase'
    """,
    """
    INSERT INTO members_interestevidence AS e
           (member_id, interest_id, kind_id, mass, facts, as_of, last_at)
    SELECT member_id, interest_id, k.id,
           sum(power(0.5::float8, extract(epoch FROM latest - occurred_at)::float8 / 86400
                                  / k.half_life_days)), count(*), latest, latest
      FROM (SELECT b.member_id, i.interest_id, b.occurred_at,
                   max(b.occurred_at) OVER (PARTITION BY b.member_id, i.interest_id) AS latest
              FROM bought b CROSS JOIN LATERAL unnest(b.interests) AS i(interest_id)) f,
           members_interactionkind k
     WHERE k.slug = 'purchase'
     GROUP BY member_id, interest_id, k.id, latest
    ON CONFLICT (member_id, interest_id, kind_id) DO UPDATE
       SET mass = e.mass * power(0.5::float8, extract(epoch FROM excluded.as_of - e.as_of)::float8
                                 / 86400 / 365) + excluded.mass,
           facts = e.facts + excluded.facts, as_of = excluded.as_of, last_at = excluded.last_at
    """,
)
