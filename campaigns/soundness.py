"""Whether a campaign could be carried out: what its document names is there, its texts can be
written, its moment has not passed. Asked when it is saved, and again before its launch.
"""

from datetime import datetime
from typing import Any

from campaigns import audiences, entries, goals, images, rendering, step_conditions
from campaigns.channels import CARRIERS
from campaigns.models import Campaign, Occasion, Step
from config.errors import Invalid
from loyalty.models import Place
from members.models import InteractionKind, Interest


def check(campaign: Campaign, *, now: datetime) -> None:
    """Refuse a campaign that could not be carried out; `Invalid` names the place."""
    entries.check(campaign.entry)
    _check_names(campaign.entry)
    if entries.is_over(campaign.entry, now=now):
        raise Invalid("This moment has passed.", pointer="/entry")
    audiences.check(campaign.audience.definition)
    goals.check(campaign.goal, kinds=set(InteractionKind.objects.values_list("slug", flat=True)))
    steps = list(campaign.steps.prefetch_related("variants"))
    if not steps:
        raise Invalid("A campaign has at least one step.", pointer="/steps")
    for number, step in enumerate(steps):
        _check_step(step, pointer=f"/steps/{number}")


def _check_names(entry: dict[str, Any]) -> None:
    if (
        entry["kind"] == "occasion"
        and not Occasion.objects.filter(occasion=entry["occasion"]).exists()
    ):
        raise Invalid(
            f"No dates are known for the occasion '{entry['occasion']}'; load them first.",
            pointer="/entry/occasion",
        )
    if (
        entry["kind"] == entries.TRIGGERED
        and not InteractionKind.objects.filter(slug=entry["interaction"]).exists()
    ):
        raise Invalid(
            f"There is no interaction '{entry['interaction']}'.", pointer="/entry/interaction"
        )
    if "place" in entry and not Place.objects.filter(code=entry["place"]).exists():
        raise Invalid(f"There is no place '{entry['place']}'.", pointer="/entry/place")
    if "interest" in entry and not Interest.objects.filter(slug=entry["interest"]).exists():
        raise Invalid(f"There is no interest '{entry['interest']}'.", pointer="/entry/interest")


def _check_step(step: Step, *, pointer: str) -> None:
    if step.condition:
        step_conditions.LANGUAGE.check(step.condition, pointer=f"{pointer}/if")
    if not step.channels:
        raise Invalid("A step names at least one channel.", pointer=f"{pointer}/channels")
    for number, channel in enumerate(step.channels):
        if channel not in CARRIERS:
            raise Invalid(
                f"'{channel}' cannot send yet; there are: {', '.join(CARRIERS)}.",
                pointer=f"{pointer}/channels/{number}",
            )
    # In the order of the document: the pointer says which.
    variants = sorted(step.variants.all(), key=lambda each: each.pk)
    if not any(variant.is_default for variant in variants):
        raise Invalid(
            "A step needs a default variant, for members who love something else.",
            pointer=f"{pointer}/variants",
        )
    for number, variant in enumerate(variants):
        where = f"{pointer}/variants/{number}"
        rendering.check(subject=variant.subject, body=variant.body, pointer=where)
        if variant.image and variant.image not in images.SCENES:
            raise Invalid(
                f"There is no picture '{variant.image}'; there are: {', '.join(images.SCENES)}.",
                pointer=f"{where}/image",
            )
