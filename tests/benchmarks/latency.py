"""From an interaction that is recorded to the answer in the member's inbox, nothing else to do.

A worker, beat and a till, each in a process of its own: once with the till's nudges, once with a
broker that the till cannot reach, when the clock's next tick has to find it.
"""

import json
import tempfile
from pathlib import Path
from statistics import quantiles

from django.db import connection

from campaigns import files, launching
from tests import processes
from tests.benchmarks import scratch, world
from tests.benchmarks.reports import Asked, Report

MOST_S = 1.0
TICK_S = 5.0
PATIENCE_S = 900
# Each member views something once; the till then looks until the answer is there.
TILL = """
import json, random, time
import django
django.setup()
from django.conf import settings
from django.utils import timezone
from campaigns.models import InboxMessage
from config.nudging import nudge
from members import interactions
if {is_cut_off}:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1"
waits = []
for member in range({first}, {first} + {many}):
    time.sleep(random.uniform(0.1, 0.9))
    now = timezone.now()
    fact = interactions.Fact(member_id=member, kind="view", occurred_at=now, reference=str(member))
    interactions.record([fact], now=now)
    nudge("interactions")
    before = time.perf_counter()
    while not InboxMessage.objects.filter(member=member).exists():
        time.sleep(0.005)
    waits.append(time.perf_counter() - before)
told = Path({told!r})
told.with_suffix(".half").write_text(json.dumps(waits))
told.with_suffix(".half").rename(told)
"""
# The clock as it is set, not as fast as tests want it.
BEAT = """
from config.celery import app
app.start(["--quiet", "beat", "--loglevel=ERROR", "--pidfile="])
"""


def run(asked: Asked) -> Report:
    answers = asked.sized(200, quick=4)
    lost = max(answers // 10, 2)
    report = Report(sizes={"answers": answers, "with lost nudges": lost})
    with scratch.database("latency") as database, tempfile.TemporaryDirectory() as folder:
        _build(database, answers + lost)
        scratch.use(database)
        broker = Path(folder) / "broker"
        with (
            processes.running(processes.WORKER, broker=broker),
            processes.running(BEAT, broker=broker),
        ):
            _waits(Path(folder) / "warm", broker, first=1, many=1)
            nudged = _waits(Path(folder) / "nudged", broker, first=2, many=answers - 1)
            found = _waits(Path(folder) / "found", broker, first=answers + 1, many=lost, cut=True)
        connection.close()
    p50, p95 = _median_and_p95(nudged)
    met = "met" if p95 < MOST_S else "MISSED"
    report.told += [
        f"{p50:.2f} s in the median, {p95:.2f} s p95 of {len(nudged)}, target {MOST_S:g} s: {met}",
        f"with lost nudges {max(found):.1f} s at most of {len(found)}, two ticks: {2 * TICK_S:g} s",
    ]
    report.facts |= {
        "p50_s": round(p50, 3), "p95_s": round(p95, 3), "most_s": round(max(nudged), 3),
        "lost_most_s": round(max(found), 3),
    }  # fmt: skip
    if not asked.is_quick and max(found) > 2 * TICK_S:
        report.flaws.append(f"an answer took {max(found):.1f} s, more than two ticks")
    return report


def _waits(told: Path, broker: Path, *, first: int, many: int, cut: bool = False) -> list[float]:
    code = TILL.format(first=first, many=many, is_cut_off=cut, told=str(told))
    with processes.running(code, broker=broker):
        processes.wait_until(told.exists, seconds=PATIENCE_S, every=0.1)
    waits: list[float] = json.loads(told.read_text())
    return waits


def _median_and_p95(waits: list[float]) -> tuple[float, float]:
    cuts = quantiles(waits, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _build(database: str, members: int) -> None:
    with scratch.connect(database) as builder:
        world.add_members(builder, members)
    scratch.use(database)
    files.load(
        {
            "code": "seen",
            "name": "Seen",
            "purpose": "service",
            "audience": {"all": []},
            "entry": {"kind": "interaction", "interaction": "view"},
            "steps": [
                {
                    "channels": ["inbox"],
                    "variants": [{"interest": None, "subject": "Seen", "body": "We saw that."}],
                }
            ],
        },
        now=world.JOINED,
    )
    launching.launch(code="seen", by=None, now=world.JOINED)
    connection.close()
    scratch.settle(database)
