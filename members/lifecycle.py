"""The stages of a member's life with us: attract, grow, retain.

A review at night looks at everybody by what they did, writes the stage where it changed, and
records an interaction `stage-changed` (category: the new stage) for campaigns to answer.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from members import interactions
from members.models import Member

CHANGED = "stage-changed"
BATCH = 5_000
# Between purchases that come by chance, at his own rate, nine gaps of ten are shorter than so many
# times the mean one.
OVERDUE_AFTER = math.log(10)
# Nobody is missed within a season's pause, and everybody after half a year, whatever their rhythm.
LEAST_SILENCE = timedelta(days=60)
MOST_SILENCE = timedelta(days=180)
# Whoever came, opened or clicked within so long is not lost, late as the purchase may be.
UNSEEN_FOR = timedelta(days=60)
# Besides visits, what shows that somebody still listens.
LISTENING = ("open", "click")


@dataclass(frozen=True, slots=True)
class History:
    """What a stage is judged by. `days` are those with a purchase; `seen_at` is the last sign of
    life of any sort."""

    days: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    seen_at: datetime | None = None


def patience(*, days: int, span: timedelta) -> timedelta:
    """How long a member with purchases on so many days, `span` from first to last, may be silent.

    The 90 % point of an exponential distribution with their own mean gap: purchases as a Poisson
    process of the customer's own rate are the model of Ehrenberg (1959) and of Schmittlein,
    Morrison and Colombo, "Counting Your Customers" (1987). One purchase tells no rhythm.
    """
    if days < 2:
        return MOST_SILENCE
    usual = span / (days - 1) * OVERDUE_AFTER
    return min(max(usual, LEAST_SILENCE), MOST_SILENCE)


def judge(history: History, *, stage: str, at: datetime) -> str:
    """The stage of somebody with this history who was in `stage`.

    Attract: never bought. Retain: the next purchase is overdue for them, and they were not seen of
    late either; once there, only a purchase leads back. Grow: everybody else.
    """
    if history.first_at is None or history.last_at is None:
        return Member.Stage.ATTRACT
    allowed = patience(days=history.days, span=history.last_at - history.first_at)
    if at - history.last_at <= allowed:
        return Member.Stage.GROW
    is_unseen = history.seen_at is None or at - history.seen_at > UNSEEN_FOR
    if is_unseen or stage == Member.Stage.RETAIN:
        return Member.Stage.RETAIN
    return Member.Stage.GROW


def review(*, now: datetime, batch: int = BATCH) -> int:
    """Bring every member's stage up to date; returns how many changed.

    What was so already when the history was loaded is dated then, and too old for an answer: whose
    silence is only known from a file is no news.
    """
    changed, after = 0, 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_REVIEW, {**_CONSTANTS, "now": now, "after": after, "batch": batch})
            last, ids, stages, moments = cursor.fetchone()
            if last is None:
                return changed
            facts = [
                interactions.Fact(
                    member_id=member_id,
                    kind=CHANGED,
                    occurred_at=since,
                    reference=f"{stage}:{now:%Y-%m-%dT%H:%M:%S.%f}",
                    category=stage,
                )
                for member_id, stage, since in zip(ids, stages, moments, strict=True)
            ]
            interactions.record(facts, now=now)
        changed += len(facts)
        after = last


_CONSTANTS: dict[str, Any] = {
    "factor": OVERDUE_AFTER,
    "least": LEAST_SILENCE,
    "most": MOST_SILENCE,
    "unseen": UNSEEN_FOR,
    "listening": list(LISTENING),
}
# `judge` for a batch of members: what they bought is asked of all, when they were seen of those
# alone who are overdue.
_REVIEW = """
WITH looked_at AS (
    SELECT id, stage FROM members_member
     WHERE id > %(after)s AND erased_at IS NULL AND merged_into_id IS NULL
     ORDER BY id LIMIT %(batch)s
), judged AS (
    SELECT m.id, m.stage AS was,
           CASE WHEN bought.days = 0 THEN 'attract'
                WHEN overdue.since IS NULL THEN 'grow'
                WHEN m.stage = 'retain' OR seen.at IS NULL OR %(now)s - seen.at > %(unseen)s
                THEN 'retain' ELSE 'grow' END AS becomes,
           CASE WHEN overdue.since IS NULL THEN bought.last_at
                ELSE greatest(overdue.since, seen.at + %(unseen)s) END AS since,
           bought.told_at
      FROM looked_at m
     CROSS JOIN LATERAL (
           SELECT count(DISTINCT (i.occurred_at AT TIME ZONE 'UTC')::date) AS days,
                  min(i.occurred_at) AS first_at, max(i.occurred_at) AS last_at,
                  max(i.recorded_at) AS told_at
             FROM members_interaction i
             JOIN members_interactionkind k ON k.id = i.kind_id AND k.slug = 'purchase'
            WHERE i.member_id = m.id) AS bought
     CROSS JOIN LATERAL (
           SELECT bought.last_at + CASE WHEN bought.days < 2 THEN %(most)s
                  ELSE least(greatest(
                      (bought.last_at - bought.first_at) / (bought.days - 1) * %(factor)s,
                      %(least)s), %(most)s) END AS due_at) AS expected
     CROSS JOIN LATERAL (
           SELECT CASE WHEN %(now)s > expected.due_at THEN expected.due_at END AS since) AS overdue
     CROSS JOIN LATERAL (
           SELECT max(i.occurred_at) AS at
             FROM members_interaction i
             JOIN members_interactionkind k
               ON k.id = i.kind_id AND (k.is_visit OR k.slug = ANY(%(listening)s))
            WHERE overdue.since IS NOT NULL AND i.member_id = m.id) AS seen
), locked AS (
    SELECT m.id FROM members_member m JOIN judged j ON j.id = m.id AND j.becomes <> j.was
     ORDER BY m.id FOR NO KEY UPDATE OF m
), moved AS (
    UPDATE members_member m SET stage = j.becomes
      FROM judged j JOIN locked USING (id)
     WHERE m.id = j.id AND m.stage = j.was
    RETURNING m.id, j.becomes, CASE WHEN j.since <= j.told_at THEN j.since ELSE %(now)s END AS since
)
SELECT (SELECT max(id) FROM looked_at),
       coalesce((SELECT array_agg(id ORDER BY id) FROM moved), '{}'),
       coalesce((SELECT array_agg(becomes ORDER BY id) FROM moved), '{}'),
       coalesce((SELECT array_agg(since ORDER BY id) FROM moved), '{}')
"""
