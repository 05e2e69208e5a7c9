"""What is done because time has passed, when a part of it fails."""

from datetime import datetime

import pytest
from django.core.management import CommandError, call_command

from loyalty import sweeping, tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """A sweep whose `seats filled` fails; when its last verb ran."""
    found: list[datetime] = []

    def note(*, now: datetime) -> int:
        found.append(now)
        return 1

    def fail(*, now: datetime) -> int:
        raise ValueError(f"no seats at {now}")

    monkeypatch.setitem(sweeping.OFTEN, "seats filled", fail)
    monkeypatch.setitem(sweeping.OFTEN, "acts paid", note)
    return found


def test_verb_that_fails_holds_up_no_other(ran: list[datetime]) -> None:
    with pytest.raises(ExceptionGroup, match="Failed: seats filled") as caught:
        tasks.sweep()
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert len(ran) == 1


def test_tick_ends_with_an_error_after_everything_was_tried(ran: list[datetime]) -> None:
    with pytest.raises(CommandError, match="Failed: seats filled"):
        call_command("tick")
    assert len(ran) == 1
