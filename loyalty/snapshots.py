"""One look at the whole ledger: every question of a report is asked of the same moment.

Read-only and repeatable, so that it may run while tills are busy; with room to sort and join in,
which ends with the transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

# Sorts and hashes of ten million rows would otherwise go through the disk in hundreds of parts.
WORK_MEM = "256MB"
LONGEST = "30min"


@contextmanager
def take() -> Iterator[CursorWrapper]:
    """A cursor on one snapshot. Inside another transaction it sees what that one sees."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(
            "SELECT set_config('work_mem', %s, true), set_config('statement_timeout', %s, true)",
            [WORK_MEM, LONGEST],
        )
        yield cursor
