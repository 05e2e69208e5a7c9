"""Points move here and nowhere else.

A book is opened for the members of one operation: their accounts are locked in ascending order,
movements are worked out in memory, and closing the book writes entries, lots, uses and accounts in
one statement. Guarantees: a balance is never negative, the chain of entries has no gap, points are
spent soonest-expiring first, and what cannot be taken back becomes a debt that later credits pay.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import transaction

from config.errors import Refusal
from loyalty import accounts, ledger_rows
from loyalty.ledger_rows import EntryRow, LotRow, UseRow
from loyalty.models import Account, Entry, Lot, LotUse, PointsPolicy

FOREVER = datetime.max.replace(tzinfo=UTC)
# What shows that somebody is still there, for points that lapse when nobody is.
ACTIVE = frozenset({Entry.Kind.EARNED, Entry.Kind.SPENT})


class InsufficientPoints(Refusal):
    """The member cannot spend that many; `extra` tells how many there are."""

    code = "insufficient_points"
    status = 409


@dataclass(frozen=True, slots=True)
class Taken:
    """What a return took: available or pending points, and what is owed instead."""

    points: int
    debt: int


@dataclass(slots=True)
class Book:
    """The open accounts of one operation. Use `open_book`."""

    accounts: dict[int, Account]
    now: datetime
    _lots: dict[int, list[LotRow]]
    _entries: list[EntryRow] = field(default_factory=list)
    _uses: list[UseRow] = field(default_factory=list)

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

    def spend(self, *, member_id: int, points: int, at: datetime, why: str) -> EntryRow:
        """Take points, soonest-expiring first; `InsufficientPoints` when there are too few."""
        lots = self._spendable(member_id)
        spendable = sum(lot.remaining for lot in lots)
        if points > spendable:
            raise InsufficientPoints(
                f"This costs {points} points; {spendable} can be spent.", spendable=spendable
            )
        entry = self._write(member_id, Entry.Kind.SPENT, at, amount=-points, why=why)
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

    def lapse(self, *, member_id: int) -> int:
        """Remove every available point of a member who was away too long; returns how many."""
        lots = [lot for lot in self._lots.get(member_id, []) if not lot.is_pending]
        return self._expire(member_id, lots, why="inactive")

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

    def restore(self, *, member_id: int, spent: Entry, why: str) -> EntryRow:
        """Put the points of a cancelled spend back into the lots they came from.

        A lot that expired meanwhile gets the policy's grace period. A second restore of the same
        entry is refused by the database (`entry_reversed_once`).
        """
        uses = list(LotUse.objects.filter(entry=spent).select_related("lot"))
        points = sum(use.amount for use in uses)
        entry = self._write(
            member_id,
            Entry.Kind.RESTORED,
            self.now,
            amount=points,
            reverses_id=spent.pk,
            why=why,
        )
        known = {lot.id: lot for lot in self._lots.get(member_id, [])}
        grace = timedelta(days=PointsPolicy.objects.get().grace_days)
        back = []
        for use in uses:
            lot = known.get(use.lot_id)
            if lot is None:
                lot = LotRow.read(use.lot)
                self._lots.setdefault(member_id, []).append(lot)
            lot.remaining += use.amount
            lot.is_changed = True
            if lot.expires_before(self.now):
                lot.expires_at = self.now + grace
            self._uses.append(UseRow(entry=entry, lot=lot, amount=-use.amount))
            back.append(lot)
        self._pay_debt(member_id, back, self.now)
        return entry

    def close(self) -> None:
        """Write everything in one statement and give the entries their ids."""
        lots = [lot for lots in self._lots.values() for lot in lots]
        if self._entries or any(lot.is_changed for lot in lots):
            ledger_rows.write(
                accounts=[self.accounts[pk] for pk in {e.account_id for e in self._entries}],
                entries=self._entries,
                lots=lots,
                uses=self._uses,
                now=self.now,
            )

    def _write(
        self,
        member_id: int,
        kind: str,
        at: datetime,
        *,
        amount: int,
        pending: int = 0,
        debt: int = 0,
        award_id: int | None = None,
        reverses_id: int | None = None,
        actor_id: int | None = None,
        why: str = "",
    ) -> EntryRow:
        account = self.accounts[member_id]
        account.version += 1
        if kind in ACTIVE and (account.active_at is None or account.active_at < at):
            account.active_at = at
        account.balance += amount
        account.pending += pending
        account.debt += debt
        entry = EntryRow(
            account_id=member_id,
            version=account.version,
            kind=kind,
            amount=amount,
            pending_change=pending,
            debt_change=debt,
            balance_after=account.balance,
            at=at,
            award_id=award_id,
            reverses_id=reverses_id,
            actor_id=actor_id,
            why=why[:80],
        )
        self._entries.append(entry)
        return entry

    def _pay_debt(self, member_id: int, lots: list[LotRow], at: datetime) -> None:
        owed = min(self.accounts[member_id].debt, sum(lot.remaining for lot in lots))
        if owed:
            entry = self._write(member_id, Entry.Kind.DEBT_PAID, at, amount=-owed, debt=-owed)
            self._take(entry, lots, owed)

    def _spendable(self, member_id: int) -> list[LotRow]:
        lots = [
            lot
            for lot in self._lots.get(member_id, [])
            if lot.remaining and not lot.is_pending and not lot.expires_before(self.now)
        ]
        return sorted(lots, key=lambda lot: (lot.expires_at or FOREVER, lot.id or FOREVER_ID))

    def _take(self, entry: EntryRow, lots: list[LotRow], points: int) -> None:
        for lot in lots:
            taken = min(points, lot.remaining)
            if taken:
                lot.remaining -= taken
                lot.is_changed = True
                points -= taken
                self._uses.append(UseRow(entry=entry, lot=lot, amount=taken))


FOREVER_ID = 2**63


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
            for lot in Lot.objects.filter(account_id__in=ids, remaining__gt=0).order_by("id"):
                lots.setdefault(lot.account_id, []).append(LotRow.read(lot))
        book = Book(accounts=locked, now=now, _lots=lots)
        yield book
        book.close()
