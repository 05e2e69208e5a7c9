"""Senders that die where they are told to, and a provider whose account outlives them.

The provider is a file beside the database: what it took in is appended and written through before
the call returns. Its lines say the key of a message and whom it went to.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from campaigns import files, launching, planning, reporting, sending, settling
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Outcome, Result
from campaigns.channels.inbox import Inbox
from campaigns.models import Campaign, Delivery, InboxMessage
from campaigns.rendering import Message
from tests.benchmarks import scratch, world

DUE = world.NOW + timedelta(minutes=5)
POINTS = (
    "before the claim", "after the claim", "after the attempt is written", "before the provider",
    "after the provider", "after recording",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way to send: the channel, and what its provider promises."""

    name: str
    channel: str
    chunk: int
    resends_in_doubt: bool


KINDS = (
    Kind(name="keyed provider", channel="email", chunk=20, resends_in_doubt=True),
    Kind(name="plain SMTP", channel="email", chunk=10, resends_in_doubt=False),
    Kind(name="inbox", channel="inbox", chunk=500, resends_in_doubt=True),
)


@dataclass(slots=True)
class Trap:
    """Kills its process the moment it has reached a point so many times."""

    point: str | None = None
    times: int = 1

    def reach(self, point: str) -> None:
        if point == self.point:
            self.times -= 1
            if not self.times:
                os.kill(os.getpid(), signal.SIGKILL)


class Provider:
    """Takes every message in, one after the other; dropping repeated keys is left to `accepted`."""

    is_transactional = False

    def __init__(self, account: Path, kind: Kind, trap: Trap) -> None:
        self._account, self._trap = account, trap
        self.chunk, self.resends_in_doubt = kind.chunk, kind.resends_in_doubt
        self._file = -1

    def open(self) -> None:
        self._file = os.open(self._account, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def close(self) -> None:
        os.close(self._file)

    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        self._trap.reach("before the provider")
        for message in messages:
            line = f"delivery-{message.delivery.pk} {message.member.pk}\n"
            os.write(self._file, line.encode())
        os.fsync(self._file)
        self._trap.reach("after the provider")
        return [Outcome(message, Result.SENT) for message in messages]


class TrappedInbox(Inbox):
    def __init__(self, trap: Trap) -> None:
        self._trap = trap

    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        self._trap.reach("before the provider")
        outcomes = super().send(messages, now=now)
        self._trap.reach("after the provider")
        return outcomes


def prepare(kind: Kind) -> Campaign:
    """A campaign to everybody in the database, planned and due."""
    code = kind.name.lower().replace(" ", "-")
    variant = {"interest": None, "subject": "Hi", "body": "Hello {{ member.given_name }}"}
    files.load(
        {
            "code": code,
            "name": kind.name,
            "audience": {"all": []},
            "entry": {"kind": "moment", "at": DUE.isoformat()},
            "steps": [{"channels": [kind.channel], "variants": [variant]}],
        },
        now=world.NOW,
    )
    campaign = launching.launch(code=code, by=None, now=world.NOW)
    planning.plan(campaign_id=campaign.pk, now=world.NOW)
    return campaign


def live(database: str, account: Path, kind: Kind, trap: Trap, *, limit: int, lease_s: int) -> None:
    """Reap and send until nothing is left, or until killed; an outage is waited for."""
    scratch.use(database)
    settings.DELIVERY_LEASE_SECONDS = lease_s
    set_trap(account, kind, trap)
    while True:
        try:
            sending.reap()
            sent = sending.send_due(channel=kind.channel, now=DUE, limit=limit)
            if not sent.claimed:
                if not Delivery.objects.filter(state__in=Delivery.OPEN).exists():
                    break
                time.sleep(0.05)
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.05)
    connection.close()


def set_trap(account: Path, kind: Kind, trap: Trap) -> None:
    """Wrap what this process sends with; nothing in the programme knows of it."""
    carriers: dict[str, Any] = CARRIERS
    carriers[kind.channel] = (
        (lambda: TrappedInbox(trap))
        if kind.channel == "inbox"
        else (lambda: Provider(account, kind, trap))
    )
    claim, advance, settle = sending.claim, settling.advance, settling.settle

    def trapped_claim(**asked: Any) -> list[Delivery]:
        trap.reach("before the claim")
        batch = claim(**asked)
        if batch:
            trap.reach("after the claim")
        return batch

    def trapped_advance(sent: Sequence[int], chunk: Sequence[Message]) -> set[int]:
        ours = advance(sent, chunk)
        trap.reach("after the attempt is written")
        return ours

    def trapped_settle(
        ids: Sequence[int], lease: int | None, *, state: str, **fields: object
    ) -> None:
        settle(ids, lease, state=state, **fields)
        if ids and state == Delivery.State.SENT:
            trap.reach("after recording")

    sending.claim = trapped_claim
    settling.advance = trapped_advance
    settling.settle = trapped_settle


def accepted(account: Path) -> list[tuple[str, int]]:
    """(key, member) of everything the provider took in, in order."""
    lines = account.read_text().splitlines() if account.exists() else []
    return [(key, int(member)) for key, member in (line.split() for line in lines)]


def flaws(kind: Kind, campaign: Campaign, account: Path, *, members: int, lives: int) -> list[str]:
    """Every message that is lost, doubled, or not accounted for; `lives`: how many were cut off."""
    found = []
    balance = reporting.balance(campaign)
    if not balance.adds_up or balance.entered != members or balance.to_go:
        found.append(f"of {members} entered the balance says {balance}")
    if balance.sent + balance.unknown != members:
        found.append(f"{balance.sent} sent and {balance.unknown} unknown are not {members}")
    if kind.channel == "inbox":
        took = Counter(InboxMessage.objects.values_list("member_id", flat=True))
    elif kind.resends_in_doubt:  # Whoever repeats a key is told that all is well.
        took = Counter(member for _, member in set(accepted(account)))
    else:
        took = Counter(member for _, member in accepted(account))
    if doubled := sum(1 for times in took.values() if times > 1):
        found.append(f"{doubled} members were sent two")
    rows = Delivery.objects.filter(campaign=campaign)
    sent = set(rows.filter(state=Delivery.State.SENT).values_list("member_id", flat=True))
    if lost := len(sent - took.keys()):
        found.append(f"{lost} that count as sent were never taken in")
    unknown = set(rows.filter(state=Delivery.State.UNKNOWN).values_list("member_id", flat=True))
    if stray := len(took.keys() - sent - unknown):
        found.append(f"{stray} were taken in and count as something else")
    most = 0 if kind.resends_in_doubt else lives * kind.chunk
    if balance.unknown > most:
        found.append(f"{balance.unknown} are unknown, not at most {most}")
    return found


# --- The control ----------------------------------------------------------------------------------
NAIVE_POINTS = ("after the provider", "before the claim", "after the claim", "after recording")


def build_naive(to: psycopg.Connection[Any], messages: int) -> None:
    to.execute("CREATE TABLE naive_message (id int PRIMARY KEY, is_sent bool NOT NULL)")
    to.execute(
        "INSERT INTO naive_message SELECT g, false FROM generate_series(1, %s) g", [messages]
    )


def live_naive(database: str, account: Path, trap: Trap, *, limit: int) -> None:
    """Fetch, send, mark: the loop that everybody writes first."""
    while True:
        try:
            with (
                scratch.connect(database, autocommit=True) as hand,
                account.open("a", buffering=1) as file,
            ):
                while batch := _naive_batch(hand, limit, trap):
                    for message in batch:
                        file.write(f"naive-{message} {message}\n")
                        os.fsync(file.fileno())
                    trap.reach("after the provider")
                    hand.execute(
                        "UPDATE naive_message SET is_sent = true WHERE id = ANY(%s)", [batch]
                    )
                    trap.reach("after recording")
                return
        except psycopg.OperationalError:
            time.sleep(0.05)


def _naive_batch(hand: psycopg.Connection[Any], limit: int, trap: Trap) -> list[int]:
    trap.reach("before the claim")
    rows = hand.execute(
        "SELECT id FROM naive_message WHERE NOT is_sent ORDER BY id LIMIT %s", [limit]
    ).fetchall()
    trap.reach("after the claim")
    return [row[0] for row in rows]
