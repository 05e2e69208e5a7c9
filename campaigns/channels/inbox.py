"""The in-app inbox: the row is the message, so it is there exactly once."""

from collections.abc import Sequence
from datetime import datetime

from campaigns.channels.contract import Outcome, Result, RowCarrier
from campaigns.models import InboxMessage
from campaigns.rendering import Message


class Inbox(RowCarrier):
    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        InboxMessage.objects.bulk_create(
            [
                InboxMessage(
                    delivery=message.delivery,
                    member=message.member,
                    subject=message.subject,
                    text=message.text,
                    html=message.html,
                    has_picture=message.has_picture,
                    created_at=now,
                )
                for message in messages
            ]
        )
        return [Outcome(message, Result.SENT) for message in messages]
