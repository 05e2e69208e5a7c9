"""Which store near somebody has a thing: the nearest one within reach of the mailing address;
where nobody knows where that is, the home store.

Of a thing that no store ever counted nothing is claimed: the store is then where one asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

WITHIN_KM = 100


@dataclass(frozen=True, slots=True)
class Near:
    """A store as seen from a member; `distance_km` is None where no address is known, `has_it` is
    False where nobody knows."""

    code: str
    name: str
    distance_km: int | None
    has_it: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A thing as seen from a member. `is_counted`: some store told how many it has. `available_on`
    is the first delivery that a store expects, of a thing that none has."""

    is_counted: bool
    is_anywhere: bool
    available_on: date | None
    nearest: Near | None

    @property
    def store(self) -> Near | None:
        """Where to send them: the nearest that has it; of what nobody counted the nearest."""
        return (
            self.nearest if self.nearest and (self.nearest.has_it or not self.is_counted) else None
        )

    @property
    def is_sold_out(self) -> bool:
        return self.is_counted and not self.is_anywhere


def find(*, things: Sequence[tuple[int, str]], at: datetime) -> dict[tuple[int, str], Found]:
    """Each (member, sku; '' for nothing in particular); one query."""
    with connection.cursor() as cursor:
        cursor.execute(FIND, asked(things, at=at))
        return {(row[0], row[1]): found(*row[2:]) for row in cursor.fetchall()}


def asked(things: Sequence[tuple[int, str]], *, at: datetime) -> dict[str, Any]:
    """The values of `FIND`."""
    return {
        "members": [member_id for member_id, _ in things],
        "skus": [sku for _, sku in things],
        "at": at,
        "within": WITHIN_KM,
    }


def found(
    is_counted: bool,
    is_anywhere: bool,
    available_on: date | None,
    code: str | None,
    name: str,
    km: float | None,
    has_it: bool,
) -> Found:
    """What the columns of `FIND` after member and sku say."""
    near = None if code is None else Near(code, name, None if km is None else round(km), has_it)
    return Found(is_counted, is_anywhere, available_on, near)


# Great-circle distances on a sphere: to half a per cent, which is less than a detour.
# Asked of an address that is known: of nothing and one, `least` is one.
_KM = """
    2 * 6371 * asin(least(1, sqrt(
        power(sin(radians(s.latitude::float8 - ad.latitude) / 2), 2)
        + cos(radians(ad.latitude)) * cos(radians(s.latitude::float8))
        * power(sin(radians(s.longitude::float8 - ad.longitude) / 2), 2))))
"""
FIND = f"""
WITH asked AS (
    SELECT DISTINCT * FROM unnest(%(members)s::bigint[], %(skus)s::text[]) AS a(member_id, sku)
), counted AS (
    SELECT p.sku, p.id AS product_id, max(k.quantity) > 0 AS is_anywhere,
           min(k.expected_on) FILTER (WHERE k.expected_on >= (
               %(at)s::timestamptz AT TIME ZONE (SELECT time_zone FROM members_programme))::date
           ) AS expected_on
      FROM loyalty_product p JOIN loyalty_storestock k ON k.product_id = p.id
     WHERE p.sku IN (SELECT sku FROM asked)
     GROUP BY p.id
)
SELECT asked.member_id, asked.sku, counted.sku IS NOT NULL AS is_counted,
       coalesce(counted.is_anywhere, false) AS is_anywhere,
       CASE WHEN NOT counted.is_anywhere THEN counted.expected_on END AS available_on,
       near.code, near.name, near.km, near.has_it
  FROM asked
  JOIN members_member m ON m.id = asked.member_id
  LEFT JOIN members_address ad ON ad.member_id = m.id
  LEFT JOIN counted ON counted.sku = asked.sku
  LEFT JOIN LATERAL (
       SELECT s.code, s.name, d.km, coalesce(k.quantity > 0, false) AS has_it
         FROM members_store s
        CROSS JOIN LATERAL (SELECT CASE WHEN ad.latitude IS NOT NULL THEN {_KM} END AS km) d
         LEFT JOIN loyalty_storestock k
           ON k.store_id = s.id AND k.product_id = counted.product_id
        WHERE d.km <= %(within)s OR d.km IS NULL AND s.id = m.home_store_id
        ORDER BY coalesce(k.quantity > 0, false) DESC, d.km, s.id
        LIMIT 1) near ON true
"""
