"""Planning a campaign: consent, date by address, best-loved interest, hold-out, channel.

`campaigns.planning.plan` against an INSERT ... SELECT written for exactly this campaign, and
against inserting the finished rows with the same keys. All three end with the commit.
"""

from contextlib import ExitStack
from datetime import date, datetime
from typing import Any, LiteralString

from django.db import connection, transaction

from campaigns import files, launching, planning
from campaigns.models import Campaign
from tests.benchmarks import races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

CODE, OCCASION, YEAR, OFFSET_DAYS = "term", "school-start", 2026, -14
LAUNCHED = datetime(YEAR, 7, 1, tzinfo=world.NOW.tzinfo)
NOW = datetime(YEAR, 9, 10, tzinfo=world.NOW.tzinfo)
INTERESTS = ("camping", "climbing", "hiking", "snow", "trail-running")
STATES, CITIES, COUNTIES = 40, 12, 6
ABSOLUTE_S = 60

ROWS = {
    "journeys": "SELECT campaign_id, member_id, occurrence, is_held_out, entered_at, due_at, zone,"
    " occasion_id, interaction_id FROM campaigns_journey",
    "deliveries": "SELECT j.occurrence, d.member_id, d.campaign_id, d.step_id, d.variant_id,"
    " d.channel, d.state, d.reason, d.due_at, d.expires_at, d.value, d.lease, d.leased_until,"
    " d.tries, d.sent_at, d.beaten_by_id"
    " FROM campaigns_delivery d JOIN campaigns_journey j ON j.id = d.journey_id",
}


def run(asked: Asked) -> Report:
    members = asked.sized(200_000, quick=2_000)
    report = Report(sizes={"members": members})
    with scratch.database("plan") as database:
        build(database, members)
        report.facts["explain"] = _explain(database)
        _keep_ready(database)
        outcome = lambda: sameness.digests(database, ROWS)  # noqa: E731
        sides = [
            races.Side(
                name="campaigns.planning.plan",
                run=lambda: races.timed(plan),
                units=members,
                ready=lambda: _empty(database),
                outcome=outcome,
            ),
            races.Side(
                name="one statement by hand",
                run=lambda: _in_one_go(database, [_BY_HAND]),
                units=members,
                ready=lambda: _empty(database),
                outcome=outcome,
                target=0.8,
            ),
            races.Side(
                name="the finished rows",
                run=lambda: _in_one_go(database, _READY),
                units=members,
                ready=lambda: _empty(database),
                outcome=outcome,
                target=0.5,
                stretch=0.57,
            ),
        ]
        race = races.race(
            "everybody at once",
            unit="members",
            sides=sides,
            rounds=asked.rounds_of(5),
            at_least={"journeys": members // 2, "deliveries": members // 2},
        )
        report.races.append(race)
    seconds = members / race.rates[sides[0].name].median
    report.facts["seconds"] = round(seconds, 2)
    report.told.append(f"{members:,} members in {seconds:.1f} s")
    if members >= 1_000_000 and seconds > ABSOLUTE_S:
        report.told.append(f"MISSED: a million members within {ABSOLUTE_S} s")
    return report


def plan() -> None:
    campaign = Campaign.objects.get(code=CODE)
    planning.plan(campaign_id=campaign.pk, now=NOW)


def _empty(database: str) -> None:
    with scratch.connect(database, autocommit=True) as admin:
        admin.execute("TRUNCATE campaigns_journey, campaigns_delivery CASCADE")
        admin.execute("UPDATE campaigns_campaign SET planned_until = NULL")
    scratch.checkpoint()


def _in_one_go(database: str, statements: list[str]) -> float:
    with scratch.connect(database) as hand:
        hand.execute("SET work_mem = '128MB'")
        row = hand.execute(
            "SELECT c.id, s.id FROM campaigns_campaign c"
            " JOIN campaigns_step s ON s.campaign_id = c.id WHERE c.code = %s",
            [CODE],
        ).fetchone()
        assert row is not None
        values = {
            "campaign": row[0],
            "code": CODE,
            "step": row[1],
            "after": LAUNCHED,
            "now": NOW,
            "until": NOW + planning.LEAD,
        }

        def work() -> None:
            for statement in statements:
                hand.execute(statement, values)
            hand.commit()

        return races.timed(work)


def _explain(database: str) -> list[str]:
    """EXPLAIN (ANALYZE, BUFFERS) of the very statement that planning sends; nothing is kept."""
    asked: list[tuple[str, Any]] = []

    def listen(execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        if "INSERT INTO campaigns_journey" in sql:
            asked.append((sql, values))
        return execute(sql, values, many, context)

    _empty(database)
    scratch.use(database)
    with ExitStack() as stack:
        stack.enter_context(transaction.atomic())
        stack.enter_context(connection.execute_wrapper(listen))
        plan()
        transaction.set_rollback(True)
    _empty(database)
    told: list[str] = []
    for sql, values in asked:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '128MB'")
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + sql, values)
            told += [row[0] for row in cursor.fetchall()]
            transaction.set_rollback(True)
    return told


def _keep_ready(database: str) -> None:
    _empty(database)
    plan()
    with scratch.connect(database, autocommit=True) as admin:
        for table in ("journey", "delivery"):
            admin.execute(
                f"CREATE TABLE ready_{table} AS SELECT * FROM campaigns_{table} ORDER BY id"
            )
            admin.execute(f"VACUUM ANALYZE ready_{table}")


def build(database: str, members: int) -> None:
    """A campaign to everybody whose dates differ by place, live; nothing of it is planned."""
    with scratch.connect(database) as builder:
        world.add_members(builder, members)
        builder.execute("UPDATE members_member SET preferred_channel = 'inbox' WHERE id % 10 = 0")
        values: dict[str, Any] = {
            "states": STATES,
            "cities": CITIES,
            "counties": COUNTIES,
            "year": YEAR,
        }
        values |= {"occasion": OCCASION, "first": date(YEAR, 8, 1), "now": NOW}
        for statement in _WORLD:
            builder.execute(statement, values)
    scratch.use(database)
    files.load(
        {
            "code": CODE,
            "name": "Back to school",
            "audience": {"all": [{"condition": "joined_before", "days": 1}]},
            "entry": {"kind": "occasion", "occasion": OCCASION, "offset_days": OFFSET_DAYS},
            "holdout_percent": 10,
            "steps": [
                {
                    "channels": ["email", "inbox"],
                    "variants": [
                        {"interest": slug, "subject": "Before term", "body": "Out once more"}
                        for slug in (*INTERESTS, None)
                    ],
                }
            ],
        },
        now=LAUNCHED,
    )
    launching.launch(code=CODE, by=None, now=LAUNCHED)
    connection.close()
    scratch.settle(database)


# Every state has a date, 12 of its cities and 6 of its counties have another; the last state's
# lies ahead, so that the season is not over. Two of a hundred members live abroad.
_WORLD: tuple[LiteralString, ...] = (
    """
    WITH place AS (
        SELECT s, 3 AS level, '' AS key, 0 AS n FROM generate_series(1, %(states)s) s
        UNION ALL
        SELECT s, 5, 'city ' || n, n FROM generate_series(1, %(states)s) s,
               generate_series(1, %(cities)s) n
        UNION ALL
        SELECT s, 4, 'county ' || n, 20 + n FROM generate_series(1, %(states)s) s,
               generate_series(1, %(counties)s) n
    ), row AS (
        INSERT INTO campaigns_occasion
               (occasion, date, year, country, region, county, postal_code, district, time_zone,
                source)
        SELECT %(occasion)s, CASE WHEN s = %(states)s THEN %(first)s::date + 100
                                  ELSE %(first)s::date + (s * 7 + n) %% 30 END,
               %(year)s, 'US', 'S' || s, CASE level WHEN 4 THEN key ELSE '' END, '',
               CASE level WHEN 5 THEN key ELSE '' END, '', ''
          FROM place
        RETURNING *
    )
    INSERT INTO campaigns_occasionarea (occasion_id, slug, date, year, level, country, region, key)
    SELECT id, occasion, date, year,
           CASE WHEN district <> '' THEN 5 WHEN county <> '' THEN 4 ELSE 3 END, country, region,
           district || county
      FROM row
    """,
    """
    INSERT INTO members_address
           (member_id, street, city, postal_code, county, region, country, zone, located_by,
            city_key, county_key)
    SELECT id, id || ' Main Street', '', lpad((id %% 40000)::text, 5, '0'), '',
           'S' || id %% %(states)s + 1, CASE WHEN id %% 50 = 7 THEN 'CA' ELSE 'US' END, zone, '',
           'city ' || (id / 7) %% 30, 'county ' || (id / 11) %% 12
      FROM members_member
    """,
    """
    INSERT INTO members_consentstate (member_id, channel, purpose, is_allowed, decided_at)
    SELECT id, 'email', 'marketing', (id / 3) %% 10 < 8, joined_at
      FROM members_member WHERE (id / 3) %% 10 < 9
    UNION ALL
    SELECT id, 'inbox', 'marketing', false, joined_at FROM members_member WHERE (id / 5) %% 50 = 0
    """,
    """
    INSERT INTO members_interestevidence
           (member_id, interest_id, kind_id, mass, facts, as_of, last_at)
    SELECT m.id, i.id, k.id, 0.1 + ((m.id * 7 + i.id * 13 + k.id) %% 40) / 10.0, 3, at, at
      FROM members_member m, members_interest i, members_interactionkind k,
           LATERAL (SELECT %(now)s::timestamptz - make_interval(days => (m.id %% 300)::int)) t(at)
     WHERE k.slug IN ('purchase', 'view') AND (m.id + i.id * 3 + k.id) %% 5 = 0 AND m.id %% 10 < 6
    """,
    """
    INSERT INTO members_intereststatement (member_id, interest_id, level, stated_at)
    SELECT m.id, i.id, ((m.id + i.id) %% 11) / 10.0, m.joined_at
      FROM members_member m, members_interest i WHERE m.id %% 10 = 3 AND (m.id + i.id) %% 2 = 0
    """,
)

_READY = [
    "INSERT INTO campaigns_journey SELECT * FROM ready_journey",
    "INSERT INTO campaigns_delivery SELECT * FROM ready_delivery",
]

_BY_HAND = """
WITH area AS MATERIALIZED (
    SELECT level, region, key, date, occasion_id FROM campaigns_occasionarea
     WHERE slug = 'school-start' AND year = 2026 AND country = 'US'
), due AS (
    SELECT m.id, m.zone, coalesce(c.occasion_id, n.occasion_id, r.occasion_id) AS occasion_id,
           (coalesce(c.date, n.date, r.date) - 14 + time '10:00') AT TIME ZONE m.zone AS due_at
      FROM members_member m
      JOIN members_address a ON a.member_id = m.id AND a.country = 'US'
      LEFT JOIN area c ON c.level = 5 AND c.region = a.region AND c.key = a.city_key
      LEFT JOIN area n ON n.level = 4 AND n.region = a.region AND n.key = a.county_key
      LEFT JOIN area r ON r.level = 3 AND r.region = a.region
     WHERE m.erased_at IS NULL AND m.joined_at <= %(now)s::timestamptz - interval '1 day'
), journey AS (
    INSERT INTO campaigns_journey
           (campaign_id, member_id, occurrence, is_held_out, entered_at, due_at, zone, occasion_id)
    SELECT %(campaign)s, id, '2026',
           mod(('x' || substr(md5(%(code)s || ':' || id), 1, 8))::bit(32)::bigint, 10000) < 1000,
           %(now)s, due_at, zone, occasion_id
      FROM due WHERE due_at > %(after)s AND due_at <= %(until)s ORDER BY id
    ON CONFLICT (campaign_id, occurrence, member_id) DO NOTHING
    RETURNING id, member_id, is_held_out, due_at
), score AS (
    SELECT member_id, interest_id, s.level,
           coalesce(s.level, e.mass / (1 + e.mass)) AS score
      FROM (SELECT x.member_id, x.interest_id,
                   sum(x.mass * k.weight * power(0.5::float8, least(greatest(
                       extract(epoch FROM %(now)s - x.as_of)::float8 / 86400
                       / k.half_life_days, 0), 900))) AS mass
              FROM members_interestevidence x
              JOIN members_interactionkind k ON k.id = x.kind_id
             GROUP BY x.member_id, x.interest_id) e
      FULL JOIN members_intereststatement s USING (member_id, interest_id)
), love AS (
    SELECT DISTINCT ON (member_id) member_id, interest_id FROM score WHERE score >= 0.05
     ORDER BY member_id, coalesce(level, 0) >= 0.5 DESC, score DESC, interest_id
), choice AS (
    SELECT j.*, love.interest_id, m.preferred_channel = 'inbox' AND i.id IS NULL AS wants_inbox,
           m.email_key IS NOT NULL AND e.id IS NOT NULL AS has_email, i.id IS NULL AS has_inbox
      FROM journey j
      JOIN members_member m ON m.id = j.member_id
      LEFT JOIN members_consentstate e ON e.member_id = m.id AND e.channel = 'email'
            AND e.purpose = 'marketing' AND e.is_allowed
      LEFT JOIN members_consentstate i ON i.member_id = m.id AND i.channel = 'inbox'
            AND i.purpose = 'marketing' AND NOT i.is_allowed
      LEFT JOIN love ON love.member_id = m.id
)
INSERT INTO campaigns_delivery
       (journey_id, member_id, campaign_id, step_id, variant_id, channel, state, reason, due_at,
        expires_at, value, tries)
SELECT c.id, c.member_id, %(campaign)s, %(step)s, v.id,
       CASE WHEN has_email AND NOT wants_inbox THEN 'email' WHEN has_inbox THEN 'inbox'
            ELSE 'email' END,
       CASE WHEN c.is_held_out THEN 'held_out' WHEN has_email OR has_inbox THEN 'planned'
            ELSE 'objected' END,
       CASE WHEN c.is_held_out OR has_email OR has_inbox THEN '' ELSE 'consent' END,
       c.due_at, c.due_at + interval '24 hours', 0.05, 0
  FROM choice c
  JOIN campaigns_variant v ON v.step_id = %(step)s
       AND coalesce(v.interest_id, 0) = coalesce(c.interest_id, 0)
ON CONFLICT (journey_id, step_id, channel) DO NOTHING
"""
