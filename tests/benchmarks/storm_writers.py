"""The writers of the storm: what they ask for, and the journal in which they say so.

A line is written before each request and one after its answer, straight to the file: what a
killed writer had acknowledged is known. A request says all that is in it, so that asking again is
the same.
"""

import hashlib
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from config.errors import Refusal
from loyalty import baskets, purchases, returns, rewards
from loyalty.models import Reward
from members import idempotency
from members.models import Member
from tests.benchmarks import scratch, world

CALLER, OVER = "storm", "over"
MEMBERS = 24
STOCK, PER_MEMBER = 300, 12
REWARDS = {"mug": 30, "pin": 8}
SHARED_S = 0.05  # so long writers share one key
SHARED = 0.2  # so many requests carry one

type Request = dict[str, Any]


@dataclass(slots=True)
class Journal:
    """What the lives of one writer said: answers by key, and the request that has none yet."""

    requests: dict[str, Request] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: int = 0
    replays: int = 0
    open: Request | None = None
    contradictions: list[str] = field(default_factory=list)


def build() -> None:
    """The rewards they redeem: one with little stock, one with few for each member."""
    common = {"value": Decimal(5), "currency": "USD"}
    Reward.objects.create(slug="mug", name="Mug", points=REWARDS["mug"], stock=STOCK, **common)
    Reward.objects.create(
        slug="pin", name="Pin", points=REWARDS["pin"], per_member=PER_MEMBER, **common
    )


def live(database: str, folder: Path, rank: int, life: int) -> None:
    """Ask for one thing after another until the storm is over, or until killed."""
    scratch.use(database)
    path = folder / f"{rank}.journal"
    journal = _read(path)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    # Not an event of multiprocessing: who is killed while asking would keep its lock.
    over = folder / OVER
    dice = random.Random(f"{rank} {life}")
    request = journal.open
    number = 0
    while not over.exists():
        if request is None:
            number += 1
            request = _request(dice, f"{rank}-{life}-{number}", journal)
            _write(log, {"asks": request})
        answer = _answer(request)
        _write(log, {"key": request["key"], **answer})
        _note(journal, {"asks": request})
        _note(journal, {"key": request["key"], **answer})
        request = None


def finish(journals: list[Journal]) -> None:
    """Ask again what nobody has an answer to, as a client would."""
    for journal in journals:
        if journal.open is not None:
            key = journal.open["key"]
            _note(journal, {"key": key, **_answer(journal.open)})


def read(folder: Path) -> list[Journal]:
    return [_read(path) for path in sorted(folder.glob("*.journal"))]


def _read(path: Path) -> Journal:
    journal = Journal()
    if path.exists():
        for line in path.read_text().splitlines():
            _note(journal, json.loads(line))
    return journal


def _note(journal: Journal, said: dict[str, Any]) -> None:
    if "asks" in said:
        journal.open = said["asks"]
        journal.requests[said["asks"]["key"]] = said["asks"]
        return
    journal.open = None
    if "refused" in said:
        journal.refusals += 1
        return
    journal.replays += said["is_replayed"]
    before = journal.answers.setdefault(said["key"], said)
    if before["body"] != said["body"]:
        journal.contradictions.append(said["key"])


def _write(log: int, said: dict[str, Any]) -> None:
    os.write(log, (json.dumps(said) + "\n").encode())


def _request(dice: random.Random, key: str, journal: Journal) -> Request:
    """Something new, something everybody asks for now, or something asked for before."""
    chance = dice.random()
    if chance < SHARED:
        key = f"shared-{int(time.time() / SHARED_S)}"
        dice = random.Random(key)
    elif chance < SHARED + 0.1 and journal.answers:
        return journal.requests[dice.choice(list(journal.answers))]
    request: Request = {"key": key, "member": dice.randint(1, MEMBERS)}
    match dice.choices(["purchase", "redeem", "return"], weights=[5, 4, 2])[0]:
        case "redeem":
            return request | {"kind": "redeem", "reward": dice.choice(list(REWARDS))}
        case "return" if not key.startswith("shared"):
            bought = [k for k in journal.answers if journal.requests[k]["kind"] == "purchase"]
            if bought:
                return request | {"kind": "return", "of": dice.choice(bought)}
    return request | {
        "kind": "purchase",
        "quantity": dice.randint(1, 3),
        "price": dice.randint(3, 25),
    }


def _answer(request: Request) -> dict[str, Any]:
    said = json.dumps(request, sort_keys=True).encode()
    perform: Callable[[Request], tuple[int, dict[str, Any]]] = _PERFORM[request["kind"]]
    while True:
        try:
            answer = idempotency.once(
                caller=CALLER,
                key=request["key"],
                fingerprint=hashlib.sha256(said).hexdigest(),
                now=world.NOW,
                do=lambda: perform(request),
            )
        except Refusal as refusal:
            return {"refused": refusal.code}
        except (OperationalError, InterfaceError):
            # A lock that was not to be had, or no server: the whole again, under the same key.
            connection.close()
            time.sleep(0.02)
            continue
        return {
            "status": answer.status,
            "body": answer.body,
            "is_replayed": answer.is_replayed,
        }


def _buy(request: Request) -> tuple[int, dict[str, Any]]:
    receipt = purchases.record(
        baskets.Basket(
            reference=request["key"],
            member_id=request["member"],
            zone="UTC",
            occurred_at=world.NOW - timedelta(hours=1),
            channel="web",
            store=None,
            currency="USD",
            lines=(
                baskets.Line(
                    sku=world.SKU,
                    quantity=request["quantity"],
                    unit_price=Decimal(request["price"]),
                ),
            ),
        ),
        now=world.NOW,
    )
    return 201, {
        "purchase": receipt.purchase_id,
        "points": receipt.points,
        "balance": receipt.balance,
    }


def _redeem(request: Request) -> tuple[int, dict[str, Any]]:
    member = Member.objects.get(pk=request["member"])
    redeemed = rewards.redeem(member=member, slug=request["reward"], now=world.NOW)
    return 201, {"redemption": redeemed.redemption.pk, "balance": redeemed.balance}


def _give_back(request: Request) -> tuple[int, dict[str, Any]]:
    receipt = returns.record(
        purchase=returns.find_purchase(reference=request["of"]),
        reference=request["key"],
        lines=[returns.ReturnedLine(sku=world.SKU, quantity=1)],
        occurred_at=world.NOW,
        now=world.NOW,
    )
    return 201, {
        "taken": receipt.points_taken,
        "debt": receipt.debt,
        "balance": receipt.balance,
    }


_PERFORM = {"purchase": _buy, "redeem": _redeem, "return": _give_back}
