"""The interests of products and places, written for a chunk at once."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model

from members.importing import references


def unknown_interest(slugs: Iterable[str] | None, known: Mapping[str, int]) -> str:
    """The sentence for the first slug that is no interest, or ''."""
    missing = next((slug for slug in slugs or () if slug not in known), None)
    return "" if missing is None else references.unknown("interest", missing)


def relink(through: type[Model], *, owner: str, wanted: Mapping[int, Iterable[int]]) -> set[int]:
    """Give each owner exactly these interests; returns the owners whose interests changed."""
    links: Any = through._default_manager
    rows = links.filter(**{f"{owner}__in": wanted}).values_list(f"{owner}_id", "interest_id", "pk")
    stored = {(owner_id, interest_id): pk for owner_id, interest_id, pk in rows}
    pairs = {(owner_id, pk) for owner_id, interests in wanted.items() for pk in interests}
    gone = [pair for pair in stored if pair not in pairs]
    new = sorted(pairs - stored.keys())
    links.filter(pk__in=[stored[pair] for pair in gone]).delete()
    links.bulk_create(
        [through(**{f"{owner}_id": pk, "interest_id": interest}) for pk, interest in new]
    )
    return {pk for pk, _ in [*gone, *new]}
