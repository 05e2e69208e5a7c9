"""Whom we tell what, when, why, and did it help."""

from .audience import Audience
from .campaign import Campaign, CampaignVersion, Step
from .channel import ChannelState
from .delivery import Delivery, Engagement, InboxMessage, Objection
from .desk import Desk
from .forecast import Forecast
from .gift import Gift, PointsGift
from .journey import Journey
from .occasion import Occasion, OccasionArea
from .policy import ContactCap, QuietHours
from .spending import Spending
from .staff_task import StaffTask
from .track_record import TrackRecord
from .variant import Link, Variant

__all__ = [
    "Audience",
    "Campaign",
    "CampaignVersion",
    "ChannelState",
    "ContactCap",
    "Delivery",
    "Desk",
    "Engagement",
    "Forecast",
    "Gift",
    "InboxMessage",
    "Journey",
    "Link",
    "Objection",
    "Occasion",
    "OccasionArea",
    "PointsGift",
    "QuietHours",
    "Spending",
    "StaffTask",
    "Step",
    "TrackRecord",
    "Variant",
]
