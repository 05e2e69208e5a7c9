"""Tills that were offline: what happened there is told later, and nothing of it is lost.

A till names each event by an id of its own, which counts once per key (`till_event_once_per_key`):
told again, it is answered as before. Events are carried out in the order in which they happened,
each by itself. Earning always works, however late; what cannot be done any more (a voucher used
elsewhere) is a conflict: a row that waits for a person.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import transaction

from config.errors import Invalid, Refusal
from loyalty import (
    accounts,
    baskets,
    batches,
    guests,
    ledger,
    pooling,
    purchases,
    returns,
    tender,
    vouchers,
)
from loyalty.baskets import Basket
from loyalty.models import GuestReceipt, Purchase, TillEvent
from members import interactions
from members.models import ApiKey

Outcome = TillEvent.Outcome
MOST_EVENTS = 500
# Why a voucher or points do not pay; the goods are gone all the same.
NO_TENDER = (
    vouchers.VoucherRefused,
    vouchers.VoucherTooSmallABasket,
    vouchers.VoucherFitsNothing,
    tender.HoldNotValid,
    tender.PointsDoNotPay,
    tender.MoreThanThereIsToPay,
    ledger.InsufficientPoints,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsBack:
    """A return of the purchase of that reference."""

    purchase: str
    reference: str
    lines: tuple[returns.ReturnedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherUsed:
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a till says happened; `what` is a refusal where its words say nothing that can be.

    `member_id` is whom a purchase names, if known; `said` the words beside id, kind and moment.
    """

    id: UUID
    kind: str
    occurred_at: datetime
    what: Basket | GoodsBack | VoucherUsed | Refusal
    member_id: int | None = None
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of an event, as the till is told."""

    outcome: str
    answer: dict[str, Any] = field(default_factory=dict)
    problem: dict[str, Any] | None = None
    guest_receipt: GuestReceipt | None = None


def sync(*, key: ApiKey, till: str, events: Sequence[Event], now: datetime) -> list[Done]:
    """Carry out what is new; what became of each event, in the order given."""
    with transaction.atomic():
        # One sync of a key at a time: the same one sent twice finds the rows of the first.
        ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
        known = {
            row.event_id: _again(row)
            for row in TillEvent.objects.filter(
                key=key, event_id__in=[event.id for event in events]
            ).select_related("guest_receipt")
        }
        fresh: dict[UUID, Event] = {}
        for event in events:
            if event.id not in known:
                fresh.setdefault(event.id, _checked(event, now))
        ordered = sorted(fresh.values(), key=lambda event: event.occurred_at)
        accounts.lock(_members_of(ordered, key))
        done: dict[UUID, Done] = {}
        for is_plain, grouped in groupby(ordered, key=_is_plain):
            run = list(grouped)
            done |= _record_run(run, now) if is_plain else _each(run, key, now)
        TillEvent.objects.bulk_create(
            [_row(event, done[event.id], key=key, till=till, now=now) for event in ordered]
        )
    told: list[Done] = []
    for event in events:
        told.append(done.pop(event.id) if event.id in done else known[event.id])
        known[event.id] = _repeated(told[-1])
    return told


def _checked(event: Event, now: datetime) -> Event:
    try:
        if isinstance(event.what, Basket):
            baskets.check(event.what, now=now)
    except Invalid as refusal:
        return replace(event, what=refusal)
    return event


def _is_plain(event: Event) -> bool:
    return isinstance(event.what, Basket) and event.what.is_plain


def _members_of(events: Sequence[Event], key: ApiKey) -> list[int]:
    """Everybody whose account may be needed: they are locked before anything else."""
    wanted = {
        event.what.member_id
        for event in events
        if isinstance(event.what, Basket) and not event.what.is_guests
    }
    back = [event.what.purchase for event in events if isinstance(event.what, GoodsBack)]
    rows = Purchase.objects.filter(reference__in=back)
    if key.store:
        rows = rows.filter(origin=key.store.code)
    bought = [event.what for event in events if isinstance(event.what, Basket)]
    spenders = {basket.member_id for basket in bought if basket.points}
    return sorted(wanted | set(rows.values_list("member", flat=True)) | pooling.everybody(spenders))


def _record_run(run: Sequence[Event], now: datetime) -> dict[UUID, Done]:
    """Purchases that follow one another, in as many statements as one."""
    bought = [event.what for event in run if isinstance(event.what, Basket)]
    outcomes = batches.record_each(bought, now=now)
    pairs = zip(run, bought, outcomes, strict=True)
    return {event.id: _of_purchase(basket, outcome) for event, basket, outcome in pairs}


def _each(run: Sequence[Event], key: ApiKey, now: datetime) -> dict[UUID, Done]:
    done = {}
    for event in run:
        match event.what:
            case Basket() as basket:
                done[event.id] = _buy_discounted(basket, key, now)
            case GoodsBack() as back:
                done[event.id] = _bring_back(event, back, key, now)
            case VoucherUsed(code=code):
                done[event.id] = _use_voucher(event, code, key, now)
            case Refusal() as refusal:
                done[event.id] = _conflict(refusal)
    return done


def _buy_discounted(basket: Basket, key: ApiKey, now: datetime) -> Done:
    """The purchase happened: without a voucher or points that are not good any more it is recorded
    still."""
    outcome = batches.record_one(
        basket, now=now, held_by=key.prefix, redeemed_at=min(basket.occurred_at, now)
    )
    if isinstance(outcome, NO_TENDER):
        without = replace(basket, voucher_codes=(), points=0, hold="")
        return _conflict(outcome, _of_purchase(without, batches.record_one(without, now=now)))
    return _of_purchase(basket, outcome)


def _bring_back(event: Event, back: GoodsBack, key: ApiKey, now: datetime) -> Done:
    receipt = batches.tried(
        lambda: returns.take_back(
            purchase_reference=back.purchase,
            store_code=key.store.code if key.store else "",
            reference=back.reference,
            lines=back.lines,
            occurred_at=event.occurred_at,
            now=now,
        )
    )
    if isinstance(receipt, Refusal):
        return _conflict(receipt)
    answer = {
        "reference": back.reference,
        "points_taken": receipt.points_taken,
        "debt": receipt.debt,
        "balance": receipt.balance,
    }
    return Done(outcome=Outcome.RECORDED if receipt.is_new else Outcome.REPEATED, answer=answer)


def _use_voucher(event: Event, code: str, key: ApiKey, now: datetime) -> Done:
    def redeem() -> object:
        interactions.check_time(occurred_at=event.occurred_at, now=now)
        till = vouchers.AtTill(key.prefix, key.store.code if key.store else "")
        return vouchers.redeem(code=code, till=till, now=min(event.occurred_at, now))

    redeemed = batches.tried(redeem)
    return _conflict(redeemed) if isinstance(redeemed, Refusal) else Done(outcome=Outcome.RECORDED)


def _of_purchase(basket: Basket, outcome: batches.Outcome) -> Done:
    match outcome:
        case Refusal():
            return _conflict(outcome)
        case guests.Kept(receipt=receipt, is_new=is_new, points=points):
            until = receipt.claimable_until.isoformat()
            return Done(
                outcome=Outcome.RECORDED if is_new else Outcome.REPEATED,
                answer={
                    "reference": basket.reference,
                    "points": points,
                    "claimable_until": until,
                },
                guest_receipt=receipt,
            )
        case purchases.Receipt(is_new=is_new, awards=awards, points=points, balance=balance):
            return Done(
                outcome=Outcome.RECORDED if is_new else Outcome.REPEATED,
                answer={
                    "reference": basket.reference,
                    "awards": [asdict(award) for award in awards],
                    "points": points,
                    "balance": balance,
                },
            )


def _conflict(refusal: Refusal, still: Done | None = None) -> Done:
    """A conflict; `still` is what could be recorded all the same."""
    answer = still.answer if still else {}
    return Done(outcome=Outcome.CONFLICT, answer=answer, problem=refusal.in_brief())


def _again(row: TillEvent) -> Done:
    return _repeated(
        Done(
            outcome=row.outcome,
            answer=row.answer,
            problem=row.problem,
            guest_receipt=row.guest_receipt,
        )
    )


def _repeated(done: Done) -> Done:
    is_conflict = done.outcome == Outcome.CONFLICT
    return Done(
        outcome=done.outcome if is_conflict else Outcome.REPEATED,
        answer=done.answer,
        problem=done.problem,
        guest_receipt=done.guest_receipt,
    )


def _row(event: Event, done: Done, *, key: ApiKey, till: str, now: datetime) -> TillEvent:
    basket = event.what if isinstance(event.what, Basket) else None
    is_conflict = done.outcome == Outcome.CONFLICT
    return TillEvent(
        key=key,
        event_id=event.id,
        till=till,
        store=key.store or (basket.store if basket else None),
        member_id=event.member_id,
        kind=event.kind,
        occurred_at=event.occurred_at,
        received_at=now,
        outcome=done.outcome,
        answer=done.answer,
        guest_receipt=done.guest_receipt,
        problem=done.problem,
        said=_kept(event.said, is_known=event.member_id is not None) if is_conflict else None,
    )


def _kept(said: dict[str, Any], *, is_known: bool) -> dict[str, Any]:
    """A till's words without what must not lie about: codes, and who it was where the row knows."""
    kept = {name: value for name, value in said.items() if name != "member" or not is_known}
    if "@" in str(kept.get("member", "")):
        # Nobody's address that we know of: erasing could not find it here.
        kept["member"] = "an address of nobody's"
    if isinstance(kept.get("code"), str):
        kept["code"] = f"… {kept['code'][-4:]}"
    if isinstance(kept.get("vouchers"), list):
        kept["vouchers"] = [f"… {str(code)[-4:]}" for code in kept["vouchers"]]
    return kept
