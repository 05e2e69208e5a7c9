"""A poke for the workers, so that a member waits milliseconds and not for the next tick.

Nothing depends on it: the rows are the queue, and the clock asks for them anyway. So a nudge goes
out after the commit, never raises and never blocks for long.
"""

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger(__name__)

# What happened -> the task that looks. By name, so that no floor imports another's doors.
TASKS = {
    "interactions": "campaigns.tasks.answer",
    "campaigns": "campaigns.tasks.plan",
    "seats": "loyalty.tasks.sweep",
    "webhooks": "members.tasks.announce",
}


def nudge(what: str) -> None:
    """After the current transaction, tell a worker that there is something to look at."""
    transaction.on_commit(lambda: _send(TASKS[what]), robust=True)


def _send(task: str) -> None:
    try:
        current_app.send_task(task, retry=False, expires=60)
    except Exception as error:  # noqa: BLE001 - any broker, any error: the clock will look
        log.warning("nudge_lost", task=task, why=str(error))
