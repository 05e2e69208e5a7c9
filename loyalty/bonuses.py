"""Points that come with a message: for no deed and by no rule, so that they count for no tier.

Each is an entry `granted` by nobody of the staff, which says from where it came, and good for as
long as points by hand are. What came with a message that never arrived is taken back as far as it
is still there: what was spent, or paid a debt, or moved to another number stays.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty import accounts, grants, ledger, periods
from loyalty.models import Entry, Lot

# How the reason of such an entry begins.
SOURCE = "campaign"


@dataclass(frozen=True, slots=True)
class Bonus:
    member_id: int
    points: int
    campaign: str


def hold(member_ids: Collection[int]) -> None:
    """Lock these accounts until the transaction ends. Who locks members as well does this first,
    as merging does."""
    accounts.lock(sorted(set(member_ids)))


def give(bonuses: Sequence[Bonus], *, now: datetime) -> list[int]:
    """Credit these points; the entry of each, in their order."""
    expires_at = periods.months_later(moment=now, months=grants.VALID_MONTHS)
    with ledger.open_book({bonus.member_id for bonus in bonuses}, now=now) as book:
        rows = [
            book.earn(
                member_id=bonus.member_id,
                points=bonus.points,
                at=now,
                expires_at=expires_at,
                kind=Entry.Kind.GRANTED,
                why=_why(bonus.campaign),
            )
            for bonus in bonuses
        ]
    return [row.written_id for row in rows]


def take_back(entry_ids: Sequence[int], *, now: datetime) -> dict[int, int]:
    """Take back what is left of what these entries gave; {entry: points}."""
    lots = list(Lot.objects.filter(entry__in=entry_ids).select_related("entry").order_by("pk"))
    # A closed account has nothing left to take: its points went to another number.
    holders = {lot.account_id for lot in lots}
    with ledger.open_book([], now=now, with_lots=True, besides=holders) as book:
        return {
            lot.entry_id: book.recall(member_id=lot.account_id, lot_id=lot.pk, why=lot.entry.why)
            for lot in lots
        }


def _why(campaign: str) -> str:
    return f"{SOURCE} {campaign}"
