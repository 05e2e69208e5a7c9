"""A sender dies at each point of a delivery in turn, and another takes over."""

import multiprocessing
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import Campaign, ContactCap, Delivery
from members import consents
from members.models import Member
from tests.benchmarks import crashes_senders as senders
from tests.benchmarks.crashes_senders import KINDS, POINTS, Kind, Trap
from tests.benchmarks.world import JOINED
from tests.processes import database

pytestmark = pytest.mark.django_db(transaction=True)

MEMBERS, BATCH = 30, 10


def crowd() -> None:
    members = Member.objects.bulk_create(
        Member(
            number=f"N{n}",
            email=f"m{n}@example.com",
            email_key=f"m{n}@example.com",
            zone="America/Denver",
            joined_at=JOINED,
        )
        for n in range(MEMBERS)
    )
    granted = consents.Decision("email", "marketing", "granted")
    consents.record_many([(m.pk, granted, JOINED) for m in members], source="test", now=JOINED)


def live(kind: Kind, account: Path, trap: Trap) -> int | None:
    """Send in a process of its own until nothing is left or the trap springs; its exit code."""
    name = database()
    connection.close()
    process = multiprocessing.get_context("fork").Process(
        target=senders.live,
        args=(name, account, kind, trap),
        kwargs={"limit": BATCH, "lease_s": 60},
    )
    process.start()
    process.join(60)
    return process.exitcode


@pytest.mark.parametrize("point", POINTS)
def test_sender_killed_at_any_point_loses_nothing_and_doubles_nothing(
    point: str, tmp_path: Path
) -> None:
    crowd()
    ContactCap.objects.update(is_active=False)
    campaigns: dict[Kind, Campaign] = {}
    for kind in KINDS:
        campaigns[kind] = senders.prepare(kind)
        account = tmp_path / kind.channel / kind.name
        account.parent.mkdir(exist_ok=True)

        assert live(kind, account, Trap(point, times=2)) == -signal.SIGKILL
        Delivery.objects.filter(leased_until__isnull=False).update(
            leased_until=timezone.now() - timedelta(days=1)
        )
        assert live(kind, account, Trap()) == 0

        found = senders.flaws(kind, campaigns[kind], account, members=MEMBERS, lives=1)
        assert found == [], kind.name
