"""The marketer's door. Django finds the admin classes through these imports."""

from campaigns.admin import audience, campaign, deliveries, occasions, policies, today

__all__ = ["audience", "campaign", "deliveries", "occasions", "policies", "today"]
