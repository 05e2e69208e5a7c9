"""What the database knows of its tables, after a load that made them many times as large.

Autovacuum comes a minute later at best; until then whatever reads a million new rows is planned
for the few that were there before. The database itself says which tables a load wrote to.
"""

from collections import Counter

import structlog
from django.db import OperationalError, connection, transaction

MANY_ROWS = 10_000

log = structlog.get_logger(__name__)


def written() -> Counter[str]:
    """{table: rows} of this transaction so far, and of those before it within the last second.

    What a connection wrote is passed on once a second: whoever asks for less takes the difference.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relid::regclass::text, n_tup_ins + n_tup_upd FROM pg_stat_xact_user_tables"
            " WHERE n_tup_ins + n_tup_upd > 0"
        )
        return Counter(dict(cursor.fetchall()))


def refresh(grown: Counter[str]) -> list[str]:
    """Have the database look again at the tables that got many rows; which ones it did."""
    tables = sorted(table for table, rows in grown.items() if rows >= MANY_ROWS)
    for table in tables:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"ANALYZE {table}")  # The database quoted it.
        except OperationalError as error:  # Somebody holds the table: what was loaded stays.
            log.warning("statistics_not_refreshed", table=table, why=str(error))
    return tables
