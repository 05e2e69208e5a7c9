"""The one statement that plans a step, in its parts.

    audience    the members, from the audience's own query
    candidate   who of them is due when (`entrants`)
    entered     the journeys that are new, or whose next step is due
    loved …     which variant each of them gets (`choosing_sql`)
    planned     their deliveries: arm, variant, channel, state and reason

Values are always bound; only names of this file and of registered channels are spliced in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns import choosing_sql, holdouts, waits
from campaigns.entrants import Sql
from campaigns.models import Campaign, Step
from campaigns.reach import allowed_sql, reachable_sql, wanted_sql
from members.models import Channel


@dataclass(frozen=True, slots=True)
class Following:
    """The step after the one that is planned, which a journey waits for; None: it was the last.
    `walls` are the instants its time of day means, if it has one."""

    step: Step | None
    walls: Sequence[waits.Wall] = ()

    def queued(self, *, since: str) -> Sql:
        """Its id, and when it is due after the moment in the column `since`."""
        if self.step is None:
            return Sql("NULL::bigint, NULL::timestamptz")
        later = f"{since} + make_interval(mins => %s)"
        return Sql(
            f"%s::bigint, coalesce((SELECT f.at FROM following f WHERE f.zone = c.zone"
            f" AND f.after < {later} AND f.at >= {later}), {later})",
            [self.step.pk, *[self.step.wait_minutes] * 3],
        )

    def rows(self) -> Sql:
        columns = [[getattr(wall, name) for wall in self.walls] for name in ("zone", "after", "at")]
        return Sql(
            "SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[])", columns
        )


def entering(
    campaign: Campaign, *, audience: Sql, candidates: Sql, following: Following, now: datetime
) -> Sql:
    """The part that begins journeys: everybody of the audience who is due and may enter."""
    queued = following.queued(since="c.due_at")
    again = campaign.reentry_days
    within = (
        ""
        if not again
        else (
            "WHERE NOT EXISTS (SELECT FROM campaigns_journey j WHERE j.campaign_id = %s"
            " AND j.member_id = c.member_id AND j.due_at > c.due_at - make_interval(days => %s))"
        )
    )
    return Sql(
        f"""
        audience (id, zone) AS ({audience.text}),
        candidate AS MATERIALIZED ({candidates.text}),
        entered AS (
            INSERT INTO campaigns_journey
                (campaign_id, member_id, occurrence, is_held_out, entered_at, due_at, zone,
                 occasion_id, interaction_id, next_step_id, next_at)
            SELECT {"DISTINCT ON (member_id)" if again else ""} %s, member_id,
                   {"'once'" if again is None else "occurrence"},
                   {holdouts.held_out_sql(campaign="%s::text", member="member_id", below="%s")},
                   %s, due_at, zone, occasion_id, interaction_id, {queued.text}
              FROM candidate c {within}
             ORDER BY member_id{", due_at" if again else ""}
            ON CONFLICT (campaign_id, occurrence, member_id) DO NOTHING
            RETURNING id, member_id, is_held_out, due_at, true AS is_wanted,
                      {_dated(campaign.entry, "occasion_id")} AS has_date
        )""",
        [
            *audience.values,
            *candidates.values,
            campaign.pk, campaign.code, round(campaign.holdout_percent * 100), now,
            *queued.values,
            *([campaign.pk, again] if again else []),
        ],
    )  # fmt: skip


def _dated(entry: Mapping[str, Any], occasion: str) -> str:
    """Whether a journey has the date it is about: by an occasion there may be none."""
    return f"{occasion} IS NOT NULL" if entry["kind"] == "occasion" else "true"


def advancing(
    *,
    ids: Sequence[int],
    wanted: Sequence[int],
    entry: Mapping[str, Any],
    following: Following,
) -> Sql:
    """The part that moves journeys on from the step they wait for; `wanted` are those of which
    the step's condition is true, `entry` is how they came in."""
    queued = following.queued(since="c.next_at")
    return Sql(
        f"""
        entered AS (
            UPDATE campaigns_journey j
               SET (next_step_id, next_at) = (SELECT {queued.text})
              FROM campaigns_journey c
             WHERE j.id = c.id AND j.id = ANY(%s)
            RETURNING j.id, j.member_id, j.is_held_out, c.next_at AS due_at,
                      j.id = ANY(%s) AS is_wanted, {_dated(entry, "j.occasion_id")} AS has_date
        )""",
        [*queued.values, list(ids), list(wanted)],
    )


def statement(*, step: Step, entered: Sql, following: Following, now: datetime) -> Sql:
    """The whole statement: the journeys of `entered`, and the deliveries of a step to them.
    It returns one row: (journeys, deliveries) that are new."""
    campaign = step.campaign
    chosen = choosing_sql.chosen(step, now=now)
    parts = _channel_parts(campaign, step)
    walls = following.rows()
    text = f"""
        WITH following (zone, after, at) AS ({walls.text}),
        {entered.text},
        {chosen.parts.text},
        choice AS ({parts.text}),
        planned AS (
            INSERT INTO campaigns_delivery
                (journey_id, member_id, campaign_id, step_id, variant_id, channel, state, reason,
                 due_at, expires_at, tries, value, propensity, context_id)
            SELECT c.journey_id, c.member_id, %s, %s, v.id, c.channel,
                   CASE WHEN c.is_held_out THEN 'held_out' WHEN c.reason <> '' THEN 'objected'
                        ELSE 'planned' END,
                   CASE WHEN c.is_held_out THEN '' ELSE c.reason END,
                   c.due_at, c.due_at + make_interval(hours => %s), 0, v.worth, {chosen.columns}
              FROM choice c
              {chosen.joins}
            ON CONFLICT (journey_id, step_id, channel) DO NOTHING
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM entered), (SELECT count(*) FROM planned)
    """
    values = [
        *walls.values,
        *entered.values,
        *chosen.parts.values,
        *parts.values,
        campaign.pk, step.pk, campaign.expires_hours,
    ]  # fmt: skip
    return Sql(text, values)


def _channel_parts(campaign: Campaign, step: Step) -> Sql:
    """Which channel each journey uses, and the reason when it can use none."""
    channels = [Channel(channel).value for channel in step.channels]
    able = {c: f"({c}_allowed AND {c}_reachable)" for c in channels}
    # OFFSET 0: without it each question is asked again wherever its answer is used.
    ways = ", ".join(
        f"{allowed_sql(channel=c, purpose=campaign.purpose)} AS {c}_allowed,"
        f" {reachable_sql(channel=c)} AS {c}_reachable"
        for c in channels
    )
    head = f"""
        SELECT journey_id, member_id, is_held_out, due_at, {{channel}} AS channel,
               CASE WHEN NOT has_date THEN 'no_date' WHEN NOT is_wanted THEN 'condition'
                    WHEN NOT wants_topic THEN 'topic' WHEN {{able}} THEN ''
                    WHEN {{allowed}} THEN 'address' ELSE 'consent' END AS reason
          FROM (SELECT e.id AS journey_id, e.member_id, e.is_held_out, e.due_at, e.has_date,
                       e.is_wanted, {wanted_sql(topic_id=campaign.topic_id)} AS wants_topic,
                       m.preferred_channel, {ways}
                  FROM entered e JOIN members_member m ON m.id = e.member_id OFFSET 0) AS way
    """
    if step.send == Step.Send.ALL:
        return Sql(
            " UNION ALL ".join(
                head.format(channel=f"'{c}'", able=able[c], allowed=f"{c}_allowed")
                for c in channels
            )
        )
    preferred = " ".join(
        f"WHEN preferred_channel = '{c}' AND {able[c]} THEN '{c}'" for c in channels
    )
    in_order = " ".join(f"WHEN {able[c]} THEN '{c}'" for c in channels)
    return Sql(
        head.format(
            channel=f"CASE {preferred} {in_order} ELSE '{channels[0]}' END",
            able=" OR ".join(able.values()),
            allowed=" OR ".join(f"{c}_allowed" for c in channels),
        )
    )
