"""Tills and PostgreSQL killed again and again: is every answer kept, and every point accounted?

Writers buy, redeem and return through the rooms with idempotency keys, often two with one key, and
die by SIGKILL at random; each successor asks again what its predecessor had no answer to. The
postmaster of a server of the storm's own dies the same way. First of all usual read-check-save code
does the same to tables of its own: if it survives, the run is void.
"""

import contextlib
import multiprocessing
import os
import random
import signal
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from django.db import connection

from config.postgres.cluster import Cluster
from loyalty import auditing
from tests.benchmarks import scratch, storm_checks, storm_naive, storm_writers, world
from tests.benchmarks.reports import Asked, Report

WRITERS, NAIVE = 6, 4
LEAST_ANSWERS, LEAST_IF_QUICK = 150, 3
PAUSE_S = (0.1, 0.5)  # between two deaths
SERVER_LIVES_S = (3.0, 8.0)  # between two deaths of PostgreSQL
PATIENCE_S = 60


def run(asked: Asked) -> Report:
    seconds = asked.seconds or (6 if asked.is_quick else 60)
    report = Report(
        sizes={"writers": WRITERS, "members": storm_writers.MEMBERS, "seconds": seconds}
    )
    with (
        scratch.server() as server,
        scratch.database("storm") as database,
        tempfile.TemporaryDirectory() as folder,
    ):
        with scratch.connect(database) as builder:
            world.add_members(builder, storm_writers.MEMBERS)
            world.add_product(builder)
            storm_naive.build(builder)
        scratch.use(database)
        storm_writers.build()
        connection.close()
        before = time.monotonic()
        deaths, outages = _rage(Path(folder), database, server, seconds)
        lasted = time.monotonic() - before
        journals = storm_writers.read(Path(folder))
        scratch.use(database)
        storm_writers.finish(journals)
        report.flaws += storm_checks.flaws(journals)
        audit = auditing.audit()
        report.flaws += [f"audit: {each.check}: {each.detail}" for each in audit.findings]
        allowed, given = storm_naive.outcome()
        connection.close()
    answers = sum(len(journal.answers) for journal in journals)
    refusals = sum(journal.refusals for journal in journals)
    replays = sum(journal.replays for journal in journals)
    report.told += [
        (
            f"{answers:,} answers acknowledged ({answers / lasted:,.0f} a second), {refusals:,}"
            f" refusals, {replays:,} replays, {audit.entries:,} entries"
        ),
        (
            f"{deaths} writers and {outages} times PostgreSQL killed; {len(report.flaws)} answers"
            " lost or invariants broken"
        ),
        f"the control gave {given} rewards where {allowed} were allowed",
    ]
    report.facts["storm"] = {
        "answers": answers, "refusals": refusals, "replays": replays, "deaths": deaths,
        "outages": outages,
        "entries": audit.entries, "naive_allowed": allowed, "naive_given": given,
        "answers_a_second": round(answers / lasted, 1),
    }  # fmt: skip
    if given <= allowed:
        report.flaws.append("the run is void: the control did not fail")
    if not deaths or not outages or answers < (LEAST_IF_QUICK if asked.is_quick else LEAST_ANSWERS):
        report.flaws.append("the run is void: that was no storm")
    return report


def _rage(folder: Path, database: str, server: Cluster, seconds: float) -> tuple[int, int]:
    """Let writers write, and them and the server die; how often each did.

    Nobody is connected when this begins.
    """
    context = multiprocessing.get_context("fork")
    dice = random.Random()
    begin = context.Barrier(NAIVE, timeout=PATIENCE_S)

    def writer(rank: int, life: int) -> BaseProcess:
        process = context.Process(target=storm_writers.live, args=(database, folder, rank, life))
        process.start()
        return process

    naive = [context.Process(target=storm_naive.live, args=(database, begin)) for _ in range(NAIVE)]
    for process in naive:
        process.start()
    writers = [writer(rank, 0) for rank in range(WRITERS)]
    for each in naive:  # It must break by itself, not by an outage.
        each.join(PATIENCE_S)
    deaths = outages = 0
    end = time.monotonic() + seconds
    next_outage = time.monotonic() + dice.uniform(*SERVER_LIVES_S) / 2
    while time.monotonic() < end:
        time.sleep(dice.uniform(*PAUSE_S))
        if time.monotonic() > next_outage:
            _kill(server)
            outages += 1
            server.ensure_running()
            next_outage = time.monotonic() + dice.uniform(*SERVER_LIVES_S)
        rank = dice.randrange(WRITERS)
        with contextlib.suppress(ProcessLookupError):
            os.kill(writers[rank].pid or 0, signal.SIGKILL)
        writers[rank].join()
        deaths += writers[rank].exitcode == -signal.SIGKILL
        writers[rank] = writer(rank, deaths)
    (folder / storm_writers.OVER).touch()
    for last in writers:
        last.join(PATIENCE_S)
        if last.exitcode is None:
            last.kill()
            last.join()
    return deaths, outages


def _kill(server: Cluster) -> None:
    """SIGKILL the postmaster, as a power cut would; its children notice and go."""
    postmaster = int((server.data_dir / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
