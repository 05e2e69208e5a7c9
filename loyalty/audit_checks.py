"""What must be true of the ledger, and the rows in which it shows.

A pass puts everything that is said about one thing (an account, a lot, an entry …) side by side,
in as few scans of the tables as possible; its checks are what may be wrong with such a row. To add
one, name it and write its condition; `tests/loyalty/test_auditing.py` insists on an offence for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pass:
    """`rows` is SQL with one row a thing; `checks` are conditions {name: SQL} that are true of a
    wrong one. `named_by` is other SQL for the findings of a check that `rows` only suspects."""

    rows: str
    checks: Mapping[str, str]
    named_by: Mapping[str, str] = field(default_factory=dict)


CHAIN = "the chain of entries has no gap and adds up"

ACCOUNTS = Pass(
    # Each entry must begin where the one before it ended. Instead of sorting all entries, every
    # end is taken from the next beginning, each pair times a number drawn for this run from its
    # place in the chain: where all pairs are equal only the last end is left over. Unequal pairs
    # cancel by chance once in 16 million runs (after Blum and others 1994, Checking the
    # correctness of memories).
    rows="""
        SELECT coalesce(a.member_id, e.account_id) AS member_id, a.balance,
               e.balance AS entries_say, a.pending, e.pending AS pending_say,
               a.debt, e.debt AS debt_say, a.version, e.entries, e.last,
               e.versions = e.last::bigint * (e.last + 1) / 2
                 AND e.links + e.balance * (hashint8extended(e.last + 1, %(seed)s) >> 40) = 0
                 AS is_chain,
               l.available AS lots_say, l.waiting AS waiting_say
          FROM loyalty_account a
          FULL JOIN (SELECT account_id, sum(amount) AS balance, sum(pending_change) AS pending,
                            sum(debt_change) AS debt, count(*) AS entries, max(version) AS last,
                            sum(version) AS versions,
                            sum((balance_after - amount)
                                  * (hashint8extended(version, %(seed)s) >> 40)
                                - balance_after
                                  * (hashint8extended(version + 1, %(seed)s) >> 40)) AS links
                       FROM loyalty_entry GROUP BY account_id) e ON e.account_id = a.member_id
          LEFT JOIN (SELECT account_id,
                            sum(remaining) FILTER (WHERE NOT is_pending) AS available,
                            sum(remaining) FILTER (WHERE is_pending) AS waiting
                       FROM loyalty_lot GROUP BY account_id) l ON l.account_id = a.member_id
    """,
    checks={
        "accounts equal the sums of their entries": """
            (balance, pending, debt, version, version) IS DISTINCT FROM
            (coalesce(entries_say, 0), coalesce(pending_say, 0), coalesce(debt_say, 0),
             coalesce(entries, 0), coalesce(last, 0))""",
        CHAIN: "entries <> last OR NOT is_chain",
        "open lots add up to the account": """
            balance <> coalesce(lots_say, 0) OR pending <> coalesce(waiting_say, 0)""",
    },
    named_by={
        CHAIN: """
            SELECT account_id, version, balance_after, running
              FROM (SELECT account_id, version, balance_after,
                           sum(amount) OVER chain AS running, row_number() OVER chain AS place
                      FROM loyalty_entry
                    WINDOW chain AS (PARTITION BY account_id ORDER BY version)) c
             WHERE balance_after <> running OR version <> place"""
    },
)
LOTS = Pass(
    rows="""
        SELECT l.id AS lot, l.amount, l.remaining, u.used
          FROM loyalty_lot l
          LEFT JOIN (SELECT lot_id, sum(amount) AS used FROM loyalty_lotuse GROUP BY lot_id) u
                 ON u.lot_id = l.id
    """,
    checks={"lots hold what their uses left": "remaining <> amount - coalesce(used, 0)"},
)
ENTRIES = Pass(
    rows="""
        SELECT e.id AS entry, e.kind, e.amount, e.pending_change, l.amount AS lot, u.used
          FROM loyalty_entry e
          LEFT JOIN loyalty_lot l ON l.entry_id = e.id
          LEFT JOIN (SELECT entry_id, sum(amount) AS used FROM loyalty_lotuse GROUP BY entry_id) u
                 ON u.entry_id = e.id
    """,
    checks={
        "every debit says which lots it took": """
            kind IN ('spent', 'returned', 'debt_paid', 'expired', 'restored')
            AND -(amount + pending_change) <> coalesce(used, 0)""",
        "every credit made the lot it says": """
            kind IN ('earned', 'granted') AND amount + pending_change <> coalesce(lot, 0)""",
    },
)
AWARDS = Pass(
    rows="""
        SELECT coalesce(w.id, e.award_id) AS award, w.points, e.credited, w.taken_back, e.taken
          FROM loyalty_award w
          FULL JOIN (SELECT award_id,
                            sum(amount + pending_change) FILTER (WHERE kind = 'earned') AS credited,
                            sum(debt_change - amount - pending_change)
                              FILTER (WHERE kind = 'returned') AS taken
                       FROM loyalty_entry WHERE award_id IS NOT NULL GROUP BY award_id) e
                 ON e.award_id = w.id
    """,
    checks={
        "awards equal what was credited for them": "coalesce(points, 0) <> coalesce(credited, 0)",
        "no return takes more than its award gave": "taken > taken_back",
    },
)
MONTHS = Pass(
    rows="""
        SELECT date_trunc('month', recorded_at) AS month, kind,
               sum(amount) + sum(pending_change) AS points
          FROM loyalty_entry GROUP BY 1, 2
    """,
    # What comes and goes, and what only changes its place or its holder.
    checks={
        "movements of each month add up": """
            CASE WHEN kind IN ('earned', 'granted', 'restored') THEN points < 0
                 WHEN kind IN ('spent', 'returned', 'debt_paid', 'expired') THEN points > 0
                 WHEN kind IN ('matured', 'transferred') THEN points <> 0
                 ELSE true END"""
    },
)
REDEMPTIONS = Pass(
    rows="""
        SELECT r.id AS redemption, r.state, r.points, e.kind, e.amount, back.amount AS given_back,
               v.state AS voucher
          FROM loyalty_redemption r
          JOIN loyalty_entry e ON e.id = r.entry_id
          LEFT JOIN loyalty_entry back ON back.reverses_id = e.id AND back.kind = 'restored'
          LEFT JOIN loyalty_voucher v ON v.redemption_id = r.id
    """,
    checks={
        "redemptions are spends of their points": "kind <> 'spent' OR amount <> -points",
        "only cancelled redemptions gave their points back": """
            given_back <> points OR (state = 'cancelled' AND given_back IS NULL)
            OR (state = 'done' AND given_back IS NOT NULL)""",
        "no voucher outlives its redemption": """
            state = 'cancelled' AND voucher IN ('active', 'held', 'redeemed')""",
    },
)
TIERS = Pass(
    # Ever, and by either measure: windows move on between two sweeps, and a policy may change.
    rows="""
        SELECT a.member_id, t.slug AS tier, t.threshold, w.points
          FROM loyalty_account a
          JOIN loyalty_tier t ON t.id = a.tier_id
          LEFT JOIN (SELECT w.member_id, sum(w.points - w.taken_back) AS points
                       FROM loyalty_award w
                       JOIN loyalty_earnrule r ON r.id = w.rule_id AND r.counts_for_tier
                      GROUP BY w.member_id) w ON w.member_id = a.member_id
    """,
    checks={
        "tiers are held by who ever reached them": """
            coalesce(points, 0) < threshold
            AND threshold > (SELECT coalesce(sum((l.quantity * l.unit_price - l.discount)
                                                 * (l.quantity - l.returned) / l.quantity), 0)
                               FROM loyalty_purchase b
                               JOIN loyalty_purchaseline l ON l.purchase_id = b.id
                              WHERE b.member_id = r.member_id)"""
    },
)
OUTINGS = Pass(
    rows="""
        SELECT o.code AS outing, o.taken, coalesce(r.seats, 0) AS held
          FROM loyalty_outing o
          LEFT JOIN (SELECT outing_id, count(*) AS seats FROM loyalty_registration
                      WHERE state IN ('registered', 'attended') GROUP BY outing_id) r
                 ON r.outing_id = o.id
    """,
    checks={"seats taken are seats held": "taken <> held"},
)
CAPS = Pass(
    # Of a version with a cap every award raised exactly one counter of each cap.
    rows="""
        SELECT coalesce(g.slug, c.slug) AS rule, coalesce(g.member_id, c.member_id) AS member_id,
               g.points AS given, c.used AS counted
          FROM (SELECT r.slug, w.member_id, sum(w.points) AS points
                  FROM loyalty_award w JOIN loyalty_earnrule r ON r.id = w.rule_id
                 WHERE r.member_cap IS NOT NULL GROUP BY r.slug, w.member_id
                 UNION ALL
                SELECT r.slug, 0, sum(w.points)
                  FROM loyalty_award w JOIN loyalty_earnrule r ON r.id = w.rule_id
                 WHERE r.programme_cap IS NOT NULL GROUP BY r.slug) g
          FULL JOIN (SELECT rule_slug AS slug, coalesce(member_id, 0) AS member_id,
                            sum(used) AS used
                       FROM loyalty_capcounter GROUP BY rule_slug, member_id) c
            ON c.slug = g.slug AND c.member_id = g.member_id
    """,
    checks={"caps counted what was given": "coalesce(given, 0) <> coalesce(counted, 0)"},
)
COUNTERS = Pass(
    rows="""
        SELECT c.rule_slug AS rule, c.member_id, c.period, c.used,
               CASE WHEN c.member_id IS NULL THEN r.programme_cap ELSE r.member_cap END AS cap
          FROM loyalty_capcounter c
          LEFT JOIN (SELECT slug, max(member_cap) AS member_cap, max(programme_cap) AS programme_cap
                       FROM loyalty_earnrule GROUP BY slug) r ON r.slug = c.rule_slug
    """,
    checks={
        "caps are not exceeded by what they counted": "used > cap",
        "every counter belongs to a rule with that cap": "cap IS NULL AND used > 0",
    },
)
PASSES = (
    ACCOUNTS, LOTS, ENTRIES, AWARDS, MONTHS, REDEMPTIONS, TIERS, OUTINGS, CAPS, COUNTERS,
)  # fmt: skip
