"""The staff's door to loyalty. Django finds the admin classes through these imports."""

from loyalty.admin import (
    catalog,
    challenges,
    check_ins,
    earn_rules,
    ledger,
    member_page,
    outings,
    places,
    purchases,
    rewards,
    tiers,
    today,
)

__all__ = [
    "catalog",
    "challenges",
    "check_ins",
    "earn_rules",
    "ledger",
    "member_page",
    "outings",
    "places",
    "purchases",
    "rewards",
    "tiers",
    "today",
]
