"""What must be true of the ledger: {check: SQL of the rows that contradict it}.

A sound ledger returns none. The tables of this floor are compared with each other, never with what
a room would compute today. An entry `transferred` takes lots of one member and makes new ones for
another.
"""

from collections.abc import Mapping

CHECKS: Mapping[str, str] = {
    "accounts equal the sums of their entries": """
        SELECT coalesce(a.member_id, e.account_id) AS member_id, a.balance,
               e.balance AS entries_say, a.pending, e.pending AS pending_say,
               a.debt, e.debt AS debt_say, a.version, e.entries
          FROM loyalty_account a
          FULL JOIN (SELECT account_id, sum(amount) AS balance, sum(pending_change) AS pending,
                            sum(debt_change) AS debt, count(*) AS entries, max(version) AS last
                       FROM loyalty_entry GROUP BY account_id) e ON e.account_id = a.member_id
         WHERE (a.balance, a.pending, a.debt, a.version, a.version) IS DISTINCT FROM
               (coalesce(e.balance, 0), coalesce(e.pending, 0), coalesce(e.debt, 0),
                coalesce(e.entries, 0), coalesce(e.last, 0))
    """,
    "the chain of entries has no gap and adds up": """
        SELECT account_id, version, balance_after, running
          FROM (SELECT account_id, version, balance_after,
                       sum(amount) OVER chain AS running, row_number() OVER chain AS place
                  FROM loyalty_entry WINDOW chain AS (PARTITION BY account_id ORDER BY version)) c
         WHERE balance_after <> running OR version <> place
    """,
    "lots hold what their uses left": """
        SELECT l.id AS lot, l.amount, l.remaining, u.used
          FROM loyalty_lot l
          LEFT JOIN (SELECT lot_id, sum(amount) AS used FROM loyalty_lotuse GROUP BY lot_id) u
                 ON u.lot_id = l.id
         WHERE l.remaining <> l.amount - coalesce(u.used, 0)
    """,
    "open lots add up to the account": """
        SELECT a.member_id, a.balance, l.available, a.pending, l.waiting
          FROM loyalty_account a
          LEFT JOIN (SELECT account_id,
                            sum(remaining) FILTER (WHERE NOT is_pending) AS available,
                            sum(remaining) FILTER (WHERE is_pending) AS waiting
                       FROM loyalty_lot GROUP BY account_id) l ON l.account_id = a.member_id
         WHERE a.balance <> coalesce(l.available, 0) OR a.pending <> coalesce(l.waiting, 0)
    """,
    "every debit says which lots it took": """
        SELECT e.id AS entry, e.kind, e.amount, e.pending_change, u.used
          FROM loyalty_entry e
          LEFT JOIN (SELECT entry_id, sum(amount) AS used FROM loyalty_lotuse GROUP BY entry_id) u
                 ON u.entry_id = e.id
         WHERE (e.kind IN ('spent', 'returned', 'debt_paid', 'expired', 'restored')
                OR e.kind = 'transferred' AND e.amount + e.pending_change < 0)
           AND -(e.amount + e.pending_change) <> coalesce(u.used, 0)
    """,
    "every credit made the lot it says": """
        SELECT e.id AS entry, e.amount, e.pending_change, l.amount AS lot
          FROM loyalty_entry e LEFT JOIN loyalty_lot l ON l.entry_id = e.id
         WHERE (e.kind IN ('earned', 'granted')
                OR e.kind = 'transferred' AND e.amount + e.pending_change > 0)
           AND e.amount + e.pending_change <> coalesce(l.amount, 0)
    """,
    "no spend was given back beyond what it took": """
        SELECT e.id AS entry, -e.amount AS spent, sum(back.amount) AS given_back
          FROM loyalty_entry e JOIN loyalty_entry back ON back.reverses_id = e.id
         GROUP BY e.id, e.amount HAVING sum(back.amount) > -e.amount
    """,
    "what one gave another got": """
        SELECT sum(amount + pending_change) AS points, sum(debt_change) AS debt
          FROM loyalty_entry WHERE kind = 'transferred'
        HAVING sum(amount + pending_change) <> 0 OR sum(debt_change) <> 0
    """,
    "awards equal what was credited for them": """
        SELECT coalesce(w.id, e.award_id) AS award, w.points, e.credited
          FROM loyalty_award w
          FULL JOIN (SELECT award_id, sum(amount + pending_change) AS credited
                       FROM loyalty_entry WHERE kind = 'earned' AND award_id IS NOT NULL
                      GROUP BY award_id) e ON e.award_id = w.id
         WHERE coalesce(w.points, 0) <> coalesce(e.credited, 0)
    """,
    "no return takes more than its award gave": """
        SELECT w.id AS award, w.points, w.taken_back, e.taken
          FROM loyalty_award w
          JOIN (SELECT award_id, -sum(amount + pending_change - debt_change) AS taken
                  FROM loyalty_entry WHERE kind = 'returned' GROUP BY award_id) e
            ON e.award_id = w.id
         WHERE e.taken > w.taken_back
    """,
    # Of a version with a cap every award raised exactly one counter of each cap.
    "caps counted what was given": """
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
         WHERE coalesce(g.points, 0) <> coalesce(c.used, 0)
    """,
    "caps are not exceeded by what they counted": """
        SELECT c.rule_slug, c.member_id, c.period, c.used, r.member_cap, r.programme_cap
          FROM loyalty_capcounter c
          JOIN (SELECT slug, max(member_cap) AS member_cap, max(programme_cap) AS programme_cap
                  FROM loyalty_earnrule GROUP BY slug) r ON r.slug = c.rule_slug
         WHERE c.used > CASE WHEN c.member_id IS NULL THEN r.programme_cap ELSE r.member_cap END
    """,
    "movements of each month add up": """
        SELECT *
          FROM (SELECT date_trunc('month', recorded_at) AS month, kind,
                       sum(amount) + sum(pending_change) AS points
                  FROM loyalty_entry GROUP BY 1, 2) m
         WHERE CASE WHEN kind IN ('earned', 'granted', 'restored') THEN points < 0
                    WHEN kind IN ('spent', 'returned', 'debt_paid', 'expired') THEN points > 0
                    WHEN kind IN ('matured', 'transferred') THEN points <> 0
                    ELSE true END
    """,
    "redemptions are spends of their points": """
        SELECT r.id AS redemption, r.points, e.kind, e.amount
          FROM loyalty_redemption r JOIN loyalty_entry e ON e.id = r.entry_id
         WHERE e.kind <> 'spent' OR e.amount <> -r.points
    """,
    "only cancelled redemptions gave their points back": """
        SELECT r.id AS redemption, r.state, r.points, e.amount AS given_back
          FROM loyalty_redemption r
          LEFT JOIN loyalty_entry e ON e.reverses_id = r.entry_id AND e.kind = 'restored'
         WHERE e.amount <> r.points OR (r.state = 'cancelled' AND e.id IS NULL)
            OR (r.state = 'done' AND e.id IS NOT NULL)
    """,
    "no voucher outlives its redemption": """
        SELECT v.id AS voucher, v.state, r.id AS redemption
          FROM loyalty_voucher v JOIN loyalty_redemption r ON r.id = v.redemption_id
         WHERE r.state = 'cancelled' AND v.state IN ('active', 'held', 'redeemed')
    """,
    # Ever, and by either measure: windows move on between two sweeps, and policies change.
    "tiers are held by who once reached them": """
        SELECT a.member_id, t.slug AS tier, t.threshold, w.points
          FROM loyalty_account a
          JOIN loyalty_tier t ON t.id = a.tier_id
          LEFT JOIN (SELECT coalesce(m.merged_into_id, m.id) AS member_id,
                            sum(w.points - w.taken_back) AS points
                       FROM loyalty_award w
                       JOIN loyalty_earnrule r ON r.id = w.rule_id AND r.counts_for_tier
                       JOIN members_member m ON m.id = w.member_id
                      GROUP BY 1) w ON w.member_id = a.member_id
         WHERE coalesce(w.points, 0) < t.threshold
           AND t.threshold > (SELECT coalesce(sum((l.quantity * l.unit_price - l.discount)
                                                  * (l.quantity - l.returned) / l.quantity), 0)
                                FROM loyalty_purchase b
                                JOIN loyalty_purchaseline l ON l.purchase_id = b.id
                               WHERE b.member_id = a.member_id)
    """,
    "seats taken are seats held": """
        SELECT o.code AS outing, o.taken, coalesce(r.seats, 0) AS held
          FROM loyalty_outing o
          LEFT JOIN (SELECT outing_id, count(*) AS seats FROM loyalty_registration
                      WHERE state IN ('registered', 'attended') GROUP BY outing_id) r
                 ON r.outing_id = o.id
         WHERE o.taken <> coalesce(r.seats, 0)
    """,
    "seats of sessions taken are seats sold": """
        SELECT s.id AS session, s.taken, coalesce(r.seats, 0) AS sold
          FROM loyalty_session s
          LEFT JOIN (SELECT session_id, count(*) AS seats FROM loyalty_redemption
                      WHERE state = 'done' GROUP BY session_id) r ON r.session_id = s.id
         WHERE s.taken <> coalesce(r.seats, 0)
    """,
    "vouchers count their uses": """
        SELECT v.id AS voucher, v.used, u.used AS uses, v.held, u.held AS holds
          FROM loyalty_voucher v
          LEFT JOIN (SELECT voucher_id, count(*) FILTER (WHERE state = 'redeemed') AS used,
                            count(*) FILTER (WHERE state = 'held') AS held
                       FROM loyalty_voucheruse GROUP BY voucher_id) u ON u.voucher_id = v.id
         WHERE (v.used, v.held) <> (coalesce(u.used, 0), coalesce(u.held, 0))
    """,
    "every counter belongs to a rule with that cap": """
        SELECT c.rule_slug, c.member_id, c.period, c.used
          FROM loyalty_capcounter c
         WHERE c.used > 0 AND NOT EXISTS (
               SELECT FROM loyalty_earnrule r WHERE r.slug = c.rule_slug
                  AND CASE WHEN c.member_id IS NULL THEN r.programme_cap ELSE r.member_cap END
                      IS NOT NULL)
    """,
}
