"""What a member's earlier check-ins say about the next one, in one query."""

from datetime import date, datetime

from django.db import connection

from loyalty import verification


def of(
    *,
    member_id: int,
    place_id: int | None,
    day: date,
    at: datetime,
    latitude: float | None = None,
    longitude: float | None = None,
) -> verification.History:
    """The history as verification needs it; `day` is the member's local day of the moment `at`.

    Without a position nothing is said of its having been repeated.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _HISTORY,
            {
                "member": member_id,
                "place": place_id,
                "day": day,
                "year": day.replace(month=1, day=1),
                "latitude": latitude,
                "longitude": longitude,
                "at": at,
            },
        )
        row = cursor.fetchone()
    last = None
    if row[5] is not None:
        last = verification.Fix(
            latitude=row[5], longitude=row[6], accuracy_m=row[7], occurred_at=row[8]
        )
    return verification.History(
        last_fix=last,
        repeats_exact_position=row[0] > 0,
        check_ins_today=row[1],
        awards_here_today=row[2],
        awards_here_this_year=row[3],
        awards_today=row[4],
    )


_HISTORY = """
SELECT count(*) FILTER (WHERE c.latitude IS NOT NULL
                          AND round(c.latitude::numeric, 6) = round(%(latitude)s::numeric, 6)
                          AND round(c.longitude::numeric, 6) = round(%(longitude)s::numeric, 6)
                          AND status <> 'no_award'),
       count(*) FILTER (WHERE local_day = %(day)s),
       count(*) FILTER (WHERE local_day = %(day)s AND place_id = %(place)s
                          AND status = 'awarded'),
       count(*) FILTER (WHERE local_day >= %(year)s AND place_id = %(place)s
                          AND status = 'awarded'),
       count(*) FILTER (WHERE local_day = %(day)s AND status = 'awarded'),
       max(last.latitude), max(last.longitude), max(last.accuracy_m), max(last.occurred_at)
  FROM (SELECT 1) AS one
  LEFT JOIN loyalty_checkin c ON c.member_id = %(member)s
        AND c.local_day >= least(%(year)s::date, %(day)s::date - 31)
  LEFT JOIN LATERAL (
        SELECT latitude, longitude, accuracy_m, occurred_at FROM loyalty_checkin
         WHERE member_id = %(member)s AND latitude IS NOT NULL
         ORDER BY abs(extract(epoch FROM occurred_at - %(at)s)) LIMIT 1) AS last ON true
"""
