"""Several processes that begin at one moment, and how long they take until all are done.

Connecting and the first few operations come before the moment: what is measured is a till that has
been open for a while.
"""

import multiprocessing
import time
from collections.abc import Callable

PATIENCE_S = 600

type Work = Callable[[], None]


def together(
    processes: int, prepare: Callable[[int], Work], *, patience_s: float = PATIENCE_S
) -> float:
    """Seconds that `processes` take for the work that `prepare(rank)` gives to each.

    Nobody may hold a database connection when this is called: the processes are forks.
    """
    context = multiprocessing.get_context("fork")
    begin, end = (context.Barrier(processes + 1, timeout=patience_s) for _ in range(2))

    def live(rank: int) -> None:
        try:
            work = prepare(rank)
            begin.wait()
            work()
            end.wait()
        except BaseException:
            begin.abort()
            end.abort()
            raise

    crew = [context.Process(target=live, args=(rank,)) for rank in range(processes)]
    for process in crew:
        process.start()
    begin.wait()
    before = time.perf_counter()
    end.wait()
    seconds = time.perf_counter() - before
    for process in crew:
        process.join()
    return seconds
