"""The staff's door to loyalty. Django finds the admin classes through these imports."""

from loyalty.admin import (
    catalog,
    check_ins,
    earn_rules,
    ledger,
    member_page,
    outings,
    people,
    places,
    posts,
    purchases,
    referrals,
    rewards,
    tiers,
    tills,
    today,
    vouchers,
)

__all__ = [
    "catalog",
    "check_ins",
    "earn_rules",
    "ledger",
    "member_page",
    "outings",
    "people",
    "places",
    "posts",
    "purchases",
    "referrals",
    "rewards",
    "tiers",
    "tills",
    "today",
    "vouchers",
]
