"""A million members, five live campaigns: planned, arbitrated, gated, rendered and recorded.

One in a thousand members is hostile: a name that is a template, markup or a turn of direction, an
address that is none, a zone at the edge of the day. Two senders share the work, with a provider
that takes everything and does nothing. What counts is that it all adds up, that ten times the
members take about ten times as long, and that no process takes more than 400 MB: of a backend of
PostgreSQL, what is its own.
"""

import json
import multiprocessing
import resource
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from campaigns import arbitration, files, launching, planning, reporting, sending
from campaigns.channels import CARRIERS
from campaigns.channels.inbox import Inbox
from campaigns.models import Campaign, Delivery
from tests.benchmarks import scratch, world
from tests.benchmarks.null import Null
from tests.benchmarks.reports import Asked, Report

CAMPAIGNS, SENDERS = 5, 2
STAGES = ("plan", "arbitrate", "send")
MOST_GROWTH = 11
MOST_MB = 400
DUE = world.NOW + timedelta(minutes=5)
BODY = (
    "Hello {{ member.given_name }}, you have {{ member.points }} points."
    "{% if interest.name %} How about some {{ interest.name }}?{% endif %}\n\n"
    "[Come in](https://www.example.com/?from=news)"
)

type Work = Callable[[], dict[str, int]]


class NullInbox(Null):
    """The inbox keeps what it is given: a row is its provider's, and this one has none."""

    chunk = Inbox.chunk
    is_transactional = True


def run(asked: Asked) -> Report:
    members = asked.sized(1_000_000, quick=2_000)
    sizes = {"members": members, "campaigns": CAMPAIGNS, "senders": SENDERS}
    report = Report(sizes=sizes)
    few, many = (_once(report, size) for size in (members // 10, members))
    rate = many["send"]["claimed"] / many["send"]["seconds"]
    grown = {name: many[name]["seconds"] / few[name]["seconds"] for name in STAGES}
    peaks = {name: many[name]["peak_mb"] for name in STAGES}
    own = {name: many[name]["backend_mb"] for name in STAGES}
    report.told += [
        f"planned {many['plan']['deliveries']:,} deliveries in {many['plan']['seconds']:.1f} s",
        f"arbitrated in {many['arbitrate']['seconds']:.1f} s",
        (
            f"{many['send']['claimed']:,} claimed, gated and rendered, {many['send']['sent']:,}"
            f" sent, in {many['send']['seconds']:.1f} s: {rate:,.0f} messages a second"
        ),
        (
            f"at most {max(peaks.values()):.0f} MB in a process of ours,"
            f" {max(own.values()):.0f} MB of its own in a backend of PostgreSQL"
        ),
        (
            "ten times the members took so many times as long: "
            + ", ".join(f"{name} {times:.1f}" for name, times in grown.items())
            + f", target {MOST_GROWTH}: "
            + ("met" if max(grown.values()) <= MOST_GROWTH else "MISSED")
        ),
    ]
    report.facts |= {
        "stages": many, "of a tenth": few, "messages_a_second": round(rate, 1),
        "growth": {name: round(times, 2) for name, times in grown.items()},
    }  # fmt: skip
    for whose, found in (("ours", peaks), ("a backend of PostgreSQL's", own)):
        for name, peak_mb in found.items():
            if peak_mb > MOST_MB:
                report.flaws.append(f"to {name}, {whose} took {peak_mb:.0f} MB, not {MOST_MB}")
    return report


def _once(report: Report, members: int) -> dict[str, dict[str, float]]:
    """Plan, arbitrate and send for so many members: {stage: seconds, peak memory, counts}."""
    works: dict[str, list[Callable[[str], dict[str, int]]]] = {
        "plan": [_plan],
        "arbitrate": [_arbitrate],
        "send": [_send] * SENDERS,
    }
    found = {}
    with scratch.database("million") as database, tempfile.TemporaryDirectory() as folder:
        build(database, members)
        for name in STAGES:
            with _backends(database) as own_mb:
                crew = [partial(work, database) for work in works[name]]
                found[name] = _stage(Path(folder), name, crew)
            found[name]["backend_mb"] = round(own_mb[0], 1)
            scratch.settle(database)
        scratch.use(database)
        _check(report, members)
        connection.close()
    return found


def build(database: str, members: int) -> None:
    with scratch.connect(database) as builder:
        world.add_members(builder, members)
        world.open_accounts(builder)
        world.allow(builder, "email")
        world.add_hostile(builder)
        builder.execute(
            "INSERT INTO members_intereststatement (member_id, interest_id, level, stated_at)"
            " SELECT m.id, i.id, 0.9, m.joined_at FROM members_member m"
            " JOIN members_interest i ON i.slug = %s WHERE m.id %% 2 = 0",
            [world.INTEREST],
        )
    scratch.settle(database)
    scratch.use(database)
    for number in range(CAMPAIGNS):
        variants = [
            {"interest": interest, "subject": "News, {{ member.given_name }}", "body": BODY}
            for interest in (world.INTEREST, None)
        ]
        files.load(
            {
                "code": f"news-{number}",
                "name": f"News {number}",
                "audience": {"all": [{"condition": "joined_before", "days": 1}]},
                "entry": {"kind": "moment", "at": DUE.isoformat()},
                "expires_hours": 1_000,
                "holdout_percent": 10,
                "priority": 30 + 10 * number,
                "steps": [{"channels": ["email", "inbox"], "variants": variants}],
            },
            now=world.NOW,
        )
        launching.launch(code=f"news-{number}", by=None, now=world.NOW)
    connection.close()


def _plan(database: str) -> dict[str, int]:
    scratch.use(database)
    return {"deliveries": planning.plan_due(now=world.NOW).deliveries}


def _arbitrate(database: str) -> dict[str, int]:
    scratch.use(database)
    arbitration.arbitrate(now=DUE)
    return {}


def _send(database: str) -> dict[str, int]:
    scratch.use(database)
    carriers: dict[str, Any] = CARRIERS
    carriers |= {"email": Null, "inbox": NullInbox}
    claimed = sent = 0
    while True:
        batches = [sending.send_due(channel=channel, now=DUE) for channel in ("email", "inbox")]
        if not any(batch.claimed for batch in batches):
            break
        claimed += sum(batch.claimed for batch in batches)
        sent += sum(batch.sent for batch in batches)
    return {"claimed": claimed, "sent": sent}


def _stage(folder: Path, name: str, works: Sequence[Work]) -> dict[str, float]:
    """Each work in a process of its own; what they count in sum, how long, and the peak of one."""

    def live(work: Work, rank: int) -> None:
        told: dict[str, float] = {**work()}
        connection.close()
        told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        (folder / f"{name}-{rank}").write_text(json.dumps(told))

    context = multiprocessing.get_context("fork")
    crew = [context.Process(target=live, args=(work, rank)) for rank, work in enumerate(works)]
    before = time.perf_counter()
    for process in crew:
        process.start()
    for process in crew:
        process.join()
    seconds = time.perf_counter() - before
    if any(process.exitcode for process in crew):
        raise RuntimeError(f"To {name} ended with {[process.exitcode for process in crew]}.")
    told = [json.loads((folder / f"{name}-{rank}").read_text()) for rank in range(len(works))]
    total: Counter[str] = Counter()
    for each in told:
        total.update({key: each[key] for key in each if key != "peak_mb"})
    return {**total, "seconds": seconds, "peak_mb": max(each["peak_mb"] for each in told)}


def _check(report: Report, members: int) -> None:
    """Everybody ends as something, hostile or not."""
    reasons: Counter[str] = Counter()
    for campaign in Campaign.objects.order_by("code"):
        balance = reporting.balance(campaign)
        reasons.update(balance.reasons)
        if not balance.adds_up or balance.entered != members or balance.to_go:
            report.flaws.append(f"{campaign.code} does not add up: {balance}")
    report.told.append(
        f"of {members:,} members kept back: "
        + ", ".join(f"{reason} {many:,}" for reason, many in sorted(reasons.items()))
    )
    report.facts["reasons"] = dict(reasons)  # Of the last and largest.
    hostile = Delivery.objects.filter(member__labels__contains=[world.HOSTILE])
    if members >= 1_000 and not hostile.exists():
        report.flaws.append("nobody was hostile")


@contextmanager
def _backends(database: str) -> Iterator[list[float]]:
    """The most memory of its own that a backend on this database had at any look, in MB; 0 where
    PostgreSQL runs elsewhere."""
    most, over = [0.0], threading.Event()

    def watch() -> None:
        with scratch.connect(scratch.MAINTENANCE, autocommit=True) as reader:
            while not over.wait(0.2):
                rows = reader.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = %s", [database]
                ).fetchall()
                most[0] = max([most[0], *(_own_mb(pid) for (pid,) in rows)])

    watcher = threading.Thread(target=_quietly(watch), daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def _quietly(watch: Callable[[], None]) -> Callable[[], None]:
    def do() -> None:
        with suppress(psycopg.OperationalError):
            watch()

    return do


def _own_mb(pid: int) -> float:
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return 0.0
