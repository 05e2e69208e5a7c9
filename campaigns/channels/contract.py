"""What every channel promises to the sender."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from campaigns.rendering import Message


class Result(Enum):
    SENT = "sent"
    REFUSED = "refused"  # For good: another try cannot help.
    RETRY = "retry"  # Not now: try later.
    IN_DOUBT = "in doubt"  # It may have gone out.


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message; `detail` is the provider's word, `is_nobody`: there is no such
    address, says its server."""

    message: Message
    result: Result
    detail: str = ""
    is_nobody: bool = False


class Carrier(Protocol):
    """A channel.

    `chunk`: how many messages are put at risk together: they are marked as being sent before the
    call, and are in doubt if the worker dies within it.
    `resends_in_doubt`: whether sending again cannot double, because the provider or the device
    drops the second one.
    `is_transactional`: whether sending is a row in our own database, committed with the record.
    """

    is_transactional: bool

    @property
    def chunk(self) -> int: ...

    @property
    def resends_in_doubt(self) -> bool: ...

    def open(self) -> None:
        """Connect, if the channel keeps a connection; raises `Unreachable`."""

    def close(self) -> None:
        """Disconnect."""

    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        """Send these messages, one outcome each, in order."""


class RowCarrier:
    """A channel whose message is a row in our own database: there is nothing to connect to, and
    the row is there exactly once."""

    chunk = 500
    is_transactional = True
    resends_in_doubt = True

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass


class Unreachable(Exception):
    """The provider does not answer: nothing was sent."""
