"""The broker in a folder: what processes put and take at the same time stays whole."""

from collections import Counter
from itertools import chain
from pathlib import Path
from queue import Empty
from typing import Any

from kombu import Connection

from config.celery import app
from tests.processes import at_once

MESSAGES = 400


def channel(folder: Path) -> Any:
    """A channel of the transport that our settings name."""
    options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder / "control"),
    }
    return Connection("filesystem://", transport_options=options).channel()


def test_messages_put_and_taken_at_the_same_time_arrive_whole_and_once(tmp_path: Path) -> None:
    def work(number: int) -> list[int]:
        here = channel(tmp_path)
        if number < 2:
            for place in range(MESSAGES):
                here._put("celery", {"place": number * MESSAGES + place, "padding": "x" * 200_000})
            (tmp_path / f"all of {number}").touch()
            return []
        taken: list[int] = []
        while True:
            is_all = all((tmp_path / f"all of {each}").exists() for each in (0, 1))
            try:
                taken.append(here._get("celery")["place"])
            except Empty:
                if is_all:
                    return taken

    found = at_once(work, callers=4)
    assert not [each for each in found if isinstance(each, str)]
    assert Counter(chain.from_iterable(found)) == Counter(range(2 * MESSAGES))


def test_queues_bound_at_the_same_time_are_all_in_the_table(tmp_path: Path) -> None:
    def work(number: int) -> int:
        here = channel(tmp_path)
        for place in range(20):
            here._queue_bind(f"exchange-{place}", "", "", f"queue-{number}")
            here.get_table(f"exchange-{place}")
        return number

    assert sorted(at_once(work, callers=8)) == list(range(8))
    for place in range(20):
        table = channel(tmp_path).get_table(f"exchange-{place}")
        assert {row.queue for row in table} == {f"queue-{number}" for number in range(8)}


def test_celery_uses_this_broker() -> None:
    with app.connection_for_write("filesystem://") as connection:
        assert type(connection.transport).__module__ == "config.folder_broker"
