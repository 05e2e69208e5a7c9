"""Writing rows whose natural key is theirs alone: insert what is new, update what differs.

Values that a row does not say are left out, and change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Model

from members.importing.columns import Values
from members.importing.kinds import LOADED, UNCHANGED, Outcome


@dataclass(slots=True)
class Wanted[M: Model]:
    """What a row should hold, and the stored one; `row` afterwards, whichever it came to be."""

    values: Values
    stored: M | None
    row: M | None = None
    is_changed: bool = False


def said(values: Values) -> Values:
    """What a row says: an empty cell says nothing."""
    return {name: value for name, value in values.items() if value is not None}


def upsert[M: Model](
    model: type[M], wanted: Sequence[Wanted[M]], *, unique: Sequence[str]
) -> list[Outcome]:
    """Write what differs, in one statement; one outcome each."""
    names = {name for each in wanted for name in each.values}
    for each in wanted:
        each.row = each.stored or model(**each.values)
        each.is_changed = each.stored is None
        for name, value in each.values.items():
            if getattr(each.row, name) != value:
                setattr(each.row, name, value)
                each.is_changed = True
    model._default_manager.bulk_create(
        [each.row for each in wanted if each.is_changed and each.row is not None],
        update_conflicts=True,
        unique_fields=list(unique),
        update_fields=sorted(names - set(unique)),
    )
    return [LOADED if each.is_changed else UNCHANGED for each in wanted]
