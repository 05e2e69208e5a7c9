"""A campaign as a file: read strictly, written so that it reads back the same.

Loading a file creates a draft, or changes one. A campaign that has been launched is not changed
by a file: its messages are promises already made.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from campaigns import audiences, entries, launching
from campaigns.models import Audience, Campaign, Step, Variant
from config.errors import Invalid, Refusal
from members.models import Channel, Interest, Purpose

KEYS = {
    "code", "name", "purpose", "audience", "entry", "expires_hours", "in_quiet_hours",
    "holdout_percent", "priority", "goal", "steps",
}  # fmt: skip
STEP_KEYS = {"channels", "send", "variants"}
VARIANT_KEYS = {"interest", "subject", "body", "image"}


class AlreadyLaunched(Refusal):
    code = "campaign_state"
    status = 409


def load(document: object, *, now: datetime) -> str:
    """Create or change a draft from a document: "loaded" or "unchanged".

    `Invalid` names the first key that is unknown, missing or wrong; nothing is stored then.
    """
    if not isinstance(document, dict):
        raise Invalid("A campaign is an object.", pointer="")
    _refuse_unknown(document, KEYS, "")
    for key in ("code", "name", "audience", "entry", "steps"):
        if key not in document:
            raise Invalid(f"A campaign needs '{key}'.", pointer=f"/{key}")
    code = _text(document, "code", 64, "")
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in code):
        raise Invalid("A code has letters, digits, - and _ only.", pointer="/code")
    audiences.check(document["audience"])
    entries.check(document["entry"])
    launching.check_goal(document.get("goal", {}))
    steps = _steps(document["steps"])
    fields = _fields(document)
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(code=code).first()
        if campaign is not None and export(campaign) == _complete(document, fields):
            return "unchanged"
        if campaign is not None and campaign.state != Campaign.State.DRAFT:
            raise AlreadyLaunched(f"'{code}' was launched; load the change under another code.")
        saved = Audience.objects.filter(code=code).first()
        if saved is not None and (campaign is None or campaign.audience_id != saved.pk):
            raise Invalid(
                f"A saved audience is called '{code}'; give the campaign another code.",
                pointer="/code",
            )
        audience, _ = Audience.objects.update_or_create(
            code=code, defaults={"name": fields["name"], "definition": document["audience"]}
        )
        campaign, _ = Campaign.objects.update_or_create(
            code=code, defaults={**fields, "audience": audience}
        )
        campaign.steps.all().delete()
        _write_steps(campaign, steps)
        launching.check(campaign, now=now)
    return "loaded"


def export(campaign: Campaign) -> dict[str, Any]:
    """The campaign as a document that `load` takes back."""
    return {
        "code": campaign.code,
        "name": campaign.name,
        "purpose": campaign.purpose,
        "audience": campaign.audience.definition,
        "entry": campaign.entry,
        "expires_hours": campaign.expires_hours,
        "in_quiet_hours": campaign.in_quiet_hours,
        "holdout_percent": _number(campaign.holdout_percent),
        "priority": campaign.priority,
        "goal": campaign.goal,
        "steps": [
            {
                "channels": step.channels,
                "send": step.send,
                "variants": [
                    {
                        "interest": variant.interest.slug if variant.interest else None,
                        "subject": variant.subject,
                        "body": variant.body,
                        "image": variant.image,
                    }
                    for variant in step.variants.select_related("interest").order_by("pk")
                ],
            }
            for step in campaign.steps.all()
        ],
    }


def _complete(document: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The document with every default written out, to compare with an export."""
    return {
        "code": document["code"],
        **fields,
        "audience": document["audience"],
        "holdout_percent": _number(fields["holdout_percent"]),
        "steps": [
            {
                "channels": step["channels"],
                "send": step.get("send", Step.Send.FIRST),
                "variants": [
                    {
                        "interest": variant.get("interest"),
                        "subject": variant["subject"],
                        "body": variant["body"],
                        "image": variant.get("image", ""),
                    }
                    for variant in step["variants"]
                ],
            }
            for step in document["steps"]
        ],
    }


def _fields(document: dict[str, Any]) -> dict[str, Any]:
    percent = document.get("holdout_percent", 0)
    if isinstance(percent, bool) or not isinstance(percent, int | float | Decimal):
        raise Invalid("'holdout_percent' is a number.", pointer="/holdout_percent")
    if not 0 <= percent <= 90:
        raise Invalid("'holdout_percent' lies between 0 and 90.", pointer="/holdout_percent")
    return {
        "name": _text(document, "name", 120, ""),
        "purpose": _choice(document, "purpose", Purpose.values, Purpose.MARKETING),
        "entry": document["entry"],
        "expires_hours": _whole(document, "expires_hours", 1, 2_000, 24),
        "in_quiet_hours": _choice(
            document,
            "in_quiet_hours",
            Campaign.InQuietHours.values,
            Campaign.InQuietHours.SKIP,
        ),
        "holdout_percent": Decimal(str(percent)).quantize(Decimal("0.01")),
        "priority": _whole(document, "priority", 0, 1_000, 50),
        "goal": document.get("goal", {}),
    }


def _steps(steps: object) -> list[dict[str, Any]]:
    if not isinstance(steps, list) or len(steps) != 1:
        raise Invalid("A campaign has exactly one step, so far.", pointer="/steps")
    for number, step in enumerate(steps):
        where = f"/steps/{number}"
        if not isinstance(step, dict):
            raise Invalid("A step is an object.", pointer=where)
        _refuse_unknown(step, STEP_KEYS, where)
        channels = step.get("channels")
        if not isinstance(channels, list) or not channels:
            raise Invalid("A step has a list of channels.", pointer=f"{where}/channels")
        for place, channel in enumerate(channels):
            if channel not in Channel.values or channel in channels[:place]:
                raise Invalid(
                    f"A channel is one of {', '.join(Channel.values)}, each once.",
                    pointer=f"{where}/channels/{place}",
                )
        _choice(step, "send", Step.Send.values, Step.Send.FIRST, where)
        _check_variants(step.get("variants"), where)
    return steps


def _check_variants(variants: object, where: str) -> None:
    if not isinstance(variants, list) or not 1 <= len(variants) <= 50:
        raise Invalid("A step has 1 to 50 variants.", pointer=f"{where}/variants")
    seen: set[str | None] = set()
    known = set(Interest.objects.values_list("slug", flat=True))
    for number, variant in enumerate(variants):
        here = f"{where}/variants/{number}"
        if not isinstance(variant, dict):
            raise Invalid("A variant is an object.", pointer=here)
        _refuse_unknown(variant, VARIANT_KEYS, here)
        interest = variant.get("interest")
        if interest is not None and (not isinstance(interest, str) or interest not in known):
            raise Invalid(
                f"There is no interest '{str(interest)[:60]}'.", pointer=f"{here}/interest"
            )
        if interest in seen:
            raise Invalid("Each interest has one variant.", pointer=f"{here}/interest")
        seen.add(interest)
        _text(variant, "subject", 200, here)
        _text(variant, "body", 20_000, here)
        if "image" in variant:
            _text(variant, "image", 40, here, may_be_empty=True)


def _write_steps(campaign: Campaign, steps: list[dict[str, Any]]) -> None:
    interests = {interest.slug: interest for interest in Interest.objects.all()}
    for position, step in enumerate(steps, start=1):
        row = Step.objects.create(
            campaign=campaign,
            position=position,
            channels=step["channels"],
            send=step.get("send", Step.Send.FIRST),
        )
        for variant in step["variants"]:
            Variant.objects.create(
                step=row,
                interest=interests.get(variant.get("interest") or ""),
                subject=variant["subject"],
                body=variant["body"],
                image=variant.get("image", ""),
            )


def _refuse_unknown(document: dict[str, Any], known: set[str], where: str) -> None:
    for key in document:
        if key not in known:
            raise Invalid(
                f"There is no key '{str(key)[:60]}'; there are: {', '.join(sorted(known))}.",
                pointer=f"{where}/{key}",
            )


def _text(
    document: dict[str, Any], key: str, longest: int, where: str, *, may_be_empty: bool = False
) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not (value or may_be_empty):
        raise Invalid(f"'{key}' is a text.", pointer=f"{where}/{key}")
    if len(value) > longest:
        raise Invalid(f"'{key}' has at most {longest:,} characters.", pointer=f"{where}/{key}")
    if "\x00" in value:
        raise Invalid(f"'{key}' holds a character that is not text.", pointer=f"{where}/{key}")
    return value


def _whole(document: dict[str, Any], key: str, low: int, high: int, default: int) -> int:
    value = document.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Invalid(f"'{key}' is a whole number from {low} to {high:,}.", pointer=f"/{key}")
    return value


def _choice(
    document: dict[str, Any], key: str, words: list[str], default: str, where: str = ""
) -> str:
    value = document.get(key, default)
    if value not in words:
        raise Invalid(f"'{key}' is one of: {', '.join(words)}.", pointer=f"{where}/{key}")
    return str(value)


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
