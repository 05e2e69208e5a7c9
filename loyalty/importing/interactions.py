"""Interactions: what members did elsewhere, each once per member, kind and reference.

A row teaches the interest it names, the one its category is named after, and those of its product
and place. A sku that is sold no more stays a word; a place must be one of ours.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from config.errors import Invalid
from loyalty import catalog
from loyalty.models import Place
from members import interactions
from members.arrays import array
from members.importing import columns as c
from members.importing import references
from members.importing.kinds import LOADED, UNCHANGED, Item, Kind, Outcome, rejected

OWN = {"purchase": "purchases"}  # Kinds that are written with something else, and with what.


class Interactions(Kind):
    slug = "interactions"
    columns = (
        c.Column("member", c.text(254), is_required=True),
        c.Column("kind", c.slug(32), is_required=True),
        c.Column("occurred_at", c.moment, is_required=True),
        c.Column("sku", c.text(64)),
        c.Column("category", c.text(64)),
        c.Column("interest", c.slugs(40)),
        c.Column("place", c.text(64)),
        c.Column("campaign", c.text(64)),
        c.Column("value", c.money()),
        c.Column("reference", c.text(80), is_required=True),
    )

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        known = _Known(items)
        outcomes: dict[int, Outcome] = {}
        facts: dict[int, interactions.Fact] = {}
        for place, item in enumerate(items):
            try:
                facts[place] = known.fact(item.values, now=now)
            except Invalid as error:
                outcomes[place] = rejected(error.detail)
        stored = _stored(list(facts.values()))
        new: list[interactions.Fact] = []
        for place, fact in facts.items():
            key = fact.member_id, fact.kind, fact.reference
            if key in stored:
                outcomes[place] = UNCHANGED
            else:
                stored.add(key)
                new.append(fact)
                outcomes[place] = LOADED
        interactions.record(new, now=now)
        return [outcomes[place] for place in range(len(items))]


class _Known:
    """All that the rows of a chunk refer to."""

    def __init__(self, items: Sequence[Item]) -> None:
        rows = [item.values for item in items]
        self._members = references.members_named({row["member"] for row in rows})
        self._kinds = interactions.kinds()
        self._interests = references.interests()
        self._catalog = catalog.look_up(skus=(row["sku"] or "" for row in rows))
        codes = {row["place"] for row in rows if row["place"]}
        self._places: dict[str, list[int]] = {}
        for code, interest in Place.objects.filter(code__in=codes).values_list("code", "interests"):
            self._places.setdefault(code, []).extend([interest] if interest else [])

    def fact(self, row: c.Values, *, now: datetime) -> interactions.Fact:
        """The row as a fact; `Invalid` says what in it we do not know."""
        interactions.check_time(occurred_at=row["occurred_at"], now=now)
        member = self._members.get(row["member"])
        if member is None:
            raise Invalid(references.unknown("member", row["member"]))
        if (written_with := OWN.get(row["kind"])) is not None:
            raise Invalid(f"A {row['kind']} is loaded with its points: load {written_with}.")
        if row["kind"] not in self._kinds:
            raise Invalid(references.unknown("interaction kind", row["kind"]))
        if row["place"] and row["place"] not in self._places:
            raise Invalid(references.unknown("place", row["place"]))
        sku, category = row["sku"] or "", row["category"] or ""
        return interactions.Fact(
            member_id=member.id,
            kind=row["kind"],
            occurred_at=row["occurred_at"],
            reference=row["reference"],
            interest_ids=tuple(self._taught(row, sku, category)),
            sku=sku or None,
            category=self._catalog.category_of(sku=sku, category=category) or None,
            place=row["place"],
            campaign=row["campaign"],
            value=row["value"],
        )

    def _taught(self, row: c.Values, sku: str, category: str) -> set[int]:
        taught = set(self._catalog.interests_of(sku=sku, category=category).values())
        taught.update(self._places.get(row["place"], ()))
        for slug in row["interest"] or ():
            if slug not in self._interests:
                raise Invalid(references.unknown("interest", slug))
            taught.add(self._interests[slug])
        return taught


def _stored(facts: Sequence[interactions.Fact]) -> set[tuple[int, str, str]]:
    """The (member, kind, reference) of these that are recorded already."""
    with connection.cursor() as cursor:
        cursor.execute(
            _STORED,
            [
                array(fact.member_id for fact in facts),
                array(fact.kind for fact in facts),
                array(fact.reference for fact in facts),
            ],
        )
        return set(cursor.fetchall())


_STORED = """
SELECT g.* FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS g(member_id, kind, reference)
  JOIN members_interactionkind k ON k.slug = g.kind
  JOIN members_interaction i
    ON i.member_id = g.member_id AND i.kind_id = k.id AND i.reference = g.reference
"""
