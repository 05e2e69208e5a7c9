"""Points that change hands: of two numbers that are one person, or within a household.

A transfer takes lots of one account and makes the same lots in another, with their expiry and the
award they came from, so that whatever happens to them later finds them.
"""

from dataclasses import replace

from django.db.models import Sum

from loyalty import lot_history
from loyalty.ledger_rows import LotRow
from loyalty.models import Entry
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
        self._pay_debt(taker_id, self._spendable(taker_id), self.now, why=why)
        return moved

    def undo_transfer(
        self, *, giver_id: int, taker_id: int, came_as: str, debt: int, why: str
    ) -> None:
        """Undo a transfer of everything that came with `why` = `came_as`.

        Debt that was paid on arrival is taken on again, by whom it was owed before, and what paid
        it is theirs again who had given it. What is left of the lots that were the taker's goes
        back, whatever has happened to them since; what was spent in the meantime stays spent. Of
        the debt that came along that goes back which was paid on arrival, and the rest as far as
        nothing has paid it since, the oldest debt first.
        """
        paid = Entry.objects.filter(account_id=giver_id, kind=Entry.Kind.DEBT_PAID, why=came_as)
        taken_on = sum(self._owe_again(entry, why=why) for entry in paid.order_by("version"))
        left = [lot for lot in self._lots.get(giver_id, []) if lot.remaining]
        theirs = lot_history.once_of(account_id=taker_id, lot_ids=[lot.id or 0 for lot in left])
        for lot in left:
            if lot.id in theirs:
                self._move(lot, lot.remaining, taker_id=taker_id, why=why)
        came = Entry.objects.filter(account_id=giver_id, kind=Entry.Kind.TRANSFERRED, why=came_as)
        since = came.order_by("version").values_list("version", flat=True).first() or 0
        # Less what was owed again, where another merge was undone.
        kinds = [Entry.Kind.DEBT_PAID, Entry.Kind.RESTORED]
        later = Entry.objects.filter(
            account_id=giver_id, kind__in=kinds, version__gt=since
        ).exclude(why=came_as)
        paid_later = -(later.aggregate(points=Sum("debt_change"))["points"] or 0)
        # More was taken on than came along where it was the giver's own debt that was paid.
        again = min(taken_on, debt)
        unpaid = max(debt - again - paid_later, 0)
        owed = min(again + unpaid, self.accounts[giver_id].debt)
        self._shift_debt(giver_id, taker_id, owed, why)
        for account_id in (giver_id, taker_id):
            self._pay_debt(account_id, self._spendable(account_id), self.now)

    def _owe_again(self, paid: Entry, *, why: str) -> int:
        """Put the points of a payment of debt back into their lots, and the debt back on."""
        back = lot_history.still_taken(entry_id=paid.pk)
        points = sum(back.values())
        if points:
            entry = self._write(
                paid.account_id,
                Entry.Kind.RESTORED,
                self.now,
                amount=points,
                debt=points,
                reverses_id=paid.pk,
                why=why,
            )
            self._refill(entry, back)
        return points

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
            came_from_id=lot.id,
            account_id=taker_id,
            origin=came.version,
            amount=amount,
            remaining=amount,
            is_changed=False,
        )
        self._lots.setdefault(taker_id, []).append(moved)
