"""What a delivery stands on, piece by piece: who it beat, what it lost to, which step it is, and
how its version was chosen.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from campaigns.models import Delivery, Journey, Objection, Step
from members.models import Interaction


@dataclass(frozen=True, slots=True)
class Fact:
    """One piece of evidence: what the member did, how often, when last."""

    what: str
    times: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Rival:
    """A message that gave way to this one."""

    campaign: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepPlace:
    """Which step it is: `number` of `of`, after one that was due at `before_at` and became
    `before_state` (the state of its delivery)."""

    number: int
    of: int
    before_at: datetime | None
    before_state: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A version chosen by learning: how likely it was, for readers who love `context` most."""

    propensity: float
    context: str | None
    context_name: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A cap it ran into: the member had `had` of `allowed` messages within the days, and
    `passes_at` is the first moment it would have passed. Whom it lost to, and what both were
    worth in money."""

    cap: str
    had: int
    allowed: int
    window_days: int
    passes_at: datetime | None
    price: Decimal
    worth: float
    lost_to: str
    lost_to_name: str
    lost_to_worth: float | None


def rivals(delivery: Delivery) -> tuple[Rival, ...]:
    """The messages that gave way to it."""
    rows = Delivery.objects.filter(beaten_by=delivery).select_related("campaign")
    return tuple(Rival(row.campaign.code, row.campaign.name, row.reason) for row in rows)


def occasion(journey: Journey) -> dict[str, Any] | None:
    """The date of a calendar that set the moment."""
    row = journey.occasion
    if row is None:
        return None
    return {
        "occasion": row.occasion,
        "date": row.date,
        "district": row.district or row.county or row.region or row.country,
        "calendar": row.source,
    }


def interaction(journey: Journey) -> dict[str, Any] | None:
    """What the member did to enter."""
    rows = Interaction.objects.filter(pk=journey.interaction_id or 0).select_related("kind")
    cause = rows.first()
    if cause is None:
        return None
    return {
        "kind": cause.kind.slug,
        "name": cause.kind.name,
        "occurred_at": cause.occurred_at,
        "place": cause.place,
        "sku": cause.sku,
    }


def place(delivery: Delivery) -> StepPlace | None:
    """Which step it is; None for what comes with the entry."""
    number = delivery.step.position
    if number == 1:
        return None
    earlier = Delivery.objects.filter(journey=delivery.journey_id, step__position__lt=number)
    before = earlier.order_by("-step__position", "-sent_at").first()
    return StepPlace(
        number,
        Step.every.filter(campaign=delivery.campaign_id, version=delivery.step.version).count(),
        (before.sent_at or before.due_at) if before else None,
        before.state if before else "",
    )


def choice(delivery: Delivery) -> Choice | None:
    """How a learned version was chosen; None where the interest decided."""
    if delivery.propensity is None:
        return None
    context = delivery.context
    return Choice(
        delivery.propensity, context.slug if context else None, context.name if context else ""
    )


def loss(delivery: Delivery) -> Loss | None:
    """The cap it ran into, if it did."""
    found: Objection | None = getattr(delivery, "objection", None)
    if found is None:
        return None
    winner, cap = delivery.beaten_by, found.cap
    return Loss(
        cap=cap.name if cap else "the member's own",
        had=found.had,
        allowed=found.allowed,
        window_days=cap.window_days if cap else delivery.member.most_messages_days or 0,
        passes_at=found.passes_at,
        price=cap.price if cap else Decimal(0),
        worth=delivery.value,
        lost_to=winner.campaign.code if winner else "",
        lost_to_name=winner.campaign.name if winner else "",
        lost_to_worth=winner.value if winner else None,
    )
