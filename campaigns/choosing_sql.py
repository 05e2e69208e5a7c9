"""How the statement that plans a step finds each journey's variant, in its parts.

    loved       which of the variants' interests each member loves: most, or all in order
    reader      their language and tier, as far as a variant asks for them
    variant     the step's variants, with what a message is worth
    odds        where they are learned: which numbers choose which
    fitting     else, where they have languages or tiers: the most specific that fits

Where no variant has a language or a tier nobody is asked for them. The rule is that of `fitting`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns import fitting, learning
from campaigns.entrants import Sql
from campaigns.models import Step, Variant
from members import scoring


@dataclass(frozen=True, slots=True)
class Chosen:
    """The parts to stand before, what joins them to a channel's choice `c` as `v`, and what is
    written down of it: how likely it was, and in which context."""

    parts: Sql
    joins: str
    columns: str = "NULL, NULL"


def chosen(step: Step, *, now: datetime) -> Chosen:
    """How each journey of `entered` gets its variant."""
    variants = list(step.variants.all())
    asks = len(fitting.readers(variants)) > 1
    if step.choose == Step.Choose.LEARNED:
        return _learned(step, variants, asks=asks, now=now)
    found = _variant(step, variants)
    if not asks:
        loved = _loved(variants, now=now)
        return Chosen(_together(loved, found), f"{_JOIN_LOVED} {_JOIN_VARIANT}")
    loved = _loved(variants, now=now, is_ranked=True)
    parts = _together(loved, _reader(variants), found, Sql(_FITTING))
    return Chosen(parts, "JOIN fitting v ON v.journey_id = c.journey_id")


def worths(step: Step, variants: Iterable[int]) -> dict[int, float]:
    """What each variant's message is worth, in money: the chance of an answer, times what an
    answer brings, times the marketer's lever (50 is 1)."""
    campaign = step.campaign
    lever = campaign.priority / 50 * float(campaign.answer_value)
    return {pk: chance * lever for pk, chance in learning.chances(step, variants=variants).items()}


def _learned(step: Step, variants: Sequence[Variant], *, asks: bool, now: datetime) -> Chosen:
    # A number of the journey's own, the same whenever it is planned; those of one member differ.
    drawn = (
        "(('x' || substr(md5('version:' || c.journey_id || ':' || c.member_id), 1, 8))"
        "::bit(32)::bigint / 4294967296.0::float8)"
    )
    parts = [_loved(variants, now=now), _variant(step, variants), _odds(step)]
    joins, same = [_JOIN_LOVED], ""
    if asks:
        parts.append(_reader(variants))
        joins.append("JOIN reader r ON r.journey_id = c.journey_id")
        same = " AND {0}.language = r.language AND {0}.tier_id = r.tier_id"
    joins.append(
        f"""JOIN odds o ON {drawn} >= o.low AND {drawn} < o.high{same.format("o")}
                  AND o.context = CASE
                  WHEN EXISTS (SELECT FROM odds k
                                WHERE k.context = l.interest_id{same.format("k")})
                  THEN l.interest_id ELSE 0 END
              JOIN variant v ON v.id = o.variant_id"""
    )
    return Chosen(_together(*parts), " ".join(joins), "o.high - o.low, nullif(o.context, 0)")


def _together(*parts: Sql) -> Sql:
    values = [value for part in parts for value in part.values]
    return Sql(", ".join(part.text for part in parts), values)


def _variant(step: Step, variants: Sequence[Variant]) -> Sql:
    worth = worths(step, [each.pk for each in variants])
    return Sql(
        """variant (id, interest_id, language, tier_id, worth) AS (SELECT * FROM unnest(
            %s::bigint[], %s::int[], %s::text[], %s::bigint[], %s::float8[]))""",
        [
            [each.pk for each in variants],
            [each.interest_id or 0 for each in variants],
            [each.language or "" for each in variants],
            [each.tier_id or 0 for each in variants],
            [worth[each.pk] for each in variants],
        ],
    )


def _odds(step: Step) -> Sql:
    odds = learning.versions(step)
    return Sql(
        """odds (context, variant_id, low, high, language, tier_id) AS (SELECT * FROM unnest(
            %s::int[], %s::bigint[], %s::float8[], %s::float8[], %s::text[], %s::bigint[]))""",
        [
            *[[getattr(o, name) for o in odds] for name in ("context", "variant", "low", "high")],
            [each.reader.language for each in odds],
            [each.reader.tier for each in odds],
        ],
    )


def _reader(variants: Sequence[Variant]) -> Sql:
    """Nobody's account is looked at for a language, nobody's locale for a tier."""
    languages = sorted({each.language for each in fitting.readers(variants)} - {""})
    tiers = sorted({each.tier for each in fitting.readers(variants)} - {0})
    return Sql(
        f"""reader AS (
            SELECT e.id AS journey_id, {"coalesce(s.language, '')" if languages else "''"}
                   AS language, {"coalesce(a.tier_id, 0)" if tiers else "0"} AS tier_id
              FROM entered e {_JOIN_LANGUAGE if languages else ""} {_JOIN_TIER if tiers else ""})
        """,
        [*([languages] if languages else []), *([tiers] if tiers else [])],
    )


def _loved(variants: Sequence[Variant], *, now: datetime, is_ranked: bool = False) -> Sql:
    """The interest that each journey's member loves most, or all of them with their `place`."""
    interests = sorted({each.interest_id for each in variants if each.interest_id is not None})
    text = _LOVED.format(
        only="" if is_ranked else "DISTINCT ON (journey_id)",
        place=f", row_number() OVER (PARTITION BY journey_id ORDER BY {_MOST}) AS place"
        if is_ranked
        else "",
        order="" if is_ranked else f"ORDER BY journey_id, {_MOST}",
    )
    return Sql(
        text,
        [
            *([scoring.STATED_LEVEL] if is_ranked else []),
            now, interests, interests, scoring.LEAST_SCORE,
            *([] if is_ranked else [scoring.STATED_LEVEL]),
        ],
    )  # fmt: skip


# As `Member.language` has it.
_JOIN_LANGUAGE = """JOIN members_member m ON m.id = e.member_id
              LEFT JOIN unnest(%s::text[]) AS s (language)
                     ON s.language = lower(split_part(replace(m.locale, '_', '-'), '-', 1))"""
_JOIN_TIER = """LEFT JOIN loyalty_account a
                     ON a.member_id = e.member_id AND a.tier_id = ANY(%s::bigint[])"""
_JOIN_LOVED = "LEFT JOIN loved l ON l.journey_id = c.journey_id"
# An interest without a version of its own reads the default.
_JOIN_VARIANT = """JOIN variant v ON v.interest_id = CASE WHEN EXISTS (
                  SELECT FROM variant w WHERE w.interest_id = l.interest_id)
                  THEN l.interest_id ELSE 0 END"""
_MOST = "coalesce(stated, 0) >= %s DESC, score DESC, interest_id"
# By journey: a member whom two interactions let in twice is not loved twice.
_LOVED = """
    loved AS (
    SELECT {only} journey_id, interest_id{place}
      FROM (
        SELECT journey_id, interest_id, said.level AS stated,
               coalesce(said.level, shown.mass / (1 + shown.mass)) AS score
          FROM (SELECT e.id AS journey_id, x.interest_id,
                       sum(x.mass * k.weight * power(0.5::float8, greatest(least(
                           date_part('epoch', %s - x.as_of) / 86400 / k.half_life_days, 900), 0)))
                           AS mass
                  FROM entered e
                  JOIN members_interestevidence x ON x.member_id = e.member_id
                  JOIN members_interactionkind k ON k.id = x.kind_id
                 WHERE x.interest_id = ANY(%s)
                 GROUP BY e.id, x.interest_id) AS shown
          FULL JOIN (SELECT e.id AS journey_id, s.interest_id, s.level
                       FROM entered e
                       JOIN members_intereststatement s ON s.member_id = e.member_id
                      WHERE s.interest_id = ANY(%s)) AS said
         USING (journey_id, interest_id)
      ) AS scored
     WHERE score >= %s
     {order})
"""
_FITTING = """
    fitting AS (
    SELECT DISTINCT ON (r.journey_id) r.journey_id, v.id, v.worth
      FROM reader r
      JOIN (SELECT journey_id, interest_id, place FROM loved
             UNION ALL SELECT journey_id, 0, NULL FROM reader) AS taste
        ON taste.journey_id = r.journey_id
      JOIN variant v ON v.interest_id = taste.interest_id
           AND v.language IN ('', r.language) AND v.tier_id IN (0, r.tier_id)
     ORDER BY r.journey_id, v.language = '', taste.place NULLS LAST, v.tier_id = 0)
"""
