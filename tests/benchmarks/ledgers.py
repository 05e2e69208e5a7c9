"""The rows that purchases leave behind, named by reference, member and version: see `sameness`.

Evidence is rounded, because a sum of halvings depends on its order. When a row was recorded is
left out: it is the clock's, not the work's.
"""

PURCHASE_ROWS = {
    "purchases": "SELECT member_id, store_id, channel, origin, reference, occurred_at, currency,"
    " total FROM loyalty_purchase",
    "lines": "SELECT p.reference, l.position, l.sku, l.product_id, l.category, l.quantity,"
    " l.unit_price, l.discount, l.returned"
    " FROM loyalty_purchaseline l JOIN loyalty_purchase p ON p.id = l.purchase_id",
    "awards": "SELECT p.reference, w.member_id, w.rule_id, w.fact, w.points, w.taken_back, w.base,"
    " w.lines FROM loyalty_award w JOIN loyalty_purchase p ON p.id = w.fact_id",
    "entries": "SELECT e.account_id, e.version, e.kind, e.amount, e.pending_change, e.debt_change,"
    " e.balance_after, e.at, e.actor_id, e.reverses_id, e.why, p.reference"
    " FROM loyalty_entry e LEFT JOIN loyalty_award w ON w.id = e.award_id"
    " LEFT JOIN loyalty_purchase p ON p.id = w.fact_id",
    "lots": "SELECT l.account_id, e.version, l.amount, l.remaining, l.is_pending, l.available_at,"
    " l.expires_at, p.reference FROM loyalty_lot l JOIN loyalty_entry e ON e.id = l.entry_id"
    " LEFT JOIN loyalty_award w ON w.id = l.award_id"
    " LEFT JOIN loyalty_purchase p ON p.id = w.fact_id",
    "accounts": "SELECT member_id, balance, pending, debt, version, tier_id FROM loyalty_account",
    "interactions": "SELECT i.member_id, i.kind_id, i.occurred_at, p.reference, i.interests, i.sku,"
    " i.category, i.place, i.campaign, i.value, u.interaction_id IS NOT NULL AS is_unanswered"
    " FROM members_interaction i"
    " JOIN loyalty_purchase p ON i.reference = 'purchase:' || p.id"
    " LEFT JOIN members_unansweredinteraction u ON u.interaction_id = i.id",
    "evidence": "SELECT member_id, interest_id, kind_id, round(mass::numeric, 6) AS mass, facts,"
    " as_of, last_at FROM members_interestevidence",
}
