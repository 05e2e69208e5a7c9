"""The rows of a ledger operation, and the one statement that writes them.

One statement for any number of members: entries, new lots, changed lots, uses and accounts go in
together, joined by (account, version), so the earn path costs one round trip instead of five. It
has only the parts that there are rows for: starting the others would cost as much as writing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from loyalty.models import Account, Entry, Lot
from members import prepared, webhooks
from members.arrays import array


@dataclass(slots=True, kw_only=True)
class EntryRow:
    account_id: int
    version: int
    kind: str
    amount: int
    pending_change: int
    debt_change: int
    balance_after: int
    at: datetime
    award_id: int | None
    reverses_id: int | None
    actor_id: int | None
    why: str
    id: int | None = None

    @property
    def written_id(self) -> int:
        """The id the database gave, once the book is closed."""
        if self.id is None:
            raise RuntimeError("The book of this entry is still open.")
        return self.id


@dataclass(slots=True, kw_only=True)
class LotRow:
    """A lot in memory; `origin` is the version of the entry that made it, while it has no id."""

    account_id: int
    origin: int
    award_id: int | None
    amount: int
    remaining: int
    is_pending: bool
    available_at: datetime | None
    expires_at: datetime | None
    id: int | None = None
    came_from_id: int | None = None
    is_changed: bool = False

    @classmethod
    def read(cls, lot: Lot) -> "LotRow":
        return cls(
            id=lot.pk,
            account_id=lot.account_id,
            origin=0,
            award_id=lot.award_id,
            came_from_id=lot.came_from_id,
            amount=lot.amount,
            remaining=lot.remaining,
            is_pending=lot.is_pending,
            available_at=lot.available_at,
            expires_at=lot.expires_at,
        )

    def expires_before(self, moment: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= moment


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRow:
    entry: EntryRow
    lot: LotRow
    amount: int


def open_lots(account_ids: Sequence[int]) -> list[LotRow]:
    """The lots of these accounts with something left, in the order they were made."""
    rows = prepared.execute(_OPEN_LOTS, [array(account_ids)], rows=len(account_ids))
    return [LotRow(origin=0, **dict(zip(_OPEN, row, strict=True))) for row in rows]


_OPEN = (
    "id", "account_id", "award_id", "came_from_id", "amount", "remaining", "is_pending",
    "available_at", "expires_at",
)  # fmt: skip
_OPEN_LOTS = f"""
SELECT {", ".join(_OPEN)}
  FROM loyalty_lot WHERE account_id = ANY(%s::bigint[]) AND remaining > 0 ORDER BY id
"""


def write(
    *,
    accounts: Sequence[Account],
    entries: Sequence[EntryRow],
    lots: Sequence[LotRow],
    uses: Sequence[UseRow],
    now: datetime,
) -> None:
    """Write all rows and set the entries' ids. The accounts must be locked by the caller."""
    new = [lot for lot in lots if lot.id is None]
    changed = [lot for lot in lots if lot.id is not None and lot.is_changed]
    values: list[Any] = [
        now,
        *_columns(
            entries,
            "account_id version kind amount pending_change debt_change balance_after at"
            " award_id reverses_id actor_id why",
        ),
        *_columns(accounts, "pk balance pending debt version active_at"),
    ]
    if new or uses:
        values += _columns(
            new,
            "account_id origin award_id came_from_id amount remaining is_pending available_at"
            " expires_at",
        )
    if changed:
        values += _columns(changed, "id remaining is_pending available_at expires_at")
    if uses:
        values += [
            array(use.entry.account_id for use in uses),
            array(use.entry.version for use in uses),
            array(use.lot.id for use in uses),
            array(use.lot.origin for use in uses),
            array(use.amount for use in uses),
        ]
    statement = _statement(bool(new), bool(changed), bool(uses))
    given = max(map(len, (entries, new, changed, uses)))
    written = prepared.execute(statement, values, rows=given)
    ids = {(account, version): pk for pk, account, version in written}
    for entry in entries:
        entry.id = ids[entry.account_id, entry.version]


@webhooks.announces("points")
def announced_kinds() -> Iterable[str]:
    return Entry.Kind.values


def _columns(rows: Sequence[object], names: str) -> list[str]:
    return [array([getattr(row, name) for row in rows]) for name in names.split()]


@lru_cache
def _statement(has_new: bool, has_changed: bool, has_uses: bool) -> str:
    parts = [_ENTRIES, _ACCOUNTS, _ANNOUNCED]
    parts += [_NEW_LOTS] if has_new or has_uses else []
    parts += [_CHANGED_LOTS] if has_changed else []
    parts += [_USES] if has_uses else []
    return f"WITH {', '.join(parts)} SELECT id, account_id, version FROM entry"


_ENTRIES = """entry AS (
    INSERT INTO loyalty_entry
        (account_id, version, kind, amount, pending_change, debt_change, balance_after, at,
         award_id, reverses_id, actor_id, why, recorded_at)
    SELECT g.*, %s FROM unnest(
        %s::bigint[], %s::int[], %s::text[], %s::int[], %s::int[], %s::int[], %s::bigint[],
        %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS g
    RETURNING *
)"""
_ACCOUNTS = """account AS (
    UPDATE loyalty_account SET balance = g.balance, pending = g.pending, debt = g.debt,
           version = g.version, active_at = g.active_at
      FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[],
                  %s::timestamptz[])
           AS g(member_id, balance, pending, debt, version, active_at)
     WHERE loyalty_account.member_id = g.member_id
)"""
_MOVED = "(SELECT entry.*, account_id AS member_id FROM entry)"
_TOLD = """'points', fact.amount, 'pending', nullif(fact.pending_change, 0),
           'debt', nullif(fact.debt_change, 0), 'balance_after', fact.balance_after,
           'why', nullif(fact.why, ''),
           'rule', (SELECT r.slug FROM loyalty_award w JOIN loyalty_earnrule r ON r.id = w.rule_id
                     WHERE w.id = fact.award_id),
           'purchase', (SELECT p.reference FROM loyalty_award w
                          JOIN loyalty_purchase p ON p.id = w.fact_id AND w.fact = 'purchase'
                         WHERE w.id = fact.award_id)"""
_ANNOUNCED = f"""announced AS (
    {webhooks.planning(_MOVED, family="points", facts=_TOLD)}
)"""
_NEW_LOTS = """new_lot AS (
    INSERT INTO loyalty_lot
        (account_id, entry_id, award_id, came_from_id, amount, remaining, is_pending, available_at,
         expires_at)
    SELECT g.account_id, entry.id, g.award_id, g.came_from_id, g.amount, g.remaining, g.is_pending,
           g.available_at, g.expires_at
      FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::int[], %s::int[],
                  %s::bool[], %s::timestamptz[], %s::timestamptz[])
           AS g(account_id, version, award_id, came_from_id, amount, remaining, is_pending,
                available_at, expires_at)
      JOIN entry USING (account_id, version)
    RETURNING id, entry_id
)"""
_CHANGED_LOTS = """changed_lot AS (
    UPDATE loyalty_lot SET remaining = g.remaining, is_pending = g.is_pending,
           available_at = g.available_at, expires_at = g.expires_at
      FROM unnest(%s::bigint[], %s::int[], %s::bool[], %s::timestamptz[], %s::timestamptz[])
           AS g(id, remaining, is_pending, available_at, expires_at)
     WHERE loyalty_lot.id = g.id
)"""
_USES = """used AS (
    INSERT INTO loyalty_lotuse (entry_id, lot_id, amount)
    SELECT entry.id, coalesce(g.lot_id, new_lot.id), g.amount
      FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::int[], %s::int[])
           AS g(account_id, version, lot_id, origin, amount)
      JOIN entry USING (account_id, version)
      LEFT JOIN entry AS origin_entry
             ON g.lot_id IS NULL AND origin_entry.account_id = g.account_id
            AND origin_entry.version = g.origin
      LEFT JOIN new_lot ON new_lot.entry_id = origin_entry.id
)"""
