"""Points move here and nowhere else.

A book is opened for the members of one operation: their accounts are locked in ascending order,
movements are worked out in memory, and closing the book writes entries, lots, uses and accounts in
one statement. Guarantees: a balance is never negative, the chain of entries has no gap, points are
spent soonest-expiring first, and what cannot be taken back becomes a debt that later credits pay.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction

from config.errors import Refusal
from loyalty import accounts, ledger_rows
from loyalty.ledger_rows import EntryRow, LotRow, TakenLot, UseRow
from loyalty.models import Entry, Lot, PointsPolicy
from loyalty.pages import Pages, latest_first


class InsufficientPoints(Refusal):
    """The member cannot spend that many; `extra` tells how many there are."""

    code = "insufficient_points"
    status = 409


@dataclass(frozen=True, slots=True)
class Taken:
    """What a return took: available or pending points, and what is owed instead."""

    points: int
    debt: int


class Book(Pages):
    """The verbs of the ledger on the open accounts of one operation. Use `open_book`."""

    def earn(
        self,
        *,
        member_id: int,
        points: int,
        at: datetime,
        award_id: int | None = None,
        available_at: datetime | None = None,
        awaits_shipment: bool = False,
        expires_at: datetime | None = None,
        kind: str = Entry.Kind.EARNED,
        actor_id: int | None = None,
        why: str = "",
    ) -> EntryRow:
        """Credit points as a new lot, pending until `available_at` or until the goods are shipped;
        a debt is paid first."""
        is_pending = awaits_shipment or (available_at is not None and available_at > self.now)
        entry = self._write(
            member_id,
            kind,
            at,
            amount=0 if is_pending else points,
            pending=points if is_pending else 0,
            award_id=award_id,
            actor_id=actor_id,
            why=why,
        )
        lot = LotRow(
            account_id=member_id,
            origin=entry.version,
            award_id=award_id,
            amount=points,
            remaining=points,
            is_pending=is_pending,
            available_at=None if awaits_shipment else available_at or at,
            expires_at=expires_at,
        )
        self._lots.setdefault(member_id, []).append(lot)
        if not is_pending:
            self._pay_debt(member_id, [lot], at)
        return entry

    def spendable(self, member_id: int) -> int:
        """The points that `spend` would find."""
        return sum(lot.remaining for lot in self._spendable(member_id))

    def spend(
        self, *, member_id: int, points: int, at: datetime, why: str, actor_id: int | None = None
    ) -> EntryRow:
        """Take points, soonest-expiring first; `InsufficientPoints` when there are too few."""
        lots = self._spendable(member_id)
        spendable = sum(lot.remaining for lot in lots)
        if points > spendable:
            raise InsufficientPoints(
                f"This costs {points} points; {spendable} can be spent.", spendable=spendable
            )
        entry = self._write(
            member_id, Entry.Kind.SPENT, at, amount=-points, actor_id=actor_id, why=why
        )
        self._take(entry, lots, points)
        return entry

    def take_back(
        self, *, member_id: int, points: int, award_id: int, at: datetime, why: str
    ) -> Taken:
        """Take back what an award gave: from its own lot, then others, the rest as debt.

        Points of that lot which expired in the meantime are gone already and not taken twice.
        """
        own = [lot for lot in self._lots.get(member_id, []) if lot.award_id == award_id]
        pending = [lot for lot in own if lot.is_pending]
        from_pending = min(points, sum(lot.remaining for lot in pending))
        ready = [lot for lot in own if not lot.is_pending and lot.remaining]
        from_own = min(points - from_pending, sum(lot.remaining for lot in ready))
        left = points - from_pending - from_own
        if left:
            left -= min(left, ledger_rows.lapsed_of(award_id))
        others = [lot for lot in self._spendable(member_id) if lot.award_id != award_id]
        from_others = min(left, sum(lot.remaining for lot in others))
        debt = left - from_others
        if not from_pending + from_own + from_others + debt:
            return Taken(0, 0)
        entry = self._write(
            member_id,
            Entry.Kind.RETURNED,
            at,
            amount=-(from_own + from_others),
            pending=-from_pending,
            debt=debt,
            award_id=award_id,
            why=why,
        )
        self._take(entry, pending, from_pending)
        self._take(entry, ready, from_own)
        self._take(entry, others, from_others)
        return Taken(from_pending + from_own + from_others, debt)

    def mature(self, *, member_id: int) -> None:
        """Make the pending lots whose day has come available."""
        for lot in self._lots.get(member_id, []):
            if lot.is_pending and lot.available_at and lot.available_at <= self.now:
                if lot.remaining:
                    self._write(
                        member_id,
                        Entry.Kind.MATURED,
                        lot.available_at,
                        amount=lot.remaining,
                        pending=-lot.remaining,
                        award_id=lot.award_id,
                    )
                lot.is_pending, lot.is_changed = False, True
                self._pay_debt(member_id, [lot], self.now)

    def expire(self, *, member_id: int) -> int:
        """Remove what is past its date; returns the points that expired."""
        lots = [
            lot
            for lot in self._lots.get(member_id, [])
            if not lot.is_pending and lot.remaining and lot.expires_before(self.now)
        ]
        return self._expire(member_id, lots, why="")

    def lapse(self, *, member_id: int, why: str = "inactive") -> int:
        """Remove every available point of a member who was away too long; returns how many."""
        return self._expire(member_id, self._ready(member_id), why=why)

    def _expire(self, member_id: int, lots: list[LotRow], *, why: str) -> int:
        points = sum(lot.remaining for lot in lots)
        if points:
            entry = self._write(member_id, Entry.Kind.EXPIRED, self.now, amount=-points, why=why)
            self._take(entry, lots, points)
        return points

    def ship(self, *, award_ids: Collection[int], shipped_at: datetime, days: int) -> None:
        """Let points that waited for the goods wait for `days` from now on instead."""
        for lots in self._lots.values():
            for lot in lots:
                if lot.award_id in award_ids and lot.is_pending and lot.available_at is None:
                    lot.available_at = shipped_at + timedelta(days=days)
                    lot.is_changed = True

    def restore(self, *, member_id: int, spent: Entry, why: str, points: int | None = None) -> int:
        """Put points of a cancelled spend back into the lots they came from: all that are not
        back yet, or so many of them, latest-expiring first. Returns how many.

        A lot that expired meanwhile gets the policy's grace period. Where the spend was of an
        account that was merged since (open both), the points go on to the member. Giving back
        twice for one reason is refused by the database (`entry_reversed_once_for_each_reason`).
        """
        taken = ledger_rows.still_taken(entry_id=spent.pk)
        back = latest_first(taken, sum(taken.values()) if points is None else points)
        total = sum(back.values())
        if not total:
            return 0
        owner_id = spent.account_id
        entry = self._write(
            owner_id, Entry.Kind.RESTORED, self.now, amount=total, reverses_id=spent.pk, why=why
        )
        refilled = self._refill(entry, back)
        if owner_id == member_id:
            self._pay_debt(member_id, refilled, self.now)
            return total
        for lot, amount in zip(refilled, back.values(), strict=True):
            self._move(lot, amount, taker_id=member_id, why=why)
        self._pay_debt(member_id, self._ready(member_id), self.now)
        return total

    def _refill(self, entry: EntryRow, back: Mapping[TakenLot, int]) -> list[LotRow]:
        known = {lot.id: lot for lot in self._lots.get(entry.account_id, [])}
        closed = Lot.objects.in_bulk([lot.pk for lot in back if lot.pk not in known])
        grace = timedelta(days=PointsPolicy.objects.get().grace_days)
        refilled = []
        for row, amount in back.items():
            lot = known.get(row.pk)
            if lot is None:
                lot = LotRow.read(closed[row.pk])
                self._lots.setdefault(entry.account_id, []).append(lot)
            lot.remaining += amount
            lot.is_changed = True
            if lot.expires_before(self.now):
                lot.expires_at = self.now + grace
            self._uses.append(UseRow(entry=entry, lot=lot, amount=-amount))
            refilled.append(lot)
        return refilled

    def transfer(self, *, giver_id: int, taker_id: int, points: int | None = None, why: str) -> int:
        """Move points between two accounts of this book, soonest-expiring first, with their
        expiry and award; returns how many. Without `points` everything goes: the pending ones and
        the debt too."""
        is_all = points is None
        lots = self._spendable(giver_id)
        if is_all:
            lots = [lot for lot in self._lots.get(giver_id, []) if lot.remaining]
        left = sum(lot.remaining for lot in lots) if points is None else points
        moved = 0
        for lot in lots:
            amount = min(left - moved, lot.remaining)
            if amount:
                self._move(lot, amount, taker_id=taker_id, why=why)
                moved += amount
        if is_all:
            self._shift_debt(giver_id, taker_id, self.accounts[giver_id].debt, why)
        self._pay_debt(taker_id, self._ready(taker_id), self.now)
        return moved

    def undo_transfer(
        self, *, giver_id: int, taker_id: int, came_as: str, debt: int, why: str
    ) -> None:
        """Move back what is left of the lots that came with `why` = `came_as`, and as much debt as
        is still owed; what was spent in the meantime stays spent."""
        came = Lot.objects.filter(
            account_id=giver_id,
            remaining__gt=0,
            entry__kind=Entry.Kind.TRANSFERRED,
            entry__why=came_as,
        )
        ids = set(came.values_list("pk", flat=True))
        for lot in self._lots.get(giver_id, []):
            if lot.id in ids:
                self._move(lot, lot.remaining, taker_id=taker_id, why=why)
        self._shift_debt(giver_id, taker_id, min(debt, self.accounts[giver_id].debt), why)
        self._pay_debt(taker_id, self._ready(taker_id), self.now)

    def _shift_debt(self, giver_id: int, taker_id: int, points: int, why: str) -> None:
        if points:
            kind = Entry.Kind.TRANSFERRED
            self._write(giver_id, kind, self.now, amount=0, debt=-points, why=why)
            self._write(taker_id, kind, self.now, amount=0, debt=points, why=why)

    def _ready(self, member_id: int) -> list[LotRow]:
        return [lot for lot in self._lots.get(member_id, []) if not lot.is_pending]

    def _move(self, lot: LotRow, amount: int, *, taker_id: int, why: str) -> None:
        available, pending = (0, amount) if lot.is_pending else (amount, 0)
        kind, award_id = Entry.Kind.TRANSFERRED, lot.award_id
        out = self._write(
            lot.account_id,
            kind,
            self.now,
            amount=-available,
            pending=-pending,
            award_id=award_id,
            why=why,
        )
        self._take(out, [lot], amount)
        came = self._write(
            taker_id,
            kind,
            self.now,
            amount=available,
            pending=pending,
            award_id=award_id,
            why=why,
        )
        moved = replace(
            lot,
            id=None,
            account_id=taker_id,
            origin=came.version,
            amount=amount,
            remaining=amount,
            is_changed=False,
        )
        self._lots.setdefault(taker_id, []).append(moved)


@contextmanager
def open_book(
    member_ids: Iterable[int], *, now: datetime, with_lots: bool = False
) -> Iterator[Book]:
    """Lock the accounts of these members, ascending, and write what happened on leaving.

    An exception inside writes nothing. `with_lots` loads the open lots: needed by everything but
    `earn` on an account without debt.
    """
    ids = sorted(set(member_ids))
    with transaction.atomic(savepoint=False):
        locked = accounts.lock(ids)
        lots: dict[int, list[LotRow]] = {}
        if with_lots:
            for lot in ledger_rows.open_lots(ids):
                lots.setdefault(lot.account_id, []).append(lot)
        book = Book(accounts=locked, now=now, _lots=lots)
        yield book
        book.close()
