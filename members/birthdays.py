"""Birthdays: an interaction for each member whose birthday it is where they live.

Once per member and year. Who was born on 29 February celebrates on the 28th in common years.
"""

from datetime import date, datetime, timedelta

from django.db import connection

from members import interactions

BATCH = 500
# No place on earth is further from UTC than this.
WIDEST_OFFSET = timedelta(hours=15)


def celebrate(*, now: datetime) -> int:
    """Record an interaction `birthday` for whom it is today and was not yet; returns how many.

    Runs as often as it likes: campaigns answer it and rules pay it like any other.
    """
    days = {(now + offset).date() for offset in (-WIDEST_OFFSET, timedelta(0), WIDEST_OFFSET)}
    keys = sorted({key for day in days for key in _born(day)})
    columns = [[key[0] for key in keys], [key[1] for key in keys]]
    with connection.cursor() as cursor:
        cursor.execute(_CELEBRATING, {"now": now, "months": columns[0], "days": columns[1]})
        rows = cursor.fetchall()
    facts = [
        interactions.Fact(
            member_id=member_id, kind="birthday", occurred_at=now, reference=str(year)
        )
        for member_id, year in rows
    ]
    batches = [facts[start : start + BATCH] for start in range(0, len(facts), BATCH)]
    return sum(interactions.record(batch, now=now).recorded for batch in batches)


def _born(day: date) -> list[tuple[int, int]]:
    """The (month, day) of birth that may be celebrated on a day; the statement knows the year."""
    keys = [(day.month, day.day)]
    return [*keys, (2, 29)] if keys == [(2, 28)] else keys


# The index by month and day finds the few; adding whole years to a 29 February gives the 28th.
_CELEBRATING = """
SELECT m.id, extract(year FROM local.day)::int
  FROM unnest(%(months)s::int[], %(days)s::int[]) AS born(month, day)
  JOIN members_member m
    ON extract(month FROM m.birth_date) = born.month AND extract(day FROM m.birth_date) = born.day
 CROSS JOIN LATERAL (SELECT (%(now)s::timestamptz AT TIME ZONE m.zone)::date AS day) local
 CROSS JOIN LATERAL (
       SELECT extract(year FROM local.day)::int - extract(year FROM m.birth_date)::int AS years) age
 WHERE m.erased_at IS NULL AND m.merged_into_id IS NULL AND age.years > 0
   AND (m.birth_date + make_interval(years => age.years))::date = local.day
   AND NOT EXISTS (
       SELECT FROM members_interaction i JOIN members_interactionkind k ON k.id = i.kind_id
        WHERE i.member_id = m.id AND k.slug = 'birthday'
          AND i.reference = extract(year FROM local.day)::text)
 ORDER BY m.id
"""
