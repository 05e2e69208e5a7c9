"""The ledger against a small model of it: random moves, the same points after every one.

The model is what one would write on paper: a list of lots, a debt, and the order they are used in.
`test_ledger_model.py` runs a few hundred moves, `make bench` fifty thousand.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, core, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from loyalty import auditing, expiry, ledger, merging, tiers
from loyalty.models import Account, Award, Entry, Lot, Merge
from tests import factories
from tests.factories import NOW

NEVER = 10**9  # days
SHIPMENT = 10**9
TIERS = {"gold": 500, "silver": 150}


@dataclass
class PaperLot:
    points: int
    expires: int
    waits_until: int | None
    award: int | None = None
    earned_on: int = 0
    counted: int = 0  # For the tier: what was earned, less what came back
    lapsed: int = 0  # Points that expired and that no return was excused for yet
    is_here: bool = True  # Not what had nothing left when its owner was merged into this one


type Uses = list[tuple[PaperLot, int]]


@dataclass(frozen=True)
class Arrival:
    """What came with somebody else: lots, a debt, and what paid debts on arrival."""

    lots: list[PaperLot]
    debt: int
    uses: Uses
    paid_before: int


@dataclass
class Paper:
    """The model. Days are whole numbers; lots stand in the order they were earned in."""

    day: int = 0
    debt: int = 0
    paid: int = 0  # of debts, ever
    lots: list[PaperLot] = field(default_factory=list)

    def of(self, *, pending: bool) -> int:
        return sum(lot.points for lot in self.lots if (lot.waits_until is not None) is pending)

    def earn(self, points: int, *, expires: int, waits: int, award: int | None) -> None:
        waits_until = self.day + waits if waits else None
        lot = PaperLot(points, self.day + expires, waits_until, award, self.day)
        lot.counted = points if award else 0
        self.lots.append(lot)
        if not waits:
            self.pay_debt([lot])

    def pay_debt(self, lots: list[PaperLot]) -> Uses:
        points, uses = self.take(self.debt, lots)
        self.debt -= points
        self.paid += points
        return uses

    def usable(self) -> list[PaperLot]:
        lots = [lot for lot in self.lots if lot.waits_until is None and lot.expires > self.day]
        return sorted(lots, key=lambda lot: lot.expires)

    def take(self, points: int, lots: list[PaperLot]) -> tuple[int, Uses]:
        uses: Uses = []
        for lot in lots:
            part = min(points - sum(used for _, used in uses), lot.points)
            lot.points -= part
            uses.append((lot, part))
        return sum(used for _, used in uses), uses

    def take_back(self, points: int, *, award: int) -> None:
        own = [lot for lot in self.lots if lot.award == award]
        own[0].counted -= points
        left = points - self.take(points, own)[0]
        for lot in own:
            excused = min(left, lot.lapsed)
            lot.lapsed, left = lot.lapsed - excused, left - excused
        left -= self.take(left, [lot for lot in self.usable() if lot.award != award])[0]
        self.debt += left

    def restore(self, uses: Uses) -> None:
        self.refill(uses)
        self.pay_debt([lot for lot, part in uses if part])

    def refill(self, uses: Uses) -> int:
        for lot, part in uses:
            if part:
                lot.points += part
                lot.expires = lot.expires if lot.expires > self.day else self.day + 30
        return sum(part for _, part in uses)

    def join(self, other: "Paper") -> Arrival:
        for lot in other.lots:
            lot.is_here = lot.points > 0
        self.lots += other.lots
        self.debt += other.debt
        uses = self.pay_debt(self.usable())
        return Arrival(other.lots, other.debt, uses, self.paid)

    def part(self, came: Arrival) -> int:
        """The points that go back, less the debt that does.

        What paid debts on arrival is put back and they are owed again; of the debt that came that
        goes back which nothing has paid since.
        """
        again = self.refill(came.uses)
        self.debt += again
        since, self.paid = self.paid - came.paid_before, self.paid - again
        back = sum(lot.points for lot in came.lots)
        for lot in came.lots:
            lot.points = lot.counted = 0
        paid_on_arrival = min(again, came.debt)
        unpaid = max(came.debt - paid_on_arrival - since, 0)
        owed = min(paid_on_arrival + unpaid, self.debt)
        self.debt -= owed
        self.pay_debt(self.usable())
        return back - owed

    def sweep(self) -> None:
        for lot in self.lots:
            if lot.waits_until is not None and lot.waits_until <= self.day:
                lot.waits_until = None
                self.pay_debt([lot])
        for lot in self.lots:
            if lot.waits_until is None and lot.expires <= self.day:
                lot.lapsed, lot.points = lot.lapsed + lot.points, 0

    def lapse(self) -> None:
        for lot in self.lots:
            if lot.waits_until is None:
                lot.lapsed, lot.points = lot.lapsed + lot.points, 0

    def tier(self) -> str | None:
        earned = sum(lot.counted for lot in self.lots if lot.earned_on > self.day - 365)
        return next((slug for slug, least in TIERS.items() if earned >= least), None)


class Ledger(RuleBasedStateMachine):
    awards: Bundle[Award] = Bundle("awards")
    spends: Bundle[tuple[Entry, Uses]] = Bundle("spends")
    cancelled: Bundle[Entry] = Bundle("cancelled")
    moves: ClassVar[int] = 0  # of all walks of this process

    @initialize()
    def open(self) -> None:
        Ledger.moves -= 1  # Opening is compared, too, and is no move.
        self.undo = transaction.savepoint()
        self.paper = Paper()
        self.alex = factories.member()
        self.merges: list[tuple[Merge, int, Arrival]] = []
        self.parted: set[int] = set()
        self.terms = factories.rule()
        for slug, least in TIERS.items():
            factories.tier(slug, least)

    def teardown(self) -> None:
        if hasattr(self, "undo"):
            tiers.qualify(at=self.now)  # As the rooms do after every return.
            findings = auditing.audit().findings
            transaction.savepoint_rollback(self.undo)  # Before anything is raised: others follow.
            assert findings == (), findings

    @property
    def now(self) -> Any:
        return NOW + timedelta(days=self.paper.day)

    def book(self) -> Any:
        return ledger.open_book([self.alex.pk], now=self.now, with_lots=True)

    @rule(
        target=awards,
        points=st.integers(1, 200),
        expires=st.sampled_from([5, 20, 60, NEVER]),
        waits=st.sampled_from([0, 0, 3, 30, SHIPMENT]),
    )
    def earn(self, points: int, expires: int, waits: int) -> Award:
        return self._earned(points, expires, waits)

    def _earned(self, points: int, expires: int, waits: int) -> Award:
        award = Award.objects.create(
            member=self.alex, rule=self.terms, fact="purchase", points=points, base=0,
            fact_id=Award.objects.count(),
        )  # fmt: skip
        with self.book() as book:
            book.earn(
                member_id=self.alex.pk, points=points, at=self.now, award_id=award.pk,
                available_at=None if waits == SHIPMENT else self.now + timedelta(days=waits),
                awaits_shipment=waits == SHIPMENT,
                expires_at=None if expires == NEVER else self.now + timedelta(days=expires),
            )  # fmt: skip
        self.paper.earn(points, expires=expires, waits=waits, award=award.pk)
        return award

    @rule(points=st.integers(1, 200))
    def grant(self, points: int) -> None:
        factories.grant(self.alex, points, now=self.now)
        self.paper.earn(points, expires=NEVER, waits=0, award=None)

    @rule(target=spends, percent=st.integers(1, 100))
    @precondition(lambda self: any(lot.points for lot in self.paper.usable()))
    def spend(self, percent: int) -> Any:
        there = sum(lot.points for lot in self.paper.usable())
        points = -(-there * percent // 100)
        with self.book() as book:
            row = book.spend(member_id=self.alex.pk, points=points, at=self.now, why="")
        _, uses = self.paper.take(points, self.paper.usable())
        return Entry.objects.get(pk=row.written_id), uses

    @rule()
    def overspend(self) -> None:
        there = sum(lot.points for lot in self.paper.usable())
        with pytest.raises(ledger.InsufficientPoints), transaction.atomic(), self.book() as book:
            book.spend(member_id=self.alex.pk, points=there + 1, at=self.now, why="")

    @rule(target=cancelled, spent=consumes(spends))
    def cancel(self, spent: tuple[Entry, Uses]) -> Entry:
        entry, uses = spent
        with self.book() as book:
            book.restore(member_id=self.alex.pk, spent=entry, why="")
        self.paper.restore(uses)
        return entry

    @rule(entry=cancelled, why=st.sampled_from(["", "again"]))
    def cancel_again(self, entry: Entry, why: str) -> None:
        with self.book() as book:
            assert book.restore(member_id=self.alex.pk, spent=entry, why=why) == 0

    @rule(
        target=awards,
        points=st.integers(1, 200),
        expires=st.sampled_from([5, 60, NEVER]),
        waits=st.sampled_from([0, 30, SHIPMENT]),
        owes=st.sampled_from([0, 0, 70]),
    )
    def merge(self, points: int, expires: int, waits: int, owes: int) -> Award:
        """Somebody with points, and perhaps a debt, turns out to be Alex."""
        kim, alex = factories.member(), self.alex
        self.alex = kim
        paper, self.paper = self.paper, Paper(day=self.paper.day)
        if owes:
            brought_back = self._earned(owes, NEVER, 0)
            factories.spend(kim, owes, now=self.now)
            self.paper.take(owes, self.paper.usable())
            self._take_back(brought_back, owes)
        award = self._earned(points, expires, waits)
        merge = merging.merge(gone=kim, kept=alex, reason="", by=None, now=self.now)
        came = paper.join(self.paper)
        self.alex, self.paper = alex, paper
        self.merges.append((merge, award.pk, came))
        return award

    @precondition(lambda self: self.merges)
    @rule()
    def part(self) -> None:
        """They were two after all: what is left of the other's points and debt goes back."""
        merge, award, came = self.merges.pop()
        merging.undo(merge=merge, by=None, now=self.now)
        self.parted.add(award)
        kim = Account.objects.get(pk=merge.gone_id)
        assert kim.balance + kim.pending - kim.debt == self.paper.part(came)

    @rule(award=awards, percent=st.sampled_from([10, 50, 100]))
    def take_back(self, award: Award, percent: int) -> None:
        if award.pk in self.parted:
            return
        self._take_back(award, (award.points - award.taken_back) * percent // 100)

    def _take_back(self, award: Award, points: int) -> None:
        with self.book() as book:
            book.take_back(
                member_id=self.alex.pk, points=points, award_id=award.pk, at=self.now, why=""
            )
        award.taken_back += points
        award.save()
        self.paper.take_back(points, award=award.pk)

    @rule(award=awards, days=st.sampled_from([0, 3]))
    def ship(self, award: Award, days: int) -> None:
        if award.pk in self.parted:
            return
        with self.book() as book:
            book.ship(award_ids={award.pk}, shipped_at=self.now, days=days)
        for lot in self.paper.lots:
            if lot.award == award.pk and (lot.waits_until or 0) >= SHIPMENT and lot.points:
                lot.waits_until = self.paper.day + days

    @rule()
    def lapse(self) -> None:
        with self.book() as book:
            book.lapse(member_id=self.alex.pk)
        self.paper.lapse()

    @rule(days=st.sampled_from([1, 4, 25, 180]))
    def wait(self, days: int) -> None:
        self.paper.day += days

    @rule()
    def sweep(self) -> None:
        expiry.mature(now=self.now)
        expiry.expire(now=self.now)
        self.paper.sweep()

    @rule()
    def qualify(self) -> None:
        tiers.qualify(at=self.now)
        account = Account.objects.select_related("tier").filter(pk=self.alex.pk).first()
        held = account.tier.slug if account and account.tier else None
        assert held == self.paper.tier()

    @invariant()
    def same_points(self) -> None:
        if not hasattr(self, "paper"):
            return
        Ledger.moves += 1
        account = Account.objects.filter(pk=self.alex.pk).first() or Account()
        assert (account.balance, account.pending, account.debt) == (
            self.paper.of(pending=False),
            self.paper.of(pending=True),
            self.paper.debt,
        )
        lots = Lot.objects.filter(account=self.alex.pk).order_by("pk")
        assert list(lots.values_list("remaining", flat=True)) == [
            lot.points for lot in self.paper.lots if lot.is_here
        ]


def run(*, examples: int, steps: int, seed: int | None = None, shrinks: bool = True) -> int:
    """So many random walks of so many moves; raises what the first difference raises.

    Returns the moves that were made: shrinking a difference makes more. The same seed makes the
    same moves. Call it within a transaction: every walk is rolled back to where it began.
    """
    assert connection.in_atomic_block
    before = Ledger.moves
    usual = core.global_force_seed
    core.global_force_seed = seed  # type: ignore[assignment] # None until somebody sets it
    try:
        run_state_machine_as_test(
            Ledger,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                database=None,
                deadline=None,
                phases=[Phase.generate, *([Phase.shrink] if shrinks else [])],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        core.global_force_seed = usual
    return Ledger.moves - before
