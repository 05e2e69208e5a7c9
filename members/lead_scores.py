"""Lead scores: points for what members do, fading with time, and the moment when people take over.

Interactions are counted when they leave the queue of what campaigns have not answered, in the same
transaction: each once. What is too old for the queue (imports) is counted by `catch_up`. The points
left are exact at any moment, whatever the order in which facts arrived. Coming up to the threshold
is an interaction `score-reached`; there is no next one before the score has been below again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from members import interactions, scoring
from members.models import Member, MemberScore, Score

REACHED = "score-reached"
SHOWN = 10
# Whoever records says when: transactions end later than that, but not by so much.
LONGEST_TRANSACTION = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Point:
    """One interaction behind a score: what it gave, and what of it is left."""

    kind: str
    name: str
    category: str
    occurred_at: datetime
    points: int
    left: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a member has come; `newest` are the latest of `facts`, newest first."""

    score: Score
    points: float
    facts: int
    reached_at: datetime | None
    newest: tuple[Point, ...]

    @property
    def whole(self) -> int:
        return scoring.whole_points(self.points)

    @property
    def is_reached(self) -> bool:
        return self.whole >= self.score.threshold


def fold(*, interaction_ids: Sequence[int], now: datetime) -> int:
    """Count these interactions, as far as they are still in the queue; how many scores they moved.

    Whoever calls removes them from the queue in the same transaction.
    """
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        # Not while everybody is counted anew: it would be counted twice or not at all.
        cursor.execute("LOCK TABLE members_memberscore IN ROW EXCLUSIVE MODE")
        cursor.execute(_FOLD, {"ids": list(interaction_ids), "now": now})
        rows = cursor.fetchall()
        reached = [
            interactions.Fact(
                member_id=member_id,
                kind=REACHED,
                occurred_at=now,
                reference=f"{slug}:{now:%Y-%m-%dT%H:%M:%S.%f}",
                category=slug,
                value=Decimal(scoring.whole_points(points)),
            )
            for member_id, slug, points, is_reached in rows
            if is_reached
        ]
        interactions.record(reached, now=now)
    return len(rows)


def hold_still() -> None:
    """Let nothing be counted until the transaction ends. Take this before the lock of any row:
    who counts goes on to answer, and then waits for rows itself."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE members_memberscore IN SHARE ROW EXCLUSIVE MODE")


def rebuild(*, score: Score | None = None, member_ids: Sequence[int] | None = None) -> int:
    """Count anew, of this score (or all active ones) and these members (or all); rows changed.

    Needed after a change of rules or half-life. Whoever is above the threshold then has reached
    nothing: news is what members do, not what a marketer counts.
    """
    # What an inactive score had stays as it was, until that score is active again.
    facts, rows = ["s.is_active"], ["m.score_id IN (SELECT id FROM members_score WHERE is_active)"]
    values: dict[str, Any] = {}
    if score is not None:
        values["score"] = score.pk
        facts.append("s.id = %(score)s")
        rows.append("m.score_id = %(score)s")
    if member_ids is not None:
        values["members"] = list(member_ids)
        facts.append("i.member_id = ANY(%(members)s)")
        rows.append("m.member_id = ANY(%(members)s)")
    statement = _REBUILD.format(facts=" AND ".join(facts), rows=" AND ".join(rows))
    with transaction.atomic(), connection.cursor() as cursor:
        hold_still()
        cursor.execute(statement, values)
        return int(cursor.fetchone()[0])


def begin(*, score: Score, now: datetime) -> int:
    """Count a new score, or one that counts otherwise from now on; rows changed."""
    with transaction.atomic():
        changed = rebuild(score=score)
        Score.objects.filter(pk=score.pk).update(caught_up_at=now)
    return changed


def catch_up(*, now: datetime) -> int:
    """Count what was recorded too late for the queue since the last time; rows changed."""
    changed = 0
    for score in Score.objects.filter(is_active=True).order_by("pk"):
        since = score.caught_up_at or interactions.EARLIEST
        with transaction.atomic(), connection.cursor() as cursor:
            values: dict[str, Any] = {
                "score": score.pk,
                "since": since - LONGEST_TRANSACTION,
                "late": interactions.ANSWERABLE_FOR,
            }
            cursor.execute(_LATE, values)
            late = [row[0] for row in cursor.fetchall()]
            if late:
                changed += rebuild(score=score, member_ids=late)
            Score.objects.filter(pk=score.pk).update(caught_up_at=now)
    return changed


def scores_of(*, member: Member, at: datetime) -> list[Standing]:
    """Every active score in which the member has points, nearest to its threshold first."""
    rows = MemberScore.objects.filter(member=member, score__is_active=True)
    weighed = list(rows.weighed(at=at).select_related("score"))
    newest: dict[int, list[Point]] = {}
    if weighed:
        with connection.cursor() as cursor:
            cursor.execute(_NEWEST, {"member": member.pk, "at": at, "most": SHOWN})
            for score_id, *point in cursor.fetchall():
                newest.setdefault(score_id, []).append(Point(*point))
    standings = [
        Standing(
            score=row.score,
            points=float(getattr(row, "weighed", 0.0)),
            facts=row.facts,
            reached_at=row.reached_at,
            newest=tuple(newest.get(row.score_id, ())),
        )
        for row in weighed
    ]
    return sorted(standings, key=lambda s: (-s.points / s.score.threshold, s.score.slug))


# One point per interaction and rule that fits it. `i` is an interaction.
_POINTS = """
  JOIN members_scorerule r
    ON r.kind_id = i.kind_id AND (r.category = '' OR r.category = i.category)
  JOIN members_score s ON s.id = r.score_id AND s.is_active
"""
_SUM = """
SELECT member_id, score_id,
       sum(points * power(0.5::float8, least(
           extract(epoch FROM (latest - occurred_at))::float8 / 86400 / half_life_days, 900)))
           AS mass,
       count(*) AS facts, latest
  FROM (
    SELECT i.member_id, s.id AS score_id, r.points, i.occurred_at, s.half_life_days,
           max(i.occurred_at) OVER (PARTITION BY i.member_id, s.id) AS latest
      FROM {source} AS i {points}
     WHERE {which}
  ) AS given
 GROUP BY member_id, score_id, latest
 ORDER BY member_id, score_id
"""
_QUEUED = """(
    SELECT i.* FROM members_interaction i
      JOIN members_unansweredinteraction u ON u.interaction_id = i.id
     WHERE i.id = ANY(%(ids)s))"""
_LEFT = """{mass} * power(0.5::float8, least(greatest(
    extract(epoch FROM ({at} - {as_of}))::float8 / 86400 / {half_life}, 0), 900))"""


def _left(mass: str, as_of: str, *, at: str) -> str:
    return _LEFT.format(mass=mass, as_of=as_of, at=at, half_life="s.half_life_days")


# Rounded, as `scoring` says. What was there before is asked of the row under its lock.
_FOLD = f"""
WITH moved AS (
INSERT INTO members_memberscore AS m (member_id, score_id, mass, facts, as_of, reached_at)
SELECT member_id, score_id, mass, facts, latest,
       CASE WHEN {_left("mass", "latest", at="%(now)s")} >= s.threshold - 0.5 THEN %(now)s END
  FROM ({_SUM.format(source=_QUEUED, points=_POINTS, which="true")}) AS folded
  JOIN members_score s ON s.id = score_id
 ORDER BY member_id, score_id
ON CONFLICT (member_id, score_id) DO UPDATE
   SET (mass, facts, as_of, reached_at) = (
       SELECT sums.mass, m.facts + excluded.facts, sums.as_of,
              CASE WHEN {_left("m.mass", "m.as_of", at="%(now)s")} < s.threshold - 0.5
                    AND {_left("sums.mass", "sums.as_of", at="%(now)s")} >= s.threshold - 0.5
                   THEN %(now)s ELSE m.reached_at END
         FROM members_score s
        CROSS JOIN LATERAL (
              SELECT greatest(m.as_of, excluded.as_of) AS as_of) AS newer
        CROSS JOIN LATERAL (
              SELECT newer.as_of, {_left("m.mass", "m.as_of", at="newer.as_of")}
                     + {_left("excluded.mass", "excluded.as_of", at="newer.as_of")} AS mass) AS sums
        WHERE s.id = excluded.score_id)
RETURNING member_id, score_id, mass, as_of, reached_at
)
SELECT m.member_id, s.slug, {_left("m.mass", "m.as_of", at="%(now)s")},
       coalesce(m.reached_at = %(now)s, false)
  FROM moved m JOIN members_score s ON s.id = m.score_id
"""
# What is still in the queue is counted when it leaves it.
_COUNTED = """NOT EXISTS (
           SELECT FROM members_unansweredinteraction u WHERE u.interaction_id = i.id)"""
_ALL = _SUM.format(source="members_interaction", points=_POINTS, which=f"{_COUNTED} AND {{facts}}")
_REBUILD = f"""
WITH counted AS ({_ALL}),
dropped AS (
    DELETE FROM members_memberscore m
     WHERE {{rows}} AND NOT EXISTS (
           SELECT FROM counted c WHERE c.member_id = m.member_id AND c.score_id = m.score_id)
    RETURNING 1
), written AS (
    INSERT INTO members_memberscore AS m (member_id, score_id, mass, facts, as_of)
    SELECT * FROM counted
    ON CONFLICT (member_id, score_id) DO UPDATE
       SET mass = excluded.mass, facts = excluded.facts, as_of = excluded.as_of
     WHERE (m.mass, m.facts, m.as_of)
           IS DISTINCT FROM (excluded.mass, excluded.facts, excluded.as_of)
    RETURNING 1
)
SELECT (SELECT count(*) FROM dropped) + (SELECT count(*) FROM written)
"""
# By the order of recording the index finds the few that are new.
_LATE = f"""
SELECT DISTINCT i.member_id
  FROM members_interaction i {_POINTS}
 WHERE s.id = %(score)s AND i.recorded_at > %(since)s AND i.occurred_at < i.recorded_at - %(late)s
 ORDER BY i.member_id
"""
_NEWEST = f"""
SELECT score_id, slug, name, category, occurred_at, points,
       {_left("points", "occurred_at", at="greatest(%(at)s, as_of)")}
  FROM (
    SELECT s.id AS score_id, s.half_life_days, k.slug, k.name, coalesce(i.category, '') AS category,
           i.occurred_at, r.points, m.as_of,
           row_number() OVER (PARTITION BY s.id ORDER BY i.occurred_at DESC, i.id DESC, r.id) AS nth
      FROM members_interaction i {_POINTS}
      JOIN members_interactionkind k ON k.id = i.kind_id
      JOIN members_memberscore m ON m.member_id = i.member_id AND m.score_id = s.id
     WHERE i.member_id = %(member)s AND {_COUNTED}
  ) AS s
 WHERE nth <= %(most)s
 ORDER BY score_id, nth
"""
