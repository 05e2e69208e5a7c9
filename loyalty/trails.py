"""What earlier check-ins say about a new one: one query, facts only; `verification` judges them.

Two of the facts are about other members, because one account alone looks innocent: who else was
at exactly this position, and who has been wherever this member was, at the same time.
"""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty import verification
from loyalty.models import Place
from members import prepared
from members.models import Member

TOGETHER = timedelta(minutes=15)
STOPS = 6  # So many of a member's last stops are compared with those of others
SHARED_STOPS = 3  # Who shares so many of them goes wherever this member goes
MOST_COUNTED = 100


def history(
    *,
    member: Member,
    at: datetime,
    place: Place | None,
    limits: verification.Limits,
    latitude: float | None = None,
    longitude: float | None = None,
) -> verification.History:
    """What is known before a check-in of this member at this position (degrees, WGS84).

    Without a position nothing is said of who else was there.
    """
    day = at.astimezone(ZoneInfo(member.zone)).date()
    values = _values(member, latitude, longitude, at, place, limits, day)
    (row,) = prepared.execute(_HISTORY, values)
    last = None
    if row[8] is not None:
        last = verification.Fix(
            latitude=row[8], longitude=row[9], accuracy_m=row[10], occurred_at=row[11]
        )
    return verification.History(
        last_fix=last,
        repeats_exact_position=row[0] > 0,
        check_ins_today=row[1],
        awards_here_today=row[2],
        awards_here_this_year=row[3],
        awards_today=row[4],
        visits_today=row[5],
        visits_this_week=row[6],
        exact_pins=row[7],
        others_at_position=row[12],
        companions=row[13],
    )


def _values(
    member: Member,
    latitude: float | None,
    longitude: float | None,
    at: datetime,
    place: Place | None,
    limits: verification.Limits,
    day: date,
) -> dict[str, Any]:
    return {
        "member": member.pk,
        "place": place.pk if place else None,
        "day": day,
        "year": day.replace(month=1, day=1),
        "latitude": latitude,
        "longitude": longitude,
        "at": at,
        "pin_m": limits.pin_m,
        "together": TOGETHER,
        "stops": STOPS,
        "shared": SHARED_STOPS,
        "most": MOST_COUNTED,
    }


# A position to six decimals is a range of the index check_in_by_position, not a rounding.
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
       count(*) FILTER (WHERE local_day = %(day)s AND status <> 'no_award'),
       count(*) FILTER (WHERE local_day BETWEEN %(day)s::date - 6 AND %(day)s
                          AND status <> 'no_award'),
       count(*) FILTER (WHERE status <> 'no_award' AND CASE WHEN p.boundary IS NULL
                          THEN c.distance_m < %(pin_m)s
                          ELSE abs(c.latitude - p.latitude) + abs(c.longitude - p.longitude) < 1e-5
                          END),
       max(last.latitude), max(last.longitude), max(last.accuracy_m), max(last.occurred_at),
       max(others.found), max(companions.found)
  FROM (SELECT 1) AS one
  LEFT JOIN loyalty_checkin c ON c.member_id = %(member)s
        AND c.local_day >= least(%(year)s::date, %(day)s::date - 31)
  LEFT JOIN loyalty_place p ON p.id = c.place_id
  LEFT JOIN LATERAL (
        SELECT latitude, longitude, accuracy_m, occurred_at FROM loyalty_checkin
         WHERE member_id = %(member)s AND latitude IS NOT NULL
         ORDER BY abs(extract(epoch FROM occurred_at - %(at)s)) LIMIT 1) AS last ON true
 CROSS JOIN (
        SELECT count(DISTINCT member_id) AS found FROM loyalty_checkin
         WHERE latitude BETWEEN %(latitude)s::float8 - 5e-7
                           AND %(latitude)s::float8 + 5e-7
           AND longitude BETWEEN %(longitude)s::float8 - 5e-7 AND %(longitude)s::float8 + 5e-7
           AND member_id <> %(member)s AND status <> 'no_award') AS others
 CROSS JOIN (
        SELECT count(*) AS found FROM (
               SELECT o.member_id
                 FROM (SELECT place_id, occurred_at FROM loyalty_checkin
                        WHERE member_id = %(member)s AND place_id IS NOT NULL
                          AND status <> 'no_award'
                          AND occurred_at BETWEEN %(at)s - interval '31 days' AND %(at)s
                        ORDER BY occurred_at DESC LIMIT %(stops)s) AS mine
                 JOIN loyalty_checkin o ON o.place_id = mine.place_id
                      AND o.occurred_at BETWEEN mine.occurred_at - %(together)s
                                            AND mine.occurred_at + %(together)s
                WHERE o.member_id <> %(member)s AND o.status <> 'no_award'
                GROUP BY o.member_id
               HAVING count(DISTINCT mine.occurred_at) >= %(shared)s
                LIMIT %(most)s) AS each) AS companions
"""
