"""Whom we tell what, when, why, and did it help."""

from .audience import Audience
from .campaign import Campaign, Link, Step, Variant
from .channel import ChannelState
from .delivery import Delivery, Engagement, InboxMessage
from .journey import Journey
from .occasion import Occasion, OccasionArea
from .policy import ContactCap, QuietHours

__all__ = [
    "Audience",
    "Campaign",
    "ChannelState",
    "ContactCap",
    "Delivery",
    "Engagement",
    "InboxMessage",
    "Journey",
    "Link",
    "Occasion",
    "OccasionArea",
    "QuietHours",
    "Step",
    "Variant",
]
