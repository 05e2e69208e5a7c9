"""A world that can be written to and leaves no trace: temporary tables under the real names.

PostgreSQL looks for a name among a session's temporary tables first. So within `shadows` the same
code reads and writes copies: nobody else sees them, no row of anybody's is locked, and the end of
the transaction drops them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

# Ids of what is written in the shadows: none of them is that of a real row.
FIRST_ID, FIRST_SHORT_ID = 10**15, 10**9
# What the clock writes, and what it locks. Rows of campaigns that are over matter to caps alone.
_TABLES = {
    "campaigns_campaign": "true",
    "campaigns_step": "true",
    "campaigns_variant": "true",
    "campaigns_link": "true",
    "campaigns_audience": "true",
    "campaigns_journey": "campaign_id IN ({under_way})",
    "campaigns_delivery": (
        "(campaign_id IN ({under_way}) OR sent_at > %(now)s - %(window)s::interval)"
    ),
    "campaigns_objection": "false",
    "campaigns_inboxmessage": "false",
    "campaigns_trackrecord": "true",
    "campaigns_channelstate": "true",
    "campaigns_spending": "true",
    "campaigns_gift": "false",
    "campaigns_pointsgift": "false",
    "loyalty_voucher": "false",
    "campaigns_desk": "true",
    "campaigns_stafftask": "created_at > %(now)s - interval '2 days'",
    "members_member": "erased_at IS NULL AND merged_into_id IS NULL",
    "members_unansweredinteraction": "false",
}
# Copied only where a message brings points: they are large.
_LEDGER = {
    "loyalty_account": "true",
    "loyalty_lot": "remaining > 0",
    "loyalty_lotuse": "false",
    "loyalty_entry": "false",
    "members_announcement": "false",
}
# Of which some rows are copied and others are written: their ids must not meet.
_NUMBERED = {
    **dict.fromkeys(("campaigns_campaign", "campaigns_step", "campaigns_variant"), FIRST_SHORT_ID),
    **dict.fromkeys(("campaigns_audience", "campaigns_journey", "campaigns_delivery"), FIRST_ID),
    **dict.fromkeys(("loyalty_entry", "loyalty_lot"), FIRST_ID),
}
_GIVES_POINTS = "SELECT EXISTS (SELECT FROM public.campaigns_step WHERE points > 0)"
_UNDER_WAY = (
    "SELECT id FROM public.campaigns_campaign"
    " WHERE state IN ('live', 'paused') OR code = ANY(%(codes)s)"
)


@contextmanager
def shadows(
    *, codes: list[str], now: datetime, window: timedelta, brings_points: bool = False
) -> Iterator[None]:
    """Copies of what the clock writes, for as long as this lasts: campaigns under way and those of
    these codes, members, and deliveries within the longest cap's `window`; the ledger where a step
    gives points, or one will that is not written yet."""
    with transaction.atomic(durable=True):
        values: dict[str, Any] = {"codes": codes, "now": now, "window": window}
        with connection.cursor() as cursor:
            cursor.execute(_GIVES_POINTS)
            does_already = cursor.fetchone() == (True,)
            tables = _TABLES | (_LEDGER if brings_points or does_already else {})
            for table, condition in tables.items():
                cursor.execute(
                    f"CREATE TEMP TABLE {table} (LIKE public.{table}"
                    " INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING IDENTITY INCLUDING GENERATED)"
                    " ON COMMIT DROP"
                )
                if condition == "false":
                    continue
                which = condition.format(under_way=_UNDER_WAY)
                cursor.execute(
                    f"INSERT INTO pg_temp.{table} SELECT * FROM public.{table} WHERE {which}",
                    values,
                )
            for table in _NUMBERED.keys() & tables.keys():
                cursor.execute(
                    f"ALTER TABLE pg_temp.{table} ALTER COLUMN id RESTART WITH {_NUMBERED[table]}"
                )
            for table in tables:
                cursor.execute(f"ANALYZE pg_temp.{table}")
            # A statement that was prepared before still means the real table.
            cursor.execute("DISCARD PLANS")
        try:
            yield
        finally:
            transaction.set_rollback(True)
    with connection.cursor() as cursor:
        cursor.execute("DISCARD PLANS")


def repeat_interactions(*, since: datetime, until: datetime, later: timedelta) -> None:
    """Let what members did between the two happen again, so much later. Call within `shadows`."""
    values: dict[str, Any] = {"since": since, "until": until, "later": later}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND table_name = 'members_interaction' ORDER BY ordinal_position"
        )
        names = [row[0] for row in cursor.fetchall()]
        shifted = {
            "id": f"id + {FIRST_ID}",
            "occurred_at": "occurred_at + %(later)s::interval",
            # When it was done: a file may have told of weeks in a minute.
            "recorded_at": "occurred_at + %(later)s::interval",
        }
        again = ", ".join(f"{shifted.get(name, name)} AS {name}" for name in names)
        cursor.execute(
            "CREATE TEMP TABLE repeated_interaction ON COMMIT DROP AS"
            f" SELECT {again} FROM public.members_interaction"
            " WHERE occurred_at >= %(since)s AND occurred_at < %(until)s",
            values,
        )
        cursor.execute("CREATE INDEX ON pg_temp.repeated_interaction (member_id)")
        cursor.execute("CREATE INDEX ON pg_temp.repeated_interaction (recorded_at)")
        cursor.execute("ANALYZE pg_temp.repeated_interaction")
        cursor.execute(
            "CREATE TEMP VIEW members_interaction AS SELECT * FROM public.members_interaction"
            " UNION ALL SELECT * FROM pg_temp.repeated_interaction"
        )
        cursor.execute("DISCARD PLANS")


def queue_interactions(*, after: datetime, until: datetime) -> None:
    """Put what happened again between the two into the queue that campaigns answer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_unansweredinteraction (interaction_id)"
            " SELECT id FROM pg_temp.repeated_interaction"
            " WHERE recorded_at > %s AND recorded_at <= %s",
            [after, until],
        )
