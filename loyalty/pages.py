"""The open pages of the ledger: accounts, lots, and the rows that one operation will write.

What every movement is made of, before it has a name; `loyalty.ledger` has the verbs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from loyalty import ledger_rows
from loyalty.ledger_rows import EntryRow, LotRow, UseRow
from loyalty.lot_history import TakenLot
from loyalty.models import Account, Entry, Lot, PointsPolicy

FOREVER = datetime.max.replace(tzinfo=UTC)
FOREVER_ID = 2**63
# What shows that somebody is still there, for points that lapse when nobody is.
ACTIVE = frozenset({Entry.Kind.EARNED, Entry.Kind.SPENT})


@dataclass(slots=True)
class Pages:
    """The locked accounts of one operation, their open lots, and what is written so far."""

    accounts: dict[int, Account]
    now: datetime
    _lots: dict[int, list[LotRow]]
    _entries: list[EntryRow] = field(default_factory=list)
    _uses: list[UseRow] = field(default_factory=list)

    @property
    def tiered(self) -> list[int]:
        """Whose tier may have to change: that of everybody, unless there is none at all."""
        return [pk for pk, account in self.accounts.items() if account.is_tiered]

    @property
    def dared(self) -> list[int]:
        """Who may have won a challenge: everybody, unless none is open."""
        return [pk for pk, account in self.accounts.items() if account.is_dared]

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

    def _pay_debt(self, member_id: int, lots: list[LotRow], at: datetime, *, why: str = "") -> None:
        owed = min(self.accounts[member_id].debt, sum(lot.remaining for lot in lots))
        if owed:
            entry = self._write(
                member_id, Entry.Kind.DEBT_PAID, at, amount=-owed, debt=-owed, why=why
            )
            self._take(entry, lots, owed)

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

    def _ready(self, member_id: int) -> list[LotRow]:
        return [lot for lot in self._lots.get(member_id, []) if not lot.is_pending]

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


def latest_first(taken: Mapping[TakenLot, int], points: int) -> dict[TakenLot, int]:
    """So many of the points taken, from the lots that expire last."""
    back: dict[TakenLot, int] = {}
    for lot in sorted(taken, key=lambda lot: (lot.expires_at or FOREVER, lot.pk), reverse=True):
        amount = min(points, taken[lot])
        if amount:
            back[lot] = amount
            points -= amount
    return back
