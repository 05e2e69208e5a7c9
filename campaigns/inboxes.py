"""The member's inbox, as the app shows it."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from campaigns import tracking
from campaigns.models import InboxMessage
from config.errors import NotFound
from members.models import Member


def messages(*, member: Member) -> QuerySet[InboxMessage]:
    """The member's messages."""
    return InboxMessage.objects.filter(member=member).select_related("delivery__campaign")


def find(*, member: Member, message_id: int) -> InboxMessage:
    """One of the member's own messages; anybody else's does not exist."""
    message = (
        messages(member=member)
        .select_related(
            "delivery__journey__occasion",
            "delivery__member",
            "delivery__variant__interest",
            "delivery__variant__tier",
            "delivery__campaign__audience",
            "delivery__step",
            "delivery__context",
            "delivery__objection__cap",
        )
        .filter(pk=message_id)
        .first()
    )
    if message is None:
        raise NotFound("There is no such message.")
    return message


def read(*, member: Member, message_id: int, now: datetime) -> InboxMessage:
    """Mark as read; the first time counts as an open."""
    message = find(member=member, message_id=message_id)
    with transaction.atomic():
        changed = InboxMessage.objects.filter(pk=message.pk, read_at__isnull=True).update(
            read_at=now
        )
        if changed:
            message.read_at = now
            tracking.record_read(message.delivery, now=now)
    return message
