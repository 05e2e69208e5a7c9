"""Products, places and outings with their interests, written for a chunk at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Model

from members.importing import references, upserting
from members.importing.kinds import LOADED, Item, Outcome


def unknown_interest(slugs: Iterable[str] | None, known: Mapping[str, int]) -> str:
    """The sentence for the first slug that is no interest, or ''."""
    missing = next((slug for slug in slugs or () if slug not in known), None)
    return "" if missing is None else references.unknown("interest", missing)


def upsert[M: Model](
    model: type[M],
    wanted: Mapping[int, upserting.Wanted[M]],
    *,
    items: Sequence[Item],
    interests: Mapping[str, int],
    unique: str,
) -> dict[int, Outcome]:
    """Write the rows wanted, by position among the items, and the interests that the items say."""
    written = upserting.upsert(model, list(wanted.values()), unique=[unique])
    outcomes = dict(zip(wanted, written, strict=True))
    said = {
        each.row.pk: [interests[slug] for slug in items[position].values["interests"]]
        for position, each in wanted.items()
        if each.row is not None and items[position].values["interests"] is not None
    }
    through: Any = getattr(model, "interests").through  # noqa: B009 - the stubs know no such field.
    changed = _relink(through, owner=str(model._meta.model_name), wanted=said)
    for position, each in wanted.items():
        if each.row is not None and each.row.pk in changed:
            outcomes[position] = LOADED
    return outcomes


def _relink(through: type[Model], *, owner: str, wanted: Mapping[int, Iterable[int]]) -> set[int]:
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
