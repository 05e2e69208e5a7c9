"""Calls under way: who takes them, who may be called, and a call that waits."""

from datetime import datetime, timedelta
from typing import Any

from campaigns import sending
from campaigns.models import Campaign, Desk, StaffTask
from members.models import Member, Store, User
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.staff import person


def desk(store: Store | None = None, seats: int = 10, **said: Any) -> Desk:
    """A desk that takes calls; without a store it is the call centre."""
    return Desk.objects.create(store=store, seats_per_day=seats, **said)


def callable_(**said: Any) -> Member:
    """A member who allows calls and e-mails."""
    return factories.member(**{"marketing": {"people": True, "email": True}, **said})


def campaign(code: str = "ring", *, at: datetime = DUE, **said: Any) -> Campaign:
    """A campaign of calls, planned."""
    entry = {"kind": "moment", "at": at.isoformat()}
    facts = {"channels": ("people",), "entry": entry, "now": at - timedelta(hours=1), **said}
    row = scenes.live(code, **facts)
    scenes.plan(row, now=at)
    return row


def send(now: datetime = DUE) -> int:
    return sending.send_due(channel="people", now=now).sent


def call(to: Member, code: str = "ring", *, at: datetime = DUE, **said: Any) -> StaffTask:
    """A call to this member alone that waits at a desk of theirs."""
    if not Desk.objects.filter(store=to.home_store).exists():
        desk(to.home_store)
    Member.objects.filter(pk=to.pk).update(labels=[code])
    alone = {"all": [{"condition": "labelled", "label": code}]}
    campaign(code, at=at, **{"audience": alone, **said})
    send(at)
    return StaffTask.objects.get(member=to, delivery__campaign__code=code)


def clerk(store: Store | None, role: str = "Clerk", **said: Any) -> User:
    """Somebody of the staff; without a store it takes another role to see anybody."""
    email = f"{role}{User.objects.count()}@cairn.example".replace(" ", "").lower()
    return person(role, email=email, store=store, **said)
