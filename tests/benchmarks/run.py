"""`make bench`: each benchmark beside its limit, in one run (`shared/performance.md` says why).

    .venv/bin/python -m tests.benchmarks.run [--only earn --only plan] [--quick] [--size N]

Prints rates and ratios and keeps them in `benchmarks.json`. Ends with 1 where two sides did not
do the same work or a promise was broken; a missed target is told, and is no failure.
"""

import argparse
import importlib
import logging
import os
import sys
import time
from pathlib import Path
from typing import Protocol

import django
import structlog

from config import embedded
from tests.benchmarks import reports, scratch
from tests.benchmarks.reports import Asked, Report
from tests.benchmarks.sameness import NotTheSameWork

# name: the module that runs it
BENCHMARKS = {
    "earn": "earn",
    "bulk": "bulk",
    "plan": "plan",
    "arbitrate": "arbitrate",
    "rows": "rows",
    "load": "load_purchases",
    "replay": "replay",
    "send": "send",
    "latency": "latency",
    "million": "million",
    "audit": "audit",
    "machine": "machine",
    "races": "races_faults",
    "storm": "storm",
    "crashes": "crashes",
    "checkins": "checkins",
    "http": "http",
    "places": "place_lookup",
    "fuzz": "fuzz",
}


class Benchmark(Protocol):
    """What each of those modules is."""

    __doc__: str | None

    def run(self, asked: Asked) -> Report: ...


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="may repeat")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it still run?")
    parser.add_argument("--size", type=int, help="members, purchases, deliveries or entries")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="how long a storm lasts")
    parser.add_argument("--output", type=Path, help="usually benchmarks.json; not with --quick")
    options = parser.parse_args()
    asked = Asked(
        is_quick=options.quick, size=options.size, rounds=options.rounds, seconds=options.seconds
    )
    output = options.output
    if output is None and not asked.is_quick:
        output = scratch.CHECKOUT / "benchmarks.json"
    prepare()
    if asked.is_quick:
        scratch.hurry()
    is_sound = True
    for name in options.only or BENCHMARKS:
        is_sound &= _one(name, asked, output)
    return 0 if is_sound else 1


def prepare() -> None:
    """Django, without its words on everything that happens."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    embedded.ensure_running()
    django.setup()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _one(name: str, asked: Asked, output: Path | None) -> bool:
    benchmark: Benchmark = importlib.import_module(f"tests.benchmarks.{BENCHMARKS[name]}")
    print(f"{name}: {(benchmark.__doc__ or '').partition('\n')[0]}", flush=True)
    circumstances = reports.circumstances()
    before = time.monotonic()
    try:
        report = benchmark.run(asked)
    except NotTheSameWork as difference:
        print(f"  FAILED, not the same work: {difference}\n", flush=True)
        return False
    print("\n".join(report.lines()))
    print(f"  ({time.monotonic() - before:.0f} s)\n", flush=True)
    if output is not None:
        reports.keep(output, name, circumstances | report.document())
    return not report.flaws


if __name__ == "__main__":
    sys.exit(main())
