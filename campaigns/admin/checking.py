"""The page before the launch: how many, by which channel, in which words, and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet

from campaigns import fitting, learning, preflight, previewing, rehearsing, soundness, versions
from campaigns.admin import wording
from campaigns.models import Campaign, Step, Variant
from campaigns.previewing import NOBODY, Preview
from config.errors import Refusal
from members import languages
from members.models import Channel, Member, Programme


@dataclass(frozen=True, slots=True)
class Asked:
    """Which step and version the page shows, and for whom; `told` says why it is not for whom was
    asked."""

    variant: Variant
    member: Member
    is_example: bool
    told: str = ""

    @property
    def step(self) -> Step:
        return self.variant.step


def context(
    campaign: Campaign,
    *,
    step: str,
    version: str,
    named: str,
    among: QuerySet[Member],
    now: datetime,
) -> dict[str, Any]:
    """Everything the template shows."""
    asked = choose(campaign, step=step, version=version, named=named, among=among, now=now)
    preview = previewing.preview(campaign, variant=asked.variant, member=asked.member, now=now)
    rehearsal = rehearsing.rehearse(campaign, now=now, step=asked.step)
    return {
        "rehearsal": rehearsal,
        "ways": [{"name": str(Channel(way.channel).label), "way": way} for way in rehearsal.ways],
        "step": asked.step,
        "steps": _steps(campaign),
        "changes": versions.changes(campaign),
        "under_way": versions.under_way(campaign.replaces) if campaign.replaces else 0,
        "lacking": preflight.look(campaign, now=now),
        "problem": _problem(campaign, now=now),
        "versions": _versions(asked.variant),
        "asked": asked,
        "named": named,
        "preview": preview,
        "email_html": preview.email_html(),
        "inbox_html": preview.inbox_html(),
        "due": _due(preview),
        **_planned(asked, now=now),
        "version": asked.variant.key,
    }


def choose(
    campaign: Campaign,
    *,
    step: str,
    version: str,
    named: str,
    among: QuerySet[Member],
    now: datetime,
) -> Asked:
    """The step, the version and the member to show it for; without members an invented one."""
    steps = list(campaign.steps.all())
    shown = next((each for each in steps if str(each.position) == step), steps[0])
    variants = list(_variants(shown))
    variant = next((v for v in variants if v.key == version), variants[0])
    told = ""
    if named:
        found = Member.objects.filter(pk__in=among.values("pk")).named(named).first()
        if found is not None:
            return Asked(variant, found, is_example=False)
        told = "There is no member with this number or e-mail address; this is another one."
    member = previewing.sample(campaign, variant=variant, among=among, now=now)
    if member is not None:
        return Asked(variant, member, is_example=False, told=told)
    return Asked(variant, _example(), is_example=True, told=told)


def _variants(step: Step) -> QuerySet[Variant]:
    return step.variants.select_related("interest", "tier", "step__gift").order_by("pk")


def _versions(shown: Variant) -> list[dict[str, Any]]:
    return [
        {
            "key": variant.key,
            "name": wording.version_in_words(variant),
            "is_shown": variant.pk == shown.pk,
        }
        for variant in _variants(shown.step)
    ]


def _steps(campaign: Campaign) -> list[dict[str, Any]]:
    """The steps in words."""
    return [
        {
            "number": step.position,
            "wait": wording.wait_in_words(step),
            "condition": wording.clause_in_words(step.condition) if step.condition else "",
            "channels": wording.channels_in_words(step),
            "choose": step.get_choose_display(),
            "points": step.points,
            "versions": step.many,
        }
        for step in campaign.steps.annotate(many=Count("variants")).order_by("position")
    ]


def _planned(asked: Asked, *, now: datetime) -> dict[str, Any]:
    """What planning would do for this member: `chance` is how likely it chooses the version shown,
    by interest 0 or 1; `rightful` the one it would choose then, and `because` why."""
    variants = list(_variants(asked.step))
    readings = fitting.readings(asked.step, members=[asked.member], at=now)
    reading = readings[asked.member.pk]
    if asked.step.choose == Step.Choose.INTEREST:
        rightful = fitting.best(variants, reading=reading)
        return {
            "chance": float(rightful == asked.variant),
            "rightful": {"key": rightful.key, "name": wording.version_in_words(rightful)},
            "because": wording.choice_in_words(rightful),
        }
    odds = [each for each in learning.versions(asked.step) if each.reader == reading.reader]
    loved = next(iter(reading.loves), 0)
    context = loved if any(each.context == loved for each in odds) else 0
    chances = {each.variant: each.propensity for each in odds if each.context == context}
    spoken = {each.language for each in fitting.arms(variants, reader=reading.reader)}
    return {
        "chance": chances.get(asked.variant.pk, 0.0),
        "language": languages.name_of(reading.reader.language) if spoken != {None} else "",
    }


def _problem(campaign: Campaign, *, now: datetime) -> str:
    """Why this draft cannot be launched as it is."""
    if campaign.state != Campaign.State.DRAFT:
        return ""
    try:
        soundness.check(campaign, now=now)
    except Refusal as refusal:
        return refusal.detail
    return ""


def _due(preview: Preview) -> str:
    moment = preview.moment
    if moment is None:
        return ""
    # Worked out here: a template would show the server's zone.
    local = moment.due_at.astimezone(ZoneInfo(moment.zone))
    return f"{local:%A}, {local.day} {local:%B %Y at %H:%M} ({moment.zone.replace('_', ' ')})"


def _example() -> Member:
    return Member(
        pk=NOBODY,
        number="000000",
        given_name="Alex",
        family_name="Example",
        zone=Programme.objects.get().time_zone,
    )
