"""Why this message, to this member, now: the facts a delivery stands on, and whom it beat.

For staff the whole of it; for the member the same in kind words and without other people's terms.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from campaigns import audiences, clauses
from campaigns.models import Delivery
from members import interests
from members.models import Interaction, Member


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
class Why:
    """`sentences` say it in words; the rest is what they were made from."""

    campaign: str
    name: str
    sentences: tuple[str, ...]
    entry: dict[str, Any]
    clauses: tuple[clauses.Clause, ...]
    occasion: dict[str, Any] | None
    interaction: dict[str, Any] | None
    interest: str | None
    score: float | None
    facts: tuple[Fact, ...]
    arm: str
    channel: str
    state: str
    reason: str
    due_at: datetime
    zone: str
    rivals: tuple[Rival, ...]


def explain(delivery: Delivery) -> Why:
    """Explain a delivery from what is stored, as of the moment it was due."""
    journey = delivery.journey
    campaign, member = delivery.campaign, delivery.member
    interest = delivery.variant.interest if delivery.variant else None
    score = None
    if interest is not None:
        profile = interests.profile(member=member, at=delivery.sent_at or delivery.due_at)
        score = next((s for s in profile if s.interest == interest), None)
    occasion = None
    if journey.occasion is not None:
        row = journey.occasion
        occasion = {
            "occasion": row.occasion,
            "date": row.date,
            "district": row.district or row.county or row.region or row.country,
            "calendar": row.source,
        }
    cause = (
        Interaction.objects.filter(pk=journey.interaction_id or 0).select_related("kind").first()
    )
    interaction = (
        {
            "kind": cause.kind.slug,
            "name": cause.kind.name,
            "occurred_at": cause.occurred_at,
            "place": cause.place,
            "sku": cause.sku,
        }
        if cause
        else None
    )
    facts = tuple(Fact(e.name, e.facts, e.last_at) for e in score.evidence) if score else ()
    rivals = tuple(
        Rival(rival.campaign.code, rival.campaign.name, rival.reason)
        for rival in Delivery.objects.filter(beaten_by=delivery).select_related("campaign")
    )
    return Why(
        campaign=campaign.code,
        name=campaign.name,
        sentences=tuple(_sentences(delivery, occasion, interaction, score, rivals)),
        entry=campaign.entry,
        clauses=tuple(
            audiences.explain(campaign.audience.definition, member=member, at=journey.entered_at)
        ),
        occasion=occasion,
        interaction=interaction,
        interest=interest.slug if interest else None,
        score=score.score if score else None,
        facts=facts,
        arm="held_out" if journey.is_held_out else "treated",
        channel=delivery.channel,
        state=delivery.state,
        reason=delivery.reason,
        due_at=delivery.due_at,
        zone=journey.zone,
        rivals=rivals,
    )


def recent(*, member: Member, at: datetime, days: int = 90) -> list[Delivery]:
    """What was planned for a member lately, sent or not, newest first."""
    return list(
        Delivery.objects.filter(member=member, due_at__gt=at - timedelta(days=days))
        .select_related("campaign", "journey", "variant__interest")
        .order_by("-due_at")[:50]
    )


def _sentences(
    delivery: Delivery,
    occasion: dict[str, Any] | None,
    interaction: dict[str, Any] | None,
    score: interests.Score | None,
    rivals: tuple[Rival, ...],
) -> list[str]:
    said = []
    if occasion is not None:
        name = str(occasion["occasion"]).replace("-", " ")
        said.append(
            f"In {occasion['district']} the date for {name} is {occasion['date']:%d %B %Y};"
            f" this is timed by it, in your local time ({delivery.journey.zone})."
        )
    if interaction is not None:
        said.append(f"It answers what you did: {str(interaction['name']).lower()}.")
    if score is not None and score.is_stated:
        said.append(f"You told us that you love {score.interest.name.lower()}.")
    elif score is not None:
        told = ", ".join(
            f"{e.name.lower()} ({e.facts}, last on {e.last_at:%d %B %Y})" for e in score.evidence
        )
        said.append(f"It is the version for {score.interest.name.lower()}, because of: {told}.")
    elif delivery.variant is not None:
        said.append("It is the version for everybody.")
    if rivals:
        names = ", ".join(rival.name for rival in rivals)
        said.append(f"To write to you less often, we left out: {names}.")
    if delivery.reason != Delivery.Reason.CONSENT:
        said.append(f"You allow messages of this kind by {delivery.get_channel_display()}.")
    return said
