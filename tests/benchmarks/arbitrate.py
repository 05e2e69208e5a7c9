"""Arbitration of five live campaigns, against one window query written for exactly their cap.

Both start from the same planned deliveries, with the same statistics, and end with the commit.
"""

from typing import Any

from django.db import connection

from campaigns import arbitration, planning
from campaigns.models import ContactCap
from tests.benchmarks import million, races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

ROWS = {
    "deliveries": "SELECT id, state, reason, due_at, beaten_by_id FROM campaigns_delivery",
    "objections": "SELECT delivery_id, cap_id, had, allowed, passes_at, at"
    " FROM campaigns_objection",
}


def run(asked: Asked) -> Report:
    members = asked.sized(200_000, quick=2_000)
    report = Report(sizes={"members": members, "campaigns": million.CAMPAIGNS})
    with scratch.database("arbitrate") as database:
        million.build(database, members)
        scratch.use(database)
        planning.plan_due(now=world.NOW)
        cap = ContactCap.objects.get()
        connection.close()
        with scratch.connect(database) as admin:
            admin.execute("CREATE TABLE ready AS SELECT * FROM campaigns_delivery ORDER BY id")
        outcome = lambda: sameness.digests(database, ROWS)  # noqa: E731
        report.races.append(
            races.race(
                "five campaigns, two messages a week",
                unit="members",
                sides=[
                    races.Side(
                        name="campaigns.arbitration.arbitrate",
                        run=lambda: races.timed(lambda: arbitration.arbitrate(now=million.DUE)),
                        units=members,
                        ready=lambda: _renew(database),
                        outcome=outcome,
                    ),
                    races.Side(
                        name="one window query by hand",
                        run=lambda: _by_hand(database, cap),
                        units=members,
                        ready=lambda: _renew(database),
                        outcome=outcome,
                        target=0.5,
                    ),
                ],
                rounds=asked.rounds_of(5),
                at_least={"deliveries": members, "objections": members},
            )
        )
    return report


def _renew(database: str) -> None:
    connection.close()
    with scratch.connect(database) as admin:
        admin.execute("TRUNCATE campaigns_delivery CASCADE")
        admin.execute("INSERT INTO campaigns_delivery SELECT * FROM ready")
    scratch.settle(database)
    scratch.use(database)
    connection.ensure_connection()


def _by_hand(database: str, cap: ContactCap) -> float:
    values: dict[str, Any] = {
        "cap": cap.pk,
        "channels": cap.channels,
        "allowed": cap.max_messages,
        "window": cap.window_days,
        "now": million.DUE,
    }
    with scratch.connect(database) as hand:
        hand.execute("SET work_mem = '128MB'")

        def work() -> None:
            hand.execute(_BY_HAND, values)
            hand.commit()

        return races.timed(work)


# Nobody had anything yet and nobody waits: what the rule of two a week comes to here.
_BY_HAND = """
WITH ranked AS (
    SELECT d.id, row_number() OVER best AS place, nth_value(d.id, %(allowed)s) OVER whole AS winner,
           min(d.due_at) OVER whole + make_interval(days => %(window)s) AS passes_at
      FROM campaigns_delivery d
     WHERE d.state = 'planned' AND d.channel = ANY(%(channels)s)
    WINDOW best AS (PARTITION BY d.member_id ORDER BY d.value DESC, d.due_at, d.id),
           whole AS (best ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
), written AS (
    UPDATE campaigns_delivery d
       SET state = 'objected', reason = 'cap', beaten_by_id = r.winner
      FROM ranked r WHERE d.id = r.id AND r.place > %(allowed)s
    RETURNING d.id, r.place, r.passes_at
)
INSERT INTO campaigns_objection (delivery_id, cap_id, had, allowed, passes_at, at)
SELECT id, %(cap)s, place - 1, %(allowed)s, passes_at, %(now)s FROM written
"""
