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
# SQL: {lot_id, points} of all its uses, and of those recorded after a moment `at`. What was left of
# a lot then is its amount without the ones and with the others; the moment is mostly the present,
# and then there are none of these to look for.
USED = "SELECT lot_id, sum(amount) AS points FROM loyalty_lotuse GROUP BY lot_id"
LATER = """
    SELECT u.lot_id, sum(u.amount) AS points
      FROM loyalty_entry e JOIN loyalty_lotuse u ON u.entry_id = e.id
     WHERE e.recorded_at > %(at)s GROUP BY u.lot_id"""


@contextmanager
def take() -> Iterator[CursorWrapper]:
    """A cursor on one snapshot. Inside another transaction it sees what that one sees."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(
            "SELECT set_config('work_mem', %s, true), set_config('statement_timeout', %s, true),"
            # Few rows come of many: handing them from worker to leader costs next to nothing.
            " set_config('parallel_tuple_cost', '0.001', true)",
            [WORK_MEM, LONGEST],
        )
        yield cursor
