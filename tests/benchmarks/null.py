"""A provider that takes everything and does nothing."""

from collections.abc import Sequence
from datetime import datetime

from campaigns.channels.contract import Outcome, Result
from campaigns.rendering import Message


class Null:
    chunk = 500
    is_transactional = False
    resends_in_doubt = True

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        return [Outcome(message, Result.SENT) for message in messages]
