"""A call or a visit: the row in the desk's queue is the message, so it is there exactly once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from campaigns import desks
from campaigns.channels.contract import Outcome, Result, RowCarrier
from campaigns.models import StaffTask
from campaigns.rendering import Message

# Somebody who just did something is called while they remember it.
DUE_WITHIN = timedelta(minutes=20)


class People(RowCarrier):
    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        StaffTask.objects.bulk_create(
            [
                StaffTask(
                    delivery=message.delivery,
                    member=message.member,
                    store=message.delivery.desk.store if message.delivery.desk else None,
                    subject=message.subject,
                    text=message.text,
                    created_at=now,
                    due_at=desks.waking(at=now + DUE_WITHIN, zone=message.member.zone),
                )
                for message in messages
            ]
        )
        return [Outcome(message, Result.SENT) for message in messages]
