"""Fifty thousand random moves of the ledger against a plain model, and a fault that must be found.

One process a core, each on a database of its own, each walk from a seed that is printed: earn,
spend, cancel, take back, expire, lapse, ship, wait, qualify (`tests/loyalty/ledger_machine.py`).
Then the same moves with a ledger that forgets to collect debts: unless that is found, the run is
void.
"""

import json
import os
import random
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from django.db import connection, transaction

from loyalty import ledger
from tests.benchmarks import crews, scratch
from tests.benchmarks.reports import Asked, Report
from tests.loyalty import ledger_machine

WALKS, STEPS = 10, 50  # of one seed
FAULTY_SEEDS = 20
PATIENCE_S = 3 * 60 * 60  # Nothing is measured: a busy machine takes its time.


def run(asked: Asked) -> Report:
    moves = asked.sized(50_000, quick=300)
    processes = os.cpu_count() or 1
    first = random.SystemRandom().randrange(10**9)
    report = Report(sizes={"moves": moves, "processes": processes, "first seed": first})
    with scratch.database("machine") as seed, tempfile.TemporaryDirectory() as folder:
        before = time.monotonic()
        _walk(seed, Path(folder), processes, moves=moves, first=first)
        seconds = time.monotonic() - before
        told = [json.loads(path.read_text()) for path in sorted(Path(folder).iterdir())]
        fault = _plant(seed, first)
    made = sum(each["moves"] for each in told)
    seeds = sum(each["seeds"] for each in told)
    report.flaws += [each["difference"] for each in told if each["difference"]]
    if made < moves and not report.flaws:
        report.flaws.append(f"only {made} moves were made")
    if not fault:
        report.flaws.append("a ledger without debts was not found out: the run is void")
    report.told += [
        (
            f"{made:,} moves from {seeds} seeds ({first} and on, in turn to the processes),"
            f" {made / seconds:,.0f} a second, {len(report.flaws)} differences"
        ),
        f"the planted fault (debts are not collected) was found: {fault or 'NO'}",
    ]
    report.facts["machine"] = {"moves": made, "first_seed": first, "seeds": seeds}
    return report


def _walk(database: str, folder: Path, processes: int, *, moves: int, first: int) -> None:
    copies = [f"{database}_{rank}" for rank in range(processes)]
    for copy in copies:
        scratch.make(copy, of=database)

    def prepare(rank: int) -> crews.Work:
        def work() -> None:
            scratch.use(copies[rank])
            made = seeds = 0
            difference = ""
            while made < -(-moves // processes) and not difference:
                seed = first + seeds * processes + rank
                walked, difference = _walk_once(seed)
                made, seeds = made + walked, seeds + 1
            said = {"moves": made, "seeds": seeds, "difference": difference}
            (folder / str(rank)).write_text(json.dumps(said))
            connection.close()

        return work

    connection.close()
    try:
        crews.together(processes, prepare, patience_s=PATIENCE_S)
    finally:
        for copy in copies:
            scratch.drop(copy)


def _walk_once(seed: int, *, shrinks: bool = True) -> tuple[int, str]:
    """(moves made, the difference found) of one seed; nothing is kept."""
    before = ledger_machine.Ledger.moves
    difference = ""
    with transaction.atomic():
        try:
            ledger_machine.run(examples=WALKS, steps=STEPS, seed=seed, shrinks=shrinks)
        except Exception as found:  # noqa: BLE001 - whatever went wrong is what we are looking for
            last = traceback.extract_tb(found.__traceback__)[-1]
            said = " ".join(str(found).split())[:200]
            difference = f"seed {seed}: {type(found).__name__} in {last.name}: {said}"
        transaction.set_rollback(True)
    return ledger_machine.Ledger.moves - before, difference


def _plant(database: str, first: int) -> str:
    """Walk with a ledger that forgets debts; what was found."""
    scratch.use(database)
    usual: Callable[..., None] = ledger.Book._pay_debt
    ledger.Book._pay_debt = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        for seed in range(first, first + FAULTY_SEEDS):
            _, difference = _walk_once(seed, shrinks=False)
            if "AssertionError" in difference:
                return difference
    finally:
        ledger.Book._pay_debt = usual  # type: ignore[method-assign]
        connection.close()
    return ""
