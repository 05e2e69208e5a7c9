"""20,000 requests made from the OpenAPI document: no 5xx, nothing undocumented, as described.

As a member and as an integrator, half of them as the document says and half as it forbids
(`tests/fuzz.py`). The seed is printed: the same one makes the same requests.
"""

import random

from django.db import connection, transaction

from config.celery import app
from tests import fuzz
from tests.benchmarks import scratch
from tests.benchmarks.reports import Asked, Report

SHOWN = 20


def run(asked: Asked) -> Report:
    cases = asked.sized(20_000, quick=200)
    seed = random.SystemRandom().randrange(10**6)
    # Nothing is committed, so nothing is nudged; should it be, nobody hears.
    app.conf.update(broker_url="memory://", broker_transport_options={})
    with scratch.database("fuzz") as database:
        scratch.use(database)
        with transaction.atomic():
            found = fuzz.run(cases=cases, first_seed=seed)
            transaction.set_rollback(True)
        connection.close()
    report = Report(sizes={"cases": found.cases, "operations": len(found.operations), "seed": seed})
    statuses = ", ".join(f"{status} {n:,}" for status, n in sorted(found.statuses.items()))
    report.told.append(f"answers: {statuses}; {len(found.problems)} problems")
    report.flaws += [f"{name}: {example}" for name, example in [*found.problems.items()][:SHOWN]]
    report.facts["answers"] = {str(status): n for status, n in sorted(found.statuses.items())}
    return report
