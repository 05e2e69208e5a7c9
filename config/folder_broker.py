"""A broker in a folder, for machines without another: kombu's, but nothing is seen half-written.

kombu's own creates a message's file before it fills it, so that now and then a worker took an
empty one and died of it (celery/kombu#1551); so with its tables of exchanges. Here a message
appears whole under its name, and one process at a time reads or writes the tables.
"""

import contextlib
import fcntl
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    # Its stubs have two names for the message.
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # Ordered by time and named as `_get` looks for it; it looks for no drafts.
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        draft = folder / f"{name}.draft"
        draft.write_text(dumps(payload))
        draft.rename(folder / name)

    def get_table(self, exchange: str) -> list[Any]:
        with self._alone():
            return list(super().get_table(exchange))

    def _queue_bind(self, *args: Any) -> None:
        with self._alone():
            super()._queue_bind(*args)

    def _delete(self, *args: Any, **kwargs: Any) -> None:
        with self._alone():
            super()._delete(*args, **kwargs)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.control_folder.mkdir(parents=True, exist_ok=True)
        with (self.control_folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # Let go when the file is closed.
            yield


class Transport(filesystem.Transport):
    Channel = Channel


def install() -> None:
    """Make this what `filesystem://` names."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
