"""Before the launch: every version of every step, written for members who might get it.

Names what would be missing and for how many, so that "Hello ," is seen by a marketer and not by a
member. Nothing here writes.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from campaigns import audiences, filling, gifts, previewing, rendering
from campaigns.models import Campaign, Delivery, Journey, Variant
from campaigns.previewing import NOBODY
from members.models import Member, Programme

MOST_MEMBERS = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What a version of a step lacks, or why it cannot be written, for how many of `looked_at`."""

    step: int
    variant: str
    what: str
    members: int
    looked_at: int


def look(campaign: Campaign, *, now: datetime) -> list[Finding]:
    """What is missing in the messages to the audience's newest members, most frequent first."""
    audience = audiences.members(campaign.audience.definition, at=now)
    members = list(audience.order_by("-joined_at")[:MOST_MEMBERS])
    variants = Variant.objects.filter(step__in=campaign.steps.all())
    rows = variants.select_related("interest", "tier", "step__gift").order_by(
        "step__position", "pk"
    )
    found = [finding for variant in rows for finding in _look(variant, campaign, members, now)]
    return sorted(found, key=lambda each: -each.members)


def _look(
    variant: Variant, campaign: Campaign, members: list[Member], now: datetime
) -> list[Finding]:
    deliveries = [_delivery(variant, campaign, member, -n) for n, member in enumerate(members, 1)]
    gifts.promise(deliveries, now=now)
    facts = rendering.facts_for(deliveries, now=now)
    programme = Programme.objects.get()
    lacking: Counter[str] = Counter()
    for delivery in deliveries:
        values = facts[delivery.pk]
        lacking.update(previewing.missing([variant.subject, variant.body], values))
        try:
            rendering.render(
                delivery, variant=variant, values=values, links=[], programme=programme
            )
        except filling.RenderingFailed as error:
            lacking[error.detail] += 1
    return [
        Finding(variant.step.position, str(variant), what, many, len(members))
        for what, many in lacking.items()
    ]


def _delivery(variant: Variant, campaign: Campaign, member: Member, pk: int) -> Delivery:
    return Delivery(
        pk=pk,
        campaign=campaign,
        member=member,
        journey=Journey(pk=NOBODY, campaign=campaign, member=member),
        step=variant.step,
        variant=variant,
    )
