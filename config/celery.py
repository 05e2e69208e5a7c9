"""The clock: the Celery application and the whole beat schedule on one screen.

Tasks are pokes: the rows are the queue, so a lost or doubled message changes nothing.
"""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab

from config import folder_broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def every(seconds: float, task: str, *args: str) -> dict[str, Any]:
    """A task every so many seconds. A poke that waited for two rounds is dropped: the next one
    asks the same. (The database scheduler knows "expire_seconds"; "expires" it would lose.)"""
    options = {"expire_seconds": int(seconds * 2)}
    return {"task": task, "args": args, "schedule": seconds, "options": options}


def daily(hour: int, minute: int, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": crontab(hour=str(hour), minute=str(minute))}


# Beat ticks in UTC; our own code turns local times into instants.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "answer interactions": every(5, "campaigns.tasks.answer"),
    "plan campaigns": every(15, "campaigns.tasks.plan"),
    "move journeys on": every(15, "campaigns.tasks.advance"),
    "note arrivals": every(60, "campaigns.tasks.arrive"),
    "send inbox": every(5, "campaigns.tasks.send", "inbox"),
    "send push": every(5, "campaigns.tasks.send", "push"),
    "send email": every(5, "campaigns.tasks.send", "email"),
    "send sms": every(5, "campaigns.tasks.send", "sms"),
    "send people": every(5, "campaigns.tasks.send", "people"),
    "withdraw calls": every(15, "campaigns.tasks.withdraw"),
    "reap leases": every(15, "campaigns.tasks.reap"),
    "finish campaigns": every(60, "campaigns.tasks.finish"),
    "sweep points": every(300, "loyalty.tasks.sweep"),
    "tell webhooks": every(5, "members.tasks.announce"),
    "ask for confirmation": every(5, "members.tasks.confirm"),
    "locate addresses": every(60, "members.tasks.locate"),
    "learn from answers": daily(2, 11, "campaigns.tasks.learn"),
    "age points and tiers": daily(2, 43, "loyalty.tasks.sweep_nightly"),
    "audit the ledger": daily(3, 17, "loyalty.tasks.audit"),
    "forget announcements": daily(3, 51, "members.tasks.forget_announcements"),
    "forget sessions": daily(4, 5, "members.tasks.forget_sessions"),
}

folder_broker.install()
app = Celery("cairn")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = BEAT_SCHEDULE
app.autodiscover_tasks()
