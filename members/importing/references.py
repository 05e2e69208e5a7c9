"""What a cell refers to, looked up for a whole chunk at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from members import prepared
from members.arrays import array
from members.contacts import email_key
from members.models import Interest, Store


@dataclass(frozen=True, slots=True)
class Known:
    """A member as a fact needs one."""

    id: int
    zone: str


def members_named(names: Iterable[str]) -> dict[str, Known]:
    """The present members with these numbers or e-mail addresses, by the name as it was given; of a
    number that was merged into another the member it leads to."""
    wanted = {name: email_key(name) if "@" in name else "" for name in names}
    numbers = array(name for name, key in wanted.items() if not key)
    keys = array(key for key in wanted.values() if key)
    by_number: dict[str, Known] = {}
    by_email: dict[str | None, Known] = {}
    for pk, zone, number, key in prepared.execute(_NAMED, [numbers, keys], rows=len(wanted)):
        by_number[number] = by_email[key] = Known(pk, zone)
    return {
        name: known
        for name, key in wanted.items()
        if (known := by_email.get(key) if key else by_number.get(name)) is not None
    }


_NAMED = """
SELECT p.id, p.zone, m.number, m.email_key
  FROM members_member m JOIN members_member p ON p.id = coalesce(m.merged_into_id, m.id)
 WHERE m.erased_at IS NULL AND (m.number = ANY(%s::text[]) OR m.email_key = ANY(%s::text[]))
"""


def stores_coded(codes: Iterable[str | None]) -> dict[str, Store]:
    return Store.objects.in_bulk({code for code in codes if code}, field_name="code")


def interests() -> dict[str, int]:
    """{slug: id} of every interest: there are few."""
    return dict(Interest.objects.values_list("slug", "pk"))


def unknown(what: str, name: str) -> str:
    """The sentence for a reference to nothing."""
    return f"There is no {what} {name[:80]!r}."
