"""Whom we tell what, when, why, and did it help."""

from .audience import Audience
from .campaign import Campaign, Link, Step, Variant
from .delivery import Delivery, Engagement, InboxMessage
from .desk import Desk
from .journey import Journey
from .occasion import Occasion, OccasionArea
from .policy import ContactCap, QuietHours
from .staff_task import StaffTask

__all__ = [
    "Audience",
    "Campaign",
    "ContactCap",
    "Delivery",
    "Desk",
    "Engagement",
    "InboxMessage",
    "Journey",
    "Link",
    "Occasion",
    "OccasionArea",
    "QuietHours",
    "StaffTask",
    "Step",
    "Variant",
]
