"""The marketer's door. Django finds the admin classes through these imports."""

from campaigns.admin import (
    audience,
    calls,
    campaign,
    deliveries,
    desks,
    occasions,
    policies,
    today,
)

__all__ = [
    "audience",
    "calls",
    "campaign",
    "deliveries",
    "desks",
    "occasions",
    "policies",
    "today",
]
