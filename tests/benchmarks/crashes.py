"""Senders and PostgreSQL killed at every point of a delivery: is each message sent, and sent once?

Senders die by SIGKILL where the matrix says, others from outside at random, and so does the
postmaster of a server of the run's own. Once with a provider that drops repeated keys, once with
plain SMTP, where a message in doubt stays unknown, once with the inbox. The usual fetch-send-mark
loop goes through the same: if it neither loses nor doubles anything, the run is void.
"""

import contextlib
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from django.db import connection

from campaigns import reporting
from config.postgres.cluster import Cluster
from tests.benchmarks import crashes_senders as senders
from tests.benchmarks import scratch, world
from tests.benchmarks.crashes_senders import POINTS, Kind, Trap
from tests.benchmarks.reports import Asked, Report

SENDERS = 3
OUTSIDE = "anywhere, from outside"
LEASE_S = 2
PAUSE_S = (0.05, 0.25)  # between two looks around
SERVER_LIVES_S = (4.0, 9.0)
PATIENCE_S = 900

type Sender = Callable[[Trap], None]


@dataclass(slots=True)
class Deaths:
    """Who died where, and how often everybody lost the server."""

    at: Counter[str] = field(default_factory=Counter)
    outages: int = 0
    seconds: float = 0

    @property
    def lives(self) -> int:
        """Calls that may have been cut off; an outage cuts off one of every sender."""
        return self.at.total() + self.outages * SENDERS


def run(asked: Asked) -> Report:
    messages = asked.sized(30_000, quick=300)
    limit = 100 if messages >= 5_000 else 8
    most = max(messages // 150, 2 * (len(POINTS) + 1))
    report = Report(sizes={"messages": messages, "senders": SENDERS})
    with scratch.server() as server, tempfile.TemporaryDirectory() as folder:
        for number, kind in enumerate(senders.KINDS):
            account = Path(folder) / str(number)
            with scratch.database(f"crashes{number}") as database:
                _one(kind, database, account, server, report, messages, limit=limit, most=most)
        with scratch.database("crashes_naive") as database:
            _control(database, Path(folder) / "naive", server, report, messages, limit=limit)
    return report


def _one(
    kind: Kind,
    database: str,
    account: Path,
    server: Cluster,
    report: Report,
    messages: int,
    *,
    limit: int,
    most: int,
) -> None:
    with scratch.connect(database) as builder:
        world.add_members(builder, messages)
        world.allow(builder, "email")
    scratch.use(database)
    campaign = senders.prepare(kind)
    connection.close()

    def sender(trap: Trap) -> None:
        senders.live(database, account, kind, trap, limit=limit, lease_s=LEASE_S)

    deaths = _rage(sender, server, POINTS, most=most)
    scratch.use(database)
    balance = reporting.balance(campaign)
    found = senders.flaws(kind, campaign, account, members=messages, lives=deaths.lives)
    connection.close()
    report.flaws += [f"{kind.name}: {flaw}" for flaw in found]
    took = senders.accepted(account)
    repeats = len(took) - len(set(took))
    report.told.append(
        f"{kind.name}: {balance.sent:,} sent, {balance.unknown} unknown, {repeats} repeats dropped,"
        f" {deaths.at.total()} senders and {deaths.outages} times PostgreSQL killed,"
        f" {messages / deaths.seconds:,.0f} a second"
    )
    report.facts[kind.name] = {
        "sent": balance.sent, "unknown": balance.unknown, "repeats": repeats,
        "outages": deaths.outages, "deaths": dict(deaths.at), "seconds": round(deaths.seconds, 1),
    }  # fmt: skip
    missing = [point for point in (*POINTS, OUTSIDE) if not deaths.at[point]]
    if missing or not deaths.outages:
        report.flaws.append(
            f"{kind.name}: the run is void: nobody died {missing or 'of PostgreSQL'}"
        )


def _control(
    database: str, account: Path, server: Cluster, report: Report, messages: int, *, limit: int
) -> None:
    with scratch.connect(database) as builder:
        senders.build_naive(builder, messages)
    deaths = _rage(
        lambda trap: senders.live_naive(database, account, trap, limit=limit),
        server,
        senders.NAIVE_POINTS,
        most=20,
    )
    times = Counter(member for _, member in senders.accepted(account))
    lost, doubled = messages - len(times), sum(1 for each in times.values() if each > 1)
    report.told.append(
        f"the control lost {lost:,} and doubled {doubled:,} with {deaths.at.total()} deaths"
    )
    report.facts["control"] = {"lost": lost, "doubled": doubled, "deaths": dict(deaths.at)}
    if not lost and not doubled:
        report.flaws.append("the run is void: the control neither lost nor doubled a message")


def _rage(sender: Sender, server: Cluster, points: Sequence[str], *, most: int) -> Deaths:
    """Let senders send until all is done, and die up to `most` times, at these points in turn and
    anywhere else; nobody is connected."""
    context = multiprocessing.get_context("fork")
    dice = random.Random()
    matrix = [*points, None]
    deaths, lives = Deaths(), 0
    traps: dict[int, str | None] = {}

    def begin(rank: int) -> BaseProcess:
        nonlocal lives
        traps[rank] = matrix[lives % len(matrix)] if deaths.at.total() < most else None
        lives += 1
        process = context.Process(target=sender, args=(Trap(traps[rank], dice.randint(1, 3)),))
        process.start()
        return process

    crew = [begin(rank) for rank in range(SENDERS)]
    began = time.monotonic()
    next_outage = began + dice.uniform(*SERVER_LIVES_S) / 8
    while any(process.exitcode != 0 for process in crew):
        if time.monotonic() > began + PATIENCE_S:
            for process in crew:
                process.kill()
            break
        time.sleep(dice.uniform(*PAUSE_S) if deaths.at.total() < most else 0.1)
        if time.monotonic() > next_outage and deaths.at.total() < most:
            _kill_server(server)
            deaths.outages += 1
            next_outage = time.monotonic() + dice.uniform(*SERVER_LIVES_S)
        for rank, process in enumerate(crew):
            is_free = traps[rank] is None and deaths.at.total() < most
            if process.is_alive() and is_free and dice.random() < 0.5:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGKILL)
                process.join()
            if process.exitcode is not None and process.exitcode != 0:
                deaths.at[traps[rank] or OUTSIDE] += 1
                crew[rank] = begin(rank)
    deaths.seconds = time.monotonic() - began
    return deaths


def _kill_server(server: Cluster) -> None:
    """SIGKILL the postmaster, as a power cut would, and bring it back."""
    postmaster = int((server.data_dir / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    server.ensure_running()
