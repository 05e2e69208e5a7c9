"""Values that few messages use and that take a question each: asked only where a template of the
batch names them, once for all of its members."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns import templating
from campaigns.models import Delivery
from loyalty import companions, doubts, editions, nearby, recommendations, statements


@dataclass(frozen=True, slots=True)
class Asked:
    """Deliveries whose templates use a value; `skus` are of the products their journeys answer,
    by journey."""

    deliveries: Sequence[Delivery]
    skus: Mapping[int, str]
    now: datetime

    @property
    def member_ids(self) -> list[int]:
        return sorted({delivery.member_id for delivery in self.deliveries})


def of(
    deliveries: Sequence[Delivery], *, skus: Mapping[int, str], now: datetime
) -> dict[int, dict[str, Any]]:
    """{delivery: {name: value}} of what their templates use beyond the usual."""
    found: dict[int, dict[str, Any]] = {}
    for name, tell in _TELLING.items():
        asking = [delivery for delivery in deliveries if name in _used(delivery)]
        if asking:
            for pk, value in tell(Asked(asking, skus, now)).items():
                found.setdefault(pk, {})[name] = value
    return found


def _used(delivery: Delivery) -> frozenset[str]:
    variant = delivery.variant
    if variant is None:
        return frozenset()
    return templating.used(variant.subject) | templating.used(variant.body)


def _suggestions(asked: Asked) -> dict[int, Any]:
    """What goes with the product that the journey is about, or the one looked at last."""
    looked = recommendations.looked_at(member_ids=asked.member_ids, at=asked.now, limit=1)
    things = {}
    for delivery in asked.deliveries:
        last = looked.get(delivery.member_id)
        sku = asked.skus.get(delivery.journey_id, "") or (last[0].sku if last else "")
        if sku:
            things[delivery.pk] = (delivery.member_id, sku)
    found = companions.going_with(things=sorted(set(things.values())), at=asked.now)
    return {
        pk: [
            {
                "name": one.name,
                "category": one.category,
                "price": one.price,
                "currency": one.currency,
                "reason": one.reason,
            }
            for one in found.get(thing, [])
        ]
        for pk, thing in things.items()
    }


def _store(asked: Asked) -> dict[int, Any]:
    """Of a journey that is about a product the nearest that has it."""
    things = {
        delivery.pk: (delivery.member_id, asked.skus.get(delivery.journey_id, ""))
        for delivery in asked.deliveries
    }
    found = nearby.find(things=sorted(set(things.values())), at=asked.now)
    return {
        pk: {"name": store.name, "distance_km": store.distance_km, "has_it": store.has_it}
        for pk, thing in things.items()
        if thing in found and (store := found[thing].store)
    }


def _doubt(asked: Asked) -> dict[int, Any]:
    looks = {
        delivery.pk: (delivery.member_id, asked.skus[delivery.journey_id])
        for delivery in asked.deliveries
        if delivery.journey_id in asked.skus
    }
    guesses = doubts.about(looks=sorted(set(looks.values())), at=asked.now)
    return {
        pk: {
            "reason": guess.doubt.value,
            "is_sold_out": guess.found.is_sold_out,
            "available_on": guess.found.available_on,
        }
        for pk, look in looks.items()
        if (guess := guesses.get(look))
    }


def _edition(asked: Asked) -> dict[int, Any]:
    out = editions.out_for(member_ids=asked.member_ids, at=asked.now)
    return {
        delivery.pk: {
            "name": edition.name,
            "category": edition.category,
            "price": edition.price,
            "currency": edition.currency,
            "replaces": edition.replaces,
        }
        for delivery in asked.deliveries
        if (edition := out.get(delivery.member_id))
    }


def _expiring(asked: Asked) -> dict[int, Any]:
    going = statements.next_expiring(member_ids=asked.member_ids, at=asked.now)
    return {
        delivery.pk: {"points": first.points, "date": first.on}
        for delivery in asked.deliveries
        if (first := going.get(delivery.member_id))
    }


_TELLING: Mapping[str, Callable[[Asked], dict[int, Any]]] = {
    "suggestions": _suggestions,
    "store": _store,
    "doubt": _doubt,
    "edition": _edition,
    "expiring": _expiring,
}
