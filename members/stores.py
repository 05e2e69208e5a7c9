"""Which store is near: the nearest one within reach of the mailing address; where nobody knows
where that is, the home store.

Whether it has the thing in stock nobody tells us; the store is where one asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

WITHIN_KM = 100


@dataclass(frozen=True, slots=True)
class Near:
    """A store as seen from a member; `distance_km` is None where no address is known."""

    code: str
    name: str
    distance_km: int | None


def near(*, member_ids: Sequence[int]) -> dict[int, Near]:
    """The store of each of these members who has one; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_NEAR, {"members": list(member_ids), "within": WITHIN_KM})
        return {
            member_id: Near(code, name, None if km is None else round(km))
            for member_id, code, name, km in cursor.fetchall()
        }


# Great-circle distances on a sphere: to half a per cent, which is less than a detour.
# Asked of an address that is known: of nothing and one, `least` is one.
_KM = """
    2 * 6371 * asin(least(1, sqrt(
        power(sin(radians(s.latitude::float8 - ad.latitude) / 2), 2)
        + cos(radians(ad.latitude)) * cos(radians(s.latitude::float8))
        * power(sin(radians(s.longitude::float8 - ad.longitude) / 2), 2))))
"""
_NEAR = f"""
SELECT m.id, found.code, found.name, found.km
  FROM members_member m
  LEFT JOIN members_address ad ON ad.member_id = m.id
 CROSS JOIN LATERAL (
       SELECT s.code, s.name, d.km
         FROM members_store s
        CROSS JOIN LATERAL (SELECT CASE WHEN ad.latitude IS NOT NULL THEN {_KM} END AS km) d
        WHERE d.km <= %(within)s OR d.km IS NULL AND s.id = m.home_store_id
        ORDER BY d.km, s.id
        LIMIT 1) found
 WHERE m.id = ANY(%(members)s)
"""
