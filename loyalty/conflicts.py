"""What an offline till did and that fits no more: seen by its store, settled by a person, once."""

from datetime import datetime

from django.db.models import Q, QuerySet

from config.errors import Invalid, Refusal
from loyalty.models import TillEvent
from members.models import ApiKey, User


class AlreadySettled(Refusal):
    code = "already_settled"
    status = 409


def of_key(*, key: ApiKey) -> QuerySet[TillEvent]:
    """The conflicts of this key's own events, and of its store."""
    own = Q(key=key) | Q(store=key.store) if key.store else Q(key=key)
    return TillEvent.objects.filter(own, outcome=TillEvent.Outcome.CONFLICT)


def settle(*, event: TillEvent, note: str, by: User, now: datetime) -> TillEvent:
    """Close a conflict with a note of how; the till's own words are not needed any more."""
    if not note.strip():
        raise Invalid("Say how it was settled.", pointer="/note")
    open_ = TillEvent.objects.filter(
        pk=event.pk, outcome=TillEvent.Outcome.CONFLICT, settled_at__isnull=True
    )
    if not open_.update(note=note.strip(), settled_at=now, settled_by=by, said=None):
        raise AlreadySettled("Somebody has settled this already.")
    event.refresh_from_db()
    return event
