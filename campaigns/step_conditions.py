"""What a step can ask of a journey: what the member did since it began, and what they are.

As in `conditions`, a condition is one function from its parameters to a Q, here over journeys.
Every condition of an audience can be asked, too, of the journey's member.
"""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from campaigns import clauses, goals
from campaigns.clauses import Clause, Language
from campaigns.conditions import (
    REGISTRY,
    AKind,
    AnInterest,
    APlace,
)
from campaigns.models import Delivery, Engagement, Journey
from campaigns.registry import Condition, condition
from loyalty import hesitations
from members.models import Interaction, Member

CONDITIONS: dict[str, Condition] = {}


@condition("opened", registry=CONDITIONS)
def opened(*, step: int = 0, at: datetime) -> Q:
    """Members who opened a message of this journey, or clicked in it (of this step)."""
    return _engaged([Engagement.Kind.OPENED, Engagement.Kind.CLICKED], step=step)


@condition("clicked", registry=CONDITIONS)
def clicked(*, step: int = 0, at: datetime) -> Q:
    """Members who clicked in a message of this journey (of this step)."""
    return _engaged([Engagement.Kind.CLICKED], step=step)


@condition("was_sent", registry=CONDITIONS)
def was_sent(*, step: int = 0, at: datetime) -> Q:
    """Members to whom a message of this journey went out (of this step)."""
    return Q(Exists(_of_step(Delivery.objects.filter(journey=OuterRef("pk"), state="sent"), step)))


@condition("bought_since", registry=CONDITIONS)
def bought_since(
    *, category: str = "", sku: str = "", interest: AnInterest = "", at: datetime
) -> Q:
    """Members who bought since the journey began (of a category, product or interest)."""
    of = {"category": category, "sku": sku, "product__interests__slug": interest}
    return goals.bought(**{key: value for key, value in of.items() if value})


@condition("bought_what_let_them_in", registry=CONDITIONS)
def bought_what_let_them_in(*, at: datetime) -> Q:
    """Members who bought the very product whose interaction began the journey."""
    sku = Interaction.objects.filter(pk=OuterRef(OuterRef("interaction_id"))).values("sku")[:1]
    return goals.bought(sku__in=sku)


@condition("looked_at_another", registry=CONDITIONS)
def looked_at_another(*, at: datetime) -> Q:
    """Members who since then looked at another product than the one that began the journey."""
    sku = Interaction.objects.filter(pk=OuterRef(OuterRef("interaction_id"))).values("sku")[:1]
    return goals.did(~Q(sku=sku), kind__slug__in=hesitations.LOOKS, sku__isnull=False)


@condition("checked_in_since", registry=CONDITIONS)
def checked_in_since(*, place: APlace = "", at: datetime) -> Q:
    """Members who checked in since the journey began (at this place)."""
    return goals.checked_in(**({"place__code": place} if place else {}))


@condition("did_since", registry=CONDITIONS)
def did_since(
    *, kind: AKind, value_at_least: int = 0, value_at_most: int = 1_000_000, at: datetime
) -> Q:
    """Members who did this since the journey began (with a value in this range)."""
    what: dict[str, object] = {"kind__slug": kind}
    if value_at_least > 0:
        what["value__gte"] = value_at_least
    if value_at_most < 1_000_000:
        what["value__lte"] = value_at_most
    return goals.did(**what)


def _engaged(kinds: list[Engagement.Kind], *, step: int) -> Q:
    rows = Engagement.objects.filter(
        delivery__journey=OuterRef("pk"), kind__in=kinds, human_percent__gte=Engagement.LIKELY
    )
    return Q(Exists(_of_step(rows, step, "delivery__")))


def _of_step[Row: (Delivery, Engagement)](
    rows: QuerySet[Row], step: int, path: str = ""
) -> QuerySet[Row]:
    return rows.filter(**{f"{path}step__position": step}) if step else rows


def _of_member(asked: Condition) -> Condition:
    """A condition of members, asked of journeys."""

    def build(**arguments: object) -> Q:
        members = Member.objects.filter(asked.build(**arguments))
        return Q(member_id__in=members.values("pk"))

    return Condition(asked.name, asked.summary, asked.parameters, build)


_BORROWED = {name: _of_member(asked) for name, asked in REGISTRY.items()}
LANGUAGE = Language(Journey, {**_BORROWED, **CONDITIONS})


def explain(definition: Any, *, journey: Journey, at: datetime) -> list[Clause]:
    """Is it true of this journey: every clause with its truth, in reading order."""

    def is_true(clause: Any) -> bool:
        rows = Journey.objects.filter(LANGUAGE.q(clause, at=at), pk=journey.pk)
        return rows.exists()

    return list(clauses.explain(definition, is_true=is_true)) if definition else []
