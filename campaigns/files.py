"""A campaign as a file: read strictly, written so that it reads back the same.

Loading a file creates a draft, or changes one. What has been launched is not changed by a file:
its messages are promises already made. A file of its code becomes the draft of its next version.
"""

import hashlib
import json
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns import documents, soundness, waits
from campaigns.models import Audience, Campaign, Step, Variant
from config.errors import Invalid, Refusal
from loyalty.models import Reward, Tier
from members.models import Interest, Topic

# Keys that stand in the file as they stand in the row.
AS_THEY_ARE = (
    "name", "purpose", "entry", "expires_hours", "in_quiet_hours", "holdout_percent", "priority",
    "goal", "reentry_days", "when_beaten", "answer_value", "budget",
)  # fmt: skip


class AlreadyLaunched(Refusal):
    code = "campaign_state"
    status = 409


def load(document: object, *, now: datetime) -> str:
    """Create or change a draft from a document: "loaded" or "unchanged".

    `Invalid` names the first key that is unknown, missing or wrong; nothing is stored then.
    """
    said = documents.read(document)
    code = said["code"]
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(code=code).first()
        launched = None
        if campaign is not None and campaign.state != Campaign.State.DRAFT:
            launched, campaign = campaign, Campaign.objects.filter(replaces=campaign).first()
        if export_of(campaign or launched) == said:
            return "unchanged"
        if launched is not None:
            if launched.state == Campaign.State.FINISHED:
                raise AlreadyLaunched(f"'{code}' is finished; load the change under another code.")
            if said["purpose"] != launched.purpose:
                raise Invalid(
                    "What members agreed to get does not change on the way: give it another code.",
                    pointer="/purpose",
                )
            code = f"{launched.code[:50]}.{launched.pk}"  # No code of a file has a point.
        saved = Audience.objects.filter(code=code).first()
        if saved is not None and (campaign is None or campaign.audience_id != saved.pk):
            raise Invalid(
                f"A saved audience is called '{code}'; give the campaign another code.",
                pointer="/code",
            )
        audience, _ = Audience.objects.update_or_create(
            code=code, defaults={"name": said["name"], "definition": said["audience"]}
        )
        fields = {key: said[key] for key in AS_THEY_ARE}
        fields["topic"] = Topic.objects.filter(slug=said["topic"] or "").first()
        campaign, _ = Campaign.objects.update_or_create(
            code=code, defaults={**fields, "audience": audience, "replaces": launched}
        )
        # Changed since somebody asked for its launch: it has to be asked for again.
        Campaign.objects.filter(pk=campaign.pk).update(asked_at=None, asked_by=None)
        campaign.steps.all().delete()
        _write_steps(campaign, said["steps"])
        soundness.check(campaign, now=now)
    return "loaded"


def written(code: str) -> Campaign:
    """The campaign that a file of this code writes on; of a launched one the next version."""
    campaign = Campaign.objects.get(code=code)
    return Campaign.objects.filter(replaces=campaign).first() or campaign


def export_of(campaign: Campaign | None) -> dict[str, Any] | None:
    return export(campaign) if campaign is not None else None


def export(campaign: Campaign) -> dict[str, Any]:
    """The campaign as a document that `load` takes back."""
    return {
        "code": campaign.replaces.code if campaign.replaces else campaign.code,
        **{key: getattr(campaign, key) for key in AS_THEY_ARE},
        "topic": campaign.topic.slug if campaign.topic else None,
        "audience": campaign.audience.definition,
        "holdout_percent": documents.plain(campaign.holdout_percent),
        "answer_value": str(campaign.answer_value),
        "steps": [
            {
                "channels": step.channels,
                "send": step.send,
                "wait": waits.written(step.wait_minutes, step.local_time),
                "if": step.condition,
                "choose": step.choose,
                "gift": step.gift.slug if step.gift else None,
                "points": step.points,
                "variants": [
                    _variant(variant)
                    for variant in step.variants.select_related("interest", "tier").order_by("pk")
                ],
            }
            for step in campaign.steps.select_related("gift")
        ],
    }


def digest(campaign: Campaign) -> str:
    """A digest of what the campaign says: another one as soon as anything of it is changed."""
    return hashlib.sha256(json.dumps(export(campaign), default=str).encode()).hexdigest()


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "interest": variant.interest.slug if variant.interest else None,
        **({"language": variant.language} if variant.language else {}),
        **({"tier": variant.tier.slug} if variant.tier else {}),
        "subject": variant.subject,
        "body": variant.body,
        "image": variant.image,
    }


def _write_steps(campaign: Campaign, steps: list[dict[str, Any]]) -> None:
    interests = {interest.slug: interest for interest in Interest.objects.all()}
    tiers = {tier.slug: tier for tier in Tier.objects.all()}
    for position, step in enumerate(steps, start=1):
        wait_minutes, local_time = waits.read(step["wait"])
        row = Step.objects.create(
            campaign=campaign,
            position=position,
            channels=step["channels"],
            send=step["send"],
            wait_minutes=wait_minutes,
            local_time=local_time,
            condition=step["if"],
            choose=step["choose"],
            gift=Reward.objects.get(slug=step["gift"]) if step["gift"] else None,
            points=step["points"],
        )
        for variant in step["variants"]:
            Variant.objects.create(
                step=row,
                interest=interests.get(variant["interest"] or ""),
                language=variant.get("language"),
                tier=tiers.get(variant.get("tier", "")),
                subject=variant["subject"],
                body=variant["body"],
                image=variant["image"],
            )
