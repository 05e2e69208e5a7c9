"""Who of an audience is due when: the part of planning that differs by how members enter.

Each answers with (member_id, zone, due_at, occurrence, occasion_id, interaction_id), read from a
CTE `audience (id, zone)`. Values are always bound; only names of this file are spliced in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns import entries
from campaigns.models import OccasionArea


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values of its placeholders, in order."""

    text: str
    values: Sequence[Any] = ()


def zone(moments: Sequence[entries.Moment]) -> Sql:
    """Everybody of a zone at the zone's moment."""
    return Sql(
        """
        SELECT a.id AS member_id, a.zone, m.due_at, m.occurrence,
               NULL::bigint AS occasion_id, NULL::bigint AS interaction_id
          FROM audience a
          JOIN unnest(%s::text[], %s::timestamptz[], %s::text[]) AS m(zone, due_at, occurrence)
            ON m.zone = a.zone OR m.zone = ''
        """,
        _columns(moments, "zone", "due_at", "occurrence"),
    )


def anniversary(which: str, moments: Sequence[entries.Moment]) -> Sql:
    """Everybody whose birthday (or day of joining) comes round."""
    keyed = [
        (month, day, moment)
        for moment in moments
        if moment.day is not None
        for month, day in entries.anniversary_keys(moment.day)
    ]
    member_date = (
        "mm.birth_date" if which == "birthday" else "(mm.joined_at AT TIME ZONE a.zone)::date"
    )
    return Sql(
        f"""
        SELECT a.id AS member_id, a.zone, m.due_at, m.occurrence,
               NULL::bigint AS occasion_id, NULL::bigint AS interaction_id
          FROM audience a
          JOIN members_member mm ON mm.id = a.id
          JOIN unnest(%s::int[], %s::int[], %s::text[], %s::timestamptz[], %s::text[])
               AS m(month, day, zone, due_at, occurrence)
            ON m.zone = a.zone AND m.month = extract(month FROM {member_date})
           AND m.day = extract(day FROM {member_date})
           AND m.occurrence::int > extract(year FROM {member_date})
        """,
        [
            [month for month, _, _ in keyed],
            [day for _, day, _ in keyed],
            *_columns([m for _, _, m in keyed], "zone", "due_at", "occurrence"),
        ],
    )


def occasion(*, slug: str, year: int, moments: Sequence[entries.Moment]) -> Sql:
    """Everybody at the date of the finest area their address lies in."""
    return Sql(
        f"""
        SELECT r.member_id, r.zone, m.due_at, m.occurrence, r.occasion_id,
               NULL::bigint AS interaction_id
          FROM ({_RESOLVED}) AS r
          LEFT JOIN unnest(%s::text[], %s::date[], %s::timestamptz[], %s::text[])
               AS m(zone, day, due_at, occurrence) ON m.zone = r.zone AND m.day = r.date
         WHERE {_DUE}
        """,
        [slug, year, *_columns(moments, "zone", "day", "due_at", "occurrence")],
    )


def dateless(*, slug: str, year: int, due_at: datetime) -> Sql:
    """Everybody for whose address no area has a date that year."""
    return Sql(
        f"""
        SELECT a.id AS member_id, a.zone, %s::timestamptz AS due_at, %s::text AS occurrence,
               NULL::bigint AS occasion_id, NULL::bigint AS interaction_id
          FROM audience a
         WHERE NOT EXISTS (SELECT 1 FROM ({_RESOLVED}) AS r
                            WHERE r.member_id = a.id AND r.occasion_id IS NOT NULL)
        """,
        [due_at, str(year), slug, year],
    )


def interaction(*, interaction_ids: Sequence[int], delay_minutes: int) -> Sql:
    """The members of these interactions, each interaction an occurrence of its own."""
    return Sql(
        """
        SELECT a.id AS member_id, a.zone,
               i.recorded_at + make_interval(mins => %s) AS due_at,
               'i' || i.id AS occurrence, NULL::bigint AS occasion_id, i.id AS interaction_id
          FROM members_interaction i JOIN audience a ON a.id = i.member_id
         WHERE i.id = ANY(%s)
        """,
        [delay_minutes, list(interaction_ids)],
    )


def _columns(moments: Sequence[entries.Moment], *names: str) -> list[list[Any]]:
    return [[getattr(moment, name) for moment in moments] for name in names]


def _level(alias: str, level: OccasionArea.Level, *within: str) -> str:
    place = " || '/' || ".join([f"'{level.value}'", "ad.country", *within])
    return f"LEFT JOIN area {alias} ON {alias}.place = {place}"


# An inner join with the moments the planner takes for a hundred rows of a million; it would then
# look up each member's consents and interests one by one. Of this it expects a third.
_DUE = "coalesce(m.due_at, '-infinity') > '-infinity'"

# One hash join a level: the finest that matches wins, and within it the earliest date. A place is
# one text, because on several columns the planner merges by state and tries every city there.
_FINEST_FIRST = ("p", "c", "n", "r", "e", "k")
# As `occasions` keeps them: without the four digits of a ZIP+4.
_POSTAL_KEY = "CASE ad.country WHEN 'US' THEN left(ad.postal_code, 5) ELSE ad.postal_code END"
_RESOLVED = f"""
    WITH area AS MATERIALIZED (
        SELECT DISTINCT ON (place) place, date, occasion_id
          FROM (SELECT date, occasion_id,
                       concat_ws('/', level, country,
                                 CASE WHEN level IN (2, 3, 4, 5) THEN region END,
                                 CASE WHEN level IN (4, 5, 6) THEN key END) AS place
                  FROM campaigns_occasionarea WHERE slug = %s AND year = %s) AS placed
         ORDER BY place, date, occasion_id)
    SELECT a.id AS member_id, a.zone,
           coalesce({", ".join(f"{alias}.date" for alias in _FINEST_FIRST)}) AS date,
           coalesce({", ".join(f"{alias}.occasion_id" for alias in _FINEST_FIRST)}) AS occasion_id
      FROM audience a
      JOIN members_address ad ON ad.member_id = a.id
      {_level("p", OccasionArea.Level.POSTAL_CODE, _POSTAL_KEY)}
      {_level("c", OccasionArea.Level.CITY, "ad.region", "ad.city_key")}
      {_level("n", OccasionArea.Level.COUNTY, "ad.region", "ad.county_key")}
      {_level("r", OccasionArea.Level.REGION, "ad.region")}
      {_level("e", OccasionArea.Level.ESTIMATE, "ad.region")}
      {_level("k", OccasionArea.Level.COUNTRY)}
"""
