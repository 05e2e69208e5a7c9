"""Claim, gate, render, record: in batches, by Celery, and over SMTP to a fast sink.

Batches against one by one, a Celery worker against the bare loop, SMTP against a provider that does
nothing. All go through `campaigns.sending.send_due`. What a batch saves is everything that is asked
and written once for two hundred instead of for each.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from kombu import Connection

from campaigns import files, launching, planning, sending
from campaigns.channels import CARRIERS
from campaigns.channels.email import Email
from campaigns.models import Campaign, Delivery, QuietHours
from config.celery import app
from tests import processes
from tests.benchmarks import crews, races, sameness, scratch, sink, world
from tests.benchmarks.null import Null
from tests.benchmarks.reports import Asked, Report

CHANNELS = ("inbox", "email")
DUE = world.NOW + timedelta(minutes=5)
BODY = (
    "Hello {{ member.given_name }}, you have {{ member.points }} points."
    "{% if interest.name %} How about some {{ interest.name }}?{% endif %}\n\n"
    "[Come in](https://www.example.com/?from=news)"
)
SMTP = "django.core.mail.backends.smtp.EmailBackend"
LEAST_A_SECOND, SENDERS = 1_500, 2
PATIENCE_S = 120
# A worker of one process whose provider does nothing.
WORKER = """
import django
django.setup()
from campaigns.channels import CARRIERS
from config.celery import app
from tests.benchmarks.null import Null
CARRIERS["email"] = Null
app.worker_main(["--quiet", "worker", "--concurrency=1", "--without-mingle", "--without-gossip",
                 "--without-heartbeat", "--loglevel=ERROR"])
"""


def run(asked: Asked) -> Report:
    deliveries = asked.sized(20_000, quick=400)
    single = max(deliveries // 40, 20)
    report = Report(sizes={"deliveries": deliveries, "one by one": single, "senders": SENDERS})
    with scratch.database("send") as seed, sink.running() as port:
        _build(seed, deliveries)
        current = f"{seed}_run"

        def renew() -> None:
            scratch.make(current, of=seed)
            scratch.use(current)
            scratch.checkpoint()

        def side(name: str, run: Callable[[], float], **said: Any) -> races.Side:
            return races.Side(name=name, run=run, **{"ready": renew, "units": deliveries, **said})

        rounds = asked.rounds_of(3)
        try:
            report.races.append(_batches(side, current, deliveries, single, rounds))
            report.races.append(_through_celery(side, current, deliveries, rounds))
            report.races.append(_over_smtp(side, current, deliveries, rounds, port=port))
            renew()
            connection.close()
            seconds = crews.together(SENDERS, lambda _: lambda: _smtp(current, port))
        finally:
            scratch.drop(current)
    rate = deliveries / seconds
    report.facts["smtp_a_second"] = round(rate, 1)
    is_met = "met" if rate >= LEAST_A_SECOND else "MISSED"
    report.told.append(
        f"{rate:,.0f} mails a second over SMTP by {SENDERS} senders,"
        f" target {LEAST_A_SECOND:,}: {is_met}"
    )
    return report


def _batches(
    side: Callable[..., races.Side], current: str, deliveries: int, single: int, rounds: int
) -> races.Race:
    # Both are compared by what the slower one had the time to send.
    rows = {
        "messages": "SELECT m.delivery_id, m.member_id, m.subject, m.text, m.html,"
        " m.has_picture, d.state, d.reason, d.tries"
        " FROM campaigns_inboxmessage m JOIN campaigns_delivery d ON d.id = m.delivery_id"
        f" ORDER BY d.due_at LIMIT {single}"
    }
    outcome = lambda: sameness.digests(current, rows)  # noqa: E731
    return races.race(
        "inbox",
        unit="deliveries",
        sides=[
            side(
                f"send_due, {sending.BATCH} a call",
                lambda: _send("inbox", deliveries, limit=sending.BATCH),
                outcome=outcome,
            ),
            side(
                "send_due, one a call",
                lambda: _send("inbox", single, limit=1),
                units=single,
                outcome=outcome,
                target=10,
                stretch=25,
            ),
        ],
        rounds=rounds,
        at_least={"messages": single},
    )


def _through_celery(
    side: Callable[..., races.Side], current: str, deliveries: int, rounds: int
) -> races.Race:
    return races.race(
        "e-mail, a provider that does nothing",
        unit="deliveries",
        sides=[
            side(
                "a Celery worker of one process",
                _worked,
                outcome=lambda: _mailed(current),
            ),
            side(
                "the bare loop",
                lambda: _null(deliveries),
                outcome=lambda: _mailed(current),
                target=0.9,
            ),
        ],
        rounds=rounds,
        at_least={"deliveries": deliveries},
    )


def _over_smtp(
    side: Callable[..., races.Side], current: str, deliveries: int, rounds: int, *, port: int
) -> races.Race:
    def smtp() -> float:
        before = sink.taken(port)
        with _mailing(port):
            seconds = _send("email", deliveries, limit=sending.BATCH)
        if sink.taken(port) - before != deliveries:
            raise sameness.NotTheSameWork("The sink did not take every mail.")
        return seconds

    return races.race(
        "e-mail, one process",
        unit="deliveries",
        sides=[
            side("SMTP to a fast sink", smtp, outcome=lambda: _mailed(current)),
            side(
                "a provider that does nothing",
                lambda: _null(deliveries),
                outcome=lambda: _mailed(current),
                target=0.4,
                stretch=0.51,
            ),
        ],
        rounds=rounds,
        at_least={"deliveries": deliveries},
    )


def _mailed(current: str) -> races.Outcome:
    rows = "SELECT id, state, reason, tries FROM campaigns_delivery WHERE channel = 'email'"
    return sameness.digests(current, {"deliveries": rows})


def _null(wanted: int) -> float:
    carriers: dict[str, Any] = CARRIERS
    carriers["email"] = Null
    try:
        return _send("email", wanted, limit=sending.BATCH)
    finally:
        carriers["email"] = Email


def _smtp(database: str, port: int) -> None:
    scratch.use(database)
    with _mailing(port):
        while sending.send_due(channel="email", now=timezone.now()).claimed:
            pass
    connection.close()


@contextmanager
def _mailing(port: int) -> Iterator[None]:
    was = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", port
    try:
        yield
    finally:
        settings.EMAIL_BACKEND = was


def _worked() -> float:
    """Seconds from the poke until all is sent, by a worker that was idle before."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Path(folder)
        with processes.running(WORKER, broker=broker):
            _poke(broker, "reap")
            _wait(lambda: not list(broker.glob("*.msg")))
            time.sleep(1)
            return races.timed(lambda: _poke_and_wait(broker))


def _poke_and_wait(broker: Path) -> None:
    _poke(broker, "send", "email")
    mails = Delivery.objects.filter(channel="email", state__in=Delivery.OPEN)
    _wait(lambda: not mails.exists())


def _poke(broker: Path, task: str, *arguments: str) -> None:
    folders = {"data_folder_in": str(broker), "data_folder_out": str(broker)}
    with Connection("filesystem://", transport_options=folders) as way:
        app.send_task(f"campaigns.tasks.{task}", arguments, connection=way)


def _wait(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("The worker did not do its work.")
        time.sleep(0.02)


def _send(channel: str, wanted: int, *, limit: int) -> float:
    def work() -> None:
        sent = 0
        while sent < wanted:
            batch = sending.send_due(channel=channel, now=timezone.now(), limit=limit)
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
        world.allow(builder, "email")
        builder.execute("UPDATE loyalty_account SET balance = 0, version = 0")
        builder.execute(
            "INSERT INTO members_intereststatement (member_id, interest_id, level, stated_at)"
            " SELECT m.id, i.id, 0.9, m.joined_at FROM members_member m"
            " JOIN members_interest i ON i.slug = %s WHERE m.id %% 2 = 0",
            [world.INTEREST],
        )
    scratch.use(database)
    QuietHours.objects.all().delete()
    for channel in CHANNELS:
        _plan(channel)
    connection.close()
    with scratch.connect(database) as builder:
        # In an order of their own, so that all sides begin with the same ones, by the real clock.
        builder.execute(
            "UPDATE campaigns_delivery SET expires_at = now() + interval '9 days',"
            " due_at = now() - interval '3 days' + make_interval(secs => member_id)"
        )
    scratch.settle(database)


def _plan(channel: str) -> None:
    variants = [
        {"interest": interest, "subject": "News, {{ member.given_name }}", "body": BODY}
        for interest in (world.INTEREST, None)
    ]
    files.load(
        {
            "code": f"news-{channel}",
            "name": "News",
            "audience": {"all": []},
            "entry": {"kind": "moment", "at": DUE.isoformat()},
            "expires_hours": 1_000,
            "steps": [{"channels": [channel], "variants": variants}],
        },
        now=world.NOW,
    )
    launching.launch(code=f"news-{channel}", by=None, now=world.NOW)
    campaign = Campaign.objects.get(code=f"news-{channel}")
    planning.plan(campaign_id=campaign.pk, now=world.NOW)
