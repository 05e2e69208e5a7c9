"""Points that change hands: of two numbers that are one person, or within a household.

A transfer takes lots of one account and makes the same lots in another, with their expiry and the
award they came from, so that whatever happens to them later finds them.
"""

from dataclasses import replace

from loyalty.ledger_rows import LotRow
from loyalty.models import Entry, Lot
from loyalty.pages import Pages


class Transfers(Pages):
    """The verbs that move points between the accounts of one book."""

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
        self._pay_debt(taker_id, self._spendable(taker_id), self.now)
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
        self._pay_debt(taker_id, self._spendable(taker_id), self.now)

    def _shift_debt(self, giver_id: int, taker_id: int, points: int, why: str) -> None:
        if points:
            kind = Entry.Kind.TRANSFERRED
            self._write(giver_id, kind, self.now, amount=0, debt=-points, why=why)
            self._write(taker_id, kind, self.now, amount=0, debt=points, why=why)

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
