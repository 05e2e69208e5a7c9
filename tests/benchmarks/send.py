"""Claim, gate, render, record: the inbox in batches, against one delivery a call.

Both go through `campaigns.sending.send_due`; only the limit differs. What a batch saves is
everything that is asked and written once for two hundred instead of for each.
"""

from datetime import timedelta

from django.db import connection

from campaigns import files, launching, planning, sending
from campaigns.models import Campaign
from tests.benchmarks import races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

CODE = "news"
DUE = world.NOW + timedelta(minutes=5)
BODY = (
    "Hello {{ member.given_name }}, you have {{ member.points }} points."
    "{% if interest.name %} How about some {{ interest.name }}?{% endif %}\n\n"
    "[Come in](https://www.example.com/?from=news)"
)


def run(asked: Asked) -> Report:
    deliveries = asked.sized(20_000, quick=400)
    single = max(deliveries // 40, 20)
    report = Report(sizes={"deliveries": deliveries, "one by one": single})
    with scratch.database("send") as seed:
        _build(seed, deliveries)
        current = f"{seed}_run"
        # Both are compared by what the slower one had the time to send.
        rows = {
            "messages": "SELECT m.delivery_id, m.member_id, m.subject, m.text, m.html,"
            " m.has_picture, m.created_at, d.state, d.reason, d.tries, d.sent_at"
            " FROM campaigns_inboxmessage m JOIN campaigns_delivery d ON d.id = m.delivery_id"
            f" ORDER BY d.due_at LIMIT {single}"
        }

        def renew() -> None:
            scratch.make(current, of=seed)
            scratch.use(current)
            scratch.checkpoint()

        def outcome() -> dict[str, sameness.Digest]:
            return sameness.digests(current, rows)

        try:
            report.races.append(
                races.race(
                    "inbox",
                    unit="deliveries",
                    sides=[
                        races.Side(
                            name=f"send_due, {sending.BATCH} a call",
                            run=lambda: _send(deliveries, limit=sending.BATCH),
                            units=deliveries,
                            ready=renew,
                            outcome=outcome,
                        ),
                        races.Side(
                            name="send_due, one a call",
                            run=lambda: _send(single, limit=1),
                            units=single,
                            ready=renew,
                            outcome=outcome,
                            target=10,
                            stretch=25,
                        ),
                    ],
                    rounds=asked.rounds_of(3),
                    at_least={"messages": single},
                )
            )
        finally:
            scratch.drop(current)
    return report


def _send(wanted: int, *, limit: int) -> float:
    now = DUE + timedelta(days=1)

    def work() -> None:
        sent = 0
        while sent < wanted:
            batch = sending.send_due(channel="inbox", now=now, limit=limit)
            if not batch.claimed:
                break
            sent += batch.sent
        if sent < wanted:
            raise sameness.NotTheSameWork(f"{sent} were sent, not {wanted}.")

    connection.ensure_connection()
    return races.timed(work)


def _build(database: str, members: int) -> None:
    with scratch.connect(database) as builder:
        world.add_members(builder, members)
        world.open_accounts(builder)
        builder.execute("UPDATE loyalty_account SET balance = 0, version = 0")
        builder.execute(
            "INSERT INTO members_intereststatement (member_id, interest_id, level, stated_at)"
            " SELECT m.id, i.id, 0.9, m.joined_at FROM members_member m"
            " JOIN members_interest i ON i.slug = %s WHERE m.id %% 2 = 0",
            [world.INTEREST],
        )
    scratch.use(database)
    variants = [
        {"interest": interest, "subject": "News, {{ member.given_name }}", "body": BODY}
        for interest in (world.INTEREST, None)
    ]
    files.load(
        {
            "code": CODE,
            "name": "News",
            "audience": {"all": []},
            "entry": {"kind": "moment", "at": DUE.isoformat()},
            "expires_hours": 1_000,
            "steps": [{"channels": ["inbox"], "variants": variants}],
        },
        now=world.NOW,
    )
    launching.launch(code=CODE, by=None, now=world.NOW)
    planning.plan(campaign_id=Campaign.objects.get(code=CODE).pk, now=world.NOW)
    connection.close()
    with scratch.connect(database) as builder:
        # In an order of their own, so that both sides begin with the same ones.
        builder.execute(
            "UPDATE campaigns_delivery SET due_at = due_at + make_interval(secs => member_id)"
        )
    scratch.settle(database)
