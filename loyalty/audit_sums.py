"""Sums that agree when the ledger does: each table is read once, nothing is sorted or joined.

Two columns that should tell the same of every account (lot, entry, award) are added up, each value
times a number drawn for this run from the id it belongs to. What is equal everywhere has equal
sums; a difference anywhere shows in them, but for a chance of one in 2^28 a run (Blum and others
1994, Checking the correctness of memories). Which row it is only the check itself can tell, at the
price of joining millions.
"""

from collections.abc import Callable, Mapping, Sequence

from django.db.backends.utils import CursorWrapper

type Sums = Mapping[str, Mapping[str, int]]


def drawn(of: str, *, seed: str = "%(seed)s") -> str:
    """SQL: 28 bits drawn from an id by this run's seed. Their products with 2^35 points fit."""
    return f"(hashint8extended({of}, {seed}) >> 36)"


def place(version: str, *, account: str) -> str:
    """SQL: drawn from a place in the chain of an account.

    One number of both would not do: the hash folds the halves of eight bytes together, so that two
    accounts side by side would have places in common, and offences in both could cancel out.
    """
    return drawn(version, seed=f"hashint8extended({account}, %(seed)s)")


# By table, the name of each sum and its SQL.
SUMS: Mapping[str, Mapping[str, str]] = {
    "loyalty_account": {
        "accounts": "count(*)",
        "balance": f"sum(balance * {drawn('member_id')})",
        "pending": f"sum(pending * {drawn('member_id')})",
        "debt": f"sum(debt * {drawn('member_id')})",
        # All that is left of a chain: where it begins, and where it ends.
        "chain": f"sum({place('1', account='member_id')}"
        f" - (balance + 1) * {place('version + 1', account='member_id')})",
    },
    "loyalty_entry": {
        "entries": "count(*)",
        "balance": f"sum(amount * {drawn('account_id')})",
        "pending": f"sum(pending_change * {drawn('account_id')})",
        "debt": f"sum(debt_change * {drawn('account_id')})",
        # What an entry began with, at its place, less what it left, at the next one's place. One
        # more than that, so that a gap shows after an empty balance, too.
        "chain": f"sum((balance_after - amount + 1) * {place('version', account='account_id')}"
        f" - (balance_after + 1) * {place('version + 1', account='account_id')})",
        "taken": f"sum((amount + pending_change) * -{drawn('id')}) FILTER (WHERE kind IN"
        " ('spent', 'returned', 'debt_paid', 'expired', 'restored')"
        " OR (kind = 'transferred' AND amount + pending_change < 0))",
        "given": f"sum((amount + pending_change) * {drawn('id')}) FILTER (WHERE kind IN"
        " ('earned', 'granted') OR (kind = 'transferred' AND amount + pending_change > 0))",
        "credited": f"sum((amount + pending_change) * {drawn('award_id')})"
        " FILTER (WHERE kind = 'earned')",
    },
    "loyalty_lot": {
        "available": f"sum(remaining * {drawn('account_id')}) FILTER (WHERE NOT is_pending)",
        "waiting": f"sum(remaining * {drawn('account_id')}) FILTER (WHERE is_pending)",
        "gone": f"sum((amount - remaining) * {drawn('id')})",
        "made": f"sum(amount * {drawn('entry_id')})",
    },
    "loyalty_lotuse": {
        "by_lot": f"sum(amount * {drawn('lot_id')})",
        "by_entry": f"sum(amount * {drawn('entry_id')})",
    },
    "loyalty_award": {"points": f"sum(points * {drawn('id')})"},
}
# By check, the pairs of sums that agree when it finds nothing.
AGREE: Mapping[str, Sequence[tuple[tuple[str, str], tuple[str, str]]]] = {
    "accounts equal the sums of their entries": [
        (("loyalty_account", name), ("loyalty_entry", name))
        for name in ("balance", "pending", "debt", "chain")
    ],
    "the chain of entries has no gap and adds up": [
        (("loyalty_account", "chain"), ("loyalty_entry", "chain"))
    ],
    "lots hold what their uses left": [(("loyalty_lot", "gone"), ("loyalty_lotuse", "by_lot"))],
    "open lots add up to the account": [
        (("loyalty_account", "balance"), ("loyalty_lot", "available")),
        (("loyalty_account", "pending"), ("loyalty_lot", "waiting")),
    ],
    "every debit says which lots it took": [
        (("loyalty_entry", "taken"), ("loyalty_lotuse", "by_entry"))
    ],
    "every credit made the lot it says": [(("loyalty_entry", "given"), ("loyalty_lot", "made"))],
    "awards equal what was credited for them": [
        (("loyalty_award", "points"), ("loyalty_entry", "credited"))
    ],
}


def add_up(cursor: CursorWrapper, *, seed: int, tell: Callable[[str], None]) -> Sums:
    """Read every table once; `tell` hears which."""
    found: dict[str, dict[str, int]] = {}
    for table, sums in SUMS.items():
        tell(f"sums over {table}")
        asked = ", ".join(f"coalesce({sql}, 0)" for sql in sums.values())
        cursor.execute(f"SELECT {asked} FROM {table}", {"seed": seed})
        found[table] = dict(zip(sums, map(int, cursor.fetchone()), strict=True))
    return found


def speak_for(check: str, sums: Sums) -> bool:
    """Whether these sums tell that a check would find nothing."""
    pairs = AGREE.get(check, ())
    return bool(pairs) and all(sums[t][name] == sums[u][other] for (t, name), (u, other) in pairs)
