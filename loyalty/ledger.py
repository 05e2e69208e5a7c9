"""Points move here and nowhere else.

A book is opened for the members of one operation: their accounts are locked in ascending order,
movements are worked out in memory, and closing the book writes entries, lots, uses and accounts in
one statement. Guarantees: a balance is never negative, the chain of entries has no gap, points are
spent soonest-expiring first, and what cannot be taken back becomes a debt that later credits pay.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from config.errors import Refusal
from loyalty import accounts, ledger_rows, lot_history
from loyalty.ledger_rows import EntryRow, LotRow
from loyalty.models import Entry
from loyalty.pages import latest_first
from loyalty.transfers import Transfers


class InsufficientPoints(Refusal):
    """The member cannot spend that many; `extra` tells how many there are."""

    code = "insufficient_points"
    status = 409


class AccountClosed(Refusal):
    """The member was merged into another meanwhile; the same request finds that one."""

    code = "member_merged"
    status = 409

    def __init__(self) -> None:
        super().__init__("This member was merged with another just now; send it again.")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a return took: available or pending points, and what is owed instead."""

    points: int
    debt: int


class Book(Transfers):
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
            left -= min(left, lot_history.lapsed_of(award_id))
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

    def recall(self, *, member_id: int, lot_id: int, why: str) -> int:
        """Take back what is left of one lot, and nothing else for it; returns how many points."""
        lots = [lot for lot in self._lots.get(member_id, []) if lot.id == lot_id]
        points = sum(lot.remaining for lot in lots)
        if points:
            entry = self._write(member_id, Entry.Kind.RETURNED, self.now, amount=-points, why=why)
            self._take(entry, lots, points)
        return points

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
        account that was merged since, the points go on to the member; what another of the
        household had given goes back to them: open the book with `holders`. Giving back
        twice for one reason is refused (`entry_reversed_once_for_each_reason`).
        """
        taken = lot_history.still_taken(entry_id=spent.pk)
        back = latest_first(taken, sum(taken.values()) if points is None else points)
        total = sum(back.values())
        if not total:
            return 0
        owner_id = spent.account_id
        entry = self._write(
            owner_id, Entry.Kind.RESTORED, self.now, amount=total, reverses_id=spent.pk, why=why
        )
        givers = lot_history.givers_of(entry_id=spent.pk)
        for lot, amount in zip(self._refill(entry, back), back.values(), strict=True):
            taker_id = givers.get(lot.id or 0, member_id)
            if taker_id != owner_id:
                self._move(lot, amount, taker_id=taker_id, why=why)
        for account_id in {member_id, *givers.values()}:
            self._pay_debt(account_id, self._spendable(account_id), self.now)
        return total


def holders(*, spent: Entry | None, member_id: int) -> set[int]:
    """Whose accounts giving back a spend may concern, besides the member's own."""
    if spent is None:
        return set()
    givers = lot_history.givers_of(entry_id=spent.pk)
    return ({spent.account_id} | set(givers.values())) - {member_id}


@contextmanager
def open_book(
    member_ids: Iterable[int],
    *,
    now: datetime,
    with_lots: bool = False,
    besides: Iterable[int] = (),
) -> Iterator[Book]:
    """Lock the accounts of these members, ascending, and write what happened on leaving.

    An exception inside writes nothing. `with_lots` loads the open lots: needed by everything but
    `earn` on an account without debt. `AccountClosed` where a member was merged into another
    before the lock was had; `besides` are accounts of which that is not asked.
    """
    subjects = set(member_ids)
    ids = sorted(subjects | set(besides))
    with transaction.atomic(savepoint=False):
        locked = accounts.lock(ids)
        if any(locked[pk].is_closed for pk in subjects):
            raise AccountClosed
        lots: dict[int, list[LotRow]] = {}
        if with_lots:
            for lot in ledger_rows.open_lots(ids):
                lots.setdefault(lot.account_id, []).append(lot)
        book = Book(accounts=locked, now=now, _lots=lots)
        yield book
        book.close()
