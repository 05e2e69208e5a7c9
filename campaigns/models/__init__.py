"""Whom we tell what, when, why, and did it help."""

from .audience import Audience
from .campaign import Campaign, CampaignVersion, Link, Step, Variant
from .delivery import Delivery, Engagement, InboxMessage, Objection
from .journey import Journey
from .occasion import Occasion, OccasionArea
from .policy import ContactCap, QuietHours
from .track_record import TrackRecord

__all__ = [
    "Audience",
    "Campaign",
    "CampaignVersion",
    "ContactCap",
    "Delivery",
    "Engagement",
    "InboxMessage",
    "Journey",
    "Link",
    "Objection",
    "Occasion",
    "OccasionArea",
    "QuietHours",
    "Step",
    "TrackRecord",
    "Variant",
]
