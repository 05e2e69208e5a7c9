"""Versions of a launched campaign: what was said stays said, and members stay on theirs.

The next version is a draft beside the campaign, written, previewed and played like any other.
Publishing it changes who enters and what they get from then on; whoever is under way goes on by
the version they entered, unless they are moved, which is a verb of its own that says whom first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns import files
from campaigns.models import Audience, Campaign, CampaignVersion, Journey, Step
from members.models import User


@dataclass(frozen=True, slots=True)
class Change:
    """One place of the document: what it says and what it will say; None: nothing."""

    pointer: str
    before: Any
    after: Any


def goal_of(step: Step) -> dict[str, Any]:
    """The goal of the version a step belongs to."""
    return _said(step, "goal")


def entry_of(step: Step) -> dict[str, Any]:
    """How members came in who go by the version a step belongs to."""
    return _said(step, "entry")


def _said(step: Step, key: str) -> dict[str, Any]:
    campaign = step.campaign
    if step.version == campaign.version:
        return dict(getattr(campaign, key))
    kept = CampaignVersion.objects.get(campaign=campaign, number=step.version)
    return dict(kept.document[key])


def step_after(step: Step) -> Step | None:
    """The next step of the same version."""
    later = Step.every.filter(campaign=step.campaign_id, version=step.version)
    return later.filter(position__gt=step.position).order_by("position").first()


def keep(campaign: Campaign, *, by: User | None, now: datetime) -> None:
    """Write down what is launched now."""
    CampaignVersion.objects.create(
        campaign=campaign,
        number=campaign.version,
        document=files.export(campaign),
        launched_at=now,
        launched_by=by,
    )


def changes(draft: Campaign) -> list[Change]:
    """What the draft of a next version would change, place by place."""
    if draft.replaces is None:
        return []
    return differences(files.export(draft.replaces), files.export(draft))


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[Change]:
    """What another document says otherwise than one, place by place."""
    before, after = _places(one), _places(other)
    return [
        Change(pointer, before.get(pointer), after.get(pointer))
        for pointer in sorted(before.keys() | after.keys())
        if before.get(pointer) != after.get(pointer)
    ]


def under_way(campaign: Campaign) -> int:
    """How many journeys wait for a step of what is in force now, or was before."""
    return Journey.objects.filter(campaign=campaign, next_at__isnull=False).count()


def adopt(campaign: Campaign, draft: Campaign, *, now: datetime) -> None:
    """Make a draft's content the campaign's own, as its next version; the draft is gone then."""
    number = campaign.version + 1
    # Before the draft goes: they are the campaign's now.
    Step.every.filter(campaign=draft).update(campaign=campaign, version=number)
    for key in files.AS_THEY_ARE:
        setattr(campaign, key, getattr(draft, key))
    campaign.topic = draft.topic
    campaign.version = number
    # Moments of the next hour were planned by the former version: those of this one are its own.
    campaign.planned_until = now
    campaign.save(update_fields=[*files.AS_THEY_ARE, "topic", "version", "planned_until"])
    written = draft.audience
    Audience.objects.filter(pk=campaign.audience_id).update(definition=written.definition)
    draft.delete()
    written.delete()
    campaign.refresh_from_db()


def move(*, campaign: Campaign, now: datetime, is_rehearsal: bool = False) -> dict[int, int]:
    """Let members under way go on by the current version: {position: how many wait for it}.

    Each waits on for the step of the same position, at the time that was set; where there is no
    such step any more the journey has come to its end. `is_rehearsal` only counts.
    """
    with transaction.atomic():
        former = Step.every.filter(campaign=campaign, version__lt=campaign.version)
        current = {step.position: step for step in campaign.steps.all()}
        found: dict[int, int] = {}
        for step in former.order_by("position"):
            # By the step itself: whoever is moved on meanwhile no longer waits for it.
            waiting = Journey.objects.filter(next_step=step)
            there = current.get(step.position)
            ended = {"next_step": None, "next_at": None}
            count = (
                waiting.count()
                if is_rehearsal
                else waiting.update(**({"next_step": there} if there else ended))
            )
            if count:
                found[step.position] = found.get(step.position, 0) + count
    return found


def _places(document: Any, pointer: str = "") -> dict[str, Any]:
    return dict(_walk(document, pointer))


def _walk(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _walk(inner, f"{pointer}/{key}")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from _walk(inner, f"{pointer}/{number}")
    else:
        yield pointer, value
